"""The keyed work queue between informers and a controller's workers.

A key that is added while it waits is there once; one that is added while it is being worked on is worked on once more
afterwards, never twice at the same time. A failed key comes back after a growing delay.
"""

import asyncio
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
        self._timers: dict[Key, tuple[float, asyncio.Task[None]]] = {}
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
        for _, timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _offer(self, key: Key) -> None:
        self._ready.append(key)
        self._filled.set()

    def _add_later(self, key: Key, after: float) -> None:
        moment = self._clock.monotonic() + after
        known = self._timers.get(key)
        if known is not None:
            if known[0] <= moment:
                return
            known[1].cancel()
        self._timers[key] = (moment, asyncio.create_task(self._ring(key, after), name=f"delayed {key}"))

    async def _ring(self, key: Key, after: float) -> None:
        await self._clock.sleep(after)
        del self._timers[key]
        self.add(key)
