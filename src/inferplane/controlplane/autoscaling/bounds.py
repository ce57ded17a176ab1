"""What becomes of a wanted scale: the revision's bounds, the way down to zero, who takes the requests meanwhile.

A revision goes to zero in steps: its load has been nothing for a stable window; its autoscaler turns inactive, which
puts the activator in the path; that is seen to work; and only then the last pod goes. Each call says what may be done
now and when to look again. Rules: Knative Serving (`pkg/reconciler/autoscaling/kpa`). Times are seconds.
"""

from dataclasses import dataclass
from math import ceil
from typing import Final

from inferplane.controlplane.autoscaling.decider import UNKNOWN
from inferplane.resources.autoscaling_knative.resolution import DeciderSpec, ScaleLimits
from inferplane.resources.autoscaling_knative.serverlessservice import Mode
from inferplane.resources.meta import ConditionStatus

ACTIVATION_BUFFER: Final = 30.0
"""Beyond the progress deadline, so that the revision's own controller can tell first what its pods lack."""
PROXY_RECHECK: Final = 3.0
PROBE_PERIOD: Final = 1.0
PROBE_TIMEOUT: Final = 45.0
"""How long the activator is asked again when it does not answer; then the PodAutoscaler is reconciled anew."""
FEWEST_ACTIVATORS: Final = 2


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a PodAutoscaler stands. `active` is its condition, `active_for` the time since that last changed.

    `proxy_for`: how long the activator has been behind the public Service; None in mode Serve. `activator_answers`:
    whether the public Service leads to the activator; None when it has not been asked.
    """

    active: ConditionStatus
    active_for: float
    is_initialized: bool
    progress_deadline: float
    proxy_for: float | None = None
    activator_answers: bool | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """What to do now. `scale` is what to report (-1: nothing known yet); it is written only if `apply` says so.

    `ask_activator`: find out whether it answers and come again with the answer; a no is asked again every second.
    """

    scale: int
    apply: bool
    recheck_after: float | None = None
    ask_activator: bool = False


def bounded(wanted: int, limits: ScaleLimits, standing: Standing) -> Step:
    """`wanted`: of the last decision, -1 before the first one."""
    if wanted < 0 and standing.active != ConditionStatus.UNKNOWN:
        return Step(UNKNOWN, apply=False)
    least = limits.min_scale
    if not standing.is_initialized and limits.initial_scale > 1 and limits.reachable:
        least = max(least, limits.initial_scale)
    scale = _clamped(wanted, least, limits.max_scale)
    return Step(scale, apply=True) if scale else _to_zero(limits, standing)


def _clamped(wanted: int, least: int, most: int) -> int:
    if wanted < least:
        return least
    return most if 0 < most < wanted else wanted


def _to_zero(limits: ScaleLimits, standing: Standing) -> Step:
    if not limits.scale_to_zero:
        return Step(1, apply=True)
    match standing.active:
        case ConditionStatus.UNKNOWN:
            return _while_activating(standing)
        case ConditionStatus.TRUE:
            return _while_active(limits, standing)
        case ConditionStatus.FALSE:
            return _while_inactive(limits, standing)


def _while_activating(standing: Standing) -> Step:
    left = standing.progress_deadline + ACTIVATION_BUFFER - standing.active_for
    return Step(0, apply=True) if left <= 0 else Step(UNKNOWN, apply=False, recheck_after=left)


def _while_active(limits: ScaleLimits, standing: Standing) -> Step:
    left = limits.stable_window - standing.active_for
    if left > 0:
        return Step(1, apply=True, recheck_after=left)
    # Reporting 0 turns the PodAutoscaler inactive. In mode Proxy already, nothing else would bring it back here.
    return Step(0, apply=False, recheck_after=None if standing.proxy_for is None else PROXY_RECHECK)


def _while_inactive(limits: ScaleLimits, standing: Standing) -> Step:
    if not limits.burst_is_unlimited and not standing.activator_answers:
        again = None if standing.activator_answers is None else PROBE_PERIOD
        return Step(0, apply=False, recheck_after=again, ask_activator=True)
    inactive_for, retention = standing.active_for, limits.retention_period
    if inactive_for >= max(limits.grace_period, retention):
        return Step(0, apply=True)
    if inactive_for < retention:
        return Step(0, apply=False, recheck_after=retention - inactive_for)
    left = limits.grace_period - (standing.proxy_for or 0.0)
    return Step(0, apply=True) if left <= 0 else Step(0, apply=False, recheck_after=left)


# --- The PodAutoscaler's condition Active -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Activity:
    """The condition Active: status, reason and message."""

    status: ConditionStatus
    reason: str = ""
    message: str = ""


ACTIVE: Final = Activity(ConditionStatus.TRUE)
QUEUED: Final = Activity(ConditionStatus.UNKNOWN, "Queued", "Requests wait while pods are started.")
NO_TRAFFIC: Final = Activity(ConditionStatus.FALSE, "NoTraffic", "No requests come in.")
TIMED_OUT: Final = Activity(ConditionStatus.FALSE, "TimedOut", "No pod became ready within the progress deadline.")


def min_ready(limits: ScaleLimits, *, is_initialized: bool) -> int:
    """Ready pods that make it active. ScaleTargetInitialized becomes true with them, and stays so."""
    return max(limits.min_scale, 1 if is_initialized else limits.initial_scale)


def activity(want: int, ready: int, needed: int, before: ConditionStatus) -> Activity | None:
    """`want`: `Step.scale`; `needed`: `min_ready`; `before`: the condition as it was. None: it stays as it is."""
    inactive = before == ConditionStatus.FALSE
    if want == 0 or needed == 0:
        # Zero is wanted of a revision that still activates only when it has failed to.
        return TIMED_OUT if before == ConditionStatus.UNKNOWN and needed > 0 else NO_TRAFFIC
    if ready < needed:
        return QUEUED if want > 0 or not inactive else NO_TRAFFIC
    return ACTIVE if want > 0 or not inactive else None


# --- The ServerlessService --------------------------------------------------------------------------------------------


def mode(want: int, excess_burst_capacity: int, active: ConditionStatus) -> Mode:
    """Who gets the requests: the activator at zero, and while the ready pods could not take a burst."""
    if want == 0 or excess_burst_capacity < 0:
        return Mode.PROXY
    # After a restart nothing is known; a revision that was at zero still is.
    return Mode.PROXY if want == UNKNOWN and active == ConditionStatus.FALSE else Mode.SERVE


def activators(spec: DeciderSpec, ready: int) -> int:
    """How many of them a revision is spread over."""
    if spec.target_burst_capacity == 0:
        return FEWEST_ACTIVATORS
    capacity = ready * spec.total_value + max(spec.target_burst_capacity, 0)
    return max(FEWEST_ACTIVATORS, ceil(capacity / spec.activator_capacity))
