"""`validate` and `render` as they are typed: no platform is needed."""

import json
from pathlib import Path

import pytest
import yaml
from tests.unit.cli.desk import Desk

SOUND = """\
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata: {name: iris}
spec: {predictor: {sklearn: {storageUri: "s3://b"}}}
"""


@pytest.fixture
def offline(desk: Desk) -> Desk:
    desk.platform = None
    return desk


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "isvc.yaml"
    path.write_text(SOUND)
    return path


def test_a_sound_file_ends_with_0_and_the_next_command(
    offline: Desk, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert offline.type("validate", "-f", str(file)) == 0
    assert capsys.readouterr().out == ""
    assert offline.said.splitlines() == ["1 object, no errors.", f"next: inferplane render -f {file}"]


def test_findings_are_lines_and_the_code_is_1(offline: Desk, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(SOUND.replace("sklearn", "sklern"))
    assert offline.type("validate", "-f", str(file)) == 1
    first = capsys.readouterr().out.splitlines()[0]
    assert first == f"{file}:4: spec.predictor.sklern: unknown field; did you mean sklearn?"


def test_findings_for_programs(offline: Desk, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(SOUND.replace("sklearn:", "maxReplicas: -1, sklearn:"))
    assert offline.type("validate", "-f", str(file), "-o", "json") == 1
    (finding,) = json.loads(capsys.readouterr().out)
    assert finding | {"message": ""} == {
        "file": str(file),
        "line": 4,
        "object": "inferenceservice/iris",
        "path": "spec.predictor.maxReplicas",
        "severity": "error",
        "message": "",
    }


def test_a_warning_alone_ends_with_0(offline: Desk, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text("apiVersion: a.b/v1\nkind: Strange\nmetadata: {name: a}\n")
    assert offline.type("validate", "-f", str(file)) == 0
    assert "warning" in capsys.readouterr().out


def test_render_prints_documents_that_can_be_applied(
    offline: Desk, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert offline.type("render", "-f", str(file)) == 0
    found = [(one["apiVersion"], one["kind"]) for one in yaml.safe_load_all(capsys.readouterr().out)]
    assert found[0] == ("serving.knative.dev/v1", "Service")
    assert offline.type("render", "-f", str(file), "--mode", "Standard", "-o", "json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert (listed["kind"], [one["kind"] for one in listed["items"][:2]]) == ("List", ["Deployment", "Service"])


def test_render_refuses_what_a_cluster_would_refuse(
    offline: Desk, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(SOUND.replace("sklearn", "sklern"))
    assert offline.type("render", "-f", str(file)) == 1
    assert "unknown field; did you mean sklearn?" in capsys.readouterr().err
    file.write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")
    assert offline.type("render", "-f", str(file)) == 1
    assert "no InferenceService there to render" in capsys.readouterr().err


def test_crds_are_ours_and_on_demand_those_of_gateway_api(offline: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert offline.type("crds", "-o", "json") == 0
    ours = {one["spec"]["group"] for one in json.loads(capsys.readouterr().out)["items"]}
    assert offline.type("crds", "--gateway-api", "-o", "json") == 0
    groups = {one["spec"]["group"] for one in json.loads(capsys.readouterr().out)["items"]}
    assert (ours, groups - ours) == ({"serving.kserve.io", "inferplane.dev"}, {"gateway.networking.k8s.io"})
