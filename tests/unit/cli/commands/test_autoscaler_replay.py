"""`inferplane autoscaler replay`: lines for programs, and what is said about bad traces."""

import json
from pathlib import Path

import pytest
from tests.unit.cli.desk import Desk

from inferplane.kernel.json import Json, JsonObject

STEPS: list[Json] = [
    ["ready", 0, 0],
    ["stat", 0, 0.0, 0.0, 0.0, 0.0],
    ["tick", 0.5],
    ["stat", 2.25, 9, 2, 5, 0],
    ["poke", 2.25, 0, 3.5, 3.5, 1, 2, -219, 1, 2],
    ["ready", 4, -2],
    ["tick", 4],
]


def file(tmp_path: Path, **changes: Json) -> Path:
    trace: JsonObject = {"config": {"containerConcurrency": 4}, "steps": STEPS}
    path = tmp_path / "trace.json"
    path.write_text(json.dumps(trace | changes))
    return path


def test_each_decision_is_a_line(desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert desk.type("autoscaler", "replay", str(file(tmp_path))) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        {"t": 0.5, "valid": True, "desired": 0, "ebc": -211, "stable": 0, "panic": 0},
        {"t": 2.25, "valid": True, "desired": 1, "ebc": -214, "stable": 2.333333, "panic": 2.333333, "poke": True},
        {"t": 4, "valid": False, "desired": 0, "ebc": 0, "stable": 2.333333, "panic": 2.333333},
    ]
    assert list(lines[0]) == ["t", "valid", "desired", "ebc", "stable", "panic"]


def test_without_data_there_are_no_averages(desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert desk.type("autoscaler", "replay", str(file(tmp_path, steps=[["tick", 0]]))) == 0
    assert json.loads(capsys.readouterr().out) == {
        "t": 0, "valid": False, "desired": 0, "ebc": 0, "stable": None, "panic": None,
    }  # fmt: skip


def test_a_check_says_what_was_recorded_and_what_is_decided(
    desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = file(tmp_path)
    assert desk.type("autoscaler", "replay", str(path), "--check") == 1
    assert f"{path}: poke at 2.25: ebc: recorded -219, here -214" in capsys.readouterr().out.splitlines()


def test_a_check_without_differences_counts_the_decisions(
    desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = file(tmp_path, steps=[["tick", 0], ["tick", 2]])
    assert desk.type("autoscaler", "replay", str(path), "--check") == 0
    assert capsys.readouterr().out == f"{path}: 2 decisions, all as recorded\n"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"steps": [["tick", 4], ["tick", 2]]}, "steps[1]: expected a time of 4 or later, got 2"),
        ({"steps": [["tock", 4]]}, "Invalid value 'tock' - at `$.steps[0][0]`"),
        ({"steps": [["tick"]]}, "at `$.steps[0]`"),
        ({"steps": [["stat", 0, "many"]]}, "Expected `float`, got `str` - at `$.steps[0][2]`"),
        ({"config": {"annotations": {"target": "0"}}}, "config: autoscaling.knative.dev/target: expected a number"),
        ({"config": {"configMap": {"stable-window": "1s"}}}, "config: ConfigMap knative-serving/config-autoscaler"),
        ({"config": {"reachability": "Perhaps"}}, "config: 'Perhaps' is not a valid Reachability"),
        (
            {"steps": [["update", 0, {"config": {"annotations": {"window": "1s"}}}]]},
            "steps[0]: autoscaling.knative.dev",
        ),
    ],
    ids=str,
)
def test_what_is_wrong_with_a_trace_is_said_with_its_place(
    desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, Json], words: str
) -> None:
    path = file(tmp_path, **changes)
    assert desk.type("autoscaler", "replay", str(path)) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"{path}: ")
    assert words in said


def test_a_file_that_is_not_there_or_not_json_is_said_to_be(
    desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "trace.json"
    assert desk.type("autoscaler", "replay", str(path)) == 1
    assert capsys.readouterr().err == f"{path}: No such file or directory\n"
    path.write_text("{")
    assert desk.type("autoscaler", "replay", str(path)) == 1
    assert "truncated" in capsys.readouterr().err
