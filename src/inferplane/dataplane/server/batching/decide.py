"""Which of a model's waiting calls run next, and when. Pure: the time is what the caller says it is.

Calls of one kind (same inputs, types and trailing shape) may run together, up to a number of rows and of bytes. A call
of no kind runs alone. Next is the kind whose first call has waited longest, so no kind starves another. Without a
`latency` everything is due at once; with one a kind is due when it fills a batch or its first call has waited so long.
"""

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one batch holds at most; a single call may be larger. `latency` is in seconds."""

    rows: int = 64
    bytes: int = 16 * 1024 * 1024
    latency: float = 0.0


class Waiting(Protocol):
    """A call in the queue. `kind` None fits no other. `size` is the bytes of its body, `since` when it came."""

    @property
    def kind(self) -> Hashable | None: ...
    @property
    def rows(self) -> int: ...
    @property
    def size(self) -> int: ...
    @property
    def since(self) -> float: ...
    @property
    def left(self) -> bool:
        """Whether nobody waits for the answer any more."""
        ...


C = TypeVar("C", bound=Waiting)


class _Kind(Generic[C]):
    __slots__ = ("calls", "rows", "size")

    def __init__(self) -> None:
        self.calls: deque[C] = deque()
        self.rows = 0
        self.size = 0


class Queue(Generic[C]):
    """The calls of one model that wait, in order of arrival within a kind. `len` counts them."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.size = 0
        """Bytes of all bodies that wait."""
        self._kinds: dict[Hashable | None, _Kind[C]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, call: C) -> None:
        kind = self._kinds.get(call.kind)
        if kind is None:
            kind = self._kinds[call.kind] = _Kind()
        kind.calls.append(call)
        kind.rows += call.rows
        kind.size += call.size
        self.size += call.size
        self._count += 1

    def due(self) -> float | None:
        """When there is something to take, on the clock of `since`; None for an empty queue."""
        if not self._kinds:
            return None
        return min(self._due(name, kind) for name, kind in self._kinds.items())

    def take(self, now: float) -> list[C]:
        """The calls to run now, together; none when nothing is due. Calls that somebody left are dropped."""
        ripe = [(kind.calls[0].since, name) for name, kind in self._kinds.items() if self._due(name, kind) <= now]
        if not ripe:
            return []
        name = ripe[0][1] if len(ripe) == 1 else min(ripe, key=lambda item: item[0])[1]
        taken = self._taken(name, self._kinds[name])
        # A kind whose every call was left is gone now; another may be due.
        return taken or self.take(now)

    def drop_left(self) -> None:
        """Forgets calls whose client has left: they take no place in the queue."""
        for name, kind in list(self._kinds.items()):
            staying = [call for call in kind.calls if not call.left]
            if len(staying) < len(kind.calls):
                self._forget(name, kind)
                for call in staying:
                    self.add(call)

    def _forget(self, name: Hashable | None, kind: _Kind[C]) -> None:
        del self._kinds[name]
        self._count -= len(kind.calls)
        self.size -= kind.size

    def _due(self, name: Hashable | None, kind: _Kind[C]) -> float:
        first = kind.calls[0].since
        full = kind.rows >= self.bounds.rows or kind.size >= self.bounds.bytes
        return first if name is None or full else first + self.bounds.latency

    def _taken(self, name: Hashable | None, kind: _Kind[C]) -> list[C]:
        calls = kind.calls
        if name is not None and kind.rows <= self.bounds.rows and kind.size <= self.bounds.bytes:
            self._forget(name, kind)
            return [call for call in calls if not call.left]
        rows = size = 0
        taken: list[C] = []
        while calls:
            call = calls[0]
            over = rows + call.rows > self.bounds.rows or size + call.size > self.bounds.bytes
            if taken and (over or name is None):
                break
            calls.popleft()
            self._count -= 1
            self.size -= call.size
            kind.rows -= call.rows
            kind.size -= call.size
            if not call.left:
                rows += call.rows
                size += call.size
                taken.append(call)
        if not calls:
            del self._kinds[name]
        return taken
