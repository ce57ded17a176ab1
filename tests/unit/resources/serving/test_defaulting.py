import pytest

from inferplane.kernel.json import JsonObject, list_at, object_at
from inferplane.resources.meta import ObjectMeta
from inferplane.resources.serving.config import Config, Deploy, Security, parse
from inferplane.resources.serving.defaulting import defaulted
from inferplane.resources.serving.inferenceservice import InferenceService, InferenceServiceStatus

RESOURCES = {"requests": {"cpu": "1", "memory": "2Gi"}, "limits": {"cpu": "1", "memory": "2Gi"}}


def filled(predictor: JsonObject, config: Config | None = None, **annotations: str) -> InferenceService:
    meta = ObjectMeta(name="iris", annotations={f"serving.kserve.io/{k}": v for k, v in annotations.items()})
    return defaulted(InferenceService(metadata=meta, spec={"predictor": predictor}), config or Config())


@pytest.mark.parametrize("name", ["sklearn", "tensorflow", "xgboost", "pytorch", "pmml", "lightgbm", "paddle"])
def test_a_shortcut_becomes_the_model(name: str) -> None:
    found = filled({name: {"storageUri": "s3://b"}, "minReplicas": 2})
    model = {"modelFormat": {"name": name}, "storageUri": "s3://b"}
    assert found.spec == {"predictor": {"model": model, "minReplicas": 2}}
    assert found.metadata.annotations["modelFormat"] == name


@pytest.mark.parametrize("name", ["triton", "onnx", "huggingface"])
def test_some_shortcuts_speak_v2_unless_told_otherwise(name: str) -> None:
    assert object_at(filled({name: {}}).spec, "predictor", "model")["protocolVersion"] == "v2"
    told = filled({name: {"protocolVersion": "grpc-v2"}})
    assert object_at(told.spec, "predictor", "model")["protocolVersion"] == "grpc-v2"


@pytest.mark.parametrize(("name", "protocol"), [("triton", "v2"), ("vLLM", "v2"), ("sklearn", None)])
def test_a_model_of_some_formats_speaks_v2(name: str, protocol: str | None) -> None:
    model = object_at(filled({"model": {"modelFormat": {"name": name}}}).spec, "predictor", "model")
    assert model.get("protocolVersion") == protocol


def test_of_several_shortcuts_the_first_is_moved_and_the_rest_stay_to_be_refused() -> None:
    found = filled({"xgboost": {}, "sklearn": {}})
    assert found.spec == {"predictor": {"model": {"modelFormat": {"name": "sklearn"}}, "xgboost": {}}}


@pytest.mark.parametrize(
    ("given", "default", "mode"),
    [
        ("RawDeployment", "Knative", "Standard"),
        ("Serverless", "Standard", "Knative"),
        (None, "Standard", "Standard"),
        (None, "Serverless", None),
    ],
)
def test_the_mode_is_filled_in_and_its_old_names_replaced(given: str | None, default: str, mode: str | None) -> None:
    config = Config(deploy=Deploy(default_deployment_mode=default))
    found = filled({"sklearn": {}}, config, **({"deploymentMode": given} if given else {}))
    assert found.metadata.annotations.get("serving.kserve.io/deploymentMode") == mode


@pytest.mark.parametrize(
    ("decided", "default", "mode"),
    [
        ("Standard", "Knative", "Standard"),
        ("RawDeployment", "Knative", "Standard"),
        ("Knative", "Standard", None),
        ("Serverless", "Standard", None),
    ],
)
def test_a_mode_that_was_decided_stays_when_the_default_changes(decided: str, default: str, mode: str | None) -> None:
    isvc = InferenceService(spec={"predictor": {"sklearn": {}}}, status=InferenceServiceStatus(deployment_mode=decided))
    found = defaulted(isvc, Config(deploy=Deploy(default_deployment_mode=default)))
    assert found.metadata.annotations.get("serving.kserve.io/deploymentMode") == mode


@pytest.mark.parametrize(
    ("containers", "names"),
    [
        ([{"name": "mine"}], ["kserve-container"]),
        ([{}, {"name": "b"}], ["kserve-container", "b"]),
        ([{"name": "a"}, {"name": "b"}], ["a", "b"]),
    ],
)
def test_a_container_of_the_users_own_gets_the_known_name_and_resources(
    containers: list[JsonObject], names: list[str]
) -> None:
    found = object_at(filled({"containers": [*containers]}).spec, "predictor")["containers"]
    assert isinstance(found, list)
    items = [one for one in found if isinstance(one, dict)]
    assert [one["name"] for one in items] == names
    assert items[0]["resources"] == RESOURCES


def test_resources_that_are_given_stay() -> None:
    found = filled({"containers": [{"name": "a", "resources": {"limits": {"cpu": "4", "nvidia.com/gpu": "1"}}}]})
    containers = object_at(found.spec, "predictor")["containers"]
    assert isinstance(containers, list)
    assert isinstance(containers[0], dict)
    assert object_at(containers[0], "resources", "limits") == {"cpu": "4", "memory": "2Gi", "nvidia.com/gpu": "1"}


def test_automount_is_switched_off_where_it_is_not_set() -> None:
    config = Config(security=Security(auto_mount_service_account_token=False))
    assert object_at(filled({"sklearn": {}}, config).spec, "predictor")["automountServiceAccountToken"] is False
    kept = filled({"sklearn": {}, "automountServiceAccountToken": True}, config)
    assert object_at(kept.spec, "predictor")["automountServiceAccountToken"] is True


def test_what_the_user_wrote_is_not_changed() -> None:
    isvc = InferenceService(metadata=ObjectMeta(name="iris"), spec={"predictor": {"triton": {"args": ["a"]}}})
    defaulted(isvc, Config())
    assert isvc.spec == {"predictor": {"triton": {"args": ["a"]}}}


def test_the_version_of_art_is_the_configurations() -> None:
    spec: JsonObject = {"predictor": {"sklearn": {}}, "explainer": {"art": {"type": "SquareAttack"}}}
    config = parse({"explainers": '{"art": {"defaultImageVersion": "v1"}}'})
    found = defaulted(InferenceService(metadata=ObjectMeta(name="a"), spec=spec), config).spec
    assert object_at(found, "explainer", "art") == {"type": "SquareAttack", "runtimeVersion": "v1"}


def test_a_canarys_framework_becomes_its_model() -> None:
    spec: JsonObject = {
        "predictor": {"sklearn": {}},
        "canary": [{"predictor": {"name": "b", "onnx": {"storageUri": "s3://b"}}, "trafficPercent": 1}],
    }
    (entry,) = list_at(defaulted(InferenceService(metadata=ObjectMeta(name="a"), spec=spec), Config()).spec, "canary")
    assert isinstance(entry, dict)
    assert entry["predictor"] == {
        "name": "b",
        "model": {"modelFormat": {"name": "onnx"}, "storageUri": "s3://b", "protocolVersion": "v2"},
    }
