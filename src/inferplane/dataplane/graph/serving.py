"""The router over HTTP: a POST to any path is a request to the graph; beside that readiness and metrics.

Errors of the graph itself have KServe's form: `{"error": "Failed to process request", "cause": …}`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import TypeAlias

import orjson

from inferplane.dataplane.graph.bodies import BINARY, Message
from inferplane.dataplane.graph.calls import BINARY_HEADER
from inferplane.dataplane.graph.executor import Answered, Executor, StepFailed
from inferplane.dataplane.graph.forwarding import Propagation
from inferplane.dataplane.graph.metrics import GraphMetrics
from inferplane.dataplane.server.answers import JSON, Answer, Handler
from inferplane.dataplane.server.http.asgi import Message as AsgiMessage

READY_PATH = b"/readyz"
_READY = Answer(200, b"", None)
_STOPPING = Answer(503, b"shutting down\n", b"text/plain; charset=utf-8")

Receive: TypeAlias = Callable[[], Awaitable[AsgiMessage]]
Send: TypeAlias = Callable[[AsgiMessage], Awaitable[None]]


class Readiness:
    """`stopping` is set by the server that is about to end."""

    def __init__(self) -> None:
        self.stopping = False

    def answer(self) -> Answer:
        return _STOPPING if self.stopping else _READY


class GraphRoutes:
    """`whole` in seconds is the longest time of a request, None for no bound."""

    def __init__(
        self,
        executor: Executor,
        propagation: Propagation,
        metrics: GraphMetrics,
        readiness: Readiness,
        whole: float | None,
    ) -> None:
        self._executor = executor
        self._propagation = propagation
        self._metrics = metrics
        self._whole = whole
        self._pages: dict[bytes, Handler] = {
            READY_PATH: lambda body, headers: readiness.answer(),
            b"/healthz": lambda body, headers: _READY,
            b"/metrics": self._exposition,
        }

    def find(self, method: bytes, target: bytes) -> Handler | None:
        if method == b"POST":
            return self._request
        return self._pages.get(target.partition(b"?")[0]) if method in (b"GET", b"HEAD") else None

    def _exposition(self, body: bytes, headers: dict[str, str]) -> Answer:
        text, kind = self._metrics.exposition(headers.get("accept", ""))
        return Answer(200, text, kind.encode())

    async def _request(self, body: bytes, headers: dict[str, str]) -> Answer:
        begun = perf_counter()
        self._metrics.in_flight.inc()
        try:
            answer = await self._answered(_message(body, headers), headers)
        finally:
            self._metrics.in_flight.dec()
        self._metrics.request(answer.status, perf_counter() - begun)
        return answer

    async def _answered(self, message: Message, headers: dict[str, str]) -> Answer:
        try:
            async with asyncio.timeout(self._whole):
                return _answer(await self._executor.run(message, self._propagation.of(headers)))
        except StepFailed as error:
            return failure(error.status, error.message)
        except TimeoutError:
            return failure(504, f"the graph gave no answer within {self._whole:g} s (routerTimeouts.serverWrite)")


def failure(status: int, cause: str) -> Answer:
    return Answer(status, orjson.dumps({"error": "Failed to process request", "cause": cause}))


def _message(body: bytes, headers: dict[str, str]) -> Message:
    length = headers.get(BINARY_HEADER, "")
    return Message(body, int(length), BINARY) if length.isdecimal() else Message(body)


def _answer(answered: Answered) -> Answer:
    message = answered.message
    headers = ((b"retry-after", answered.retry_after),) if answered.retry_after else ()
    if message.json_length is not None:
        headers = (*headers, (BINARY_HEADER.encode(), b"%d" % message.json_length))
    return Answer(answered.status, message.body, message.content_type or None, headers)


_NO_GET = failure(405, "a graph takes POST requests")


async def nothing_else(scope: AsgiMessage, receive: Receive, send: Send) -> None:
    """The application behind the routes: what is no POST and none of the pages is refused."""
    headers = [(b"content-type", JSON), (b"allow", b"POST")]
    await send({"type": "http.response.start", "status": _NO_GET.status, "headers": headers})
    await send({"type": "http.response.body", "body": _NO_GET.body})
