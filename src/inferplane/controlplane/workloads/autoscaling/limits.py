"""From the number of replicas that the metrics ask for to the one that is allowed now. Pure.

Two brakes (`pkg/controller/podautoscaler/horizontal.go`): stabilisation goes by the recommendations of the last while,
so that a short lull scales nothing down; policies bound how many pods come or go within a period. Without `behavior`
there is Kubernetes' older rule: at most twice the replicas (or 4) at once, down after five minutes.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from inferplane.resources.autoscaling import Behavior, ScalingRules

_NO_LIMIT = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Said:
    """Reason and message of a condition; `limited` when it held the number back."""

    reason: str
    message: str
    limited: bool = False


@dataclass(frozen=True, slots=True)
class Recommendation:
    """`at`: seconds of a clock that never goes back."""

    replicas: int
    at: float


@dataclass(frozen=True, slots=True)
class Change:
    """`by` replicas more, or fewer."""

    by: int
    at: float


@dataclass(frozen=True, slots=True)
class History:
    """What was recommended and done so far, oldest first. Lost with the process, as in Kubernetes."""

    recommendations: tuple[Recommendation, ...] = ()
    ups: tuple[Change, ...] = ()
    downs: tuple[Change, ...] = ()

    def begun(self, replicas: int, now: float) -> "History":
        """What runs when the autoscaler is first seen is its first recommendation: a restart scales nothing down."""
        return self if self.recommendations else replace(self, recommendations=(Recommendation(replicas, now),))

    def recommended(self, replicas: int, now: float, keep: float) -> "History":
        fresh = tuple(one for one in self.recommendations if one.at >= now - keep)
        return replace(self, recommendations=(*fresh, Recommendation(replicas, now)))

    def scaled(self, before: int, after: int, behavior: Behavior | None, now: float) -> "History":
        """Without `behavior` nobody asks."""
        if behavior is None or before == after:
            return self
        keep = max(
            (one.period_seconds for one in (*behavior.scale_up.policies, *behavior.scale_down.policies)), default=0
        )
        ups, downs = (tuple(one for one in changes if one.at > now - keep) for changes in (self.ups, self.downs))
        if after > before:
            return replace(self, ups=(*ups, Change(after - before, now)), downs=downs)
        return replace(self, ups=ups, downs=(*downs, Change(before - after, now)))


@dataclass(frozen=True, slots=True)
class Bounds:
    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Allowed:
    """`able` is for the condition AbleToScale, `range` for ScalingLimited."""

    replicas: int
    able: Said
    range: Said
    history: History


_UNCHANGED = Said("ReadyForNewScale", "recommended size matches current size")
_IN_RANGE = Said("DesiredWithinRange", "the desired count is within the acceptable range")
_HELD_UP = Said(
    "ScaleUpStabilized", "recent recommendations were lower than current one, applying the lowest recent recommendation"
)
_HELD_DOWN = Said(
    "ScaleDownStabilized",
    "recent recommendations were higher than current one, applying the highest recent recommendation",
)
_TOO_MANY = Said("TooManyReplicas", "the desired replica count is more than the maximum replica count", limited=True)
_TOO_FEW = Said("TooFewReplicas", "the desired replica count is less than the minimum replica count", limited=True)
_TOO_FAST_UP = Said(
    "ScaleUpLimit", "the desired replica count is increasing faster than the maximum scale rate", limited=True
)
_TOO_FAST_DOWN = Said(
    "ScaleDownLimit", "the desired replica count is decreasing faster than the maximum scale rate", limited=True
)


def allowed(
    current: int, wanted: int, bounds: Bounds, behavior: Behavior | None, history: History, window: float, now: float
) -> Allowed:
    """`window`: seconds for which scaling down waits where the autoscaler doesn't say."""
    down = behavior.scale_down.stabilization_window_seconds if behavior else None
    down_window = window if down is None else float(down)
    up_window = float((behavior.scale_up.stabilization_window_seconds or 0) if behavior else 0)
    if behavior is None:
        stable = _highest(wanted, history, now - down_window)
        replicas, said = _within(current, stable, bounds)
    else:
        stable = _stabilised(current, wanted, history, now - up_window, now - down_window)
        replicas, said = _paced(current, stable, bounds, behavior, history, now)
    # Without `behavior` only scaling down is stabilised.
    held = _HELD_UP if behavior is not None and wanted >= current else _HELD_DOWN
    noted = history.recommended(wanted, now, max(up_window, down_window))
    return Allowed(replicas, _UNCHANGED if stable == wanted else held, said, noted)


# --- without behavior -------------------------------------------------------------------------------------------------


def _highest(wanted: int, history: History, since: float) -> int:
    return max([wanted, *(one.replicas for one in history.recommendations if one.at >= since)])


def _within(current: int, wanted: int, bounds: Bounds) -> tuple[int, Said]:
    fastest = max(2 * current, 4)
    most, why = (fastest, _TOO_FAST_UP) if bounds.most > fastest else (bounds.most, _TOO_MANY)
    if wanted < bounds.least:
        return bounds.least, _TOO_FEW
    return (most, why) if wanted > most else (wanted, _IN_RANGE)


# --- with behavior ----------------------------------------------------------------------------------------------------


def _stabilised(current: int, wanted: int, history: History, up_since: float, down_since: float) -> int:
    """The current number, moved no further than every recent recommendation agrees with."""
    lowest = min([wanted, *(one.replicas for one in history.recommendations if one.at > up_since)])
    highest = max([wanted, *(one.replicas for one in history.recommendations if one.at > down_since)])
    return min(max(current, lowest), highest)


def _paced(
    current: int, wanted: int, bounds: Bounds, behavior: Behavior, history: History, now: float
) -> tuple[int, Said]:
    if wanted > current:
        fastest = max(current, up_limit(current, behavior.scale_up, history, now))
        most, why = (fastest, _TOO_FAST_UP) if bounds.most > fastest else (bounds.most, _TOO_MANY)
        return (most, why) if wanted > most else (wanted, _IN_RANGE)
    if wanted < current:
        slowest = min(current, down_limit(current, behavior.scale_down, history, now))
        least, why = (slowest, _TOO_FAST_DOWN) if bounds.least < slowest else (bounds.least, _TOO_FEW)
        return (least, why) if wanted < least else (wanted, _IN_RANGE)
    return wanted, _IN_RANGE


def up_limit(current: int, rules: ScalingRules, history: History, now: float) -> int:
    """The most replicas that the policies allow now."""
    if rules.select_policy == "Disabled":
        return current
    proposals = [
        start + one.value if one.type == "Pods" else math.ceil(start * (1 + one.value / 100))
        for one in rules.policies
        for start in [_at_start(current, one.period_seconds, history, now)]
    ]
    return _selected(proposals, min if rules.select_policy == "Min" else max, _NO_LIMIT)


def down_limit(current: int, rules: ScalingRules, history: History, now: float) -> int:
    """The fewest replicas that the policies allow now."""
    if rules.select_policy == "Disabled":
        return current
    proposals = [
        start - one.value if one.type == "Pods" else int(start * (1 - one.value / 100))
        for one in rules.policies
        for start in [_at_start(current, one.period_seconds, history, now)]
    ]
    # The policy that changes most allows the fewest replicas.
    return _selected(proposals, max if rules.select_policy == "Min" else min, -_NO_LIMIT)


def _selected(proposals: list[int], select: Callable[[Iterable[int]], int], without: int) -> int:
    return select(proposals) if proposals else without


def _at_start(current: int, period: int, history: History, now: float) -> int:
    """How many replicas there were when the period began."""
    came, went = (sum(one.by for one in changes if one.at > now - period) for changes in (history.ups, history.downs))
    return current - came + went
