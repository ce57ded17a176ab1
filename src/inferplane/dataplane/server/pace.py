"""How long a model's next calls will take, judged by its last ones."""

from inferplane.dataplane.server.moving import MovingLine

SHORT = 0.001
"""Seconds. Calls expected to take less run in place: handing them to a thread and back costs about 0.1 ms."""

LONE = 0.005
"""Seconds. The same for the calls of a lone client: there is nobody who would wait meanwhile, and health checks, which
come rarely, may."""

_MIXED = 1.0
"""Seconds for which clients are remembered that came at the same time."""

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

    def is_short(self, size: int, limit: float = SHORT) -> bool:
        expected = self.expected(size)
        return expected is not None and expected < limit

    @property
    def call(self) -> float:
        """Seconds for one call, of those that run together; 0 before the first."""
        return self._line.y / self._calls if self._line.known else 0.0


class Traffic:
    """Whether all that comes to a server is one client's, who waits for each answer before it asks again."""

    def __init__(self) -> None:
        self._last: object = None
        self._mixed_at = -_MIXED

    def note(self, line: object, now: float, *, others: bool) -> None:
        """A line runs; `others`: not only one call, or not alone."""
        if others or line is not self._last:
            self._last = line
            self._mixed_at = now

    def limit(self, now: float) -> float:
        """Seconds that a run may keep everybody else waiting."""
        return LONE if now - self._mixed_at > _MIXED else SHORT
