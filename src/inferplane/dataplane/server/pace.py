"""How long a model's next calls will take, judged by its last ones."""

from inferplane.dataplane.server.moving import MovingLine

SHORT = 0.001
"""Seconds. Calls expected to take less run in place: handing them to a thread and back costs about 0.1 ms."""

_WEIGHT = 0.2
_FAR = 4.0


class Pace:
    """Moving averages over runs of one or more calls: time as a straight line over the size of their bodies."""

    __slots__ = ("_calls", "_line")

    def __init__(self) -> None:
        self._line = MovingLine(_WEIGHT)
        self._calls = 1.0

    def expected(self, size: int) -> float | None:
        """Seconds for bodies of `size` bytes; None before the first run.

        A size far beyond the usual takes longer in proportion, whatever the line says.
        """
        line = self._line
        if not line.known:
            return None
        if size > _FAR * line.x:
            return line.y * size / line.x
        return line.at(size)

    def record(self, seconds: float, size: int, calls: int = 1) -> None:
        self._calls = calls if not self._line.known else self._calls + _WEIGHT * (calls - self._calls)
        self._line.add(max(1.0, size), seconds)

    def is_short(self, size: int) -> bool:
        expected = self.expected(size)
        return expected is not None and expected < SHORT

    @property
    def call(self) -> float:
        """Seconds for one call, of those that run together; 0 before the first."""
        return self._line.y / self._calls if self._line.known else 0.0
