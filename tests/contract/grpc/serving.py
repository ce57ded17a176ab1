"""A model server with both of its ports in the test's event loop, and the calls of a client without generated code."""

import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

import grpc
from google.protobuf.message import Message

from inferplane import InferInput, InferOutput, InferRequest, InferResponse, Model, ModelRepository
from inferplane.dataplane.server.dispatch import Dispatch
from inferplane.dataplane.server.grpc.port import GrpcServer, PortOptions
from inferplane.dataplane.server.http.app import build
from inferplane.dataplane.server.http.limits import Limits
from inferplane.dataplane.server.http.listener import HttpServer
from inferplane.dataplane.server.http.probes import Probes
from inferplane.dataplane.server.http.routes import HotRoutes
from inferplane.dataplane.server.metrics import Metrics
from inferplane.inference.grpc import requests
from inferplane.inference.grpc.grpc_predict_v2_pb2 import ModelInferRequest, ModelInferResponse

R = TypeVar("R", bound=Message)
PREFIX = "/inference.GRPCInferenceService/"


class Echo(Model):
    """Every input comes back as an output of the same name."""

    def __init__(self, name: str = "echo") -> None:
        super().__init__(name)
        self.ready = True
        self.seen_headers: list[dict[str, str]] = []

    def predict(self, payload: object, headers: dict[str, str]) -> object:
        assert isinstance(payload, InferRequest)
        self.seen_headers.append(headers)
        outputs = [InferOutput.decoded(one.name, one.datatype, one.view()) for one in payload.inputs]
        return InferResponse(None, self.name, outputs, parameters=payload.parameters)


@dataclass(frozen=True)
class Serving:
    http: int
    grpc: int
    repository: ModelRepository
    server: GrpcServer
    probes: Probes

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.grpc}"


@asynccontextmanager
async def serving(
    *models: Model,
    options: PortOptions | None = None,
    limits: Limits | None = None,
    tls: ssl.SSLContext | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
) -> AsyncIterator[Serving]:
    repository = ModelRepository()
    for model in models:
        repository.update(model)
    dispatch = Dispatch(repository, Metrics())
    probes = Probes(dispatch)
    http = HttpServer(
        HotRoutes(dispatch, probes), build(dispatch, probes, "1.2.3"), probes, limits or Limits(lame_duck=0.01)
    )
    server = GrpcServer(dispatch, probes, options)
    over_http = GrpcServer(dispatch, probes, PortOptions(-1, http.limits.body))
    http.http2 = over_http.connection
    try:
        http_port, grpc_port = await http.listen(host, 0, tls), await server.listen(host, port)
        yield Serving(http_port, grpc_port, repository, server, probes)
    finally:
        await server.drain(0)
        await over_http.drain(0)
        http.close()
        dispatch.close()


async def call(channel: grpc.aio.Channel, method: str, request: Message, kind: type[R], **named: object) -> R:
    """A unary call; raises grpc.aio.AioRpcError."""
    path = method if method.startswith("/") else PREFIX + method
    answer: R = await channel.unary_unary(path, type(request).SerializeToString, kind.FromString)(request, **named)
    return answer


async def infer(channel: grpc.aio.Channel, request: ModelInferRequest, **named: object) -> ModelInferResponse:
    return await call(channel, "ModelInfer", request, ModelInferResponse, **named)


def message(model: str, inputs: Sequence[InferInput], id: str = "", *, raw: bool = False) -> ModelInferRequest:
    return requests.to_message(InferRequest(model, inputs, id), raw=raw)
