"""Spans of the calls on the gRPC port: an interceptor around each call of the inference service.

Health and reflection are not traced. The call sees metadata in which `traceparent` is the server's own span. A call
that a proxy made for HTTP is the HTTP port's, and so is its span.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast

import grpc

from inferplane.dataplane.server.grpc.paths import PREFIX
from inferplane.dataplane.server.tracing import TRACEPARENT, Spans, call_attributes

_FAULTS = frozenset({"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"})
"""Codes that are the server's fault, by the conventions; the others are not errors of its span."""


class _Continued:
    """A call's context, with the server's span as the caller."""

    def __init__(self, context: Any, traceparent: str) -> None:
        self._context = context
        self._traceparent = traceparent

    def __getattr__(self, name: str) -> object:
        return getattr(self._context, name)

    def invocation_metadata(self) -> tuple[tuple[str, object], ...]:
        given = ((key, value) for key, value in self._context.invocation_metadata() if key != TRACEPARENT)
        return (*given, (TRACEPARENT, self._traceparent))


class TracedCalls(grpc.aio.ServerInterceptor):  # type: ignore[misc]  # grpc is published without types
    def __init__(self, spans: Spans) -> None:
        self._spans = spans

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], details: Any
    ) -> grpc.RpcMethodHandler | None:
        handler = await continuation(details)
        if handler is None or not details.method.startswith(PREFIX):
            return handler
        if handler.unary_unary is not None:
            return grpc.unary_unary_rpc_method_handler(self._unary(details.method, handler.unary_unary))
        return grpc.stream_stream_rpc_method_handler(self._stream(details.method, handler.stream_stream))

    def _unary(self, path: str, call: Callable[[bytes, Any], Awaitable[bytes]]) -> Any:
        async def traced(body: bytes, context: Any) -> bytes:
            text = self._started(path, context)
            try:
                return await call(body, _Continued(context, text))
            except asyncio.CancelledError:
                self._ended(text, "CANCELLED")
                raise
            finally:
                self._ended(text, _code(context))

        return traced

    def _stream(self, path: str, call: Callable[[Any, Any], AsyncIterator[bytes]]) -> Any:
        async def traced(incoming: Any, context: Any) -> AsyncIterator[bytes]:
            text = self._started(path, context)
            try:
                async for message in call(incoming, _Continued(context, text)):
                    yield message
            except asyncio.CancelledError:
                self._ended(text, "CANCELLED")
                raise
            finally:
                self._ended(text, _code(context))

        return traced

    def _started(self, path: str, context: Any) -> str:
        given = cast("dict[str, str]", dict(context.invocation_metadata()))
        name, attributes = call_attributes(path)
        if (request := given.get("x-request-id")) is not None:
            attributes["inferplane.request_id"] = request
        attributes["network.peer.address"] = context.peer()
        return self._spans.start(name, given, attributes)

    def _ended(self, text: str, code: str) -> None:
        self._spans.end(text, {"rpc.response.status_code": code}, code if code in _FAULTS else "")


def _code(context: Any) -> str:
    """The call's status by name; a call that nobody gave one has gone well."""
    number = context.code()
    if isinstance(number, grpc.StatusCode):
        return str(number.name)
    return next((str(code.name) for code in grpc.StatusCode if code.value[0] == number), "OK")
