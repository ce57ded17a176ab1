"""Who goes first: what somebody waits for goes before what can wait a moment.

A control plane's controllers share one thread. While a request that woke a service waits for its pod, work that is not
on its way stands back: for `TURN` at most, then both get along for as long, however many requests come.
"""

import asyncio
from collections.abc import Callable

from inferplane.controlplane.machinery.cache import Key
from inferplane.kernel.clock import Clock

Enqueue = Callable[[Key], None]

TURN = 0.2
"""Seconds."""


class Precedence:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting = 0
        self._open = asyncio.Event()
        self._open.set()
        self._open_until = float("-inf")
        self._turn: asyncio.Task[None] | None = None
        self._left: dict[tuple[Enqueue, Key], None] = {}

    def begin(self) -> None:
        """Somebody waits; every `begin` has its `end`."""
        self._waiting += 1
        if self._open.is_set() and self._clock.monotonic() >= self._open_until:
            self._open.clear()
            self._turn = asyncio.create_task(self._end_turn(), name="precedence")

    def end(self) -> None:
        self._waiting -= 1
        if not self._waiting:
            self._let_go()

    @property
    def taken(self) -> bool:
        """Others are to go first."""
        return not self._open.is_set()

    def afterwards(self, enqueue: Enqueue, key: Key) -> None:
        """Enqueues the key when nobody has to go first: for a reconcile that left a part of its work."""
        self._left[enqueue, key] = None
        if not self.taken:
            self._let_go()

    async def calm(self) -> None:
        """Returns when nobody has to go first."""
        await self._open.wait()

    async def _end_turn(self) -> None:
        await self._clock.sleep(TURN)
        self._open_until = self._clock.monotonic() + TURN
        self._turn = None
        self._let_go()

    def _let_go(self) -> None:
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        self._open.set()
        left, self._left = self._left, {}
        for enqueue, key in left:
            enqueue(key)
