"""Averages over the last seconds: rings of one-second buckets.

Load figures come in with the second they are about, in any order; figures of one second add up. Two kinds of average
go out: the linear one counts only the seconds since the first figure, so that a starting service is not thought idle;
the weighted one halves old figures quickly and is not normalised. Seconds are whole Unix seconds.

The linear total is kept running, in the order in which Knative keeps it, so that both round alike.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from inferplane.resources.autoscaling_knative.annotations import WEIGHTED
from inferplane.resources.autoscaling_knative.resolution import DeciderSpec

_NEVER: Final = -(2**62)
_PRECISION: Final = 1e6
_SMALLEST_WEIGHT: Final = 0.0001
_SLOWEST_DECAY: Final = 0.2


class LinearWindow:
    """The mean over `size` seconds, or over those seen so far; rounded to six decimals, halves away from zero."""

    __slots__ = ("_buckets", "_first", "_last", "_total", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self._buckets: list[float] = []
        self._first = self._last = _NEVER
        self._total = 0.0

    def record(self, second: int, value: float) -> None:
        """A figure that is a whole window older than the newest one is not counted."""
        last, size = self._last, self.size
        if second > last:
            if second - last >= size:
                self._start(second)
            else:
                self._pass(last, second)
            self._last = second
        elif second != last:
            if second + size <= last:
                return
            if self._first == _NEVER or self._first > second:
                self._first = second
        if not self._buckets:
            self._buckets = [0.0] * size
        self._buckets[second % size] += value
        self._total += value

    def average(self, second: int) -> float:
        """0 once nothing was recorded for a whole window. Silent seconds at the end are left out of the divisor."""
        silence = second - self._last
        if silence >= self.size:
            return 0.0
        total, count = self._total, self.size
        if silence > 0:
            count -= silence
            for one in range(self._last + 1, second + 1):
                total -= self._bucket(one)
        return _rounded(total / min(self._last - self._first + 1, count))

    def is_empty(self, second: int) -> bool:
        """Whether nothing is known: at an age of exactly one window the average is 0, a second later there is none."""
        return second - self._last > self.size

    def resize(self, size: int, second: int) -> None:
        """Keeps the newest figures that fit. Of a window without data only the time of the last figure stays."""
        if size == self.size:
            return
        buckets: list[float] = []
        total = 0.0
        if self.is_empty(second):
            self._first = _NEVER
        else:
            buckets = [0.0] * size
            for one in range(self._last, self._last - min(size, self.size), -1):
                buckets[one % size] = self._bucket(one)
                total += buckets[one % size]
            self._first = self._last - (self.size - 1)
        self.size, self._buckets, self._total = size, buckets, total

    def release(self, second: int) -> None:
        """Gives the memory of a window without data back."""
        if self.is_empty(second):
            self._buckets, self._total = [], 0.0

    def _start(self, second: int) -> None:
        self._buckets = [0.0] * self.size
        self._first, self._total = second, 0.0

    def _pass(self, last: int, second: int) -> None:
        """Takes the buckets of the seconds after `last` out, up to `second`."""
        if self._first == _NEVER:
            self._first = second
        if not self._buckets:
            return
        for one in range(last + 1, second + 1):
            self._total -= self._buckets[one % self.size]
            self._buckets[one % self.size] = 0.0

    def _bucket(self, second: int) -> float:
        return self._buckets[second % self.size] if self._buckets else 0.0


class WeightedWindow(LinearWindow):
    """The newest second counts most, each older one by a constant factor less; not normalised, not rounded."""

    __slots__ = ()

    def average(self, second: int) -> float:
        silence = max(0, second - self._last)
        if silence >= self.size or not self._buckets:
            return 0.0
        weight = decay(self.size)
        keep = 1 - weight
        weight *= math.pow(keep, silence)
        total = 0.0
        newest = self._last % self.size
        ring = self._buckets[newest::-1] + self._buckets[:newest:-1]
        for value in ring[: self.size - silence]:
            total += value * weight
            weight *= keep
        return total


@lru_cache
def decay(size: int) -> float:
    """The weight of the newest second: such that the oldest one of the window has a weight of 0.0001, at least 0.2."""
    return max(1 - math.pow(_SMALLEST_WEIGHT, 1 / size), _SLOWEST_DECAY)


def _rounded(value: float) -> float:
    scaled = value * _PRECISION
    whole = math.trunc(scaled)
    if abs(scaled - whole) >= 0.5:
        whole += 1 if scaled > 0 else -1
    return whole / _PRECISION


@dataclass(frozen=True, slots=True)
class Load:
    """Averages over the stable and the panic window, in units of the metric, all pods together."""

    stable: float
    panic: float


class Windows:
    """The stable and the panic window of one revision, for the metric that it scales on."""

    __slots__ = ("_panic", "_stable")

    def __init__(self, spec: DeciderSpec) -> None:
        kind = WeightedWindow if spec.aggregation == WEIGHTED else LinearWindow
        self._stable, self._panic = kind(spec.stable_window), kind(spec.panic_window)

    def record(self, second: int, value: float) -> None:
        self._stable.record(second, value)
        self._panic.record(second, value)

    def load(self, second: int) -> Load:
        return Load(self._stable.average(second), self._panic.average(second))

    def is_empty(self, second: int) -> bool:
        return self._stable.is_empty(second)

    def resize(self, spec: DeciderSpec, second: int) -> None:
        self._stable.resize(spec.stable_window, second)
        self._panic.resize(spec.panic_window, second)

    def release(self, second: int) -> None:
        self._stable.release(second)
        self._panic.release(second)
