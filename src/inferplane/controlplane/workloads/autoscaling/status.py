"""The status of a HorizontalPodAutoscaler: what was, what was decided → what it says now. Pure."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from inferplane.controlplane.workloads.autoscaling.decide import ABLE, ACTIVE, LIMITED, Says, Verdict
from inferplane.kernel.clock import timestamp
from inferplane.resources.autoscaling import AutoscalerStatus, MetricStatus, MetricValue
from inferplane.resources.meta import Condition, ConditionStatus, condition
from inferplane.resources.schemas.quantities import amount

__all__ = ["AutoscalerStatus", "following", "is_news", "not_scaled", "unreachable"]

_ORDER = (ABLE, ACTIVE, LIMITED)


def following(
    before: AutoscalerStatus, verdict: Verdict, replicas: int, now: datetime, *, scaled: bool
) -> AutoscalerStatus:
    """`replicas` ran when it was decided."""
    conditions = dict(verdict.conditions)
    if scaled:
        words = f"the HPA controller was able to update the target scale to {verdict.replicas}"
        conditions[ABLE] = Says(ConditionStatus.TRUE, "SucceededRescale", words)
    return msgspec.structs.replace(
        before,
        last_scale_time=timestamp(now) if scaled else before.last_scale_time,
        current_replicas=replicas,
        desired_replicas=verdict.replicas,
        current_metrics=verdict.metrics,
        conditions=_dated(conditions, before, now),
    )


def not_scaled(before: AutoscalerStatus, error: Exception, now: datetime) -> AutoscalerStatus:
    """The target refused its new size."""
    words = f"the HPA controller was unable to update the target scale: {error}"
    return _unable(before, Says(ConditionStatus.FALSE, "FailedUpdateScale", words), now)


def unreachable(before: AutoscalerStatus, why: str, now: datetime) -> AutoscalerStatus:
    words = f"the HPA controller was unable to get the target's current scale: {why}"
    return _unable(before, Says(ConditionStatus.FALSE, "FailedGetScale", words), now)


def _unable(before: AutoscalerStatus, says: Says, now: datetime) -> AutoscalerStatus:
    others = {one.type: Says(one.status, one.reason, one.message) for one in before.conditions}
    return msgspec.structs.replace(before, conditions=_dated(others | {ABLE: says}, before, now))


def _dated(conditions: Mapping[str, Says], before: AutoscalerStatus, now: datetime) -> list[Condition]:
    """The transition time moves with the status alone."""
    return [
        Condition(
            type=type_,
            status=says.status,
            reason=says.reason,
            message=says.message,
            last_transition_time=old.last_transition_time
            if (old := condition(before.conditions, type_)) is not None and old.status is says.status
            else timestamp(now),
        )
        for type_ in sorted(conditions, key=lambda one: _ORDER.index(one) if one in _ORDER else len(_ORDER))
        for says in [conditions[type_]]
    ]


def is_news(before: AutoscalerStatus, after: AutoscalerStatus) -> bool:
    """Whether it is worth a write: idle pods' figures tremble by a thousandth of a core for ever."""
    if msgspec.structs.replace(after, current_metrics=before.current_metrics) != before:
        return True
    old, new = before.current_metrics or [], after.current_metrics or []
    return len(old) != len(new) or any(not _looks_like(*pair) for pair in zip(old, new, strict=True))


def _looks_like(old: MetricStatus, new: MetricStatus) -> bool:
    """The same percentage; of a metric without one, within a hundredth."""
    before, after = _current(old), _current(new)
    if before is None or after is None or old.type != new.type:
        return old == new
    if after.average_utilization is not None:
        return before.average_utilization == after.average_utilization
    was, is_now = amount(before.average_value or "0"), amount(after.average_value or "0")
    return abs(was - is_now) * 100 <= max(was, is_now)


def _current(metric: MetricStatus) -> MetricValue | None:
    of = metric.resource or metric.container_resource
    return of.current if of is not None else None
