"""What scales the Deployments of an InferenceService in Standard mode: one object of the right kind, or none."""

import pytest
from tests.reconcile.serving.world import World, isvc, serving

from inferplane.client.kubernetes.kinds import DEPLOYMENT, HORIZONTAL_POD_AUTOSCALER
from inferplane.kernel.json import Json, JsonObject, object_at, text_at

HPA = HORIZONTAL_POD_AUTOSCALER
NAME = "raw-foo-predictor"
MEMORY: Json = {
    "type": "Resource",
    "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": "10Gi"}},
}


def hpa(world: World, name: str = NAME) -> JsonObject:
    return object_at(world.peek(HPA, name), "spec")


async def rendered(predictor: JsonObject) -> JsonObject:
    async with serving() as world:
        await world.applied(isvc(predictor=predictor))
        return hpa(world)


async def test_r5_memory_by_average_value() -> None:
    async with serving() as world:
        predictor: JsonObject = {"minReplicas": 1, "maxReplicas": 3, "autoScaling": {"metrics": [MEMORY]}}
        await world.applied(isvc(predictor=predictor, autoscalerClass="hpa"))
        found = world.peek(HPA, NAME)
        deployment = world.peek(DEPLOYMENT, NAME)
    assert found["spec"] == {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": NAME},
        "minReplicas": 1,
        "maxReplicas": 3,
        "metrics": [MEMORY],
        "behavior": {},
    }
    for field in ("labels", "annotations", "ownerReferences"):
        assert object_at(found, "metadata")[field] == object_at(deployment, "metadata")[field]
    assert "replicas" not in object_at(deployment, "spec")


def cpu(percent: int) -> list[Json]:
    target: Json = {"type": "Utilization", "averageUtilization": percent}
    return [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]


@pytest.mark.parametrize(
    ("predictor", "least", "most", "metrics"),
    [
        ({}, 1, 1, cpu(80)),
        ({"minReplicas": 0}, 1, 1, cpu(80)),
        ({"minReplicas": 2}, 2, 2, cpu(80)),
        ({"minReplicas": 3, "maxReplicas": 5, "scaleTarget": 60}, 3, 5, cpu(60)),
        ({"maxReplicas": 4, "scaleMetric": "cpu"}, 1, 4, cpu(80)),
        ({"maxReplicas": 4, "autoScaling": {"metrics": [*cpu(75)]}}, 1, 4, cpu(75)),
    ],
)
async def test_bounds_and_metric_come_from_the_component(
    predictor: JsonObject, least: int, most: int, metrics: list[Json]
) -> None:
    found = await rendered(predictor)
    assert (found["minReplicas"], found["maxReplicas"], found["metrics"]) == (least, most, metrics)


async def test_memory_without_a_target_is_no_metric() -> None:
    assert "metrics" not in await rendered({"scaleMetric": "memory"})


async def test_several_metrics_and_a_behavior_are_passed_on() -> None:
    behavior: JsonObject = {"scaleDown": {"stabilizationWindowSeconds": 5}}
    found = await rendered({"maxReplicas": 4, "autoScaling": {"metrics": [*cpu(75), MEMORY], "behavior": behavior}})
    assert (found["metrics"], found["behavior"]) == ([*cpu(75), MEMORY], behavior)


@pytest.mark.parametrize("way", ["none", "external"])
async def test_another_class_removes_the_autoscaler(way: str) -> None:
    async with serving() as world:
        await world.applied(isvc())
        before = world.exists(HPA, NAME)
        await world.applied(isvc(autoscalerClass=way))
        assert (before, world.exists(HPA, NAME)) == (True, False)


async def test_an_autoscaler_of_somebody_else_is_left_alone() -> None:
    async with serving() as world:
        await world.add(HPA, {"metadata": {"name": NAME}, "spec": {"maxReplicas": 9}}, "default")
        await world.applied(isvc(autoscalerClass="external"))
        assert hpa(world) == {"maxReplicas": 9}


async def test_one_that_was_changed_or_deleted_is_put_right() -> None:
    async with serving() as world:
        await world.applied(isvc())
        changed = world.peek(HPA, NAME)
        await world.add(HPA, changed | {"spec": object_at(changed, "spec") | {"maxReplicas": 9}})
        repaired = hpa(world)["maxReplicas"]
        world.api.remove(HPA, NAME)
        await world.rests()
        assert (repaired, world.exists(HPA, NAME)) == (1, True)


async def test_what_the_autoscaler_says_is_no_reason_to_look_again() -> None:
    async with serving() as world:
        await world.applied(isvc())
        world.api.writes.clear()
        await world.says(HPA, NAME, {"currentReplicas": 1, "desiredReplicas": 1})
        assert world.api.writes == []


async def test_replicas_that_were_scaled_stay_when_the_service_changes() -> None:
    async with serving() as world:
        await world.applied(isvc(predictor={"maxReplicas": 5}))
        await world.api.patch(DEPLOYMENT, NAME, {"spec": {"replicas": 4}}, "default", subresource="scale")
        await world.applied(isvc(predictor={"maxReplicas": 5, "timeout": 30, "containerConcurrency": 2}))
        assert object_at(world.peek(DEPLOYMENT, NAME), "spec")["replicas"] == 4


async def test_a_stopped_service_has_no_autoscaler() -> None:
    async with serving() as world:
        await world.applied(isvc())
        await world.applied(isvc(stop="true"))
        assert not world.exists(HPA, NAME)


async def test_r31_the_transformer_has_one_of_its_own() -> None:
    transformer: Json = {
        "minReplicas": 1,
        "maxReplicas": 2,
        "scaleTarget": 80,
        "containers": [{"image": "transformer:v1"}],
    }
    body = isvc(predictor={"minReplicas": 1, "maxReplicas": 3, "autoScaling": {"metrics": [*cpu(75)]}})
    body["spec"] = object_at(body, "spec") | {"transformer": transformer}
    async with serving() as world:
        await world.applied(body)
        mine, other = hpa(world, "raw-foo-transformer"), hpa(world)
    assert (mine["minReplicas"], mine["maxReplicas"], mine["metrics"]) == (1, 2, cpu(80))
    assert (text_at(mine, "scaleTargetRef", "name"), other["metrics"]) == ("raw-foo-transformer", cpu(75))
