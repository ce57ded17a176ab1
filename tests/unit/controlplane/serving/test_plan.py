"""How a deployment mode is found, and what a plan comes to when a step cannot go on."""

import pytest
from tests.unit.controlplane.serving.made import entry, runtime

from inferplane.controlplane.serving.plan import Runtimes, mode, plan
from inferplane.kernel.json import JsonObject
from inferplane.resources.meta import ObjectMeta
from inferplane.resources.serving.config import Config, Deploy, Ingress, parse
from inferplane.resources.serving.inferenceservice import FailureReason, InferenceService, InferenceServiceStatus

SKLEARN: JsonObject = {"sklearn": {"storageUri": "s3://b"}}
RUNTIMES = Runtimes(cluster=[runtime("rt", entry())])


def service(predictor: JsonObject, *, asked: str = "", was: str = "") -> InferenceService:
    annotations = {"serving.kserve.io/deploymentMode": asked} if asked else {}
    meta = ObjectMeta(name="iris", namespace="ml", annotations=annotations)
    return InferenceService(
        metadata=meta, spec={"predictor": predictor}, status=InferenceServiceStatus(deployment_mode=was)
    )


@pytest.mark.parametrize(
    ("was", "asked", "default", "found"),
    [
        ("", "Standard", "Knative", "Standard"),
        ("", "Knative", "Standard", "Knative"),
        ("", "ModelMesh", "Standard", "ModelMesh"),
        ("", "RawDeployment", "Knative", "Standard"),
        ("", "Serverless", "Standard", "Knative"),
        ("", "", "Serverless", "Knative"),
        ("", "", "RawDeployment", "Standard"),
        ("Serverless", "Standard", "Standard", "Knative"),
        ("RawDeployment", "", "Knative", "Standard"),
    ],
)
def test_the_mode_is_what_it_was_then_what_is_asked_for_then_the_default(
    was: str, asked: str, default: str, found: str
) -> None:
    config = Config(deploy=Deploy(default_deployment_mode=default))
    assert mode(service(SKLEARN, asked=asked, was=was), config) == found


@pytest.mark.parametrize(
    ("predictor", "reason", "words"),
    [
        ({"sklearn": {}, "minReplicas": 2, "maxReplicas": 1}, "InvalidPredictorSpec", "minReplicas (2) is more"),
        ({"sklearn": {}, "minReplicas": "x"}, "InvalidPredictorSpec", "spec: Expected `int | null`, got `str`"),
        ({"xgboost": {}}, "NoSupportingRuntime", "No runtime found to support model format 'xgboost'"),
    ],
)
def test_the_first_step_that_cannot_go_on_says_so(predictor: JsonObject, reason: str, words: str) -> None:
    todo = plan(service(predictor), Config(), RUNTIMES)
    assert todo.blocked is not None
    assert (todo.blocked.reason, todo.blocked.failure) == (reason, FailureReason(reason))
    assert words in todo.blocked.message
    assert todo.objects == ()


def test_gpu_types_of_the_configuration_count() -> None:
    workers: JsonObject = {
        "model": {
            "modelFormat": {"name": "sklearn"},
            "storageUri": "pvc://c/m",
            "resources": {"limits": {"a.com/gpu": "1"}},
        },
        "workerSpec": {},
    }
    config = parse({"multiNode": '{"customGPUResourceTypeList": ["a.com/gpu"]}'})
    known, unknown = (plan(service(workers), one, RUNTIMES).blocked for one in (config, Config()))
    assert known is not None
    assert "a.com/gpu" not in known.message
    assert unknown is not None
    assert "a.com/gpu is no known kind of GPU" in unknown.message


def test_routes_that_cannot_be_made_leave_the_predictor_alone() -> None:
    todo = plan(service(SKLEARN), Config(ingress=Ingress(kserve_ingress_gateway="gateway")), RUNTIMES)
    assert todo.ingress_blocked is not None
    assert todo.ingress_blocked.reason == "ReconcileFailed"
    assert [one.resource.kind for one in todo.objects][:2] == ["Deployment", "Service"]
