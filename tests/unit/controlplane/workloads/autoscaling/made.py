"""Short ways to write the objects that these tests are about."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from inferplane.controlplane.workloads.autoscaling.usage import Sample
from inferplane.kernel.clock import timestamp
from inferplane.resources.autoscaling import (
    AutoscalerSpec,
    Behavior,
    ContainerUsage,
    HorizontalPodAutoscaler,
    MetricSpec,
    MetricTarget,
    PodMetrics,
    ResourceMetric,
)
from inferplane.resources.core import Container, Pod, PodCondition, PodSpec, PodStatus, ResourceRequirements
from inferplane.resources.meta import ConditionStatus, ObjectMeta

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
WINDOW = timedelta(seconds=15)


def pod(
    name: str,
    *,
    ready: bool = True,
    started: float = 3600.0,
    changed: float | None = None,
    phase: str = "Running",
    deleting: bool = False,
    cpu: str | None = "100m",
) -> Pod:
    """`started` and `changed` (the Ready condition): seconds ago."""
    at = timestamp(NOW - timedelta(seconds=started if changed is None else changed))
    condition = PodCondition(type="Ready", status=ConditionStatus(str(ready)), last_transition_time=at)
    requests: dict[str, str | int | float] = {} if cpu is None else {"cpu": cpu}
    container = Container(name="main", resources=ResourceRequirements(requests=requests))
    return Pod(
        metadata=ObjectMeta(name=name, deletion_timestamp=timestamp(NOW) if deleting else None),
        spec=PodSpec(containers=[container]),
        status=PodStatus(phase=phase, conditions=[condition], start_time=timestamp(NOW - timedelta(seconds=started))),
    )


def pods(count: int) -> list[Pod]:
    return [pod(f"p{number}") for number in range(count)]


def samples(*milli: int) -> dict[str, Sample]:
    return {f"p{number}": Sample(one, NOW, WINDOW) for number, one in enumerate(milli)}


def used(*cpu: str) -> dict[str, PodMetrics]:
    return {
        f"p{number}": PodMetrics(
            timestamp=timestamp(NOW), window="15s", containers=[ContainerUsage(name="main", usage={"cpu": one})]
        )
        for number, one in enumerate(cpu)
    }


def cpu_metric(percent: int = 80) -> MetricSpec:
    target = MetricTarget(type="Utilization", average_utilization=percent)
    return MetricSpec(type="Resource", resource=ResourceMetric(name="cpu", target=target))


def memory_metric(average: str) -> MetricSpec:
    target = MetricTarget(type="AverageValue", average_value=average)
    return MetricSpec(type="Resource", resource=ResourceMetric(name="memory", target=target))


def hpa(
    least: int = 1, most: int = 10, metrics: Sequence[MetricSpec] = (), behavior: Behavior | None = None
) -> HorizontalPodAutoscaler:
    spec = AutoscalerSpec(
        min_replicas=least, max_replicas=most, metrics=[*metrics] or [cpu_metric()], behavior=behavior
    )
    return HorizontalPodAutoscaler(metadata=ObjectMeta(name="iris", namespace="ml"), spec=spec)
