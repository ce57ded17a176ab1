"""What is said about the autoscalers of a service that is ready: why one can't do its work, or what holds it. Pure.

The words are those of the HorizontalPodAutoscaler's conditions (Kubernetes' reasons), with what to do about them.
"""

import re
from collections.abc import Iterator
from datetime import timedelta

from inferplane.cli.why.causes import Cause, Kind
from inferplane.cli.why.facts import Facts
from inferplane.kernel.clock import parse_timestamp
from inferplane.resources.autoscaling import HorizontalPodAutoscaler, MetricSpec, MetricStatus
from inferplane.resources.meta import Condition, ConditionStatus, condition

# Figures of a new pod are there after two samples.
_FIRST_FIGURES = timedelta(seconds=60)
_NO_REQUEST = re.compile(r"missing request for (\w+) in container (\S+)")
_HELD = {
    "TooManyReplicas": "more are asked for than maxReplicas",
    "ScaleUpLimit": "more come as fast as its behavior allows",
    "ScaleDownLimit": "fewer come as fast as its behavior allows",
    "ScaleDownStabilized": "held for the load of the last minutes",
    "ScaleUpStabilized": "held until the load has lasted",
}


def scaling_causes(facts: Facts) -> tuple[Cause, ...]:
    """Of autoscalers that have room to move and can't."""
    return tuple(cause for one in facts.autoscalers if _has_room(one) if (cause := _cause(one, facts)) is not None)


def _has_room(hpa: HorizontalPodAutoscaler) -> bool:
    return hpa.spec.max_replicas > hpa.spec.min_replicas


def _cause(hpa: HorizontalPodAutoscaler, facts: Facts) -> Cause | None:
    able, active = _false(hpa, "AbleToScale"), _false(hpa, "ScalingActive")
    wrong = able or active
    if wrong is None or (wrong is active and _is_young(wrong, facts)):
        return None
    return Cause(
        Kind.NOT_SCALED,
        f"autoscaler {hpa.metadata.name}",
        f"it does not scale ({wrong.reason})",
        (wrong.message,),
        _fix(hpa, wrong),
    )


def _false(hpa: HorizontalPodAutoscaler, type: str) -> Condition | None:
    found = condition(hpa.status.conditions, type)
    return found if found is not None and found.status is ConditionStatus.FALSE else None


def _is_young(wrong: Condition, facts: Facts) -> bool:
    since = wrong.last_transition_time
    return since is not None and facts.now - parse_timestamp(since) < _FIRST_FIGURES


def _fix(hpa: HorizontalPodAutoscaler, wrong: Condition) -> str:
    missing = _NO_REQUEST.search(wrong.message)
    if missing:
        return f"set  resources.requests.{missing[1]}  of container {missing[2]}: its use is measured against that"
    match wrong.reason:
        case "ScalingDisabled":
            target = hpa.spec.scale_target_ref
            return f"kubectl scale {target.kind.lower()}/{target.name} --replicas={hpa.spec.min_replicas}"
        case "FailedGetResourceMetric" | "FailedGetContainerResourceMetric":
            return "look at  kubectl top pods: on a cluster that needs metrics-server"
        case "FailedGetExternalMetric" | "FailedGetPodsMetric" | "FailedGetObjectMetric":
            return "use a metric of type Resource, or on a cluster install the adapter for it"
    return ""


# --- what is fine -----------------------------------------------------------------------------------------------------


def scaling_notes(facts: Facts) -> tuple[str, ...]:
    """A line for each autoscaler that has room to move and has looked at its metrics."""
    return tuple(_note(one) for one in facts.autoscalers if _has_room(one) and one.status.current_metrics)


def _note(hpa: HorizontalPodAutoscaler) -> str:
    spec, status = hpa.spec, hpa.status
    figures = ", ".join(_figures(spec.metrics, status.current_metrics or []))
    reasons = [one.reason for one in status.conditions if one.type in ("AbleToScale", "ScalingLimited")]
    held = next((_HELD[one] for one in reversed(reasons) if one in _HELD), "")
    bounds = f"{status.current_replicas} of {spec.min_replicas} to {spec.max_replicas} replicas"
    return f"autoscaler {hpa.metadata.name}: {bounds}{f', {figures}' if figures else ''}{f'; {held}' if held else ''}."


def _figures(specs: list[MetricSpec], measured: list[MetricStatus]) -> Iterator[str]:
    for spec, now in zip(specs, measured, strict=False):
        source, found = spec.resource or spec.container_resource, now.resource or now.container_resource
        if source is None or found is None:
            continue
        target, current = source.target, found.current
        if target.average_utilization is not None and current.average_utilization is not None:
            yield f"{source.name} at {current.average_utilization}% (target {target.average_utilization}%)"
        elif target.average_value is not None and current.average_value is not None:
            yield f"{source.name} at {current.average_value} (target {target.average_value})"
