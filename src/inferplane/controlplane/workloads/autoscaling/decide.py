"""What a HorizontalPodAutoscaler does now: its object, its target, the pods and what they use → a verdict. Pure.

The verdict says how many replicas there should be, why, and what the status is to tell; words and reasons are those of
Kubernetes (`pkg/controller/podautoscaler/horizontal.go`).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from inferplane.controlplane.workloads.autoscaling import adapters, usage
from inferplane.controlplane.workloads.autoscaling.limits import Bounds, History, allowed
from inferplane.controlplane.workloads.autoscaling.usage import (
    AverageValue,
    CannotCompute,
    Goal,
    Patience,
    Proposal,
    Sample,
    Tolerance,
    Utilization,
)
from inferplane.kernel.clock import parse_timestamp
from inferplane.resources.autoscaling import (
    Behavior,
    HorizontalPodAutoscaler,
    MetricSpec,
    MetricStatus,
    MetricStatusOf,
    MetricType,
    MetricValue,
    PodMetrics,
    ResourceMetric,
)
from inferplane.resources.core import Pod
from inferplane.resources.meta import ConditionStatus
from inferplane.resources.schemas.quantities import amount, canonical

ABLE, ACTIVE, LIMITED = "AbleToScale", "ScalingActive", "ScalingLimited"


@dataclass(frozen=True, slots=True)
class Settings:
    """Seconds; Kubernetes' defaults."""

    sync_period: float = 15.0
    downscale_stabilization: float = 300.0
    tolerance: float = 0.1
    patience: Patience = field(default_factory=Patience)


@dataclass(frozen=True, slots=True)
class Says:
    """One condition, undated."""

    status: ConditionStatus
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Observed:
    """`pods` are those that the target selects, `used` the metrics of each pod that has any, by name.

    `problem`: why nobody has any.
    """

    replicas: int
    pods: Sequence[Pod] = ()
    used: Mapping[str, PodMetrics] = field(default_factory=dict)
    has_selector: bool = True
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`why` the number changes, `""` when it doesn't. `warnings` are events: reason and message."""

    replicas: int
    why: str
    conditions: Mapping[str, Says]
    metrics: list[MetricStatus] | None
    history: History
    warnings: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class _Proposed:
    replicas: int
    name: str
    status: MetricStatus


@dataclass(frozen=True, slots=True)
class _Computed:
    """The highest proposal of all metrics; `replicas` is None when too many of them said nothing."""

    replicas: int | None
    name: str
    metrics: list[MetricStatus]
    active: Says
    warnings: tuple[tuple[str, str], ...] = ()


_ABLE = Says(ConditionStatus.TRUE, "SucceededGetScale", "the HPA controller was able to get the target's current scale")


def decide(
    hpa: HorizontalPodAutoscaler, seen: Observed, history: History, settings: Settings, now: datetime, clock: float
) -> Verdict:
    """`now` is the time of day, `clock` seconds that never go back."""
    history = history.begun(seen.replicas, clock)
    least, most = hpa.spec.min_replicas, hpa.spec.max_replicas
    before = {one.type: Says(one.status, one.reason, one.message) for one in hpa.status.conditions}
    conditions = before | {ABLE: _ABLE}
    if seen.replicas == 0 and least != 0:
        words = "scaling is disabled since the replica count of the target is zero"
        return Verdict(0, "", conditions | {ACTIVE: _no("ScalingDisabled", words)}, None, history)
    if seen.replicas > most:
        why = "Current number of replicas above Spec.MaxReplicas"
        return Verdict(most, why, conditions, None, history)
    if seen.replicas < least:
        why = "Current number of replicas below Spec.MinReplicas"
        return Verdict(least, why, conditions, None, history)
    return _by_metrics(hpa, seen, history, settings, now, clock, conditions)


def _by_metrics(
    hpa: HorizontalPodAutoscaler,
    seen: Observed,
    history: History,
    settings: Settings,
    now: datetime,
    clock: float,
    conditions: Mapping[str, Says],
) -> Verdict:
    namespace, tolerance = hpa.metadata.namespace, _tolerance(hpa.spec.behavior, settings)
    found = _compute(hpa.spec.metrics, namespace, seen, tolerance, settings.patience, now)
    conditions = {**conditions, ACTIVE: found.active}
    if found.replicas is None:
        return Verdict(seen.replicas, "", conditions, found.metrics, history, found.warnings)
    bounds = Bounds(hpa.spec.min_replicas, hpa.spec.max_replicas)
    window = settings.downscale_stabilization
    result = allowed(seen.replicas, found.replicas, bounds, hpa.spec.behavior, history, window, clock)
    conditions |= {
        ABLE: Says(ConditionStatus.TRUE, result.able.reason, result.able.message),
        LIMITED: Says(_status(result.range.limited), result.range.reason, result.range.message),
    }
    why = f"{found.name} above target" if found.replicas > seen.replicas else "All metrics below target"
    same = result.replicas == seen.replicas
    return Verdict(result.replicas, "" if same else why, conditions, found.metrics, result.history, found.warnings)


def _tolerance(behavior: Behavior | None, settings: Settings) -> Tolerance:
    up = behavior.scale_up.tolerance if behavior else None
    down = behavior.scale_down.tolerance if behavior else None
    default = settings.tolerance
    return Tolerance(
        default if up is None else float(amount(str(up))), default if down is None else float(amount(str(down)))
    )


def _status(value: bool) -> ConditionStatus:
    return ConditionStatus.TRUE if value else ConditionStatus.FALSE


def _no(reason: str, message: str) -> Says:
    return Says(ConditionStatus.FALSE, reason, message)


# --- metrics ----------------------------------------------------------------------------------------------------------


def _compute(
    specs: Sequence[MetricSpec],
    namespace: str,
    seen: Observed,
    tolerance: Tolerance,
    patience: Patience,
    now: datetime,
) -> _Computed:
    if not seen.has_selector:
        words = "the HPA target's scale is missing a selector"
        told = (("SelectorRequired", "selector is required"), _failed("selector is required"))
        return _Computed(None, "", [], _no("InvalidSelector", words), told)
    best: _Proposed | None = None
    failures: list[tuple[str, str]] = []
    metrics: list[MetricStatus] = []
    for spec in specs:
        try:
            if words := adapters.trouble(spec, namespace):
                raise CannotCompute(words)
            one = _propose(spec, seen, tolerance, patience, now)
        except CannotCompute as error:
            failures.append((_failure_reason(spec), str(error)))
            metrics.append(MetricStatus(type=""))
            continue
        metrics.append(one.status)
        if best is None or one.replicas > best.replicas:
            best = one
    return _weighed(best, failures, metrics, seen.replicas)


def _weighed(
    best: _Proposed | None, failures: list[tuple[str, str]], metrics: list[MetricStatus], current: int
) -> _Computed:
    """With one metric blind the others may scale up, but not down."""
    warnings = tuple(failures)
    if best is None or (failures and best.replicas < current):
        reason, said = failures[0] if failures else ("FailedGetResourceMetric", "no metrics are specified")
        words = f"the HPA was unable to compute the replica count: {said}"
        total = f"invalid metrics ({len(failures)} invalid out of {len(metrics)}), first error is: {said}"
        return _Computed(None, "", metrics, _no(reason, words), (*warnings, _failed(total)))
    words = f"the HPA was able to successfully calculate a replica count from {best.name}"
    return _Computed(best.replicas, best.name, metrics, Says(ConditionStatus.TRUE, "ValidMetricFound", words), warnings)


def _failed(message: str) -> tuple[str, str]:
    return ("FailedComputeMetricsReplicas", message)


def _failure_reason(spec: MetricSpec) -> str:
    return f"FailedGet{spec.type}Metric" if spec.type in [*MetricType] else "InvalidMetricSourceType"


def _propose(spec: MetricSpec, seen: Observed, tolerance: Tolerance, patience: Patience, now: datetime) -> _Proposed:
    """Raises CannotCompute."""
    source = spec.resource if spec.type == MetricType.RESOURCE else spec.container_resource
    if spec.type not in (MetricType.RESOURCE, MetricType.CONTAINER_RESOURCE) or source is None:
        raise CannotCompute(f"unknown metric source type {spec.type!r} or no block of its name")
    what = "resource" if spec.type == MetricType.RESOURCE else "container"
    samples = _samples(seen.used, source)
    try:
        if not samples:
            raise CannotCompute(
                f"unable to get metrics for resource {source.name}: {seen.problem or _no_metrics(source)}"
            )
        groups = usage.grouped(seen.pods, samples, source.name, patience, now)
        proposal = usage.propose(seen.replicas, seen.pods, samples, groups, _goal(source, seen.pods), tolerance)
    except CannotCompute as error:
        kind = "usage" if source.target.average_value is not None else "utilization"
        detail = f"failed to get {source.name} {kind}: {error}"
        raise CannotCompute(f"failed to get {source.name} {what} metric value: {detail}") from error
    return _Proposed(proposal.replicas, _name(source), _metric_status(spec, source, proposal))


def _no_metrics(source: ResourceMetric) -> str:
    if source.container:
        return f"no metrics returned for container {source.container} from resource metrics API"
    return "no metrics returned from resource metrics API"


def _goal(source: ResourceMetric, pods: Sequence[Pod]) -> Goal:
    target = source.target
    if target.average_value is not None:
        return AverageValue(usage.milli(target.average_value))
    if target.average_utilization is None:
        raise CannotCompute(
            "invalid resource metric source: neither an average utilization target nor an average value (usage) "
            "target was set"
        )
    return Utilization(target.average_utilization, usage.requests(pods, source.container, source.name))


def _name(source: ResourceMetric) -> str:
    if source.target.average_value is not None:
        return f"{source.name} resource"
    return f"{source.name} resource utilization (percentage of request)"


def _samples(used: Mapping[str, PodMetrics], source: ResourceMetric) -> dict[str, Sample]:
    found = ((name, _sample(metrics, source)) for name, metrics in used.items())
    return {name: sample for name, sample in found if sample is not None}


def _sample(metrics: PodMetrics, source: ResourceMetric) -> Sample | None:
    """None when a container that counts has no figure."""
    counted = [one for one in metrics.containers if source.container in ("", one.name)]
    amounts = [one.usage.get(source.name) for one in counted]
    if not counted or None in amounts:
        return None
    total = sum(usage.milli(one) for one in amounts if one is not None)
    return Sample(total, parse_timestamp(metrics.timestamp), go_duration(metrics.window))


def _metric_status(spec: MetricSpec, source: ResourceMetric, proposal: Proposal) -> MetricStatus:
    measured = proposal.measured
    value = MetricValue(average_value=_quantity(measured.average), average_utilization=measured.utilization)
    status = MetricStatusOf(name=source.name, container=source.container, current=value)
    if spec.type == MetricType.RESOURCE:
        return MetricStatus(type=spec.type, resource=status)
    return MetricStatus(type=spec.type, container_resource=status)


def _quantity(milli: int) -> str:
    return canonical(f"{milli}m")


_GO_DURATION = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|us|µs|ns|s)")
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def go_duration(text: str) -> timedelta:
    """`15s`, `1m30.5s`; what is no duration is zero."""
    return timedelta(seconds=sum(float(number) * _UNITS[unit] for number, unit in _GO_DURATION.findall(text)))
