"""The calls of one model, waiting their turn.

With an idle model a call runs at once: at the end of the loop's current round, together with those that arrived in the
same round. Calls known to be short run in place; handing some to a thread and back costs about 0.1 ms. Long ones, and
the first one, of which nothing is known, run on the model's own threads, so health checks and other models never wait;
what arrives meanwhile collects, and what fits together then runs together. At most `max_concurrency` runs of one model
are under way; with 1, the default, its hooks never run at the same time.

A call that comes when `max_queue` wait is refused; one whose client leaves, or whose time is over, is answered for and
does not run if its turn has not come.
"""

import asyncio
import contextvars
import math
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from time import monotonic, perf_counter
from typing import Any, Protocol

from inferplane.dataplane.model.hooks import Hook, Hooks
from inferplane.dataplane.model.model import InferenceVerb, Model
from inferplane.dataplane.model.rows import RowModel
from inferplane.dataplane.server.answers import INTERNAL, Answer, Outcome
from inferplane.dataplane.server.batching.decide import Queue
from inferplane.dataplane.server.batching.forms import JoiningForms
from inferplane.dataplane.server.batching.join import RowJoining, joining_of
from inferplane.dataplane.server.calls import Call, Codec, Computing, Headers
from inferplane.dataplane.server.deadlines import Deadlines
from inferplane.dataplane.server.metrics import ModelMetrics
from inferplane.dataplane.server.pace import Pace, Traffic
from inferplane.dataplane.server.promptness import Promptness, be_patient
from inferplane.dataplane.server.reply import Reply
from inferplane.dataplane.server.settings import Execution
from inferplane.inference.errors import DeadlineExceeded, Overloaded

DECODED_AT_ONCE = 64 * 1024
"""Bytes. Larger bodies are decoded where they are computed; they run alone."""

WAITING_BYTES = 256 * 1024 * 1024
"""Bodies of one model that may wait, beside their number."""

SWITCH = 0.00005
"""Seconds that a thread may keep the interpreter while the loop waits for it; Linux' timers add 50 µs."""

_LONGEST_RETRY = 30
_LOOKED_AFTER = 256
"""Refusals until the queue is searched again for those whose client has left."""

_PREDICT = InferenceVerb.PREDICT
_BINARY = "inference-header-content-length"


class Watcher(Protocol):
    """Wants to know of each call whose turn has come: what it asked, how long it waited, and with how many it runs."""

    def computing(
        self, model: str, protocol: str, headers: Headers, waited: float, requests: int, rows: int
    ) -> None: ...


class Line:
    """Belongs to one event loop, and so do its metrics."""

    def __init__(
        self,
        hooks: Hooks,
        metrics: ModelMetrics,
        loop: asyncio.AbstractEventLoop,
        execution: Execution,
        watcher: Watcher | None = None,
        traffic: Traffic | None = None,
        promptness: Promptness | None = None,
        threads: ThreadPoolExecutor | None = None,
    ) -> None:
        """`threads` are shared with other lines; without any it has its own."""
        bounds = execution.bounds(hooks.model)
        joining = joining_of(
            hooks.model,
            lambda payload, headers: hooks.computed(_PREDICT, payload, headers, {}),
            bounds.rows,
            inexact=execution.max_batch_size is not None,
            asked=execution.batcher,
        )
        self._name = hooks.model.name
        self._metrics = metrics
        self._loop = loop
        self._execution = execution
        self._watcher = watcher
        self._decodes = _is_passive(hooks.model)
        self._silent = not hooks.prepares and not hooks.finishes
        forms = None
        if isinstance(joining, RowJoining) and self._decodes and self._silent and hooks.model.takes_arrays:
            forms = JoiningForms(joining.model, inexact=joining.inexact)
        self._computing = Computing(hooks, joining, monotonic, forms, labels=execution.batcher)
        self.joins = joining is not None and self._decodes
        """Whether the model can take the rows of several requests at once."""
        self._queue: Queue[Call] = Queue(bounds)
        self._deadlines = Deadlines(loop, self._expire)
        self._pace = Pace()
        self._traffic = traffic or Traffic()
        self._promptness = promptness or Promptness()
        self._hook_paces: dict[Hook, Pace] = {}
        self._shared = threads
        self._threads: ThreadPoolExecutor | None = None
        self._retired: Callable[[], None] | None = None
        self.used = 0.0
        """When the last call came, on the monotonic clock."""
        self._running = 0
        self._computed = 0
        self._scheduled = False
        self._refusals = 0
        self._refusal = INTERNAL
        self._said: tuple[Codec, int, int] | None = None
        """What the last refusal said."""
        self._later: asyncio.TimerHandle | None = None

    def join(
        self,
        codec: Codec,
        body: bytes,
        headers: Headers,
        verb: InferenceVerb = InferenceVerb.PREDICT,
        timeout: float | None = None,
    ) -> Outcome:
        """The answer, now or later. `timeout` in seconds. Cancelling the reply gives up the call."""
        if not self._has_room():
            return self._refused(codec)
        now = self.used = monotonic()  # the loop's clock, which uvloop rounds to its milliseconds
        reply = Reply()
        call = Call(codec, body, headers, reply, now, None if timeout is None else now + timeout)
        if verb is InferenceVerb.EXPLAIN:
            call.verb = verb
        if self._decodes and (call.size <= DECODED_AT_ONCE or _BINARY in headers):
            self._computing.prepare(call)
            if call.answer is not None:
                self._count(call, call.answer)
                return call.answer
        if call.deadline is not None:
            self._deadlines.watch(call)
        self._queue.add(call)
        if self._running:
            self._gauge()
        self._schedule()
        return reply

    async def run(self, hook: Hook, arguments: tuple[object, ...]) -> Any:
        """Calls a sync hook of a model that has async ones beside it: in place while it is short, else on a thread."""
        pace = self._hook_paces.setdefault(hook, Pace())

        def timed() -> Any:
            start = perf_counter()
            try:
                return hook(*arguments)
            finally:
                pace.record(perf_counter() - start, 1)

        if pace.is_short(1):
            return timed()
        self._promptness.begin()
        try:
            return await self._loop.run_in_executor(self._own_threads(), contextvars.copy_context().run, timed)
        finally:
            self._promptness.end()

    @property
    def idle(self) -> bool:
        """No call waits or runs."""
        return not (len(self._queue) or self._running or self._computed)

    def retire(self, then: Callable[[], None]) -> None:
        """No more calls will come: closes, and calls `then`, once those that came are answered."""
        self._retired = then
        self._end_if_done()

    def _end_if_done(self) -> None:
        if self._retired is not None and self.idle:
            then, self._retired = self._retired, None
            self.close()
            then()

    def close(self) -> None:
        self._deadlines.close()
        if self._later is not None:
            self._later.cancel()
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)

    # Coming in.

    def _has_room(self) -> bool:
        queue = self._queue
        if len(queue) < self._execution.max_queue and queue.size < WAITING_BYTES:
            return True
        # A refusal must be cheap, and looking at all that wait is not: it is done for the first since the queue has
        # moved, and then now and then.
        self._refusals += 1
        if self._refusals % _LOOKED_AFTER != 1:
            return False
        queue.drop_left()
        return len(queue) < self._execution.max_queue and queue.size < WAITING_BYTES

    def _refused(self, codec: Codec) -> Answer:
        waiting = len(self._queue)
        seconds = math.ceil(waiting * self._pace.call / self._execution.max_concurrency)
        self._metrics.rejected("queue_full")
        said = (codec, waiting, min(max(1, seconds), _LONGEST_RETRY))
        if said != self._said:
            self._said = said
            self._refusal = codec.failure(Overloaded(self._name, waiting, said[2]))
        self._metrics.answered(codec.protocol, self._refusal.status)
        return self._refusal

    # Running.

    def _schedule(self) -> None:
        if not self._scheduled and self._running < self._execution.max_concurrency and len(self._queue):
            self._scheduled = True
            self._loop.call_soon(self._run)

    def _run(self) -> None:
        self._scheduled = False
        now = monotonic()
        calls = self._queue.take(now)
        self._refusals = 0
        if not calls:
            self._wait()
            self._end_if_done()
            return
        self._computed += len(calls)
        self._note_start(calls, now)
        size = sum([call.size for call in calls])
        self._traffic.note(self, now, others=len(calls) + len(self._queue) + self._running > 1)
        if self._pace.is_short(size, self._traffic.limit(now)):
            self._settle(calls, size, self._timed(calls))
        else:
            self._running += 1
            self._promptness.begin()
            done = self._loop.run_in_executor(self._own_threads(), self._timed, calls)
            done.add_done_callback(partial(self._back, calls, size))
        self._schedule()
        self._end_if_done()

    def _wait(self) -> None:
        """Comes back when something is due."""
        due = self._queue.due()
        if due is None:
            return
        if self._later is not None:
            self._later.cancel()
        self._later = self._loop.call_at(due, self._schedule)

    def _timed(self, calls: Sequence[Call]) -> tuple[float, float]:
        """(seconds for everything, those of the model)."""
        start = perf_counter()
        computed = self._computing.compute(calls)
        return perf_counter() - start, computed

    def _back(self, calls: Sequence[Call], size: int, done: asyncio.Future[tuple[float, float]]) -> None:
        self._running -= 1
        self._promptness.end()
        if done.cancelled() or done.exception() is not None:
            # Only what no `except Exception` stops gets here, such as SystemExit from the model's code.
            self._answer(calls)
        else:
            self._settle(calls, size, done.result())
        self._schedule()
        self._end_if_done()

    def _settle(self, calls: Sequence[Call], size: int, took: tuple[float, float]) -> None:
        seconds, computed = took
        self._pace.record(seconds, size, len(calls))
        self._note_end(calls, computed)
        self._answer(calls)

    def _answer(self, calls: Sequence[Call]) -> None:
        self._computed -= len(calls)
        self._gauge()
        for call in calls:
            answer = call.answer or INTERNAL
            if not call.reply.done():
                self._count(call, answer)
                call.reply.set_result(answer)

    def _expire(self, call: Call) -> None:
        """The call's time is over, wherever it is. A run under way cannot be stopped; its result goes nowhere."""
        if call.reply.done():
            return
        self._metrics.rejected("deadline")
        answer = call.codec.failure(DeadlineExceeded(self._name))
        self._count(call, answer)
        call.reply.set_result(answer)

    # Counting.

    def _gauge(self) -> None:
        waiting = len(self._queue)
        self._metrics.queue_length.set(waiting)
        self._metrics.in_flight.set(waiting + self._computed)

    def _count(self, call: Call, answer: Answer) -> None:
        self._metrics.answered(call.codec.protocol, answer.status)

    def _note_start(self, calls: Sequence[Call], now: float) -> None:
        metrics = self._metrics
        self._gauge()
        metrics.batch_requests.observe(len(calls))
        rows = sum([call.rows for call in calls])
        metrics.batch_rows.observe(rows)
        metrics.queue_wait.observe_all([now - call.since for call in calls])
        if self._watcher is not None:
            for call in calls:
                self._watcher.computing(
                    self._name, call.codec.protocol, call.headers, now - call.since, len(calls), rows
                )

    def _note_end(self, calls: Sequence[Call], computed: float) -> None:
        metrics = self._metrics
        stage = metrics.predict if calls[0].verb is _PREDICT else metrics.explain
        stage.observe(computed, len([call for call in calls if call.has_result]))
        if self._silent:
            metrics.preprocess.observe(0.0, len(calls))
            metrics.postprocess.observe(0.0, len(calls))
            before = after = 0.0
        else:
            prepared = [call.preprocessing for call in calls if call.is_prepared]
            finished = [call.postprocessing for call in calls if call.has_result]
            metrics.preprocess.observe_all(prepared)
            metrics.postprocess.observe_all(finished)
            before, after = sum(prepared), sum(finished)
        metrics.ran(sum([call.rows for call in calls]), before, computed, after)

    def _own_threads(self) -> ThreadPoolExecutor:
        if self._shared is not None:
            sys.setswitchinterval(min(sys.getswitchinterval(), SWITCH))
            return self._shared
        if self._threads is None:
            # The loop must get its turn soon while a thread computes in Python, once a request. Another model's request
            # then takes, in the median, 0.2 ms more than when nothing computes; with the interpreter's own 5 ms, 5 ms.
            # Two threads that compute in Python lose some 5 to 10 % to each other's turns (measured beside other load).
            sys.setswitchinterval(min(sys.getswitchinterval(), SWITCH))
            self._threads = ThreadPoolExecutor(
                max_workers=self._execution.max_concurrency,
                thread_name_prefix=f"model-{self._name}",
                initializer=be_patient,
            )
        return self._threads


def _is_passive(model: Model) -> bool:
    """Whether decoding for the model runs none of its author's code but `rows`."""
    preprocess, validate = (getattr(getattr(model, hook), "__func__", None) for hook in ("preprocess", "validate"))
    return preprocess is Model.preprocess and validate in (Model.validate, RowModel.validate)
