"""Requests at the pods of a service, over made-up time: they come, wait for a slot in their order, and take a while.

Whole requests in steps of 20 ms. What is shorter than a step counts by its share of it (Little's law).
"""

from collections import Counter, deque
from math import ceil, inf
from typing import Final

STEP_MS: Final = 20
STEP: Final = STEP_MS / 1000


class Waits:
    """How long requests waited before they started; seconds out."""

    def __init__(self) -> None:
        self._steps: Counter[int] = Counter()

    def add(self, steps: int, count: int) -> None:
        self._steps[steps] += count

    @property
    def count(self) -> int:
        return self._steps.total()

    @property
    def delayed(self) -> int:
        """Those that did not start in the step in which they came."""
        return self.count - self._steps[0]

    @property
    def mean(self) -> float:
        return STEP * sum(steps * count for steps, count in self._steps.items()) / max(1, self.count)

    @property
    def longest(self) -> float:
        return STEP * max(self._steps, default=0)

    def quantile(self, share: float) -> float:
        """So long or shorter was the wait of `share` of all."""
        left = ceil(self.count * share)
        for steps in sorted(self._steps):
            left -= self._steps[steps]
            if left <= 0:
                return STEP * steps
        return 0.0


class Line:
    """One line before all pods. `slots`: requests that a pod works on at the same time; 0: any number."""

    def __init__(self, duration: float, slots: int, timeout: float) -> None:
        self._slots = slots
        self._steps = max(1, round(duration / STEP))
        self._share = min(1.0, duration / STEP)
        self._timeout = timeout
        self._waiting: deque[tuple[int, int]] = deque()
        self._started: deque[int] = deque([0] * self._steps, maxlen=self._steps)
        self._busy = 0
        self._credit = 0.0
        self.step = 0
        self.waiting = 0
        self.timed_out = 0
        self.waits = Waits()

    def advance(self, arrivals: int, ready: int) -> float:
        """One step, with so many new requests and ready pods; how many are in flight in it, waiting ones included."""
        if arrivals:
            self._waiting.append((self.step, arrivals))
            self.waiting += arrivals
        self._give_up()
        self._busy -= self._started[0]
        started = self._start(self._room(ready))
        self._started.append(started)
        self._busy += started
        self.step += 1
        return self.waiting + self._busy * self._share

    def _room(self, ready: int) -> float:
        """How many requests may start in this step."""
        if not ready or not self._slots:
            return inf if ready else 0
        slots = ready * self._slots
        if self._share == 1.0:
            return max(0, slots - self._busy)
        # Several requests, one after the other, fit into one step of a slot.
        rate = slots / self._share
        self._credit = min(self._credit + rate, rate + 1)
        return self._credit

    def _start(self, room: float) -> int:
        left = self.waiting if room == inf else int(room)
        started = 0
        while self._waiting and left > started:
            since, count = self._waiting.popleft()
            some = min(count, left - started)
            if some < count:
                self._waiting.appendleft((since, count - some))
            self.waits.add(self.step - since, some)
            started += some
        self.waiting -= started
        self._credit = max(0.0, self._credit - started)
        return started

    def _give_up(self) -> None:
        while self._waiting and (self.step - self._waiting[0][0]) * STEP > self._timeout:
            _, count = self._waiting.popleft()
            self.waiting -= count
            self.timed_out += count
