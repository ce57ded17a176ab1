"""The server's application with what a model author added to it: routes, mounted applications, middleware.

Routes of the author come before the server's own. Where nothing of theirs can touch a hot route, the lane goes on
answering it. With middleware, or with a route over one of those paths, the lane is off: every request then passes
through the author's application, which costs about what any ASGI server costs (docs/own-model.md has the figures).
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeAlias

from starlette.applications import Starlette
from starlette.routing import Match

from inferplane.dataplane.server.answers import Answer, Handler
from inferplane.dataplane.server.http.asgi import AsgiApp, Message
from inferplane.dataplane.server.http.routes import HotRoutes

Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

_HOT = (
    ("POST", "/v1/models/any:predict"),
    ("POST", "/v1/models/any:explain"),
    ("POST", "/v2/models/any/infer"),
    ("POST", "/inference.GRPCInferenceService/ModelInfer"),
    ("GET", "/"),
    ("GET", "/v2/health/live"),
    ("GET", "/v2/health/ready"),
)


class Later:
    """An application that is made for its first request. Most servers are asked for nothing that the lane does not
    answer, and it takes 1 ms and half a megabyte."""

    def __init__(self, make: Callable[[], AsgiApp]) -> None:
        self._make = make
        self._app: AsgiApp | None = None

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if self._app is None:
            self._app = self._make()
        await self._app(scope, receive, send)


class LaneOff(HotRoutes):
    """No request is answered before the application sees it."""

    def find(self, method: bytes, target: bytes) -> Handler | None:
        return None


class Everything:
    """All that the server answers, hot routes too, as one ASGI application."""

    def __init__(self, hot: HotRoutes, others: AsgiApp) -> None:
        self._hot = hot
        self._others = others

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        handler = None
        if scope["type"] == "http":
            handler = self._hot.find(scope["method"].encode("ascii"), _target(scope))
        if handler is None:
            await self._others(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        outcome = handler(await _body(receive), headers)
        await _write(outcome if isinstance(outcome, Answer) else await outcome, send)


def is_untouched(app: Starlette) -> bool:
    """Whether the author added nothing."""
    return not (app.routes or app.user_middleware or app.exception_handlers)


def takes_hot_routes(app: Starlette) -> bool:
    """Whether a request for a hot route must pass through the author's application."""
    return bool(app.user_middleware) or any(
        route.matches({"type": "http", "method": method, "path": path, "headers": []})[0] is Match.FULL
        for route in app.routes
        for method, path in _HOT
    )


def _target(scope: Message) -> bytes:
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    query: bytes = scope.get("query_string", b"")
    return path + b"?" + query if query else path


async def _body(receive: Receive) -> bytes:
    pieces: list[bytes] = []
    while True:
        message = await receive()
        pieces.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(pieces)


async def _write(answer: Answer, send: Send) -> None:
    kind = [(b"content-type", answer.content_type)] if answer.content_type is not None else []
    await send({"type": "http.response.start", "status": answer.status, "headers": [*kind, *answer.headers]})
    body = answer.body
    if isinstance(body, AsyncIterator):
        async for data in body:
            await send({"type": "http.response.body", "body": data, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    else:
        await send({"type": "http.response.body", "body": body if isinstance(body, bytes) else b"".join(body)})
