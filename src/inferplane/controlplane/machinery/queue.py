"""The keyed work queue between informers and a controller's workers.

A key that is added while it waits is there once; one that is added while it is being worked on is worked on once more
afterwards, never twice at the same time. A failed key comes back after a growing delay. One task waits for all that is
delayed: controllers ask for every one of thousands of keys to come back "in 15 seconds".
"""

import asyncio
import heapq
from collections import deque

from inferplane.controlplane.machinery.cache import Key
from inferplane.kernel.backoff import Backoff
from inferplane.kernel.clock import Clock


class WorkQueue:
    def __init__(self, clock: Clock, backoff: Backoff) -> None:
        self._clock = clock
        self._backoff = backoff
        self._ready: deque[Key] = deque()
        self._waiting: set[Key] = set()
        self._running: set[Key] = set()
        self._failures: dict[Key, int] = {}
        self._due: dict[Key, float] = {}
        self._delayed: list[tuple[float, Key]] = []  # a heap; an entry counts if `_due` still says the same
        self._alarm: asyncio.Task[None] | None = None
        self._alarm_at = 0.0
        self._filled = asyncio.Event()

    def add(self, key: Key, after: float = 0.0) -> None:
        """Work on `key` in `after` seconds; of several moments the earliest counts."""
        if after > 0:
            self._add_later(key, after)
        elif key not in self._waiting:
            self._waiting.add(key)
            if key not in self._running:
                self._offer(key)

    async def take(self) -> Key:
        """The next key; it belongs to the caller until `done`."""
        while not self._ready:
            self._filled.clear()
            await self._filled.wait()
        key = self._ready.popleft()
        self._waiting.discard(key)
        self._running.add(key)
        return key

    def done(self, key: Key) -> None:
        self._running.discard(key)
        if key in self._waiting:
            self._offer(key)

    def failed(self, key: Key) -> float:
        """Adds the key again after its back-off, which is returned in seconds."""
        self._failures[key] = self._failures.get(key, 0) + 1
        delay = self._backoff.delay(self._failures[key])
        self.add(key, delay)
        return delay

    def succeeded(self, key: Key) -> None:
        self._failures.pop(key, None)

    @property
    def idle(self) -> bool:
        """Nothing to do and nothing being done now; delayed keys don't count."""
        return not self._ready and not self._running

    def close(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._due.clear()
        self._delayed.clear()

    def _offer(self, key: Key) -> None:
        self._ready.append(key)
        self._filled.set()

    def _add_later(self, key: Key, after: float) -> None:
        moment = self._clock.monotonic() + after
        if moment >= self._due.get(key, float("inf")):
            return
        self._due[key] = moment
        heapq.heappush(self._delayed, (moment, key))
        if self._alarm is None or moment < self._alarm_at:
            self._set_alarm()

    def _set_alarm(self) -> None:
        """For the first moment of all; none when nothing is delayed."""
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = None
        if self._delayed:
            self._alarm_at = self._delayed[0][0]
            after = self._alarm_at - self._clock.monotonic()
            self._alarm = asyncio.create_task(self._ring(after), name="delayed keys")

    async def _ring(self, after: float) -> None:
        await self._clock.sleep(after)
        now = self._clock.monotonic()
        while self._delayed and self._delayed[0][0] <= max(now, self._alarm_at):
            moment, key = heapq.heappop(self._delayed)
            if self._due.get(key) == moment:
                del self._due[key]
                self.add(key)
        self._alarm = None
        self._set_alarm()
