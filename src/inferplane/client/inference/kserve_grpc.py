"""KServe's gRPC client by its own name: InferenceGRPCClient."""

import logging
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self, TypeAlias, TypeVar, cast

import grpc
import grpc.aio
from google.protobuf.message import Message

from inferplane.client.inference.channel import SERVICE, UNARY, address, credentials, options
from inferplane.inference.errors import InvalidInput
from inferplane.inference.grpc import grpc_predict_v2_pb2 as messages
from inferplane.inference.tensors import InferRequest, InferResponse

log = logging.getLogger("inferplane.client")

Metadata: TypeAlias = Sequence[tuple[str, str]] | None
A = TypeVar("A", bound=Message)


class UseClientDefault:
    """Stands for "the client's own timeout", which None (no timeout) cannot."""


USE_CLIENT_DEFAULT = UseClientDefault()


class InferenceGRPCClient:
    """Asynchronous, for one event loop. `url` is `host[:port]`; certificates are paths of PEM files.

    `timeout` in seconds, None for none. Requests that end with UNAVAILABLE are tried up to `retries` times.
    """

    def __init__(
        self,
        url: str,
        verbose: bool = False,
        use_ssl: bool = False,
        root_certificates: str | None = None,
        private_key: str | None = None,
        certificate_chain: str | None = None,
        creds: grpc.ChannelCredentials | None = None,
        channel_args: Sequence[tuple[str, object]] | None = None,
        timeout: float | None = 60,
        retries: int | None = 3,
    ) -> None:
        self._verbose = verbose
        self._timeout = timeout
        chosen = options(channel_args, retries)
        target = address(url, secure=use_ssl)
        if creds is None and use_ssl:
            creds = credentials(root_certificates, private_key, certificate_chain)
        if creds is None:
            self._channel = grpc.aio.insecure_channel(target, options=chosen)
        else:
            self._channel = grpc.aio.secure_channel(target, creds, options=chosen)
        self._calls = {
            name: self._channel.unary_unary(SERVICE + name, request.SerializeToString, answer.FromString)
            for name, (request, answer) in UNARY.items()
        }

    async def infer(
        self,
        infer_request: InferRequest,
        timeout: float | UseClientDefault | None = USE_CLIENT_DEFAULT,
        headers: Metadata = None,
    ) -> InferResponse:
        """Raises grpc.RpcError for any status but OK."""
        if not isinstance(infer_request, InferRequest):
            raise InvalidInput("Invalid input format")
        answer = await self._call("ModelInfer", infer_request.to_grpc(), messages.ModelInferResponse, timeout, headers)
        return InferResponse.from_grpc(answer)

    async def is_server_ready(
        self, timeout: float | UseClientDefault | None = USE_CLIENT_DEFAULT, headers: Metadata = None
    ) -> bool:
        request = messages.ServerReadyRequest()
        return (await self._call("ServerReady", request, messages.ServerReadyResponse, timeout, headers)).ready

    async def is_server_live(
        self, timeout: float | UseClientDefault | None = USE_CLIENT_DEFAULT, headers: Metadata = None
    ) -> bool:
        request = messages.ServerLiveRequest()
        return (await self._call("ServerLive", request, messages.ServerLiveResponse, timeout, headers)).live

    async def is_model_ready(
        self,
        model_name: str,
        timeout: float | UseClientDefault | None = USE_CLIENT_DEFAULT,
        headers: Metadata = None,
    ) -> bool:
        """Raises grpc.RpcError (NOT_FOUND) for a model that the server does not have."""
        request = messages.ModelReadyRequest(name=model_name)
        return (await self._call("ModelReady", request, messages.ModelReadyResponse, timeout, headers)).ready

    async def close(self) -> None:
        await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _call(
        self,
        name: str,
        request: Message,
        kind: type[A],
        timeout: float | UseClientDefault | None,
        headers: Metadata | Mapping[str, str],
    ) -> A:
        seconds = self._timeout if isinstance(timeout, UseClientDefault) else timeout
        metadata = tuple(headers.items()) if isinstance(headers, Mapping) else tuple(headers or ())
        try:
            answer = cast(A, await self._calls[name](request, timeout=seconds, metadata=metadata))
        except grpc.RpcError as error:
            log.error("%s failed: %s", name, error)
            raise
        if self._verbose:
            log.info("%s: %s", name, answer)
        return answer
