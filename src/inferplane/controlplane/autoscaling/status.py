"""What a PodAutoscaler's status says. Pure. Rules: Knative Serving (`pkg/reconciler/autoscaling`)."""

from dataclasses import dataclass
from datetime import datetime

import msgspec

from inferplane.controlplane.autoscaling import bounds
from inferplane.controlplane.autoscaling.decider import UNKNOWN
from inferplane.kernel.clock import parse_timestamp, timestamp
from inferplane.resources import conditions
from inferplane.resources.autoscaling_knative.podautoscaler import (
    ACTIVE,
    DEPENDENTS,
    SCALE_TARGET_INITIALIZED,
    SKS_READY,
    PodAutoscaler,
    PodAutoscalerStatus,
)
from inferplane.resources.autoscaling_knative.serverlessservice import ACTIVATOR_ENDPOINTS_POPULATED, ServerlessService
from inferplane.resources.conditions import TRUE, Verdict, failed, pending
from inferplane.resources.meta import Condition, ConditionStatus, condition

NOT_OWNED = "NotOwned"
NOT_READY = "NotReady"


@dataclass(frozen=True, slots=True)
class Seen:
    """`want`: the scale to report, -1 when unknown; `needed`: ready pods that make it active."""

    want: int
    ready: int
    needed: int
    service: ServerlessService | None


def active(pa: PodAutoscaler) -> ConditionStatus:
    found = condition(pa.status.conditions, ACTIVE)
    return found.status if found else ConditionStatus.UNKNOWN


def is_initialized(pa: PodAutoscaler) -> bool:
    return conditions.copied(pa.status.conditions, SCALE_TARGET_INITIALIZED).is_true


def active_for(pa: PodAutoscaler, now: datetime) -> float:
    """Seconds since the condition Active last changed."""
    return _age(condition(pa.status.conditions, ACTIVE), now)


def proxy_for(service: ServerlessService, now: datetime) -> float | None:
    """Seconds since the activator has been behind the public Service; None when it isn't."""
    found = condition(service.status.conditions, ACTIVATOR_ENDPOINTS_POPULATED)
    return _age(found, now) if found and found.status is ConditionStatus.TRUE else None


def _age(found: Condition | None, now: datetime) -> float:
    since = found.last_transition_time if found else None
    return max(0.0, (now - parse_timestamp(since)).total_seconds()) if since else 0.0


def following(pa: PodAutoscaler, seen: Seen, now: datetime) -> PodAutoscalerStatus:
    said = seen.service.status if seen.service else None
    service_name = said.service_name if said else ""
    initialized = is_initialized(pa) or (seen.ready >= seen.needed and bool(service_name))
    verdicts = {
        ACTIVE: _active(pa, seen),
        SCALE_TARGET_INITIALIZED: TRUE if initialized else conditions.UNKNOWN,
        SKS_READY: TRUE if said and conditions.copied(said.conditions).is_true else pending(NOT_READY),
    }
    return msgspec.structs.replace(
        _dated(pa, verdicts, now),
        service_name=service_name,
        metrics_service_name=said.private_service_name if said else "",
        # After a restart nothing is known for a moment: what was wanted before still stands.
        desired_scale=seen.want if seen.want != UNKNOWN else pa.status.desired_scale,
        actual_scale=seen.ready,
    )


def always_active(pa: PodAutoscaler, seen: Seen, now: datetime) -> PodAutoscalerStatus:
    """Of the class HPA: it never goes to zero."""
    found = following(pa, seen, now)
    verdicts = {one.type: Verdict(one.status, one.reason, one.message) for one in found.conditions}
    kept = {ACTIVE: TRUE, **{kind: verdicts[kind] for kind in (SCALE_TARGET_INITIALIZED, SKS_READY)}}
    return msgspec.structs.replace(found, conditions=_dated(pa, kept, now).conditions)


def not_owned(pa: PodAutoscaler, what: str, now: datetime) -> PodAutoscalerStatus:
    """A child's name is taken by somebody else's object."""
    before = {one.type: Verdict(one.status, one.reason, one.message) for one in pa.status.conditions}
    verdicts = {kind: before.get(kind, conditions.UNKNOWN) for kind in DEPENDENTS}
    message = f"There is a {what} named {pa.metadata.name} that is not of this PodAutoscaler."
    return _dated(pa, verdicts | {ACTIVE: failed(NOT_OWNED, message)}, now)


def _active(pa: PodAutoscaler, seen: Seen) -> Verdict:
    found = bounds.activity(seen.want, seen.ready, seen.needed, active(pa))
    return (
        Verdict(found.status, found.reason, found.message) if found else conditions.copied(pa.status.conditions, ACTIVE)
    )


def _dated(pa: PodAutoscaler, verdicts: dict[str, Verdict], now: datetime) -> PodAutoscalerStatus:
    found = conditions.settled(verdicts, pa.status.conditions, timestamp(now), DEPENDENTS)
    return msgspec.structs.replace(pa.status, observed_generation=pa.metadata.generation, conditions=found)
