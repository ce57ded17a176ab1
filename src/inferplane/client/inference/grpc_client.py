"""`GrpcClient` and `AsyncGrpcClient`: V2 over gRPC with arrays in and out, errors as those of the REST clients."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeAlias, TypeVar, cast, overload

import grpc
import grpc.aio
from google.protobuf.message import Message

from inferplane.client.inference import values
from inferplane.client.inference.channel import SERVICE, UNARY, address, credentials
from inferplane.client.inference.errors import (
    ClientError,
    NoSuchModel,
    NotAuthorized,
    NotReady,
    Refused,
    RequestRefused,
    ServerFailed,
    TimedOut,
    Unreachable,
)
from inferplane.client.inference.values import Frame, Inputs
from inferplane.inference.grpc import grpc_predict_v2_pb2 as messages
from inferplane.inference.tensors import Array, InferRequest, InferResponse, Parameters

A = TypeVar("A", bound=Message)
Options: TypeAlias = list[tuple[str, object]]

_REFUSALS: dict[grpc.StatusCode, tuple[type[Refused], int]] = {
    grpc.StatusCode.INVALID_ARGUMENT: (RequestRefused, 400),
    grpc.StatusCode.RESOURCE_EXHAUSTED: (RequestRefused, 413),
    grpc.StatusCode.UNAUTHENTICATED: (NotAuthorized, 401),
    grpc.StatusCode.PERMISSION_DENIED: (NotAuthorized, 403),
    grpc.StatusCode.NOT_FOUND: (NoSuchModel, 404),
    grpc.StatusCode.UNIMPLEMENTED: (ServerFailed, 501),
    grpc.StatusCode.UNAVAILABLE: (NotReady, 503),
}


class NoConnection(Exception):
    """What gRPC says of a server that it cannot reach."""


def failure(url: str, error: grpc.RpcError, timeout: float | None) -> ClientError:
    """gRPC's status as the REST clients' exceptions; `status` is the HTTP status that means the same."""
    code, details = error.code(), " ".join((error.details() or "").split())
    if code == grpc.StatusCode.DEADLINE_EXCEEDED:
        return TimedOut(url, timeout)
    if code == grpc.StatusCode.UNAVAILABLE and "connect" in details.lower():
        return Unreachable(url, NoConnection(details))
    kind, status = _REFUSALS.get(code, (ServerFailed, 500))
    return kind(url, status, f"{code.name}: {details}")


@dataclass(frozen=True, slots=True)
class _Where:
    url: str
    secure: bool
    options: Options
    credentials: grpc.ChannelCredentials | None


def _where(url: str, host: str, ca: str | None, cert: tuple[str, str] | None) -> _Where:
    """`grpc://host:port`, `grpcs://host:port` or `host:port`."""
    scheme, found, rest = url.rpartition("://")
    if found and scheme not in ("grpc", "grpcs"):
        raise ClientError(
            url, "expected grpc://host:port, grpcs://host:port or host:port", fix="for http(s) use Client"
        )
    secure = scheme == "grpcs"
    # Retries are gRPC's own transparent ones: only of calls that certainly did not reach the server.
    options: Options = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
    if host:
        options.append(("grpc.default_authority", host))
    chain, key = cert or (None, None)
    return _Where(address(rest, secure=secure), secure, options, credentials(ca, key, chain) if secure else None)


def _metadata(headers: Mapping[str, str] | None) -> tuple[tuple[str, str], ...]:
    return tuple((name.lower(), text) for name, text in (headers or {}).items())


class GrpcClient:
    """One endpoint. `host` is sent as the authority where the service's name does not resolve. Safe for threads."""

    def __init__(
        self,
        url: str,
        *,
        host: str = "",
        timeout: float | None = 60.0,
        headers: Mapping[str, str] | None = None,
        ca: str | None = None,
        cert: tuple[str, str] | None = None,
    ) -> None:
        where = _where(url, host, ca, cert)
        self._url = url
        self._timeout = timeout
        self._metadata = _metadata(headers)
        if where.credentials is None:
            self._channel = grpc.insecure_channel(where.url, options=where.options)
        else:
            self._channel = grpc.secure_channel(where.url, where.credentials, options=where.options)
        self._calls = {
            name: self._channel.unary_unary(SERVICE + name, request.SerializeToString, answer.FromString)
            for name, (request, answer) in UNARY.items()
        }

    @overload
    def infer(
        self,
        model: str,
        inputs: Frame,
        *,
        parameters: Parameters | None = ...,
        request_id: str | None = ...,
        version: str | None = ...,
        timeout: float | None = ...,
    ) -> Frame: ...
    @overload
    def infer(
        self,
        model: str,
        inputs: Mapping[str, Array | Sequence[object]],
        *,
        parameters: Parameters | None = ...,
        request_id: str | None = ...,
        version: str | None = ...,
        timeout: float | None = ...,
    ) -> dict[str, Array]: ...
    def infer(
        self,
        model: str,
        inputs: Inputs,
        *,
        parameters: Parameters | None = None,
        request_id: str | None = None,
        version: str | None = None,
        timeout: float | None = None,
    ) -> object:
        """Name → array in, name → array out; a data frame in, a data frame out."""
        request = _request(model, inputs, parameters, request_id, version)
        response = self.infer_request(request, timeout=timeout)
        return values.frame(response) if values.is_frame(inputs) else values.arrays(response)

    def infer_request(self, request: InferRequest, *, timeout: float | None = None) -> InferResponse:
        answer = self._call("ModelInfer", request.to_grpc(), messages.ModelInferResponse, timeout)
        return InferResponse.from_grpc(answer)

    def is_live(self) -> bool:
        try:
            return self._call("ServerLive", messages.ServerLiveRequest(), messages.ServerLiveResponse).live
        except (Refused, Unreachable):
            return False

    def is_ready(self, model: str | None = None) -> bool:
        """Whether the server, or one model, takes requests. A server that cannot be reached is not ready."""
        try:
            if model is None:
                return self._call("ServerReady", messages.ServerReadyRequest(), messages.ServerReadyResponse).ready
            return self._call("ModelReady", messages.ModelReadyRequest(name=model), messages.ModelReadyResponse).ready
        except (Refused, Unreachable):
            return False

    def close(self) -> None:
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _call(self, name: str, request: Message, kind: type[A], timeout: float | None = None) -> A:
        seconds = self._timeout if timeout is None else timeout
        try:
            return cast(A, self._calls[name](request, timeout=seconds, metadata=self._metadata))
        except grpc.RpcError as error:
            raise failure(self._url, error, seconds) from error


class AsyncGrpcClient:
    """As GrpcClient, with coroutines, for one event loop."""

    def __init__(
        self,
        url: str,
        *,
        host: str = "",
        timeout: float | None = 60.0,
        headers: Mapping[str, str] | None = None,
        ca: str | None = None,
        cert: tuple[str, str] | None = None,
    ) -> None:
        where = _where(url, host, ca, cert)
        self._url = url
        self._timeout = timeout
        self._metadata = _metadata(headers)
        if where.credentials is None:
            self._channel = grpc.aio.insecure_channel(where.url, options=where.options)
        else:
            self._channel = grpc.aio.secure_channel(where.url, where.credentials, options=where.options)
        self._calls = {
            name: self._channel.unary_unary(SERVICE + name, request.SerializeToString, answer.FromString)
            for name, (request, answer) in UNARY.items()
        }

    @overload
    async def infer(
        self,
        model: str,
        inputs: Frame,
        *,
        parameters: Parameters | None = ...,
        request_id: str | None = ...,
        version: str | None = ...,
        timeout: float | None = ...,
    ) -> Frame: ...
    @overload
    async def infer(
        self,
        model: str,
        inputs: Mapping[str, Array | Sequence[object]],
        *,
        parameters: Parameters | None = ...,
        request_id: str | None = ...,
        version: str | None = ...,
        timeout: float | None = ...,
    ) -> dict[str, Array]: ...
    async def infer(
        self,
        model: str,
        inputs: Inputs,
        *,
        parameters: Parameters | None = None,
        request_id: str | None = None,
        version: str | None = None,
        timeout: float | None = None,
    ) -> object:
        """Name → array in, name → array out; a data frame in, a data frame out."""
        request = _request(model, inputs, parameters, request_id, version)
        response = await self.infer_request(request, timeout=timeout)
        return values.frame(response) if values.is_frame(inputs) else values.arrays(response)

    async def infer_request(self, request: InferRequest, *, timeout: float | None = None) -> InferResponse:
        answer = await self._call("ModelInfer", request.to_grpc(), messages.ModelInferResponse, timeout)
        return InferResponse.from_grpc(answer)

    async def is_live(self) -> bool:
        try:
            return (await self._call("ServerLive", messages.ServerLiveRequest(), messages.ServerLiveResponse)).live
        except (Refused, Unreachable):
            return False

    async def is_ready(self, model: str | None = None) -> bool:
        """Whether the server, or one model, takes requests. A server that cannot be reached is not ready."""
        try:
            if model is None:
                return (
                    await self._call("ServerReady", messages.ServerReadyRequest(), messages.ServerReadyResponse)
                ).ready
            return (
                await self._call("ModelReady", messages.ModelReadyRequest(name=model), messages.ModelReadyResponse)
            ).ready
        except (Refused, Unreachable):
            return False

    async def close(self) -> None:
        await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _call(self, name: str, request: Message, kind: type[A], timeout: float | None = None) -> A:
        seconds = self._timeout if timeout is None else timeout
        try:
            return cast(A, await self._calls[name](request, timeout=seconds, metadata=self._metadata))
        except grpc.RpcError as error:
            raise failure(self._url, error, seconds) from error


def _request(
    model: str, inputs: Inputs, parameters: Parameters | None, request_id: str | None, version: str | None
) -> InferRequest:
    request = values.request(
        model, inputs, parameters=parameters, binary_data=True, request_id=request_id, version=version
    )
    # Raw inputs ask for raw outputs by themselves.
    request.parameters = {key: one for key, one in (request.parameters or {}).items() if key != "binary_data_output"}
    return request
