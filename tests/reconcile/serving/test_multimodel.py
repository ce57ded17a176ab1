"""A predictor without a model of its own: its pods get the list of its TrainedModels and somebody who follows it."""

import pytest
from tests.reconcile.serving.knative_world import containers as knative_containers
from tests.reconcile.serving.knative_world import knative, service
from tests.reconcile.serving.world import World, isvc, runtime, serving

from inferplane.client.kubernetes.kinds import CONFIG_MAP, DEPLOYMENT, SECRET, SERVICE_ACCOUNT, SERVING_RUNTIME
from inferplane.kernel.json import Json, JsonObject, list_at, object_at, text_at

PULLER: list[Json] = ["--enable-puller", "--config-dir", "/mnt/configs", "--model-dir", "/mnt/models"]
CONFIG: JsonObject = {"name": "model-config", "mountPath": "/mnt/configs"}
MODELS: JsonObject = {"name": "model-dir", "mountPath": "/mnt/models"}
IN_SERVER: JsonObject = {"inferplane.dev/agent": "in-server"}


def many(**model: Json) -> JsonObject:
    return isvc() | {"spec": {"predictor": {"tensorflow": {"runtimeVersion": "1.14.0", **model}}}}


def pod(world: World) -> JsonObject:
    return object_at(world.peek(DEPLOYMENT, "raw-foo-predictor"), "spec", "template", "spec")


def containers(world: World) -> dict[str, JsonObject]:
    found = [one for one in list_at(pod(world), "containers") if isinstance(one, dict)]
    return {text_at(one, "name"): one for one in found}


async def test_our_own_server_follows_the_list_by_itself_within_its_memory() -> None:
    async with serving() as world:
        await world.add(SERVING_RUNTIME, runtime(annotations=IN_SERVER))
        await world.applied(many(resources={"limits": {"memory": "4Gi"}}))
        assert list(containers(world)) == ["kserve-container"]
        main = containers(world)["kserve-container"]
        assert list_at(main, "args")[-6:] == [*PULLER, "--memory_limit=4Gi"]
        assert list_at(main, "volumeMounts") == [MODELS, CONFIG]
        assert list_at(pod(world), "volumes") == [
            {"name": "model-config", "configMap": {"name": "modelconfig-raw-foo-0"}},
            {"name": "model-dir", "emptyDir": {}},
        ]
        assert world.exists(CONFIG_MAP, "modelconfig-raw-foo-0")


async def test_beside_any_other_server_kserves_agent_follows_it() -> None:
    async with serving() as world:
        await world.applied(many())
        main, agent = containers(world).values()
        assert list_at(agent, "args")[:5] == PULLER
        assert list_at(agent, "volumeMounts") == [MODELS, CONFIG]
        assert list_at(main, "volumeMounts") == [MODELS]


async def test_in_knative_mode_too() -> None:
    async with knative() as world:
        await world.applied(service({"tensorflow": {"runtimeVersion": "1.14.0"}}))
        agent = next(one for one in knative_containers(world) if one["name"] == "agent")
        assert list_at(agent, "args")[:5] == PULLER


@pytest.mark.parametrize("has", ["storageUri", "storage"])
async def test_a_predictor_with_a_model_has_nothing_of_it(has: str) -> None:
    given: Json = "s3://b/m" if has == "storageUri" else {"path": "m", "parameters": {"type": "s3", "bucket": "b"}}
    async with serving() as world:
        await world.applied(many(**{has: given}))
        assert list(containers(world)) == ["kserve-container"]
        assert PULLER[0] not in list_at(containers(world)["kserve-container"], "args")


async def test_a_container_of_the_users_own_says_that_it_takes_many() -> None:
    own: JsonObject = {"image": "own:1", "env": [{"name": "MULTI_MODEL_SERVER", "value": "true"}]}
    async with serving() as world:
        await world.applied(isvc() | {"spec": {"predictor": {"containers": [own]}}})
        assert list(containers(world)) == ["kserve-container", "agent"]


async def test_who_fetches_the_models_has_the_credentials_of_the_pods_account() -> None:
    secret: JsonObject = {
        "metadata": {"name": "s3"},
        "data": {"AWS_ACCESS_KEY_ID": "YQ==", "AWS_SECRET_ACCESS_KEY": "Yg=="},
    }
    async with serving() as world:
        await world.add(SECRET, secret)
        await world.add(SERVICE_ACCOUNT, {"metadata": {"name": "default"}, "secrets": [{"name": "s3"}]})
        await world.applied(many())
        env = {text_at(one, "name") for one in list_at(containers(world)["agent"], "env") if isinstance(one, dict)}
        assert {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} <= env
