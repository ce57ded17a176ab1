"""Scaling down later: the most that was wanted within the last seconds, in slots of two (a tick)."""

from collections import deque
from math import ceil
from typing import Final

TICK: Final = 2
"""Seconds between two regular decisions."""


class DelayWindow:
    """The largest of the values of the current slot and those before it, `delay` seconds in all."""

    __slots__ = ("_peaks", "_slots")

    def __init__(self, delay: float) -> None:
        self._slots = ceil(delay / TICK)
        # Falling values only: what is smaller than a later one can never be the largest again.
        self._peaks: deque[tuple[int, int]] = deque()

    def largest(self, second: int, value: int) -> int:
        """The largest value, this one included. Within one slot the larger of two values counts."""
        slot, peaks = second // TICK, self._peaks
        while peaks and peaks[-1][1] <= value:
            peaks.pop()
        while peaks and slot - peaks[0][0] >= self._slots:
            peaks.popleft()
        # A larger value of the same slot stands for this one too.
        if not peaks or peaks[-1][0] != slot:
            peaks.append((slot, value))
        return peaks[0][1]
