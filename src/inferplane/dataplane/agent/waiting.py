"""The events that wait for one sink: bounded, in the order of their arrival, and given out in batches. Pure."""

from collections import deque

from inferplane.dataplane.agent.events import Event
from inferplane.dataplane.agent.settings import Bounds
from inferplane.dataplane.agent.sinks.sink import Batch

BATCH_BYTES = 4 * 1024 * 1024
"""Of payloads in one batch, unless a single event is larger."""

_OVERHEAD = 1024
"""Bytes that an event takes beside its payload."""


class Waiting:
    """Events count until they are `done`, so what is being sent takes room too."""

    def __init__(self, bounds: Bounds, batch: Batch) -> None:
        self._bounds = bounds
        self._batch = batch
        self._lines: dict[str, deque[tuple[float, Event]]] = {}
        self._bytes = 0
        self.count = 0

    @property
    def is_full(self) -> bool:
        """Not even an empty event has room."""
        return self.count >= self._bounds.events or self._bytes + _OVERHEAD > self._bounds.bytes

    def offer(self, event: Event, now: float) -> bool:
        """False where there is no room."""
        size = len(event.data) + _OVERHEAD
        if self.count >= self._bounds.events or self._bytes + size > self._bounds.bytes:
            return False
        line = event.kind if self._batch.apart else ""
        self._lines.setdefault(line, deque()).append((now, event))
        self.count += 1
        self._bytes += size
        return True

    def take(self, now: float, *, all: bool = False) -> list[Event]:
        """A batch that may go now, the one that has waited longest; empty where none may. `all`: small ones too."""
        lines = [line for line in self._lines.values() if line and (all or self._may_go(line, now))]
        if not lines:
            return []
        line = min(lines, key=lambda line: line[0][0])
        taken: list[Event] = []
        size = 0
        while line and len(taken) < self._batch.most:
            size += len(line[0][1].data)
            if taken and size > BATCH_BYTES:
                break
            taken.append(line.popleft()[1])
        return taken

    def due(self) -> float | None:
        """When the next batch may go though it is small; None where none is waiting for that."""
        if not self._batch.wait:
            return None
        return min((line[0][0] + self._batch.wait for line in self._lines.values() if line), default=None)

    def done(self, events: list[Event]) -> None:
        """They are sent, or given up."""
        self.count -= len(events)
        self._bytes -= sum(len(event.data) + _OVERHEAD for event in events)

    def _may_go(self, line: deque[tuple[float, Event]], now: float) -> bool:
        full = len(line) >= self._batch.least
        return full or (self._batch.wait > 0 and line[0][0] + self._batch.wait <= now)
