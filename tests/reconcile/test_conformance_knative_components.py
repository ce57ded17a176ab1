"""K23 to K28: transformers, in Knative Services and pods, and the status of all components."""

from tests.reconcile.serving.knative_world import (
    BOUNDS,
    MODE,
    NAME,
    NAMED,
    SCALED,
    TRANSFORMER,
    VIRTUAL,
    annotations,
    containers,
    knative,
    says,
    service,
    template,
)
from tests.reconcile.serving.world import runtime

from inferplane.client.kubernetes.kinds import POD, SERVING_RUNTIME, VIRTUAL_SERVICE
from inferplane.kernel.json import Json, JsonObject, list_at, object_at


async def test_k23_the_transformers_service_is_kserves() -> None:
    keyed: JsonObject = {"labels": {"key2": "val2FromTransformer"}, "annotations": {"key2": "val2FromTransformer"}}
    from_isvc = {"key1": "val1FromISVC", "key2": "val2FromISVC"}
    async with knative() as world:
        body = service(transformer=TRANSFORMER | keyed)
        meta = object_at(body, "metadata")
        await world.applied(body | {"metadata": meta | {"labels": {**from_isvc}, "annotations": {**MODE, **from_isvc}}})
        found = template(world, "foo-transformer")
    keys = {"key1": "val1FromISVC", "key2": "val2FromTransformer"}
    assert object_at(found, "metadata") == {
        "labels": {"component": "transformer", **NAMED, **keys},
        "annotations": {**SCALED, **keys},
    }
    (container,) = containers_of(found)
    args = ["--model_name", NAME, "--predictor_host", "foo-predictor.default", "--http_port", "8080"]
    assert (container["name"], container["image"], container["args"]) == ("kserve-container", "transformer:v1", args)
    assert container["env"] == [{"name": "INFERENCE_SERVICE_NAME", "value": NAME}]


def containers_of(found: JsonObject) -> list[JsonObject]:
    return [one for one in list_at(found, "spec", "containers") if isinstance(one, dict)]


async def test_k24_all_ready_the_status_says_all_of_it() -> None:
    async with knative() as world:
        await world.applied(service(transformer=TRANSFORMER))
        await says(world)
        await says(world, "transformer", revision="t-revision-v1")
        status, conditions = world.status(NAME), world.conditions(NAME)
    true = (
        "IngressReady", "LatestDeploymentReady", "PredictorConfigurationReady", "PredictorReady", "PredictorRouteReady",
        "Ready", "RoutesReady", "TransformerConfigurationReady", "TransformerReady", "TransformerRouteReady",
    )  # fmt: skip
    assert conditions == dict.fromkeys(true, "True") | {"Stopped": "False"}
    assert status["url"] == "http://foo.default.example.com"
    assert status["address"] == {"url": "http://foo.default.svc.cluster.local"}
    assert object_at(status, "components", "transformer") == {
        "latestReadyRevision": "t-revision-v1",
        "latestCreatedRevision": "t-revision-v1",
        "latestRolledoutRevision": "t-revision-v1",
        "traffic": [{"revisionName": "t-revision-v1", "latestRevision": True, "percent": 100}],
        "url": "http://foo-transformer.default.example.com",
        "address": {"url": "http://foo-transformer.default.svc.cluster.local"},
    }
    assert status["modelStatus"] == {
        "transitionStatus": "InProgress",
        "states": {"activeModelState": "", "targetModelState": "Pending"},
        "copies": {"failedCopies": 0},
    }
    assert status["servingRuntimeName"] == "tf-serving"


async def test_a_loaded_pod_of_the_latest_revision_makes_the_model_loaded() -> None:
    pod: JsonObject = {
        "metadata": {
            "name": "p",
            "labels": {"serving.kserve.io/inferenceservice": NAME, "serving.knative.dev/revision": "revision-v1"},
        },
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }
    async with knative() as world:
        await world.applied(service())
        await world.add(POD, pod)
        await says(world)
        status = world.status(NAME)
    assert object_at(status, "modelStatus") == {
        "transitionStatus": "UpToDate",
        "states": {"activeModelState": "Loaded", "targetModelState": "Loaded"},
        "copies": {"failedCopies": 0, "totalCopies": 1},
    }


async def test_k25_a_transformer_beside_the_model_is_the_second_container() -> None:
    beside: JsonObject = {
        "name": "transformer-container",
        "image": "transformer:v1",
        "ports": [{"containerPort": 8060}],
    }
    async with knative() as world:
        await world.applied(service({"containers": [beside]}))
        first, second = containers(world)
        await says(world)
        virtual, url = world.peek(VIRTUAL_SERVICE, NAME), world.status(NAME)["url"]
    assert (first["name"], "ports" in first) == ("kserve-container", False)
    assert (second["name"], second["ports"]) == ("transformer-container", [{"containerPort": 8060}])
    assert first["env"] == second["env"] == [{"name": "INFERENCE_SERVICE_NAME", "value": NAME}]
    assert (virtual["spec"], url) == (VIRTUAL, "http://foo.default.example.com")


def with_transformer(**more: Json) -> JsonObject:
    """The runtime with a transformer container of its own."""
    own: JsonObject = {
        "name": "transformer-container",
        "image": "transformer:v1",
        "args": ["--model_name={{.Name}}"],
        "ports": [{"containerPort": 8060}],
    }
    return runtime("tf-both", containers=[{"name": "kserve-container", "image": "tf:1"}, own | more])


def of_runtime(**predictor: Json) -> JsonObject:
    model: JsonObject = {"modelFormat": {"name": "tensorflow"}, "runtime": "tf-both", "storageUri": "s3://b/m"}
    body = service()
    return body | {"spec": {"predictor": {"model": model, **predictor}}}


async def test_k26_a_transformer_of_the_runtime_is_rendered() -> None:
    async with knative() as world:
        await world.add(SERVING_RUNTIME, with_transformer())
        await world.applied(of_runtime())
        _, second = containers(world)
    assert (second["args"], second["ports"]) == (["--model_name=foo"], [{"containerPort": 8060}])
    assert second["env"] == [{"name": "INFERENCE_SERVICE_NAME", "value": NAME}]


async def test_k27_transformers_of_both_are_merged() -> None:
    own: JsonObject = {"name": "transformer-container", "command": ["transformer"], "args": ["--http-port", "8060"]}
    async with knative() as world:
        await world.add(SERVING_RUNTIME, with_transformer())
        await world.applied(of_runtime(containers=[own]))
        _, second = containers(world)
    assert second["command"] == ["transformer"]
    assert second["args"] == ["--model_name=foo", "--http-port", "8060"]
    assert second["ports"] == [{"containerPort": 8060}]


async def test_k28_containers_of_ones_own_are_two_in_their_order() -> None:
    given: list[Json] = [
        {"name": "kserve-container", "image": "model:v1"},
        {"name": "transformer-container", "image": "transformer:v1"},
    ]
    async with knative() as world:
        await world.applied(service() | {"spec": {"predictor": {"containers": given, **BOUNDS}}})
        first, second = containers(world)
        found = annotations(world)
    assert (first["name"], second["name"]) == ("kserve-container", "transformer-container")
    assert first["env"] == second["env"] == [{"name": "INFERENCE_SERVICE_NAME", "value": NAME}]
    assert found == SCALED
