"""Runtimes that break a rule: told as an event of the runtime, and by the services that one is chosen for."""

import msgspec
import pytest
from tests.reconcile.serving.world import World, isvc, runtime, serving

from inferplane.client.kubernetes.kinds import (
    CLUSTER_SERVING_RUNTIME,
    CONFIG_MAP,
    DEPLOYMENT,
    EVENT,
    SERVING_RUNTIME,
)
from inferplane.kernel.json import Json, JsonObject, text_at
from inferplane.resources.serving import runtime_validation
from inferplane.resources.serving.defaults import cluster_serving_runtimes
from inferplane.resources.serving.runtime import ServingRuntime

PATHED: list[Json] = [
    {"name": "kserve-container", "image": "a", "env": [{"name": "PYTHONPATH", "value": "/x"}]},
]


def serving_format(priority: int, **more: Json) -> JsonObject:
    entry: JsonObject = {"name": "tensorflow", "version": "1", "autoSelect": True, "priority": priority}
    return {"supportedModelFormats": [entry], "protocolVersions": ["v1"], **more}


def told(world: World) -> list[tuple[str, str]]:
    """(runtime, message) of each event about one."""
    return [
        (text_at(one, "involvedObject", "name"), text_at(one, "message"))
        for one in world.api.objects(EVENT)
        if one.get("reason") == "InvalidServingRuntime"
    ]


@pytest.mark.parametrize("kind", [SERVING_RUNTIME, CLUSTER_SERVING_RUNTIME])
async def test_a_runtime_that_breaks_a_rule_is_told_once(kind: object) -> None:
    resource = SERVING_RUNTIME if kind is SERVING_RUNTIME else CLUSTER_SERVING_RUNTIME
    async with serving() as world:
        await world.add(resource, runtime("pathed", containers=PATHED))
        await world.add(resource, runtime("another"))
        assert told(world) == [("pathed", "spec.containers[0]: env PYTHONPATH is not allowed")]


async def test_two_of_the_same_priority_are_told_of_each_other_until_one_gives_way() -> None:
    async with serving() as world:
        for name in ("a", "b"):
            await world.add(SERVING_RUNTIME, runtime(name, **serving_format(3)))
        before = sorted(told(world))
        await world.add(SERVING_RUNTIME, runtime("b", **serving_format(4)))
        await world.add(SERVING_RUNTIME, runtime("b", **serving_format(3, disabled=True)))
        assert sorted(told(world)) == before
    words = "spec.supportedModelFormats: {} has priority 3 for tensorflow version 1 too: give this one another"
    assert before == [("a", words.format("b")), ("b", words.format("a"))]


async def test_runtimes_of_other_namespaces_and_of_the_cluster_are_no_rivals() -> None:
    async with serving() as world:
        await world.add(SERVING_RUNTIME, runtime("a", **serving_format(3)))
        await world.add(SERVING_RUNTIME, runtime("a", **serving_format(3)), "other")
        await world.add(CLUSTER_SERVING_RUNTIME, runtime("a", **serving_format(3)))
        assert told(world) == []


async def test_kinds_of_gpu_that_the_configuration_names_are_known() -> None:
    gpu: JsonObject = {"name": "kserve-container", "image": "a", "resources": {"limits": {"a.com/gpu": "1"}}}
    body = runtime("spanning", containers=[gpu], workerSpec={"containers": [{"name": "worker-container"}]})
    config: JsonObject = {"metadata": {"name": "inferenceservice-config", "namespace": "kserve"}}
    async with serving() as world:
        await world.add(CONFIG_MAP, config | {"data": {"multiNode": '{"customGPUResourceTypeList": ["a.com/gpu"]}'}})
        await world.add(SERVING_RUNTIME, body)
        before = told(world)
        await world.add(CONFIG_MAP, config | {"data": {}})
        [(name, words)] = told(world)
    assert before == []
    assert (name, "a.com/gpu is no known kind of GPU" in words) == ("spanning", True)


async def test_a_service_with_such_a_runtime_says_so_and_goes_on_when_it_is_mended() -> None:
    async with serving() as world:
        await world.add(SERVING_RUNTIME, runtime(containers=PATHED))
        await world.applied(isvc())
        found, exists = world.condition("PredictorReady"), world.exists(DEPLOYMENT, "raw-foo-predictor")
        failure = world.status()["modelStatus"]
        await world.add(SERVING_RUNTIME, runtime())
        assert world.exists(DEPLOYMENT, "raw-foo-predictor")
    assert (found["status"], found["reason"], exists) == ("False", "InvalidPredictorSpec", False)
    assert found["message"] == (
        "runtime tf-serving-raw breaks a rule for runtimes: spec.containers[0]: env PYTHONPATH is not allowed"
    )
    assert isinstance(failure, dict)
    assert failure["transitionStatus"] == "InvalidSpec"


def test_the_runtimes_that_we_bring_break_no_rule() -> None:
    runtimes = [msgspec.convert(one, ServingRuntime) for one in cluster_serving_runtimes()]
    found = {
        one.metadata.name: runtime_validation.problems(one, [other for other in runtimes if other is not one])
        for one in runtimes
    }
    assert {name: words for name, words in found.items() if words} == {}
