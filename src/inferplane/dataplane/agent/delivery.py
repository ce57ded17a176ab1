"""From events to a sink: what waits, what is tried again, what is given up, and all of it counted.

    offered ─▶ queued ─send─▶ sent          dropped: there was no room, or no time at the end
                  └──────────▶ failed       the sink will never take it (it said so)

A sink that cannot be reached is tried again after a pause that grows, for as long as it takes; meanwhile the queue
fills, and what comes past its bounds is dropped. Whoever offers an event never waits.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Protocol

from inferplane.dataplane.agent.events import Event
from inferplane.dataplane.agent.settings import Bounds
from inferplane.dataplane.agent.sinks.sink import Refused, Sink, Unavailable
from inferplane.dataplane.agent.waiting import Waiting
from inferplane.kernel.backoff import Backoff
from inferplane.kernel.clock import Clock

log = logging.getLogger("inferplane.agent")

BACKOFF = Backoff(first=0.1, limit=10.0)
_LAST_PAUSES = Backoff(first=0.1, limit=1.0)
"""Of an agent that stops, which has little time."""


class Counter(Protocol):
    def add(self, amount: float = 1.0) -> None: ...
    def set(self, value: float) -> None: ...


class Counts(Protocol):
    """Of one sink."""

    @property
    def queued(self) -> Counter: ...
    @property
    def sent(self) -> Counter: ...
    @property
    def dropped(self) -> Counter: ...
    @property
    def failed(self) -> Counter: ...


class Delivery:
    """To one sink. Belongs to one event loop; `start` it, then `offer`, at last `finish`."""

    def __init__(self, sink: Sink, bounds: Bounds, counts: Counts, clock: Clock) -> None:
        self._sink = sink
        self._waiting = Waiting(bounds, sink.batch)
        self._counts = counts
        self._clock = clock
        self._news = asyncio.Event()
        self._closing = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._is_dropping = False
        self._failures = 0

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._send_on()) for _ in range(self._sink.senders)]

    @property
    def is_full(self) -> bool:
        return self._waiting.is_full

    def drop(self, number: int) -> None:
        """Of events that were not even made, as there is no room for them."""
        self._counts.dropped.add(number)
        if not self._is_dropping:
            self._is_dropping = True
            log.warning("no room for more events, they are dropped sink=%s", self._sink.name)

    def offer(self, events: Sequence[Event]) -> None:
        now = self._clock.monotonic()
        taken = sum([self._waiting.offer(event, now) for event in events])
        self._counts.queued.set(self._waiting.count)
        self._news.set()
        if taken < len(events):
            self.drop(len(events) - taken)

    async def finish(self, seconds: float) -> None:
        """Sends what is left, as far as there is time; the rest is dropped."""
        self._closing.set()
        self._news.set()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._waiting.count:
            self._counts.dropped.add(self._waiting.count)
            log.error("events were not delivered in time sink=%s events=%d", self._sink.name, self._waiting.count)
        self._counts.queued.set(0)
        await self._sink.close()

    async def _send_on(self) -> None:
        while True:
            closing = self._closing.is_set()
            batch = self._waiting.take(self._clock.monotonic(), all=closing)
            if batch:
                await self._deliver(batch)
            elif closing:
                return
            else:
                await self._more()

    async def _more(self) -> None:
        """Returns when there may be a batch to send."""
        self._news.clear()
        due = self._waiting.due()
        await self._news_within(None if due is None else due - self._clock.monotonic())

    async def _news_within(self, seconds: float | None) -> None:
        if seconds is None:
            await self._news.wait()
            return
        await self._first_of(self._news, seconds)

    async def _first_of(self, event: asyncio.Event, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        tasks = [loop.create_task(event.wait()), loop.create_task(_slept(self._clock, seconds))]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()

    async def _deliver(self, batch: list[Event]) -> None:
        failures = 0
        while not await self._tried(batch, failures):
            failures += 1
        self._waiting.done(batch)
        self._counts.queued.set(self._waiting.count)
        if self._waiting.count == 0:
            self._is_dropping = False

    async def _tried(self, batch: list[Event], failures: int) -> bool:
        """Whether it is over with this batch, after a pause if it is not."""
        try:
            await self._sink.send(batch)
        except Refused as error:
            self._counts.failed.add(len(batch))
            log.error("refused sink=%s events=%d: %s", self._sink.name, len(batch), error)
            return True
        except Unavailable as error:
            self._fails(error)
            await self._pause(failures + 1, error.after)
            return False
        except Exception:
            # A mistake of ours must end neither this sender nor the others.
            self._counts.failed.add(len(batch))
            log.exception("cannot send sink=%s events=%d", self._sink.name, len(batch))
            return True
        self._counts.sent.add(len(batch))
        if self._failures:
            log.info("delivered again sink=%s failures=%d", self._sink.name, self._failures)
            self._failures = 0
        return True

    def _fails(self, error: Unavailable) -> None:
        self._failures += 1
        level = logging.WARNING if self._failures == 1 else logging.DEBUG
        log.log(level, "cannot deliver, trying again sink=%s: %s", self._sink.name, error)

    async def _pause(self, failures: int, after: float) -> None:
        if self._closing.is_set():
            await self._clock.sleep(_LAST_PAUSES.delay(failures))
        else:
            await self._first_of(self._closing, max(after, BACKOFF.delay(failures)))


async def _slept(clock: Clock, seconds: float) -> None:
    await clock.sleep(max(0.0, seconds))
