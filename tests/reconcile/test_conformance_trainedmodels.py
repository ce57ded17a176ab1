"""KServe's own behaviours of TrainedModels (its controller tests, T1 to T6 of our reference), on the exact objects."""

import json

from tests.reconcile.serving.world import World, isvc, serving

from inferplane.client.kubernetes import kinds
from inferplane.kernel.json import Json, JsonObject, list_at, object_at, text_at
from inferplane.resources.serving.trainedmodel import ALLOCATED_LABEL, FINALIZER, PARENT_LABEL

PARENT = "raw-foo"
LIST = f"modelconfig-{PARENT}-0"


def many(*, uri: str = "", limit: str = "2Gi") -> JsonObject:
    """An InferenceService of tensorflow without a model of its own, unless `uri` names one."""
    model: JsonObject = {"runtimeVersion": "1.14.0", "resources": {"limits": {"memory": limit}}}
    return isvc(PARENT) | {"spec": {"predictor": {"tensorflow": model | ({"storageUri": uri} if uri else {})}}}


def model(name: str = "model1-create", *, uri: str = "s3//model1", memory: str = "1G", of: str = PARENT) -> JsonObject:
    source: JsonObject = {"storageUri": uri, "framework": "tensorflow", "memory": memory}
    return {"metadata": {"name": name}, "spec": {"inferenceService": of, "model": source}}


def models(world: World) -> list[Json]:
    found: list[Json] = json.loads(text_at(world.peek(kinds.CONFIG_MAP, LIST), "data", "models.json"))
    return found


def entry(name: str = "model1-create", *, uri: str = "s3//model1", memory: str = "1G") -> JsonObject:
    return {"modelName": name, "modelSpec": {"storageUri": uri, "framework": "tensorflow", "memory": memory}}


def conditions(world: World, name: str = "model1-create") -> dict[str, str]:
    found = list_at(world.peek(kinds.TRAINED_MODEL, name), "status", "conditions")
    return {text_at(one, "type"): text_at(one, "status") for one in found if isinstance(one, dict)}


def message(world: World, type: str, name: str = "model1-create") -> str:
    found = list_at(world.peek(kinds.TRAINED_MODEL, name), "status", "conditions")
    return next(text_at(one, "message") for one in found if isinstance(one, dict) and one["type"] == type)


async def ready(world: World, body: JsonObject) -> None:
    await world.applied(body)
    await world.available()
    await world.accepted()
    assert world.conditions()["Ready"] == "True"


async def test_t1_a_parent_that_is_empty_and_not_ready() -> None:
    async with serving() as world:
        await world.applied(isvc(PARENT) | {"spec": {"predictor": {}}})
        await world.add(kinds.TRAINED_MODEL, model())
        assert (conditions(world)["InferenceServiceReady"], conditions(world)["IsMMSPredictor"]) == ("False", "False")
        assert conditions(world)["Ready"] == "False"
        assert not world.exists(kinds.CONFIG_MAP, LIST)


async def test_t2_a_model_is_on_the_servers_list() -> None:
    async with serving() as world:
        await ready(world, many())
        assert models(world) == []
        await world.add(kinds.TRAINED_MODEL, model())
        assert models(world) == [entry()]
        assert set(conditions(world).values()) == {"True"}
        meta = object_at(world.peek(kinds.TRAINED_MODEL, "model1-create"), "metadata")
        assert object_at(meta, "labels") == {PARENT_LABEL: PARENT, ALLOCATED_LABEL: PARENT}
        assert meta["finalizers"] == [FINALIZER]


async def test_t2_a_list_that_somebody_emptied_is_written_again() -> None:
    async with serving() as world:
        await ready(world, many())
        await world.add(kinds.TRAINED_MODEL, model())
        emptied = world.peek(kinds.CONFIG_MAP, LIST) | {"data": {"models.json": ""}}
        await world.add(kinds.CONFIG_MAP, emptied)
        assert models(world) == [entry()]


async def test_t3_another_uri_is_in_the_entry() -> None:
    async with serving() as world:
        await ready(world, many())
        await world.add(kinds.TRAINED_MODEL, model())
        stored = world.peek(kinds.TRAINED_MODEL, "model1-create")
        await world.add(kinds.TRAINED_MODEL, stored | {"spec": model(uri="s3//model2")["spec"]})
        assert models(world) == [entry(uri="s3//model2")]


async def test_t4_a_deleted_model_is_off_the_list_before_it_is_gone() -> None:
    async with serving() as world:
        await ready(world, many())
        await world.add(kinds.TRAINED_MODEL, model())
        await world.api.delete(kinds.TRAINED_MODEL, "model1-create", "default")
        await world.rests()
        assert models(world) == []
        assert not world.exists(kinds.TRAINED_MODEL, "model1-create")


async def test_t5_a_model_that_is_larger_than_the_memory() -> None:
    async with serving() as world:
        await ready(world, many())
        await world.add(kinds.TRAINED_MODEL, model(memory="3Gi"))
        found = conditions(world)
        assert (found["InferenceServiceReady"], found["IsMMSPredictor"]) == ("True", "True")
        assert (found["MemoryResourceAvailable"], found["Ready"]) == ("False", "False")
        assert message(world, "Ready").startswith(
            "it needs 3Gi, and the container of InferenceService raw-foo is limited"
        )
        assert models(world) == []


async def test_t6_a_parent_with_a_model_of_its_own() -> None:
    async with serving() as world:
        await ready(world, many(uri="s3://test/mnist/export"))
        await world.add(kinds.TRAINED_MODEL, model())
        found = conditions(world)
        assert (found["InferenceServiceReady"], found["IsMMSPredictor"]) == ("True", "False")
        assert not world.exists(kinds.CONFIG_MAP, LIST)


async def test_k31_a_service_without_storage_has_the_list_of_its_models() -> None:
    async with serving() as world:
        await world.applied(many())
        [owner] = list_at(world.peek(kinds.CONFIG_MAP, LIST), "metadata", "ownerReferences")
        assert isinstance(owner, dict)
        assert (owner["kind"], owner["name"], models(world)) == ("InferenceService", PARENT, [])


async def test_models_go_with_the_service_that_had_them_and_wait_for_one_that_is_to_come() -> None:
    async with serving() as world:
        await world.add(kinds.TRAINED_MODEL, model("early", of="later"))
        assert message(world, "Ready", "early") == "there is no InferenceService later in this namespace"
        await ready(world, many())
        await world.add(kinds.TRAINED_MODEL, model())
        world.api.remove(kinds.INFERENCE_SERVICE, PARENT)
        await world.rests()
        assert not world.exists(kinds.TRAINED_MODEL, "model1-create")
        assert world.exists(kinds.TRAINED_MODEL, "early")


async def test_a_parent_that_is_not_ready_any_more_keeps_its_models_and_gets_no_new_ones() -> None:
    async with serving() as world:
        await ready(world, many())
        await world.add(kinds.TRAINED_MODEL, model())
        await world.says(kinds.DEPLOYMENT, "raw-foo-predictor", {"conditions": []})
        await world.add(kinds.TRAINED_MODEL, model("late", memory="1M"))
        assert models(world) == [entry()]
        assert conditions(world)["InferenceServiceReady"] == "False"
        await world.available()
        assert models(world) == [entry("late", memory="1M"), entry()]


async def test_an_idle_controller_writes_nothing() -> None:
    async with serving() as world:
        await ready(world, many())
        await world.add(kinds.TRAINED_MODEL, model())
        before = len(world.api.changes)
        await world.add(kinds.INFERENCE_SERVICE, world.peek(kinds.INFERENCE_SERVICE, PARENT))
        assert len(world.api.changes) == before
