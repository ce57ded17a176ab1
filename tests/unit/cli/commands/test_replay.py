"""`record`, `replay` and `shadow` typed wrongly, or where they cannot work."""

from pathlib import Path

import pytest
from tests.unit.cli.desk import Desk

from inferplane.cli.commands.record import shadowed
from inferplane.client.kubernetes.kinds import HTTP_ROUTE, INFERENCE_SERVICE
from inferplane.kernel.json import JsonObject


def service(name: str, shadow: str = "") -> JsonObject:
    annotations: JsonObject = {"inferplane.dev/shadow": shadow} if shadow else {}
    return {"metadata": {"name": name, "annotations": annotations}, "spec": {"predictor": {}}}


def test_a_file_that_is_not_there_is_said(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert desk.type("replay", "/nowhere.jsonl", "--to", "iris") == 1
    assert "/nowhere.jsonl: cannot be read: No such file or directory" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("replay", "f", "--to", "iris", "--rate", "fast"), "expected requests a second"),
        (("replay", "f", "--to", "iris", "--rate", "0"), "expected requests a second"),
        (("replay", "f", "--to", "iris", "--allow", "101%"), "expected a percentage"),
        (("shadow", "iris"), "say either --to NAME"),
        (("shadow", "iris", "--off", "--to", "new"), "say either --to NAME"),
        (("shadow", "iris", "--off", "--percent", "5"), "say either --to NAME"),
    ],
)
def test_wrong_usage_is_explained(
    desk: Desk, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    assert desk.type(*words) == 2
    assert said in capsys.readouterr().err


def test_a_report_into_no_directory_is_said_before_anything_is_sent(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    assert desk.type("replay", "f", "--to", "iris", "--report", "/nowhere/diff.html") == 1
    assert "there is no directory /nowhere" in capsys.readouterr().err


def test_a_file_that_is_there_is_not_written_over(
    desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.server.add(INFERENCE_SERVICE, service("iris"))
    desk.server.add(HTTP_ROUTE, {"metadata": {"name": "iris"}, "spec": {"hostnames": ["iris.localhost"]}})
    file = tmp_path / "iris.jsonl"
    file.write_text("mine")
    assert desk.type("record", "iris", "--out", str(file)) == 1
    assert "is there already: give another name, or --append" in capsys.readouterr().err
    assert file.read_text() == "mine"


def test_a_service_without_routes_cannot_be_recorded(
    desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.server.add(INFERENCE_SERVICE, service("iris"))
    assert desk.type("record", "iris", "--out", str(tmp_path / "f")) == 1
    assert "inferenceservice/iris has no routes yet" in capsys.readouterr().err
    assert not (tmp_path / "f").exists()


def test_what_is_mirrored_to_a_service_is_recorded_with_it() -> None:
    services = [service("iris", "new=20"), service("wine", "other=20"), service("new")]
    assert shadowed(services, "new") == ["iris"]
