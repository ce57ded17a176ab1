"""The autoscaler of one revision: what it has seen, and what it wanted last.

It has no clock and does nothing by itself: a loop records load figures, asks for a decision every two seconds, and at
once when `record` says that a revision at zero has a request.
"""

from dataclasses import replace

from inferplane.controlplane.autoscaling.decide import (
    Instant,
    Verdict,
    decide,
    first_burst_capacity,
    first_mood,
)
from inferplane.controlplane.autoscaling.delay import DelayWindow
from inferplane.controlplane.autoscaling.windows import Load, Windows
from inferplane.resources.autoscaling_knative.annotations import RPS
from inferplane.resources.autoscaling_knative.resolution import DeciderSpec

UNKNOWN = -1
"""The wanted scale before the first decision."""


class Decider:
    """`wanted` and `excess_burst_capacity`: of the last decision that was possible.

    The delay of scaling down is that of the rules at the start, as in Knative: later rules don't change it.
    """

    __slots__ = ("_delay", "_mood", "_windows", "excess_burst_capacity", "spec", "wanted")

    def __init__(self, spec: DeciderSpec, ready: int, now: Instant) -> None:
        self.spec = spec
        self.wanted = UNKNOWN
        self.excess_burst_capacity = first_burst_capacity(spec)
        self._windows = Windows(spec)
        self._mood = first_mood(ready, now)
        self._delay = DelayWindow(spec.scale_down_delay) if spec.scale_down_delay > 0 else None

    @property
    def is_panicking(self) -> bool:
        return self._mood.is_panicking

    @property
    def most_in_panic(self) -> int:
        return self._mood.most

    def record(self, second: int, concurrency: float, requests: float) -> bool:
        """Load of one Unix second: requests in flight on average, arrivals. True: decide now, it is at zero."""
        self._windows.record(second, requests if self.spec.metric == RPS else concurrency)
        return self.wanted == 0 and concurrency != 0

    def load(self, now: Instant) -> Load | None:
        """None: nothing was heard for longer than the stable window, though it should have been."""
        second = now // 1000
        if self.spec.has_scrape_target and self._windows.is_empty(second):
            return None
        return self._windows.load(second)

    def decide(self, ready: int, now: Instant) -> Verdict | None:
        """None when nothing is known of the load: what was wanted stays."""
        load = self.load(now)
        if load is None:
            return None
        verdict = decide(self.spec, load, ready, self._mood, now)
        self._mood = verdict.mood
        if self._delay is None or not self.spec.reachable:
            return verdict
        desired = self._delay.largest(now // 1000, verdict.desired)
        return verdict if desired == verdict.desired else replace(verdict, desired=desired)

    def take(self, verdict: Verdict) -> bool:
        """Makes it what is wanted. True when it is news: another scale, or a change of who takes a burst."""
        changed = verdict.desired != self.wanted
        turned = (verdict.excess_burst_capacity < 0) != (self.excess_burst_capacity < 0)
        self.wanted, self.excess_burst_capacity = verdict.desired, verdict.excess_burst_capacity
        return changed or turned

    def update(self, spec: DeciderSpec, now: Instant) -> None:
        """New rules. What was seen stays, as far as it fits the new windows."""
        if spec.metric != self.spec.metric or spec.aggregation != self.spec.aggregation:
            self._windows = Windows(spec)
        self._windows.resize(spec, now // 1000)
        self.spec = spec

    def release(self, now: Instant) -> None:
        """Gives the memory of windows without data back: for revisions at zero, now and then."""
        self._windows.release(now // 1000)
