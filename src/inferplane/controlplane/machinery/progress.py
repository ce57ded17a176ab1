"""Statuses that only tell how something gets on wait a moment: the next one is near, and replaces them.

A service on its way to ready makes some sixty changes within a fifth of a second; a status for each would be written,
watched and reconciled by one process, just when what matters has to get through. What becomes ready, or no longer is,
is never held up.
"""

from collections.abc import Sequence
from typing import Protocol

from inferplane.controlplane.machinery.cache import Key
from inferplane.kernel.clock import Clock
from inferplane.resources.meta import Condition, ConditionStatus, condition

PROGRESS_WAITS = 0.2
"""Seconds, where the control plane is one process."""


class Conditioned(Protocol):
    @property
    def conditions(self) -> Sequence[Condition]: ...


class Progress:
    def __init__(self, clock: Clock, patience: float) -> None:
        """`patience` in seconds; 0: nothing waits."""
        self._clock = clock
        self._patience = patience
        self._since: dict[Key, float] = {}

    def of_status(self, key: Key, before: Conditioned, after: Conditioned) -> float:
        """Seconds that the status may wait; 0 when it is to be written, or says nothing new."""
        shown_only = before != after and not (_is_ready(before) or _is_ready(after))
        return self.of_change(key, urgent=not shown_only)

    def of_change(self, key: Key, *, urgent: bool) -> float:
        """The same, for who knows best what is urgent."""
        if urgent:
            self._since.pop(key, None)
            return 0.0
        now = self._clock.monotonic()
        left = self._since.setdefault(key, now) + self._patience - now
        if left <= 0:
            del self._since[key]
        return max(left, 0.0)

    def forget(self, key: Key) -> None:
        self._since.pop(key, None)


def _is_ready(status: Conditioned) -> bool:
    found = condition(status.conditions, "Ready")
    return found is not None and found.status is ConditionStatus.TRUE
