"""How long a model's next call will take, judged by its last ones."""

SHORT = 0.001
"""Seconds. A call expected to take less runs in place: handing it to a thread and back costs about 0.1 ms."""

_WEIGHT = 0.2


class Pace:
    """Moving averages of the time and the body size of a model's calls."""

    __slots__ = ("_seconds", "_size")

    def __init__(self) -> None:
        self._seconds: float | None = None
        self._size = 1.0

    def expected(self, size: int) -> float | None:
        """Seconds for a body of `size` bytes; None before the first call. Larger bodies than usual take longer."""
        if self._seconds is None:
            return None
        return self._seconds * max(1.0, size / self._size)

    def record(self, seconds: float, size: int) -> None:
        if self._seconds is None:
            self._seconds, self._size = seconds, max(1.0, size)
            return
        self._seconds += _WEIGHT * (seconds - self._seconds)
        self._size += _WEIGHT * (max(1.0, size) - self._size)

    def is_short(self, size: int) -> bool:
        expected = self.expected(size)
        return expected is not None and expected < SHORT
