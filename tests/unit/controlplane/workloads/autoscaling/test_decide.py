"""An autoscaler's verdict: replicas, reason, conditions and current metrics in Kubernetes' words."""

from datetime import timedelta

import msgspec
import pytest
from tests.unit.controlplane.workloads.autoscaling.made import (
    NOW,
    cpu_metric,
    hpa,
    memory_metric,
    pods,
    used,
)

from inferplane.controlplane.workloads.autoscaling.decide import Observed, Settings, Verdict, decide, go_duration
from inferplane.controlplane.workloads.autoscaling.limits import History
from inferplane.resources.autoscaling import (
    HorizontalPodAutoscaler,
    MetricIdentifier,
    MetricSpec,
    MetricTarget,
    ObjectMetric,
    PodsMetric,
    ResourceMetric,
    ScaleTargetRef,
)
from inferplane.resources.meta import LabelSelector


def verdict(one: HorizontalPodAutoscaler, *cpu: str, replicas: int | None = None, count: int | None = None) -> Verdict:
    """`cpu` of each pod that has metrics; as many pods and replicas as that unless said otherwise."""
    running = len(cpu) if count is None else count
    seen = Observed(running if replicas is None else replicas, pods(running), used(*cpu))
    return decide(one, seen, History(), Settings(), NOW, 1000.0)


def said(found: Verdict) -> dict[str, tuple[str, str]]:
    return {name: (one.status.value, one.reason) for name, one in found.conditions.items()}


def test_busy_pods_get_company() -> None:
    found = verdict(hpa(), "160m", "80m")
    assert (found.replicas, found.why) == (3, "cpu resource utilization (percentage of request) above target")
    assert said(found) == {
        "AbleToScale": ("True", "ReadyForNewScale"),
        "ScalingActive": ("True", "ValidMetricFound"),
        "ScalingLimited": ("False", "DesiredWithinRange"),
    }
    assert msgspec.to_builtins(found.metrics) == [
        {
            "type": "Resource",
            "resource": {"name": "cpu", "current": {"averageUtilization": 120, "averageValue": "120m"}},
        }
    ]


def test_a_load_on_target_changes_nothing() -> None:
    found = verdict(hpa(), "80m", "84m")
    assert (found.replicas, found.why) == (2, "")


def test_idle_pods_go_when_nothing_else_was_recommended_lately() -> None:
    one = hpa()
    seen = Observed(3, pods(3), used("1m", "1m", "1m"))
    first = decide(one, seen, History(), Settings(), NOW, 1000.0)
    later = decide(one, seen, first.history, Settings(), NOW, 1301.0)
    assert (first.replicas, said(first)["AbleToScale"]) == (3, ("True", "ScaleDownStabilized"))
    assert (later.replicas, later.why) == (1, "All metrics below target")


@pytest.mark.parametrize(
    ("replicas", "wanted", "why"),
    [
        (1, 2, "Current number of replicas below Spec.MinReplicas"),
        (9, 4, "Current number of replicas above Spec.MaxReplicas"),
    ],
)
def test_outside_of_its_bounds_the_number_moves_there_whatever_the_load(replicas: int, wanted: int, why: str) -> None:
    found = verdict(hpa(2, 4), replicas=replicas, count=0)
    assert (found.replicas, found.why, found.metrics) == (wanted, why, None)
    assert found.conditions["AbleToScale"].reason == "SucceededGetScale"


def test_a_target_of_zero_replicas_is_left_alone() -> None:
    found = verdict(hpa(), "500m", replicas=0)
    assert (found.replicas, found.why) == (0, "")
    assert said(found)["ScalingActive"] == ("False", "ScalingDisabled")


def test_of_several_metrics_the_one_that_asks_for_most_wins() -> None:
    found = verdict(hpa(metrics=[cpu_metric(80), cpu_metric(40)]), "80m")
    assert (found.replicas, len(found.metrics or [])) == (2, 2)


def test_one_blind_metric_stops_scaling_down_but_not_up() -> None:
    one = hpa(metrics=[memory_metric("10Mi"), cpu_metric()])
    up, down = verdict(one, "160m"), verdict(one, "1m", "1m")
    assert (up.replicas, down.replicas) == (2, 2)
    assert said(up)["ScalingActive"] == ("True", "ValidMetricFound")
    assert said(down)["ScalingActive"] == ("False", "FailedGetResourceMetric")
    assert [one.type for one in up.metrics or []] == ["", "Resource"]


def test_without_metrics_it_says_so() -> None:
    found = verdict(hpa(), count=1)
    words = (
        "the HPA was unable to compute the replica count: failed to get cpu resource metric value: failed to get cpu "
        "utilization: unable to get metrics for resource cpu: no metrics returned from resource metrics API"
    )
    assert (found.replicas, found.conditions["ScalingActive"].message) == (1, words)
    assert [reason for reason, _ in found.warnings] == ["FailedGetResourceMetric", "FailedComputeMetricsReplicas"]
    assert found.warnings[1][1].startswith("invalid metrics (1 invalid out of 1), first error is: failed to get cpu")


CUSTOM = "unable to fetch metrics from custom metrics API: no custom metrics API (custom.metrics.k8s.io) registered"
REQUESTS = MetricIdentifier(name="requests")
QUEUE = MetricIdentifier(name="queue", selector=LabelSelector(match_labels={"b": "2", "a": "1"}))
ROUTE = ScaleTargetRef(kind="Ingress", name="main")


@pytest.mark.parametrize(
    ("metric", "reason", "words"),
    [
        (
            MetricSpec(type="Pods", pods=PodsMetric(metric=REQUESTS)),
            "FailedGetPodsMetric",
            f"unable to get metric requests: {CUSTOM}",
        ),
        (
            MetricSpec(type="Object", object=ObjectMetric(metric=REQUESTS, described_object=ROUTE)),
            "FailedGetObjectMetric",
            f"unable to get metric requests: Ingress on ml main/{CUSTOM}",
        ),
        (
            MetricSpec(type="External", external=PodsMetric(metric=QUEUE)),
            "FailedGetExternalMetric",
            (
                "unable to get external metric ml/queue/&LabelSelector{MatchLabels:map[string]string{a: 1,b: 2,},"
                "MatchExpressions:[]LabelSelectorRequirement{},}: unable to fetch metrics from external metrics API: "
                "the server could not find the requested resource (get queue.external.metrics.k8s.io)"
            ),
        ),
        (MetricSpec(type="External"), "FailedGetExternalMetric", "unknown metric source type 'External' or no block"),
        (MetricSpec(type="Cloud"), "InvalidMetricSourceType", "unknown metric source type 'Cloud' or no block"),
    ],
)
def test_a_metric_that_needs_an_adapter_is_told_in_kubernetes_words(
    metric: MetricSpec, reason: str, words: str
) -> None:
    found = verdict(hpa(metrics=[metric]), "50m")
    assert said(found)["ScalingActive"] == ("False", reason)
    assert found.replicas == 1
    assert words in found.conditions["ScalingActive"].message
    assert [one for one, _ in found.warnings] == [reason, "FailedComputeMetricsReplicas"]


def test_beside_such_a_metric_another_may_scale_up_but_not_down() -> None:
    both = [MetricSpec(type="Pods", pods=PodsMetric(metric=REQUESTS)), cpu_metric()]
    up, down = verdict(hpa(metrics=both), "160m", "80m"), verdict(hpa(metrics=both), "1m", "1m")
    assert (up.replicas, said(up)["ScalingActive"]) == (3, ("True", "ValidMetricFound"))
    assert (down.replicas, said(down)["ScalingActive"]) == (2, ("False", "FailedGetPodsMetric"))


def test_a_target_without_a_selector_cannot_be_measured() -> None:
    found = decide(hpa(), Observed(1, has_selector=False), History(), Settings(), NOW, 0.0)
    assert said(found)["ScalingActive"] == ("False", "InvalidSelector")


def test_one_container_can_be_measured_alone() -> None:
    target = MetricTarget(type="Utilization", average_utilization=50)
    metric = MetricSpec(
        type="ContainerResource", container_resource=ResourceMetric(name="cpu", container="main", target=target)
    )
    other = MetricSpec(
        type="ContainerResource", container_resource=ResourceMetric(name="cpu", container="sidecar", target=target)
    )
    assert verdict(hpa(metrics=[metric]), "100m").replicas == 2
    assert said(verdict(hpa(metrics=[other]), "100m"))["ScalingActive"] == ("False", "FailedGetContainerResourceMetric")


def test_conditions_that_this_sync_says_nothing_about_stay() -> None:
    before = verdict(hpa(), "160m")
    one = hpa(5, 9)
    status = [{"type": t, "status": c.status, "reason": c.reason, "message": ""} for t, c in before.conditions.items()]
    dated = msgspec.convert({"spec": msgspec.to_builtins(one.spec), "status": {"conditions": status}}, type(one))
    assert said(verdict(dated, "10m"))["ScalingLimited"] == ("False", "DesiredWithinRange")


@pytest.mark.parametrize(
    ("text", "seconds"), [("15s", 15.0), ("1m30.5s", 90.5), ("250ms", 0.25), ("2h", 7200.0), ("", 0.0), ("soon", 0.0)]
)
def test_windows_are_go_durations(text: str, seconds: float) -> None:
    assert go_duration(text) == timedelta(seconds=seconds)
