"""The gRPC port: grpc.aio around the calls of `service`, with streams, health and reflection.

Messages cross as bytes: the calls parse and write them themselves. A client that cancels, or whose deadline passes,
cancels the call here too, and a request that still waits for its turn is dropped.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias

import grpc
from grpc_health.v1 import health_pb2  # type: ignore[import-untyped]  # published without types
from grpc_reflection.v1alpha import reflection  # type: ignore[import-untyped]  # published without types

from inferplane.dataplane.server.answers import Answer, Handler, Outcome
from inferplane.dataplane.server.dispatch import Dispatch
from inferplane.dataplane.server.grpc.paths import HEALTH_SERVICE, SERVICE
from inferplane.dataplane.server.grpc.protocol import joined
from inferplane.dataplane.server.grpc.service import Service
from inferplane.dataplane.server.grpc.status import Refusal, of_failure
from inferplane.dataplane.server.grpc.streaming import Stream
from inferplane.dataplane.server.http.listener import CannotListen
from inferplane.inference.grpc.grpc_predict_v2_pb2 import POOL

HEALTH_PERIOD = 1.0
"""Seconds between two looks at the models' health for those who watch it."""


@dataclass(frozen=True, slots=True)
class Tls:
    """Files in PEM. With `ca`, clients must show a certificate that it signed."""

    certificate: Path
    key: Path
    ca: Path | None = None


@dataclass(frozen=True, slots=True)
class PortOptions:
    """Sizes in bytes, times in seconds. Defaults of the sizes are KServe's."""

    max_send: int = 8 * 1024 * 1024
    max_receive: int = 8 * 1024 * 1024
    compress: bool = False
    """Whether answers to clients that take gzip are sent in it."""
    tls: Tls | None = None
    shared: bool = False
    """Whether other processes listen on the same port."""
    keep_alive: float = 7200.0
    """Of silence, before a client is asked whether it is there."""
    ping_interval: float = 10.0
    """The shortest time between two such questions of a client."""
    interceptors: tuple[grpc.aio.ServerInterceptor, ...] = ()


class Context(Protocol):
    """What this module uses of grpc.aio.ServicerContext."""

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]: ...
    def time_remaining(self) -> float | None: ...
    def set_trailing_metadata(self, metadata: tuple[tuple[str, str], ...]) -> None: ...
    async def abort(self, code: grpc.StatusCode, details: str) -> None: ...


Call: TypeAlias = Callable[[bytes, Context], Awaitable[bytes]]

_STATUS: Mapping[int, grpc.StatusCode] = {status.value[0]: status for status in grpc.StatusCode}


class GrpcServer:
    """Serves one `Service` on one address. Made and used on one event loop."""

    def __init__(self, service: Service, dispatch: Dispatch, options: PortOptions) -> None:
        self._service = service
        self._dispatch = dispatch
        self._options = options
        self._server = self._made()
        self._private: grpc.aio.Server | None = None

    def _made(self, *more: tuple[str, int]) -> grpc.aio.Server:
        options = self._options
        server = grpc.aio.server(
            interceptors=options.interceptors,
            options=[*_channel_options(options), *more],
            compression=_compression(options),
        )
        server.add_generic_rpc_handlers((self._inference(), self._health()))
        reflection.enable_server_reflection(
            (SERVICE, HEALTH_SERVICE, reflection.SERVICE_NAME), server, pool=_described()
        )
        return server

    async def listen(self, host: str, port: int) -> int:
        """Starts to accept; port 0 is the system's choice. Returns the port."""
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            bound = self._bound(self._server, address)
        except RuntimeError as error:
            raise CannotListen(
                f"cannot listen for gRPC on {address}: {error}",
                fix="stop what holds the port, or choose another with --grpc_port",
            ) from error
        await self._server.start()
        return bound

    async def listen_privately(self, address: str, age: float) -> None:
        """Serves the Unix socket at `address` too (abstract after a zero byte), until `close_private`.

        After `age` seconds its clients are asked to connect again; calls under way take the time that they need.
        """
        self._private = self._made(("grpc.max_connection_age_ms", int(age * 1000)))
        self._bound(self._private, f"unix-abstract:{address[1:]}" if address[0] == "\0" else f"unix:{address}")
        await self._private.start()

    async def close_private(self) -> None:
        if self._private is not None:
            await self._private.stop(0)

    def _bound(self, server: grpc.aio.Server, address: str) -> int:
        tls = self._options.tls
        if tls is None:
            return int(server.add_insecure_port(address))
        return int(server.add_secure_port(address, _credentials(tls)))

    async def drain(self, grace: float) -> None:
        """Takes no more calls and waits for those under way, `grace` seconds at most."""
        await asyncio.gather(*(one.stop(grace) for one in (self._server, self._private) if one is not None))

    def _inference(self) -> grpc.GenericRpcHandler:
        calls = {name: grpc.unary_unary_rpc_method_handler(_unary(method)) for name, method in self._methods()}
        calls["ModelInfer"] = grpc.unary_unary_rpc_method_handler(self._infer)
        calls["ModelStreamInfer"] = grpc.stream_stream_rpc_method_handler(self._stream)
        return grpc.method_handlers_generic_handler(SERVICE, calls)

    def _methods(self) -> list[tuple[str, Handler]]:
        return list(self._service.methods.items())

    def _health(self) -> grpc.GenericRpcHandler:
        return grpc.method_handlers_generic_handler(
            HEALTH_SERVICE,
            {
                "Check": grpc.unary_unary_rpc_method_handler(_unary(self._service.health)),
                "Watch": grpc.unary_stream_rpc_method_handler(self._watch),
            },
        )

    async def _infer(self, body: bytes, context: Context) -> bytes:
        return await _told(self._service.infer(body, _headers(context), context.time_remaining()), context)

    async def _stream(self, incoming: AsyncIterator[bytes], context: Context) -> AsyncIterator[bytes]:
        async for message in Stream(self._dispatch, _headers(context)).messages(incoming):
            yield message

    async def _watch(self, body: bytes, context: Context) -> AsyncIterator[bytes]:
        """Tells the health now and whenever it changes. Of a service not known here it says so, and goes on."""
        told = b""
        while True:
            answer = await self._service.health(body, {})
            state = UNKNOWN_SERVICE if isinstance(answer, Refusal) else joined(answer)
            if state != told:
                yield state
                told = state
            await asyncio.sleep(HEALTH_PERIOD)


UNKNOWN_SERVICE: bytes = health_pb2.HealthCheckResponse(
    status=health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
).SerializeToString()


def _unary(method: Handler) -> Call:
    async def call(body: bytes, context: Context) -> bytes:
        return await _told(method(body, _headers(context)), context)

    return call


async def _told(outcome: Outcome, context: Context) -> bytes:
    answer = outcome if isinstance(outcome, Answer) else await outcome
    if isinstance(answer, Refusal):
        await _abort(context, answer)
    if answer.headers:
        context.set_trailing_metadata(tuple((key.decode(), value.decode("latin-1")) for key, value in answer.headers))
    try:
        return joined(answer)
    except Exception as error:
        await _abort(context, of_failure(error))
        raise


async def _abort(context: Context, refusal: Refusal) -> None:
    """Does not return."""
    await context.abort(_STATUS[refusal.code], refusal.message)


def _headers(context: Context) -> dict[str, str]:
    """gRPC's metadata; names are lower-case there. Binary values are bytes, as KServe hands them to hooks."""
    return dict(context.invocation_metadata())


def _channel_options(options: PortOptions) -> list[tuple[str, int]]:
    return [
        ("grpc.max_send_message_length", options.max_send),
        ("grpc.max_receive_message_length", options.max_receive),
        ("grpc.so_reuseport", int(options.shared)),
        ("grpc.keepalive_time_ms", int(options.keep_alive * 1000)),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", int(options.ping_interval * 1000)),
    ]


def _compression(options: PortOptions) -> grpc.Compression:
    return grpc.Compression.Gzip if options.compress else grpc.Compression.NoCompression


def _credentials(tls: Tls) -> grpc.ServerCredentials:
    return grpc.ssl_server_credentials(
        [(tls.key.read_bytes(), tls.certificate.read_bytes())],
        root_certificates=tls.ca.read_bytes() if tls.ca else None,
        require_client_auth=tls.ca is not None,
    )


def _described() -> object:
    """The descriptors that reflection hands out: ours and the health service's."""
    POOL.AddSerializedFile(health_pb2.DESCRIPTOR.serialized_pb)
    return POOL
