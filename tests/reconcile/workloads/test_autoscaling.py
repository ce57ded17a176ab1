"""HorizontalPodAutoscalers over made-up time: what pods use in, replicas, conditions and events out."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from tests.fakes.api import MemoryApi, Write
from tests.fakes.clock import FakeClock
from tests.reconcile.workloads.platform import Platform, deployment, ready_node, running

from inferplane.client.kubernetes.api import ApiError
from inferplane.client.kubernetes.kinds import (
    DEPLOYMENT,
    HORIZONTAL_POD_AUTOSCALER,
    NODE,
    POD,
    POD_METRICS,
    SCALED_OBJECT,
)
from inferplane.kernel.clock import timestamp
from inferplane.kernel.json import Json, JsonObject, list_at, number_at, object_at, text_at

HPA = HORIZONTAL_POD_AUTOSCALER
# With the spread over a period that comes first, every autoscaler has been looked at by then.
A_ROUND = 22.6


@asynccontextmanager
async def roomy(api: MemoryApi | None = None, clock: FakeClock | None = None) -> AsyncIterator[Platform]:
    """With a node that takes whatever is requested."""
    amounts: Json = {"cpu": "1000", "memory": "1000Gi", "pods": "1000"}
    async with running(api, clock, scaled_objects=True) as platform:
        node = ready_node()
        platform.api.add(NODE, node | {"status": object_at(node, "status") | {"allocatable": amounts}})
        await platform.settle()
        yield platform


def hpa(least: int = 1, most: int = 4, **spec: Json) -> JsonObject:
    target: Json = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    cpu: Json = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}
    return {
        "metadata": {"name": "web"},
        "spec": {
            "scaleTargetRef": target,
            "minReplicas": least,
            "maxReplicas": most,
            "metrics": [{"type": "Resource", "resource": cpu}],
            **spec,
        },
    }


def requesting(replicas: int, cpu: str = "100m") -> JsonObject:
    """A Deployment whose pods request that much CPU."""
    body = deployment(replicas)
    resources: Json = {"requests": {"cpu": cpu}}
    container: Json = {"name": "main", "image": "i", "resources": resources}
    template = object_at(body, "spec", "template") | {"spec": {"containers": [container]}}
    return body | {"spec": object_at(body, "spec") | {"template": template}}


async def uses(platform: Platform, cpu: str) -> None:
    """Every pod has run for an hour, is ready, and uses that much."""
    long_ago = timestamp(platform.clock.now() - timedelta(hours=1))
    now = timestamp(platform.clock.now())
    for pod in platform.pods():
        name = text_at(pod, "metadata", "name")
        ready: Json = {"type": "Ready", "status": "True", "lastTransitionTime": long_ago}
        running: JsonObject = {"phase": "Running", "startTime": long_ago, "conditions": [ready]}
        platform.api.add(POD, pod | {"status": running})
        used: Json = [{"name": "main", "usage": {"cpu": cpu, "memory": "10Mi"}}]
        body: JsonObject = {"metadata": {"name": name}, "timestamp": now, "window": "15s", "containers": used}
        platform.api.add(POD_METRICS, body)
    await platform.settle()


async def passed(platform: Platform, seconds: float = A_ROUND) -> None:
    platform.clock.advance(seconds)
    await platform.settle()


def replicas(platform: Platform) -> int:
    return number_at(platform.api.peek(DEPLOYMENT, "web") or {}, "spec", "replicas")


def condition(platform: Platform, name: str) -> tuple[str, str, str]:
    return platform.condition("web", name, HPA) or ("", "", "")


async def test_busy_pods_get_company_and_the_status_says_why() -> None:
    async with roomy() as platform:
        await platform.applied(DEPLOYMENT, requesting(1))
        await platform.applied(HPA, hpa())
        await uses(platform, "140m")
        await passed(platform)
        status = platform.status(HPA, "web")
        assert replicas(platform) == 3
        assert (status["currentReplicas"], status["desiredReplicas"]) == (1, 3)
        assert status["currentMetrics"] == [
            {
                "type": "Resource",
                "resource": {"name": "cpu", "current": {"averageUtilization": 140, "averageValue": "140m"}},
            }
        ]
        assert status["lastScaleTime"] == timestamp(platform.clock.now())
        words = "the HPA controller was able to update the target scale to 3"
        assert condition(platform, "AbleToScale") == ("True", "SucceededRescale", words)
        assert condition(platform, "ScalingLimited") == (
            "False",
            "DesiredWithinRange",
            "the desired count is within the acceptable range",
        )
        why = "cpu resource utilization (percentage of request) above target"
        assert ("SuccessfulRescale", f"New size: 3; reason: {why}") in platform.events()


async def test_a_new_autoscaler_moves_its_target_into_its_bounds_at_once() -> None:
    async with roomy() as platform:
        await platform.applied(DEPLOYMENT, requesting(1))
        await platform.applied(HPA, hpa(3, 5))
        assert (replicas(platform), len(platform.pods())) == (3, 3)
        await platform.changed(HPA, "web", {"spec": {"minReplicas": 1, "maxReplicas": 2}})
        assert replicas(platform) == 2


async def test_idle_pods_go_after_five_minutes() -> None:
    async with roomy() as platform:
        await platform.applied(DEPLOYMENT, requesting(3))
        await platform.applied(HPA, hpa())
        await uses(platform, "1m")
        await passed(platform)
        assert replicas(platform) == 3
        assert condition(platform, "AbleToScale")[1] == "ScaleDownStabilized"
        await passed(platform, 301.0)
        assert replicas(platform) == 1
        assert ("SuccessfulRescale", "New size: 1; reason: All metrics below target") in platform.events()


async def test_behavior_makes_it_quicker() -> None:
    quick: Json = {"scaleDown": {"stabilizationWindowSeconds": 0, "policies": [_policy("Pods", 1)]}}
    async with roomy() as platform:
        await platform.applied(DEPLOYMENT, requesting(3))
        await platform.applied(HPA, hpa(behavior=quick))
        await uses(platform, "1m")
        await passed(platform)
        assert replicas(platform) == 2
        await passed(platform, 15.0)
        assert (replicas(platform), condition(platform, "ScalingLimited")[1]) == (2, "ScaleDownLimit")
        await passed(platform, 61.0)
        assert replicas(platform) == 1


def _policy(kind: str, value: int) -> Json:
    return {"type": kind, "value": value, "periodSeconds": 60}


async def test_at_rest_nothing_is_written_however_the_figures_tremble() -> None:
    async with roomy() as platform:
        await platform.applied(DEPLOYMENT, requesting(2, cpu="1"))
        await platform.applied(HPA, hpa())
        await uses(platform, "500m")
        await passed(platform)
        for cpu in ("501m", "509m", "500m"):
            await uses(platform, cpu)
            platform.new_changes()
            await passed(platform, 15.0)
            assert [one for one in platform.new_changes() if one.resource == HPA] == []


async def test_without_metrics_the_number_stays_and_it_is_told_once() -> None:
    async with roomy() as platform:
        await platform.applied(DEPLOYMENT, requesting(2))
        await platform.applied(HPA, hpa())
        await passed(platform)
        assert "FailedGetResourceMetric" not in [reason for reason, _ in platform.events()]
        await platform.started()
        for _ in range(4):
            await passed(platform)
        told = [reason for reason, _ in platform.events() if reason.startswith("Failed")]
        assert replicas(platform) == 2
        assert condition(platform, "ScalingActive")[:2] == ("False", "FailedGetResourceMetric")
        assert sorted(told) == ["FailedComputeMetricsReplicas", "FailedGetResourceMetric"]


async def test_a_metric_that_needs_an_adapter_is_a_condition_and_an_event() -> None:
    asked: Json = {"name": "queue", "selector": {"matchLabels": {"topic": "a"}}}
    external: Json = {"metric": asked, "target": {"type": "AverageValue", "averageValue": "30"}}
    async with roomy() as platform:
        await platform.applied(DEPLOYMENT, requesting(2))
        await platform.applied(HPA, hpa(metrics=[{"type": "External", "external": external}]))
        await platform.started()
        await passed(platform)
        found, told = condition(platform, "ScalingActive"), [reason for reason, _ in platform.events()]
    assert found[:2] == ("False", "FailedGetExternalMetric")
    assert "unable to get external metric default/queue/&LabelSelector{" in found[2]
    assert {"FailedGetExternalMetric", "FailedComputeMetricsReplicas"} <= set(told)


async def test_a_metrics_server_that_is_away_is_named() -> None:
    def away(write: Write) -> None:
        if write.verb == "list" and write.resource == POD_METRICS:
            raise ApiError(503, "ServiceUnavailable", "the node does not answer")

    async with roomy() as platform:
        platform.api.intercept = away
        await platform.applied(DEPLOYMENT, requesting(2))
        await platform.applied(HPA, hpa())
        await passed(platform)
        await passed(platform)
        message = condition(platform, "ScalingActive")[2]
        assert message.endswith("unable to fetch metrics from resource metrics API: the node does not answer")


async def test_a_target_that_is_not_there_is_named_and_found_when_it_comes() -> None:
    async with roomy() as platform:
        await platform.applied(HPA, hpa(2))
        assert condition(platform, "AbleToScale") == (
            "False",
            "FailedGetScale",
            'the HPA controller was unable to get the target\'s current scale: deployments.apps "web" not found',
        )
        await platform.applied(DEPLOYMENT, requesting(1))
        await passed(platform)
        assert replicas(platform) == 2
        assert condition(platform, "AbleToScale")[:2] == ("True", "SucceededRescale")


async def test_a_target_at_zero_is_left_alone() -> None:
    async with roomy() as platform:
        await platform.applied(DEPLOYMENT, requesting(0))
        await platform.applied(HPA, hpa(2))
        await passed(platform)
        assert replicas(platform) == 0
        assert condition(platform, "ScalingActive")[:2] == ("False", "ScalingDisabled")


async def test_a_size_that_is_refused_is_told() -> None:
    def refused(write: Write) -> None:
        if write.subresource == "scale":
            raise ApiError(403, "Forbidden", "exceeded quota")

    async with roomy() as platform:
        await platform.applied(DEPLOYMENT, requesting(1))
        platform.api.intercept = refused
        await platform.applied(HPA, hpa(3))
        assert condition(platform, "AbleToScale") == (
            "False",
            "FailedUpdateScale",
            "the HPA controller was unable to update the target scale: exceeded quota",
        )
        platform.api.intercept = lambda _: None
        await passed(platform)
        assert replicas(platform) == 3


async def test_one_that_cannot_move_is_looked_at_every_fourth_time() -> None:
    looks: list[float] = []
    async with roomy() as platform:
        platform.api.intercept = lambda write: (
            looks.append(platform.clock.monotonic()) if write.resource == POD_METRICS else None
        )
        await platform.applied(DEPLOYMENT, requesting(2))
        await platform.applied(HPA, hpa(2, 2))
        for _ in range(40):
            await passed(platform, 5.0)
    assert 3 <= len(looks) <= 5


async def test_a_restarted_controller_scales_nothing_down_for_a_window() -> None:
    async with roomy() as platform:
        await platform.applied(DEPLOYMENT, requesting(3))
        await platform.applied(HPA, hpa())
        await uses(platform, "1m")
        await passed(platform)
        api, clock = platform.api, platform.clock
    async with roomy(api, clock) as platform:
        await passed(platform, 250.0)
        assert replicas(platform) == 3
        assert list_at(platform.status(HPA, "web"), "conditions") != []
        await passed(platform, 60.0)
        assert replicas(platform) == 1


# ScaledObjects.


def scaled(*kinds: str, most: int = 4) -> JsonObject:
    triggers: list[Json] = [{"type": kind, "metricType": "Utilization", "metadata": {"value": "50"}} for kind in kinds]
    spec: Json = {
        "scaleTargetRef": {"name": "web"},
        "minReplicaCount": 1,
        "maxReplicaCount": most,
        "triggers": triggers,
    }
    return {"metadata": {"name": "web"}, "spec": spec}


def ready(platform: Platform) -> tuple[str, str, str]:
    return platform.condition("web", "Ready", SCALED_OBJECT) or ("", "", "")


async def test_a_scaled_object_scales_on_cpu_as_keda_would() -> None:
    async with roomy() as platform:
        await platform.applied(DEPLOYMENT, requesting(1))
        await platform.applied(SCALED_OBJECT, scaled("cpu"))
        await uses(platform, "100m")
        await passed(platform)
        assert (replicas(platform), ready(platform)[:2]) == (2, ("True", "ScaledObjectReady"))
        assert platform.status(SCALED_OBJECT, "web")["hpaName"] == "keda-hpa-web"
        platform.new_changes()
        await passed(platform, 60.0)
        assert [one for one in platform.new_changes() if one.resource == SCALED_OBJECT or one.verb == "apply"] == []


async def test_a_changed_scaled_object_changes_its_autoscaler_and_a_changed_autoscaler_is_put_right() -> None:
    async with roomy() as platform:
        await platform.applied(DEPLOYMENT, requesting(1))
        await platform.applied(SCALED_OBJECT, scaled("cpu"))
        await platform.applied(SCALED_OBJECT, scaled("cpu", most=9))
        changed = number_at(platform.api.peek(HPA, "keda-hpa-web") or {}, "spec", "maxReplicas")
        await platform.changed(HPA, "keda-hpa-web", {"spec": {"maxReplicas": 2}})
        repaired = number_at(platform.api.peek(HPA, "keda-hpa-web") or {}, "spec", "maxReplicas")
        assert (changed, repaired) == (9, 9)


async def test_a_trigger_that_needs_keda_is_said_once_and_takes_its_autoscaler_away() -> None:
    async with roomy() as platform:
        await platform.applied(DEPLOYMENT, requesting(1))
        await platform.applied(SCALED_OBJECT, scaled("cpu"))
        await platform.applied(SCALED_OBJECT, scaled("prometheus"))
        await passed(platform)
        told = [message for reason, message in platform.events() if reason == "TriggerNotHonoured"]
        words = "triggers of type prometheus need KEDA, which is not on this machine"
        assert (ready(platform), told) == (("False", "TriggerNotHonoured", words), [words])
        assert platform.api.peek(HPA, "keda-hpa-web") is None
