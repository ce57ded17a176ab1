"""Exponential back-off as a pure function of the number of failures."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """`first * factor ** failures`, never more than `limit`. All times in seconds."""

    first: float
    limit: float
    factor: float = 2.0

    def delay(self, failures: int) -> float:
        """How long to wait after the `failures`-th failure in a row (1 is the first; 0 or less waits for nothing)."""
        if failures <= 0:
            return 0.0
        # 2 ** 64 is past any limit in use; capping the exponent keeps the power finite.
        return min(self.limit, self.first * self.factor ** min(failures - 1, 64))
