"""Requests that wait for each other before a server that takes one body at a time, such as the one behind the agent.

One of these for each place that requests are for (a path). What fits together (`bodies`) becomes one body, up to a
number of rows, as soon as no other is on its way there; with a `latency` it waits so long to fill. The answer is taken
apart again. Where the server refuses a batch, or does not answer row by row, its requests go one by one, so that one
bad request fails alone; a server that cannot be reached or has no time (429, 502, 503, 504) is not asked again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Protocol

from inferplane.dataplane.server.answers import JSON, Answer
from inferplane.dataplane.server.batching.bodies import Form, NewId, Rows
from inferplane.dataplane.server.batching.decide import Bounds, Queue

_BUSY = frozenset({429, 502, 503, 504})


class Send(Protocol):
    def __call__(self, body: bytes, requests: Sequence["Request"]) -> Awaitable[Answer]:
        """`body` is the one request's own, or what several were made. What is raised is the failure of all of them."""
        ...


class Observe(Protocol):
    def __call__(self, requests: int, rows: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Request:
    """`kind` is what must be the same in all of a batch beside the body: who asks, say."""

    form: Form
    rows: Rows
    body: bytes
    headers: dict[str, str]
    kind: Hashable = None


@dataclass(slots=True)
class _Call:
    """A request that waits; see `decide.Waiting`."""

    request: Request
    since: float
    reply: "asyncio.Future[Answer]"

    @property
    def kind(self) -> Hashable:
        return self.request.rows.kind, self.request.kind

    @property
    def rows(self) -> int:
        return self.request.rows.count

    @property
    def size(self) -> int:
        return len(self.request.body)

    @property
    def left(self) -> bool:
        return self.reply.done()


class Gathering:
    """Belongs to one event loop. `timeout` is how many seconds one body may take; `at_once` how many are on their way.

    `observe` is told of each batch; `on_idle` is called whenever nothing waits or is on its way any more.
    """

    def __init__(
        self,
        send: Send,
        bounds: Bounds,
        new_id: NewId,
        *,
        timeout: float | None = None,
        at_once: int = 1,
        observe: Observe = lambda requests, rows: None,
        on_idle: Callable[[], None] = lambda: None,
    ) -> None:
        self._send = send
        self._queue: Queue[_Call] = Queue(bounds)
        self._new_id = new_id
        self._timeout = timeout
        self._at_once = at_once
        self._observe = observe
        self._on_idle = on_idle
        self._running: set[asyncio.Task[None]] = set()
        self._scheduled: asyncio.Handle | None = None

    @property
    def is_idle(self) -> bool:
        return not self._running and not len(self._queue)

    async def ask(self, request: Request) -> Answer:
        """Cancelled, the request goes nowhere if it has not gone yet."""
        loop = asyncio.get_running_loop()
        call = _Call(request, loop.time(), loop.create_future())
        self._queue.add(call)
        self._schedule(loop.call_soon(self._run))
        return await call.reply

    def close(self) -> None:
        self._schedule(None)
        for task in self._running:
            task.cancel()

    def _schedule(self, handle: asyncio.Handle | None) -> None:
        if self._scheduled is not None:
            self._scheduled.cancel()
        self._scheduled = handle

    def _run(self) -> None:
        self._schedule(None)
        loop = asyncio.get_running_loop()
        while len(self._running) < self._at_once and (calls := self._queue.take(loop.time())):
            task = loop.create_task(self._answered(calls))
            self._running.add(task)
            task.add_done_callback(self._back)
        due = self._queue.due()
        if due is not None and len(self._running) < self._at_once:
            self._schedule(loop.call_at(due, self._run))
        if self.is_idle:
            self._on_idle()

    def _back(self, task: "asyncio.Task[None]") -> None:
        self._running.discard(task)
        self._run()

    async def _answered(self, calls: Sequence[_Call]) -> None:
        self._observe(len(calls), sum(call.rows for call in calls))
        answers: Sequence[Answer | BaseException]
        try:
            answers = await self._together([call.request for call in calls])
        except Exception as error:
            # Of no one request: all waited for the same body.
            answers = [error] * len(calls)
        except asyncio.CancelledError:
            for call in calls:
                call.reply.cancel()
            raise
        for call, answer in zip(calls, answers, strict=True):
            if call.reply.done():
                continue
            if isinstance(answer, BaseException):
                call.reply.set_exception(answer)
            else:
                call.reply.set_result(answer)

    async def _together(self, requests: Sequence[Request]) -> Sequence[Answer | BaseException]:
        form, batch = requests[0].form, self._new_id()
        all_rows = [request.rows for request in requests]
        body = form.join(all_rows, batch) if len(requests) > 1 else requests[0].body
        answer = await self._sent(body, requests)
        if len(requests) == 1 and not form.labels:
            return [answer]
        if answer.status == 200 and isinstance(answer.body, bytes):
            pieces = form.split(answer.body, all_rows, batch, self._new_id)
            if pieces is not None:
                return [Answer(200, piece, JSON) for piece in pieces]
        if len(requests) == 1 or answer.status in _BUSY:
            return [answer] * len(requests)
        alone = (self._together([request]) for request in requests)
        found = await asyncio.gather(*alone, return_exceptions=True)
        return [one if isinstance(one, BaseException) else one[0] for one in found]

    async def _sent(self, body: bytes, requests: Sequence[Request]) -> Answer:
        try:
            async with asyncio.timeout(self._timeout):
                return await self._send(body, requests)
        except TimeoutError:
            if self._timeout is None:
                raise
            return Answer(504, b'{"error":"no answer to the batch within %g s"}' % self._timeout)
