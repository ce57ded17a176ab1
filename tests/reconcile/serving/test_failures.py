"""What an InferenceService says when its model is not served: the cause, in words, never Ready."""

import msgspec
import pytest
from tests.fakes.api import Write
from tests.reconcile.serving.world import World, config, isvc, runtime, serving

from inferplane.client.kubernetes.api import ApiError, Invalid
from inferplane.client.kubernetes.kinds import (
    CLUSTER_SERVING_RUNTIME,
    CONFIG_MAP,
    DEPLOYMENT,
    INFERENCE_SERVICE,
    POD,
    SERVING_RUNTIME,
)
from inferplane.kernel.json import Json, JsonObject, object_at
from inferplane.resources.serving.defaults import cluster_serving_runtimes

NAME = "raw-foo-predictor"
FILE_MISSING = "no model file in /mnt/models: expected model.joblib, model.pkl or model.pickle"


def pod(*, init: JsonObject | None = None, main: JsonObject | None = None, ready: bool = False) -> JsonObject:
    """`init` and `main` are the states of the two containers."""
    fetch: JsonObject = {"name": "storage-initializer"}
    serve: JsonObject = {"name": "kserve-container", "ready": ready}
    status: JsonObject = {
        "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
        "initContainerStatuses": [fetch | init] if init else [],
        "containerStatuses": [serve | main] if main else [],
    }
    labels: JsonObject = {"app": f"isvc.{NAME}", "serving.kserve.io/inferenceservice": "raw-foo"}
    return {"metadata": {"name": "p1", "labels": labels}, "spec": {}, "status": status}


def ended(message: str, code: int = 1) -> JsonObject:
    return {"terminated": {"exitCode": code, "reason": "Error", "message": message}}


def crash_loop(message: str) -> JsonObject:
    return {"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": ended(message)}


async def unavailable(world: World) -> None:
    condition: JsonObject = {
        "type": "Available",
        "status": "False",
        "reason": "MinimumReplicasUnavailable",
        "message": "Deployment does not have minimum availability.",
    }
    await world.says(DEPLOYMENT, NAME, {"conditions": [condition]})


async def test_a_model_that_fails_to_load_is_told_in_ready_and_forgotten_when_overcome() -> None:
    async with serving() as world:
        await world.applied(isvc())
        await world.accepted()
        await unavailable(world)
        await world.add(POD, pod(main=crash_loop(FILE_MISSING)))
        ready, failed = world.condition("Ready"), world.status()["modelStatus"]
        await world.add(POD, pod(main={"state": {"running": {}}}, ready=True))
        await world.available()
        served = world.status()["modelStatus"]
    assert (ready["status"], ready["reason"]) == ("False", "MinimumReplicasUnavailable")
    assert ready["message"] == f"pod p1: kserve-container exited with code 1: {FILE_MISSING}"
    assert failed == {
        "transitionStatus": "BlockedByFailedLoad",
        "states": {"activeModelState": "", "targetModelState": "FailedToLoad"},
        "lastFailureInfo": {
            "location": "p1",
            "reason": "ModelLoadFailed",
            "message": FILE_MISSING,
            "time": "2026-01-01T00:00:00Z",
            "exitCode": 1,
        },
        "copies": {"failedCopies": 0},
    }
    assert served == {
        "transitionStatus": "UpToDate",
        "states": {"activeModelState": "Loaded", "targetModelState": "Loaded"},
        "copies": {"failedCopies": 0, "totalCopies": 1},
    }


async def test_a_model_that_cannot_be_fetched_is_told_with_the_initializers_words() -> None:
    async with serving() as world:
        await world.applied(isvc())
        await unavailable(world)
        await world.add(POD, pod(init={"state": ended("/models/iris does not exist", 2)}))
        found, status = world.condition("PredictorReady"), world.status()
    assert found["message"] == "pod p1: storage-initializer exited with code 2: /models/iris does not exist"
    assert object_at(status, "modelStatus", "lastFailureInfo")["exitCode"] == 2


async def test_an_image_that_cannot_run_is_told_with_the_nodes_words() -> None:
    waiting: JsonObject = {"state": {"waiting": {"reason": "ImageNotRunnable", "message": "no way to run x:1"}}}
    async with serving() as world:
        await world.applied(isvc())
        await unavailable(world)
        await world.add(POD, pod(main=waiting))
        found = world.condition("PredictorReady")
    assert found["message"] == "pod p1: kserve-container: ImageNotRunnable: no way to run x:1"


async def test_losing_ready_is_an_event() -> None:
    async with serving() as world:
        await world.applied(isvc())
        await world.available()
        await world.accepted()
        await unavailable(world)
        events = world.events()
    assert events == ["Normal InferenceServiceReady", "Warning InferenceServiceNotReady"]


@pytest.mark.parametrize(
    ("predictor", "reason", "part"),
    [
        ({"tensorflow": {"runtime": "nobody"}}, "RuntimeNotRecognized", "Waiting for runtime to become available"),
        ({"tensorflow": {"runtime": "off"}}, "RuntimeDisabled", "Specified runtime is disabled"),
        (
            {"tensorflow": {"runtime": "v2-only", "protocolVersion": "v1"}},
            "NoSupportingRuntime",
            "Specified runtime does not support specified protocol version: v2-only speaks v2, not v1",
        ),
        (
            {"model": {"modelFormat": {"name": "onnx"}, "runtime": "v2-only"}, "tensorflow": None},
            "NoSupportingRuntime",
            "Specified runtime does not support specified framework/version",
        ),
        (
            {"model": {"modelFormat": {"name": "sklaern"}}, "tensorflow": None},
            "NoSupportingRuntime",
            "formats that can be served: tensorflow",
        ),
        ({"tensorflow": {"storageUri": "ftp://host/model"}}, "InvalidPredictorSpec", "storageUri 'ftp://host/model'"),
        ({"containers": [{"name": "kserve-container"}]}, "InvalidPredictorSpec", "exactly one of model"),
        (
            {"minReplicas": "two"},
            "InvalidPredictorSpec",
            "spec: Expected `int | null`, got `str` - at `$.predictor.minR",
        ),
        ({"containerConcurrency": -1}, "InvalidPredictorSpec", "`int` >= 0 - at `$.predictor.containerConcurrency`"),
        ({"logger": {"mode": "none"}}, "InvalidPredictorSpec", "at `$.predictor.logger.mode`"),
        ({"minReplicas": 3, "maxReplicas": 2}, "InvalidPredictorSpec", "minReplicas (3) is more than maxReplicas (2)"),
        (
            {"tensorflow": {"storageUri": "s3://b", "confidential": {"enabled": True}}},
            "NotSupportedYet",
            "spec.predictor.model.confidential is not supported yet",
        ),
        ({"workerSpec": {}}, "InvalidPredictorSpec", "a model that spans nodes needs pvc:// or oci://"),
    ],
)
async def test_a_spec_that_cannot_be_served_says_why(predictor: JsonObject, reason: str, part: str) -> None:
    async with serving() as world:
        await world.add(SERVING_RUNTIME, runtime("off", disabled=True))
        await world.add(SERVING_RUNTIME, runtime("v2-only", protocolVersions=["v2"]))
        await world.applied(isvc(predictor=predictor))
        found, ready, status = world.condition("PredictorReady"), world.condition("Ready"), world.status()
        assert not world.exists(DEPLOYMENT, NAME)
    assert (found["status"], found["reason"]) == ("False", reason)
    assert part in str(found["message"])
    assert (ready["status"], ready["message"]) == ("False", found["message"])
    if reason != "NotSupportedYet":
        assert object_at(status, "modelStatus")["transitionStatus"] == "InvalidSpec"
        assert object_at(status, "modelStatus", "lastFailureInfo")["reason"] == reason


async def test_a_service_that_waits_for_its_runtime_goes_on_when_it_comes() -> None:
    model: JsonObject = {"modelFormat": {"name": "tensorflow"}, "runtime": "late", "storageUri": "s3://b/m"}
    async with serving() as world:
        await world.applied(isvc() | {"spec": {"predictor": {"model": model}}})
        before = world.exists(DEPLOYMENT, NAME)
        await world.add(SERVING_RUNTIME, runtime("late"))
        assert (before, world.exists(DEPLOYMENT, NAME)) == (False, True)


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        ("Knative", "ServerlessModeRejected"),
        ("Serverless", "ServerlessModeRejected"),
        ("ModelMesh", "NotSupportedYet"),
    ],
)
async def test_a_mode_that_the_server_cannot_have_is_refused_by_name(mode: str, reason: str) -> None:
    async with serving() as world:
        await world.applied(isvc(deploymentMode=mode))
        found = world.condition("PredictorReady")
    assert found["reason"] == reason
    assert "set it to Standard" in str(found["message"])


async def test_a_spec_that_becomes_invalid_leaves_the_running_version_alone() -> None:
    async with serving() as world:
        await world.applied(isvc())
        await world.available()
        await world.accepted()
        await world.applied(isvc(predictor={"batcher": {"maxBatchSize": 0}}))
        ready = world.condition("Ready")
        assert world.exists(DEPLOYMENT, NAME)
    assert (ready["status"], ready["reason"]) == ("False", "InvalidPredictorSpec")


async def test_a_broken_configuration_is_told_by_key() -> None:
    async with serving(config_map=config(deploy='{"defaultDeploymentMode": 3}')) as world:
        await world.applied(isvc())
        found = world.condition("Ready")
    assert found["reason"] == "ReconcileFailed"
    assert "ConfigMap kserve/inferenceservice-config, key deploy:" in str(found["message"])


async def test_a_slip_in_the_configuration_takes_no_running_service_down() -> None:
    async with serving() as world:
        await world.applied(isvc())
        await world.available()
        await world.accepted()
        before = world.status()
        await world.add(CONFIG_MAP, config(ingress="{oops"))
        await world.applied(isvc("second"))
        assert (world.status(), world.exists(DEPLOYMENT, "second-predictor")) == (before, True)
        events = world.events()
    assert events.count("Warning InvalidConfiguration") == 1


@pytest.mark.parametrize(
    "error",
    [
        Invalid(422, "Invalid", "spec: bad volume"),
        ApiError(400, "BadRequest", "strict decoding error: bad volume"),
        ApiError(403, "Forbidden", "exceeded quota: bad volume"),
    ],
)
async def test_an_object_that_the_api_refuses_is_named(error: ApiError) -> None:
    def refuse(write: Write) -> None:
        if write.verb == "apply" and write.resource == DEPLOYMENT:
            raise error

    async with serving() as world:
        world.api.intercept = refuse
        await world.applied(isvc())
        found = world.condition("PredictorReady")
    assert found["reason"] == "ReconcileFailed"
    assert str(found["message"]).startswith("Deployment raw-foo-predictor: ")
    assert "bad volume" in str(found["message"])


async def test_a_quota_is_tried_again_until_it_allows_it() -> None:
    def refuse(write: Write) -> None:
        if write.verb == "apply" and write.resource == DEPLOYMENT:
            raise ApiError(403, "Forbidden", "exceeded quota")

    async with serving() as world:
        world.api.intercept = refuse
        await world.applied(isvc())
        world.api.intercept = lambda _: None
        world.clock.advance(1)
        await world.rests()
        assert world.exists(DEPLOYMENT, NAME)


async def test_what_is_being_deleted_is_not_held_to_the_rules() -> None:
    async with serving() as world:
        await world.applied(isvc())
        before = world.status()
        going = isvc(predictor={"minReplicas": 3, "maxReplicas": 2})
        object_at(going, "metadata")["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        world.api.writes.clear()
        await world.applied(going)
        assert (world.api.writes, world.status()) == ([], before)


async def test_a_service_that_is_deleted_meanwhile_is_no_error() -> None:
    async with serving() as world:
        await world.applied(isvc())
        world.api.remove(INFERENCE_SERVICE, "raw-foo")
        await world.rests()
        await world.available()
        assert not world.exists(INFERENCE_SERVICE, "raw-foo")


async def test_the_default_runtimes_serve_iris_as_kserve_documents_it() -> None:
    body = isvc("sklearn-iris") | {"spec": {"predictor": {"sklearn": {"storageUri": "pvc://models/sklearn-iris"}}}}
    async with serving() as world:
        for one in cluster_serving_runtimes():
            world.api.add(CLUSTER_SERVING_RUNTIME, one)
        await world.rests()
        await world.applied(body)
        status = world.status("sklearn-iris")
        template = object_at(world.peek(DEPLOYMENT, "sklearn-iris-predictor"), "spec", "template", "spec")
    (container,) = msgspec.convert(template["containers"], list[dict[str, object]])
    claim: list[Json] = [{"name": "kserve-pvc-source", "persistentVolumeClaim": {"claimName": "models"}}]
    assert status["clusterServingRuntimeName"] == "kserve-sklearnserver"
    assert container["image"] == "kserve/sklearnserver:latest"
    assert container["args"] == ["--model_name=sklearn-iris", "--model_dir=/mnt/models", "--http_port=8080"]
    assert template["volumes"] == claim
    assert container["volumeMounts"] == [
        {"name": "kserve-pvc-source", "mountPath": "/mnt/models", "readOnly": True, "subPath": "sklearn-iris"}
    ]
    assert "initContainers" not in template
