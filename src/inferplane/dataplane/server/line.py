"""The calls of one model, waiting their turn.

With an idle model a call runs at once: at the end of the loop's current round, together with those that arrived in
the same round. Calls known to be short run in place; handing one to a thread and back costs about 0.1 ms. Long ones,
and the first one, of which nothing is known, run on the model's own thread, so health checks and other models never
wait; what arrives meanwhile collects, and what fits together then runs together. Hooks of one model never run at the
same time.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from time import perf_counter

from inferplane.dataplane.model.model import Model
from inferplane.dataplane.model.rows import RowModel
from inferplane.dataplane.server.answers import INTERNAL, Answer
from inferplane.dataplane.server.calls import Codec, Headers, answered
from inferplane.dataplane.server.metrics import ModelMetrics
from inferplane.dataplane.server.pace import Pace

TOGETHER = 64
"""Calls computed in one go, at most."""


class QueuedCall:
    """A request and where its answer goes."""

    __slots__ = ("answer", "body", "codec", "headers")

    def __init__(self, codec: Codec, body: bytes, headers: Headers, answer: asyncio.Future[Answer]) -> None:
        self.codec = codec
        self.body = body
        self.headers = headers
        self.answer = answer


class Line:
    """Belongs to one event loop. A caller that cancels its future is not computed for, if its turn has not come."""

    def __init__(self, model: Model, metrics: ModelMetrics, loop: asyncio.AbstractEventLoop) -> None:
        self._model = model
        self._metrics = metrics
        self._loop = loop
        self._pace = Pace()
        self._waiting: deque[QueuedCall] = deque()
        self._most = TOGETHER if isinstance(model, RowModel) else 1
        self._scheduled = False
        self._thread: ThreadPoolExecutor | None = None
        self._thread_busy = False

    def join(self, codec: Codec, body: bytes, headers: Headers) -> asyncio.Future[Answer]:
        answer: asyncio.Future[Answer] = self._loop.create_future()
        self._waiting.append(QueuedCall(codec, body, headers, answer))
        self._schedule()
        return answer

    def _schedule(self) -> None:
        if self._waiting and not self._scheduled and not self._thread_busy:
            self._scheduled = True
            self._loop.call_soon(self._run)

    def _run(self) -> None:
        self._scheduled = False
        calls = self._taken()
        if not calls:
            return
        if self._pace.is_short(sum(len(call.body) for call in calls)):
            self._settle(calls, self._timed(calls))
        else:
            self._thread_busy = True
            done = self._loop.run_in_executor(self._own_thread(), self._timed, calls)
            done.add_done_callback(partial(self._back, calls))
        self._schedule()

    def _taken(self) -> list[QueuedCall]:
        calls: list[QueuedCall] = []
        while self._waiting and len(calls) < self._most:
            call = self._waiting.popleft()
            if not call.answer.done():
                calls.append(call)
        return calls

    def _timed(self, calls: Sequence[QueuedCall]) -> tuple[list[Answer], float]:
        start = perf_counter()
        answers = answered(self._model, self._metrics, calls)
        return answers, perf_counter() - start

    def _back(self, calls: Sequence[QueuedCall], done: asyncio.Future[tuple[list[Answer], float]]) -> None:
        self._thread_busy = False
        if done.cancelled() or done.exception() is not None:
            # Only what no `except Exception` stops gets here, such as SystemExit from the model's code.
            self._settle(calls, ([INTERNAL] * len(calls), 0.0))
        else:
            self._settle(calls, done.result())
        self._schedule()

    def _settle(self, calls: Sequence[QueuedCall], outcome: tuple[list[Answer], float]) -> None:
        answers, seconds = outcome
        self._pace.record(seconds, sum(len(call.body) for call in calls))
        for call, answer in zip(calls, answers, strict=True):
            self._metrics.answered(call.codec.protocol, answer.status)
            if not call.answer.done():
                call.answer.set_result(answer)

    def _own_thread(self) -> ThreadPoolExecutor:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"model-{self._model.name}")
        return self._thread

    def close(self) -> None:
        if self._thread is not None:
            self._thread.shutdown(wait=False, cancel_futures=True)
