"""A service whose model a cache of nodes holds: it is marked, and its pods read the model from the cache's claim."""

import hashlib

from tests.reconcile.serving.test_autoscaling import definition
from tests.reconcile.serving.world import World, config, isvc, serving

from inferplane.client.kubernetes.kinds import (
    CUSTOM_RESOURCE_DEFINITION,
    DEPLOYMENT,
    INFERENCE_SERVICE,
    LOCAL_MODEL_CACHE,
)
from inferplane.kernel.json import JsonObject, list_at, object_at

NAME = "raw-foo-predictor"
URI = "s3://test/mnist/export"
KEY = hashlib.sha256(URI.encode()).hexdigest()[:16]
CACHE: JsonObject = {"metadata": {"name": "mnist"}, "spec": {"sourceModelUri": URI, "nodeGroups": ["workers"]}}
LABELS = {"internal.serving.kserve.io/localmodel": "mnist"}
ANNOTATIONS = {
    "internal.serving.kserve.io/localmodel-sourceuri": URI,
    "internal.serving.kserve.io/localmodel-pvc-name": "mnist-workers",
}
ON = config(localModel='{"enabled": true}')


def marks(world: World) -> tuple[JsonObject, JsonObject]:
    meta = object_at(world.peek(INFERENCE_SERVICE, "raw-foo"), "metadata")
    return object_at(meta, "labels"), {
        key: value for key, value in object_at(meta, "annotations").items() if "localmodel" in key
    }


def pod(world: World) -> JsonObject:
    return object_at(world.peek(DEPLOYMENT, NAME), "spec", "template", "spec")


async def test_the_model_is_read_from_the_claim_and_the_service_is_marked() -> None:
    async with serving(config_map=ON) as world:
        await world.add(CUSTOM_RESOURCE_DEFINITION, definition(LOCAL_MODEL_CACHE))
        await world.applied(isvc())
        before = marks(world), "initContainers" in pod(world)
        await world.add(LOCAL_MODEL_CACHE, CACHE)
        meanwhile, read, template = marks(world), pod(world), world.peek(DEPLOYMENT, NAME)
        world.api.remove(LOCAL_MODEL_CACHE, "mnist")
        await world.rests()
        assert (marks(world), "initContainers" in pod(world)) == before == (({}, {}), True)
    assert meanwhile == (LABELS, ANNOTATIONS)
    assert "initContainers" not in read
    [volume] = list_at(read, "volumes")
    assert volume == {"name": "kserve-pvc-source", "persistentVolumeClaim": {"claimName": "mnist-workers"}}
    assert f"'subPath': 'models/{KEY}'" in str(list_at(read, "containers"))
    found = object_at(template, "metadata", "annotations")
    assert found.items() >= ANNOTATIONS.items()
    assert found["internal.serving.kserve.io/storage-initializer-sourceuri"] == URI


async def test_without_the_setting_or_the_kind_nothing_is_asked() -> None:
    async with serving() as world:
        await world.add(CUSTOM_RESOURCE_DEFINITION, definition(LOCAL_MODEL_CACHE))
        await world.add(LOCAL_MODEL_CACHE, CACHE)
        await world.applied(isvc())
        off = marks(world)
    async with serving(config_map=ON) as world:
        await world.applied(isvc())
        assert (marks(world), off) == (({}, {}), ({}, {}))
        await world.add(CUSTOM_RESOURCE_DEFINITION, definition(LOCAL_MODEL_CACHE))
        await world.add(LOCAL_MODEL_CACHE, CACHE)
        assert marks(world) == (LABELS, ANNOTATIONS)


async def test_at_rest_a_marked_service_is_not_written() -> None:
    async with serving(config_map=ON) as world:
        await world.add(CUSTOM_RESOURCE_DEFINITION, definition(LOCAL_MODEL_CACHE))
        await world.add(LOCAL_MODEL_CACHE, CACHE)
        await world.applied(isvc())
        await world.available()
        await world.accepted()
        world.api.writes.clear()
        await world.add(LOCAL_MODEL_CACHE, CACHE)
        assert world.api.writes == []
