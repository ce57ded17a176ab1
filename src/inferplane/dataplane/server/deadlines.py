"""Calls whose time may end before their answer comes: one timer for all of a model, set to the earliest."""

import asyncio
from collections.abc import Callable
from time import monotonic

from inferplane.dataplane.server.calls import Call


class Deadlines:
    """`expired` is called with a call once its deadline has passed; calls that have their answer are forgotten."""

    def __init__(self, loop: asyncio.AbstractEventLoop, expired: Callable[[Call], None]) -> None:
        self._loop = loop
        self._expired = expired
        self._calls: list[Call] = []
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, call: Call) -> None:
        """Costs a comparison as long as an earlier deadline is watched."""
        self._calls.append(call)
        if call.deadline is not None and (self._timer is None or call.deadline < self._timer.when()):
            self._set(call.deadline)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _set(self, when: float) -> None:
        self.close()
        self._timer = self._loop.call_at(when, self._sweep)

    def _sweep(self) -> None:
        now = monotonic()
        self._timer = None
        waiting: list[Call] = []
        for call in self._calls:
            if call.reply.done() or call.deadline is None:
                continue
            if call.deadline <= now:
                self._expired(call)
            else:
                waiting.append(call)
        self._calls = waiting
        if waiting:
            self._set(min(call.deadline for call in waiting if call.deadline is not None))
