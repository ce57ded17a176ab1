"""Runtime and InferenceService made one pod (sections 2.3 to 2.5 of the reference)."""

import pytest
from tests.unit.controlplane.serving.made import MAIN, env, isvc, runtime

from inferplane.controlplane.serving.merging import InvalidPredictor, pod_of_containers, pod_of_model
from inferplane.controlplane.serving.servertypes import fitted
from inferplane.kernel.json import Json, JsonObject, list_at
from inferplane.resources.serving.inferenceservice import InferenceService
from inferplane.resources.serving.runtime import ServingRuntime
from inferplane.resources.serving.templates import TemplateError

NAME = {"name": "INFERENCE_SERVICE_NAME", "value": "iris"}


def of(
    predictor: JsonObject, rt: ServingRuntime | None = None, annotations: dict[str, str] | None = None
) -> JsonObject:
    model: JsonObject = {"modelFormat": {"name": "sklearn"}}
    given = predictor.get("model")
    merged = predictor | {"model": model | given if isinstance(given, dict) else model}
    return pod_of_model(isvc(merged, annotations=annotations or {}), rt or runtime())


def containers(pod: JsonObject) -> list[JsonObject]:
    return [one for one in list_at(pod, "containers") if isinstance(one, dict)]


def main(predictor: JsonObject, **container: Json) -> JsonObject:
    return containers(of(predictor, runtime(containers=[MAIN | container])))[0]


def test_arguments_add_up_and_a_command_is_replaced() -> None:
    found = main({"model": {"args": ["--b"], "command": ["mine"]}}, args=["--a"], command=["theirs"])
    assert (found["args"], found["command"]) == (["--a", "--b"], ["mine"])


def test_variables_merge_by_name_the_services_own_first() -> None:
    found = main({"model": {"env": env(("MINE", "1"), ("BOTH", "mine"))}}, env=env(("THEIRS", "1"), ("BOTH", "theirs")))
    assert found["env"] == [*env(("MINE", "1"), ("THEIRS", "1"), ("BOTH", "mine")), NAME]


@pytest.mark.parametrize("literal_is_mine", [True, False])
def test_a_variable_is_of_the_kind_that_the_service_gives_it(literal_is_mine: bool) -> None:
    literal: JsonObject = {"name": "A", "value": "1"}
    reference: JsonObject = {"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
    mine, theirs = (literal, reference) if literal_is_mine else (reference, literal)
    assert list_at(main({"model": {"env": [mine]}}, env=[theirs]), "env")[0] == mine


def test_resources_merge_by_key_and_ports_by_number() -> None:
    found = main(
        {"model": {"resources": {"limits": {"cpu": "4"}}, "ports": [{"containerPort": 8080, "name": "web"}]}},
        resources={"limits": {"cpu": "1", "memory": "2Gi"}},
        ports=[{"containerPort": 8080, "protocol": "TCP"}],
    )
    assert found["resources"] == {"limits": {"cpu": "4", "memory": "2Gi"}}
    assert found["ports"] == [{"containerPort": 8080, "protocol": "TCP", "name": "web"}]


def test_empty_texts_and_lists_override_nothing() -> None:
    found = main({"model": {"image": "", "args": []}}, args=["--a"])
    assert (found["image"], found["args"]) == ("server:1", ["--a"])


def test_runtime_version_and_templates_are_filled_in() -> None:
    args: list[Json] = ["--name={{.Name}}", "--f={{.Annotations.modelFormat}}", "--x={{.Labels.absent}}"]
    rt = runtime(containers=[MAIN | {"args": args}, {"name": "other", "args": ["{{.Name}}"]}])
    first, other = containers(of({"model": {"runtimeVersion": "2"}}, rt, annotations={"modelFormat": "sklearn"}))
    assert first["image"] == "server:2"
    assert first["args"] == ["--name=iris", "--f=sklearn", "--x=<no value>"]
    assert other["args"] == ["{{.Name}}"]


def test_containers_come_in_kserves_order_each_with_the_services_name() -> None:
    rt = runtime(containers=[{"name": "side"}, MAIN, {"name": "transformer-container", "image": "theirs"}])
    mine: list[Json] = [{"name": "mine"}, {"name": "transformer-container", "image": "mine"}]
    found = containers(of({"containers": mine}, rt))
    assert [one["name"] for one in found] == ["kserve-container", "transformer-container", "side", "mine"]
    assert found[1]["image"] == "mine"
    assert all(NAME in list_at(one, "env") for one in found)


def test_the_services_name_overwrites_what_is_there() -> None:
    assert main({"model": {"env": env(("INFERENCE_SERVICE_NAME", "x"))}})["env"] == [NAME]


def test_pods_merge_with_the_services_own_first() -> None:
    rt = runtime(
        volumes=[{"name": "theirs", "emptyDir": {}}],
        node_selector={"a": "1"},
        tolerations=[{"key": "theirs"}],
        scheduler_name="theirs",
        image_pull_secrets=[{"name": "theirs"}],
        resource_claims=[{"name": "both", "resourceClaimName": "theirs"}],
        host_ipc=True,
    )
    pod = of(
        {
            "volumes": [{"name": "mine", "emptyDir": {}}],
            "nodeSelector": {"b": "2"},
            "tolerations": [{"key": "mine"}],
            "imagePullSecrets": [{"name": "mine"}],
            "resourceClaims": [{"name": "both", "resourceClaimName": "mine"}],
            "serviceAccountName": "sa",
            "minReplicas": 1,
            "labels": {"not": "for the spec"},
        },
        rt,
    )
    assert {key: value for key, value in pod.items() if key != "containers"} == {
        "volumes": [{"name": "mine", "emptyDir": {}}, {"name": "theirs", "emptyDir": {}}],
        "nodeSelector": {"a": "1", "b": "2"},
        "tolerations": [{"key": "mine"}],
        "schedulerName": "theirs",
        "imagePullSecrets": [{"name": "mine"}, {"name": "theirs"}],
        "resourceClaims": [{"name": "both", "resourceClaimName": "mine"}],
        "serviceAccountName": "sa",
    }


@pytest.mark.parametrize(
    ("theirs", "ours", "merged"), [("a", None, "a"), ("", "b", "b"), ("a", "b", "b"), ("a", "", "a"), ("", None, None)]
)
def test_the_scheduler_is_the_services_if_it_names_one(theirs: str, ours: str | None, merged: str | None) -> None:
    pod = of({} if ours is None else {"schedulerName": ours}, runtime(scheduler_name=theirs))
    assert pod.get("schedulerName") == merged


def claim(name: str, of: str) -> JsonObject:
    return {"name": name, "resourceClaimName": of}


@pytest.mark.parametrize(
    ("theirs", "ours", "merged"),
    [
        ([claim("a", "theirs")], [], [claim("a", "theirs")]),
        ([], [claim("a", "mine")], [claim("a", "mine")]),
        ([claim("a", "theirs")], [claim("b", "mine")], [claim("b", "mine"), claim("a", "theirs")]),
        ([claim("a", "theirs")], [claim("a", "mine")], [claim("a", "mine")]),
    ],
)
def test_claims_merge_by_name(theirs: list[JsonObject], ours: list[JsonObject], merged: list[JsonObject]) -> None:
    given: JsonObject = {"resourceClaims": [*ours]} if ours else {}
    assert of(given, runtime(resource_claims=theirs))["resourceClaims"] == merged


def test_a_runtime_without_the_container_and_a_bad_template_are_errors() -> None:
    with pytest.raises(InvalidPredictor, match="runtime rt has no container named kserve-container; has: other"):
        of({}, runtime(containers=[{"name": "other"}]))
    with pytest.raises(TemplateError, match="range"):
        of({}, runtime(containers=[MAIN | {"args": ["{{range .Labels}}"]}]))


def test_containers_of_the_users_own_start_with_the_main_one() -> None:
    pod = pod_of_containers(isvc({"containers": [{"name": "side"}, {"name": "kserve-container"}], "timeout": 3}))
    assert [one["name"] for one in containers(pod)] == ["kserve-container", "side"]
    assert sorted(pod) == ["containers"]


# --- server types -----------------------------------------------------------------------------------------------------


def server(name: str, model: JsonObject, protocols: list[str] | None = None) -> InferenceService:
    whole: JsonObject = {"modelFormat": {"name": "xgboost"}}
    return fitted(isvc({"model": whole | model}), runtime(name, protocols=protocols))


def model_of(found: InferenceService) -> JsonObject:
    predictor = found.spec["predictor"]
    assert isinstance(predictor, dict)
    made = predictor["model"]
    assert isinstance(made, dict)
    return {key: value for key, value in made.items() if key not in ("modelFormat", "storageUri")}


def test_mlserver_is_told_the_model_by_environment_and_label() -> None:
    with_model, without = server("kserve-mlserver", {"storageUri": "s3://b"}), server("kserve-mlserver", {})
    assert model_of(with_model) == {
        "protocolVersion": "v2",
        "env": env(("MLSERVER_MODEL_NAME", "iris"), ("MLSERVER_MODEL_URI", "/mnt/models")),
    }
    assert with_model.metadata.labels == {"modelClass": "mlserver_xgboost.XGBoostModel"}
    assert model_of(without)["env"] == env(("MLSERVER_LOAD_MODELS_AT_STARTUP", "false"))


@pytest.mark.parametrize(("protocol", "envelope"), [(None, "kserve"), ("v2", "kservev2"), ("grpc-v2", "kservev2")])
def test_torchserve_is_told_the_protocol(protocol: str | None, envelope: str) -> None:
    found = server("kserve-torchserve", {"protocolVersion": protocol} if protocol else {})
    assert model_of(found)["env"] == env(("PROTOCOL_VERSION", protocol or "v1"))
    assert found.metadata.labels == {"serviceEnvelope": envelope}


def test_triton_without_a_model_loads_none() -> None:
    assert model_of(server("kserve-tritonserver", {}))["args"] == ["--model-control-mode=explicit"]
    assert "args" not in model_of(server("kserve-tritonserver", {"storageUri": "s3://b"}))


def test_the_protocol_defaults_to_the_first_in_order_that_the_runtime_speaks() -> None:
    assert model_of(server("mine", {}, ["grpc-v2", "v2"]))["protocolVersion"] == "v2"
    assert "protocolVersion" not in model_of(server("mine", {}))


def test_what_the_user_wrote_is_not_changed() -> None:
    given = isvc({"model": {"modelFormat": {"name": "xgboost"}, "storageUri": "s3://b"}})
    fitted(given, runtime("kserve-mlserver"))
    assert given.spec == {"predictor": {"model": {"modelFormat": {"name": "xgboost"}, "storageUri": "s3://b"}}}
