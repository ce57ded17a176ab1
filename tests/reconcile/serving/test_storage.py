"""Credentials, storage specs and ClusterStorageContainers, from the objects of a cluster to the pod that is made."""

import base64

import pytest
from tests.reconcile.serving.world import World, isvc, serving

from inferplane.client.kubernetes import kinds
from inferplane.kernel.json import Json, JsonObject, list_at, object_at, text_at

DEPLOYMENT = "raw-foo-predictor"


def secret(name: str, **data: str) -> JsonObject:
    encoded: JsonObject = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    return {"metadata": {"name": name}, "data": encoded}


def account(name: str, *secrets: str) -> JsonObject:
    return {"metadata": {"name": name}, "secrets": [{"name": one} for one in secrets]}


def container(name: str, *prefixes: str, **spec: Json) -> JsonObject:
    formats: list[Json] = [{"prefix": one} for one in prefixes]
    fetches: JsonObject = {
        "name": "storage-initializer",
        "image": f"{name}:1",
        "env": [{"name": "MODE", "value": name}],
    }
    return {"metadata": {"name": name}, "spec": {"container": fetches, "supportedUriFormats": formats, **spec}}


def model(**fields: Json) -> JsonObject:
    return {"tensorflow": None, "model": {"modelFormat": {"name": "tensorflow"}, **fields}}


def initializer(world: World) -> JsonObject:
    pod = object_at(world.peek(kinds.DEPLOYMENT, DEPLOYMENT), "spec", "template", "spec")
    (found,) = (one for one in list_at(pod, "initContainers") if isinstance(one, dict))
    return found


def variables(world: World) -> set[str]:
    found = {text_at(one, "name") for one in list_at(initializer(world), "env") if isinstance(one, dict)}
    return {name for name in found if not name.startswith("HF_")}


async def test_the_secrets_of_the_pods_account_reach_the_initializer() -> None:
    async with serving() as world:
        await world.add(kinds.SECRET, secret("s3", AWS_ACCESS_KEY_ID="a", AWS_SECRET_ACCESS_KEY="b"), "default")
        await world.add(kinds.SERVICE_ACCOUNT, account("fetcher", "s3"), "default")
        await world.applied(isvc(predictor={"serviceAccountName": "fetcher"}))
        assert variables(world) == {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}


async def test_the_account_default_is_meant_when_none_is_named() -> None:
    async with serving() as world:
        await world.add(kinds.SECRET, secret("hub", HF_TOKEN="t"), "default")
        await world.add(kinds.SERVICE_ACCOUNT, account("default", "hub"), "default")
        await world.applied(isvc())
        reference = {"secretKeyRef": {"name": "hub", "key": "HF_TOKEN"}}
        assert {"name": "HF_TOKEN", "valueFrom": reference} in list_at(initializer(world), "env")


async def test_a_missing_secret_is_said_and_waited_for() -> None:
    async with serving() as world:
        await world.add(kinds.SERVICE_ACCOUNT, account("fetcher", "s3"), "default")
        await world.applied(isvc(predictor={"serviceAccountName": "fetcher"}))
        ready = world.condition("PredictorReady")
        assert ready["status"] == "False"
        assert 'secret "s3", named by ServiceAccount fetcher, does not exist' in text_at(ready, "message")
        assert not world.exists(kinds.DEPLOYMENT, DEPLOYMENT)
        await world.add(kinds.SECRET, secret("s3", AWS_SECRET_ACCESS_KEY="b"), "default")
        assert world.exists(kinds.DEPLOYMENT, DEPLOYMENT)


async def test_a_changed_setting_of_a_secret_reaches_the_pod() -> None:
    async with serving() as world:
        await world.add(kinds.SERVICE_ACCOUNT, account("fetcher", "s3"), "default")
        await world.add(kinds.SECRET, secret("s3", AWS_SECRET_ACCESS_KEY="b"), "default")
        await world.applied(isvc(predictor={"serviceAccountName": "fetcher"}))
        await world.add(kinds.SECRET, secret("s3", AWS_SECRET_ACCESS_KEY="b", S3_ENDPOINT="minio:9000"), "default")
        assert {"S3_ENDPOINT", "AWS_ENDPOINT_URL"} <= variables(world)


async def test_a_storage_spec_becomes_a_uri_and_a_reference_to_its_secret() -> None:
    async with serving() as world:
        entry = '{"type": "s3", "bucket": "models", "secret_access_key": "hidden"}'
        await world.add(kinds.SECRET, secret("storage-config", minio=entry), "default")
        await world.applied(isvc(predictor=model(storage={"key": "minio", "path": "iris"})))
        assert list_at(initializer(world), "args") == ["s3://models/iris", "/mnt/models"]
        assert variables(world) == {"STORAGE_CONFIG"}
        assert "hidden" not in str(world.peek(kinds.DEPLOYMENT, DEPLOYMENT))
        template = object_at(world.peek(kinds.DEPLOYMENT, DEPLOYMENT), "spec", "template")
        source = object_at(template, "metadata", "annotations")[
            "internal.serving.kserve.io/storage-initializer-sourceuri"
        ]
        assert source == "<scheme-placeholder>://iris"


async def test_a_container_of_the_cluster_fetches_what_it_is_made_for() -> None:
    async with serving() as world:
        await world.add(kinds.CLUSTER_STORAGE_CONTAINER, container("ours", "s3://"))
        await world.applied(isvc())
        assert initializer(world)["image"] == "ours:1"
        assert "MODE" in variables(world)
        assert list_at(initializer(world), "args") == ["s3://test/mnist/export", "/mnt/models"]


async def test_a_container_of_the_cluster_may_know_a_scheme_that_we_do_not() -> None:
    async with serving() as world:
        strange = isvc(predictor={"tensorflow": {"storageUri": "vault://models/iris"}})
        await world.applied(strange)
        assert "storageUri 'vault://models/iris' is not supported" in text_at(
            world.condition("PredictorReady"), "message"
        )
        await world.add(kinds.CLUSTER_STORAGE_CONTAINER, container("vault", "vault://"))
        assert initializer(world)["image"] == "vault:1"


async def test_disabled_containers_and_those_of_other_work_are_passed_over() -> None:
    async with serving() as world:
        await world.add(kinds.CLUSTER_STORAGE_CONTAINER, container("a", "s3://") | {"disabled": True})
        await world.add(kinds.CLUSTER_STORAGE_CONTAINER, container("b", "s3://", workloadType="localModelDownloadJob"))
        await world.add(kinds.CLUSTER_STORAGE_CONTAINER, container("c", "s3://"))
        await world.applied(isvc())
        assert initializer(world)["image"] == "c:1"


async def test_a_named_container_must_exist_and_take_the_uri() -> None:
    async with serving() as world:
        await world.add(kinds.CLUSTER_STORAGE_CONTAINER, container("hub", "hf://"))
        await world.applied(isvc(predictor={"storageContainerName": "gone"}))
        words = text_at(world.condition("PredictorReady"), "message")
        assert "storageContainerName gone: no such ClusterStorageContainer; there are: hub" in words
        await world.applied(isvc(predictor={"storageContainerName": "hub"}))
        words = text_at(world.condition("PredictorReady"), "message")
        assert "the ClusterStorageContainer does not take s3://test/mnist/export" in words


async def test_a_container_for_one_uri_is_not_given_several() -> None:
    async with serving() as world:
        several: list[Json] = [
            {"uri": "s3://models/a", "mountPath": "/mnt/models/a"},
            {"uri": "s3://models/b", "mountPath": "/mnt/models/b"},
        ]
        spec: JsonObject = {"tensorflow": {"runtimeVersion": "1.14.0"}, "storageUris": several}
        await world.add(kinds.CLUSTER_STORAGE_CONTAINER, container("one", "s3://"))
        await world.applied(isvc(predictor=spec))
        assert "one URI at a time, not 2" in text_at(world.condition("PredictorReady"), "message")
        many = container("one", "s3://", supportsMultiModelDownload=True)
        await world.add(kinds.CLUSTER_STORAGE_CONTAINER, many)
        assert list_at(initializer(world), "args") == [
            "s3://models/a", "/mnt/models/a", "s3://models/b", "/mnt/models/b",
        ]  # fmt: skip


async def test_what_a_container_of_the_cluster_sets_stays() -> None:
    chosen: JsonObject = {"name": "HF_HUB_ENABLE_HF_TRANSFER", "value": "0"}
    ours = container("ours", "s3://")
    object_at(ours, "spec", "container")["env"] = [chosen]
    async with serving() as world:
        await world.add(kinds.CLUSTER_STORAGE_CONTAINER, ours)
        await world.applied(isvc())
        env = [one for one in list_at(initializer(world), "env") if isinstance(one, dict)]
    assert [one for one in env if one["name"] == chosen["name"]] == [chosen]


@pytest.mark.parametrize(
    ("secrets", "login"),
    [([], []), (["pull"], ["pull"]), (["pull", "other"], ["pull"])],
)
async def test_the_first_pull_secret_is_how_an_image_is_fetched(secrets: list[str], login: list[str]) -> None:
    predictor: JsonObject = {
        "tensorflow": {"storageUri": "oci://registry/models/iris:v1"},
        "imagePullSecrets": [{"name": one} for one in secrets],
    }
    async with serving() as world:
        await world.applied(isvc(predictor=predictor))
        told = variables(world)
        mounts = {
            text_at(one, "mountPath") for one in list_at(initializer(world), "volumeMounts") if isinstance(one, dict)
        }
        pod = object_at(world.peek(kinds.DEPLOYMENT, DEPLOYMENT), "spec", "template", "spec")
    sources = [
        text_at(source, "secret", "name")
        for volume in list_at(pod, "volumes")
        if isinstance(volume, dict)
        for source in list_at(volume, "projected", "sources")
        if isinstance(source, dict)
    ]
    assert sources == login
    assert told == ({"KSERVE_OCI_DOCKER_CONFIG"} if login else set())
    assert mounts == {"/mnt/models", *(["/mnt/oci-fetch-auth"] if login else [])}
