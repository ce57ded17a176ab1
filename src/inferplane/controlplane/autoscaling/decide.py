"""One decision of the autoscaler: how many pods a revision should have, given its load.

In come the rules of the revision, the averages over both windows, the ready pods and the mood (whether it panics). Out
comes a verdict with the next mood. Applying it, within the revision's bounds, is for `bounds`. Rules: Knative Serving
(`pkg/autoscaler/scaling`); the recorded decisions in tests/traces/autoscaling hold it to them.
"""

from dataclasses import dataclass
from math import ceil, floor
from typing import NewType

from inferplane.controlplane.autoscaling.windows import Load
from inferplane.resources.autoscaling_knative.resolution import DeciderSpec

Instant = NewType("Instant", int)
"""Milliseconds of Unix time. Whole, because leaving panic hangs on a strict comparison."""


@dataclass(frozen=True, slots=True)
class Mood:
    """Panicking since the last time that the load was past the threshold; `most`: pods wanted since it began."""

    panicking_since: Instant | None = None
    most: int = 0

    @property
    def is_panicking(self) -> bool:
        return self.panicking_since is not None


@dataclass(frozen=True, slots=True)
class Verdict:
    """`excess_burst_capacity`: requests more that the ready pods could take at once; negative: the activator is needed.

    `stable` and `panic`: pods wanted for each window's average, before bounds.
    """

    desired: int
    excess_burst_capacity: int
    mood: Mood
    stable: int
    panic: int


def first_mood(ready: int, now: Instant) -> Mood:
    """Of an autoscaler that starts: where several pods are ready it holds them until it has seen a stable window."""
    return Mood(now if ready > 1 else None, ready)


def decide(spec: DeciderSpec, load: Load, ready: int, mood: Mood, now: Instant) -> Verdict:
    pods = max(1, ready)
    stable, panic = ceil(load.stable / spec.target_value), ceil(load.panic / spec.target_value)
    want = _within_rates(spec, stable, pods)
    mood = _next_mood(spec, mood, panic / pods >= spec.panic_threshold, now)
    if mood.panicking_since is not None:
        # A surge must not be undone by the quiet second after it: panic only ratchets up.
        want = max(want, _within_rates(spec, panic, pods), mood.most)
        if want != mood.most:
            mood = Mood(mood.panicking_since, want)
    return Verdict(want, excess_burst_capacity(spec, load.panic, ready), mood, stable, panic)


def _within_rates(spec: DeciderSpec, want: int, pods: int) -> int:
    """At least one pod more must be reachable, so rates are rounded in favour of a change."""
    most = ceil(spec.max_scale_up_rate * pods)
    least = floor(pods / spec.max_scale_down_rate) if spec.reachable else 0
    limited = min(max(want, least), most)
    # The activation scale may go beyond the rate: a service that wakes is meant to wake with so many.
    return max(limited, spec.activation_scale) if spec.activation_scale > 1 and want > 0 else limited


def _next_mood(spec: DeciderSpec, mood: Mood, is_past_threshold: bool, now: Instant) -> Mood:
    if is_past_threshold:
        return Mood(now, mood.most)
    if mood.panicking_since is not None and mood.panicking_since + spec.stable_window * 1000 < now:
        return Mood()
    return mood


def excess_burst_capacity(spec: DeciderSpec, load: float, ready: int) -> int:
    burst = spec.target_burst_capacity
    if burst == 0:
        return 0
    return floor(ready * spec.total_value - burst - load) if burst > 0 else -1


def first_burst_capacity(spec: DeciderSpec) -> int:
    """Before the first decision: what the initial pods could take."""
    burst = spec.target_burst_capacity
    return int(burst) if burst in (0, -1) else int(spec.initial_scale * spec.total_value - burst)


def explain(spec: DeciderSpec, load: Load, ready: int, verdict: Verdict) -> str:
    """Why, in words: `3 ready, 41.5 concurrency over 60s at 7 each: 6; panicking, most 9`."""
    since = f"{ready} ready, {load.stable:g} {spec.metric} over {spec.stable_window}s at {spec.target_value:g} each"
    words = f"{since}: {verdict.stable}"
    if verdict.mood.is_panicking:
        words += f"; panicking with {load.panic:g} over {spec.panic_window}s: {verdict.panic}"
    held = max(verdict.stable, verdict.panic if verdict.mood.is_panicking else 0)
    if verdict.desired != held:
        words += f"; {'held at' if verdict.desired > held else 'limited to'} {verdict.desired}"
    return words
