from pathlib import Path

import pytest
from tests.fakes.api import Write
from tests.unit.cli.desk import Desk

from inferplane.cli import waiting
from inferplane.client.kubernetes.api import ApiError
from inferplane.client.kubernetes.kinds import CONFIG_MAP, INFERENCE_SERVICE
from inferplane.kernel.json import Json, JsonObject

ISVC = """\
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata:
  name: iris
spec:
  predictor:
    model:
      modelFormat: {name: sklearn}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "isvc.yaml"
    path.write_text(ISVC)
    return path


def status(**more: Json) -> JsonObject:
    return {"metadata": {"name": "iris"}, "status": {"observedGeneration": 1, **more}}


def becomes(desk: Desk, body: JsonObject) -> None:
    """From the first watch on the service is as `body` says."""

    def controller(write: Write) -> None:
        if write.verb == "watch":
            spec = desk.server.peek(INFERENCE_SERVICE, "iris") or {}
            desk.server.add(INFERENCE_SERVICE, spec | body)

    desk.server.intercept = controller


def test_a_service_is_waited_for_and_tells_how_it_went(desk: Desk, file: Path) -> None:
    ready: list[Json] = [{"type": "Ready", "status": "True"}]
    becomes(desk, status(conditions=ready, clusterServingRuntimeName="kserve-sklearnserver"))
    assert desk.type("apply", "-f", str(file)) == 0
    step, hint = desk.said.splitlines()
    assert step.startswith("● inferenceservice/iris  applied → runtime kserve-sklearnserver → Ready")
    assert hint == "next: inferplane predict iris -d JSON"


def test_a_service_that_cannot_become_ready_ends_the_wait_with_the_reason(
    desk: Desk, file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(waiting, "CHECK_SECONDS", 0.01)
    failed: JsonObject = {"transitionStatus": "InvalidSpec", "lastFailureInfo": {"reason": "RuntimeDisabled"}}
    becomes(desk, status(modelStatus=failed))
    assert desk.type("apply", "-f", str(file)) == 1
    assert desk.said.startswith("✗ inferenceservice/iris  applied → not ready")
    assert "is disabled" in capsys.readouterr().err


def test_a_service_that_takes_too_long_is_explained(desk: Desk, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert desk.type("apply", "-f", str(file), "--timeout", "0.05") == 1
    assert "waiting for the controller" in capsys.readouterr().err


def test_without_waiting_the_change_is_all(desk: Desk, file: Path) -> None:
    assert desk.type("apply", "-f", str(file), "--no-wait") == 0
    assert desk.type("apply", "-f", str(file), "--no-wait") == 0
    words = [line.split()[2] for line in desk.said.splitlines() if line.startswith("●")]
    assert words == ["created", "unchanged"]


def test_a_dry_run_writes_nothing(desk: Desk, file: Path) -> None:
    assert desk.type("apply", "-f", str(file), "--dry-run") == 0
    assert desk.server.changes == []
    assert "would be created" in desk.said


def test_an_unknown_field_is_shown_at_its_line_with_the_nearest_name(
    desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "typo.yaml"
    file.write_text(ISVC.replace("modelFormat", "modelFormt"))
    desk.server.strict = ApiError(
        400, "BadRequest", 'strict decoding error: unknown field "spec.predictor.model.modelFormt"'
    )
    model: JsonObject = {"properties": {"model": {"properties": {"modelFormat": {}}}}}
    schema: JsonObject = {
        "x-kubernetes-group-version-kind": [
            {"group": "serving.kserve.io", "version": "v1beta1", "kind": "InferenceService"}
        ],
        "properties": {"spec": {"properties": {"predictor": model}}},
    }
    desk.server.documents["/openapi/v3/apis/serving.kserve.io/v1beta1"] = {"components": {"schemas": {"isvc": schema}}}
    assert desk.type("apply", "-f", str(file)) == 1
    expected = f"{file}:8: spec.predictor.model.modelFormt: unknown field; did you mean modelFormat?\n"
    assert capsys.readouterr().err == expected


def test_an_api_that_the_server_does_not_have_is_shown_at_its_line(
    desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "old.yaml"
    file.write_text(ISVC.replace("v1beta1", "v1alpha2"))
    assert desk.type("apply", "-f", str(file)) == 1
    assert capsys.readouterr().err == (
        f"{file}:2: the server has no API serving.kserve.io/v1alpha2 (for kind InferenceService): "
        "InferenceService is in serving.kserve.io/v1beta1\n"
    )


def test_the_namespace_given_is_for_objects_that_name_none(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "two.yaml"
    file.write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\n"
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b, namespace: there}\n"
    )
    assert desk.type("apply", "-f", str(file), "-n", "here") == 0
    assert [(one.namespace, one.name) for one in desk.server.changes] == [("here", "a"), ("there", "b")]
    assert desk.server.peek(CONFIG_MAP, "a", "here") is not None
