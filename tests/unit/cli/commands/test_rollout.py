"""`inferplane rollout` as it is typed, over a made-up API server."""

import json

import msgspec
import pytest
from tests.fakes.api import Write
from tests.unit.cli.desk import Desk
from tests.unit.cli.rollout.canaries import ALONE, CANARY, FIRST, SECOND, isvc

from inferplane.client.kubernetes.kinds import INFERENCE_SERVICE, KNATIVE_REVISION
from inferplane.kernel.json import JsonObject

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def canary(desk: Desk) -> Desk:
    desk.server.add(INFERENCE_SERVICE, CANARY)
    for one in (FIRST, SECOND):
        desk.server.add(KNATIVE_REVISION, msgspec.to_builtins(one))
    return desk


def answering(desk: Desk, after: JsonObject) -> None:
    """The controller's part: what was asked for comes to be while the command waits."""

    def controller(write: Write) -> None:
        if write.verb == "watch":
            desk.server.add(INFERENCE_SERVICE, after)

    desk.server.intercept = controller


def test_without_a_wish_the_shares_are_shown(canary: Desk, capsys: Captured) -> None:
    assert canary.type("rollout", "isvc/iris") == 0
    _, second, first = capsys.readouterr().out.splitlines()
    assert second.split()[:4] == ["predictor", "v2", "10", "%"]
    assert first.split()[:4] == ["predictor", "v1", "90", "%"]
    assert canary.said == "next: inferplane rollout iris --promote\n"


def test_for_programs_it_is_json_alone(canary: Desk, capsys: Captured) -> None:
    assert canary.type("rollout", "iris", "-o", "json") == 0
    assert json.loads(capsys.readouterr().out)["components"][0]["canaryTrafficPercent"] == 10
    assert canary.said == ""


@pytest.mark.parametrize(
    ("wish", "after", "percent"),
    [
        (["--promote"], isvc(("v2", 100), newest="v2", last="v2", previous="v1"), None),
        (["--rollback"], isvc(("v1", 100), newest="v2", last="v1", percent=0), 0),
        (["--percent", "50"], isvc(("v2", 50), ("v1", 50), newest="v2", last="v1", percent=50), 50),
    ],
)
def test_a_wish_is_written_and_waited_for(
    canary: Desk, capsys: Captured, wish: list[str], after: JsonObject, percent: int | None
) -> None:
    answering(canary, after)
    assert canary.type("rollout", "iris", *wish, "--timeout", "30") == 0
    (patch,) = [one for one in canary.server.changes if one.verb == "patch"]
    assert patch.body == {"spec": {"predictor": {"canaryTrafficPercent": percent}}}
    assert "COMPONENT" in capsys.readouterr().out


def test_what_does_not_come_to_be_points_to_why(canary: Desk, capsys: Captured) -> None:
    assert canary.type("rollout", "iris", "--percent", "50", "--timeout", "0.05") == 1
    assert capsys.readouterr().err == (
        "inferenceservice/iris: requests are not shared so after 0.05 s: see why: inferplane why iris\n"
    )
    assert canary.type("rollout", "iris", "--percent", "50", "--no-wait") == 0


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--percent", "101"], "101 is not in the range 0<=x<=100"),
        (["--percent", "-1"], "-1 is not in the range 0<=x<=100"),
        (["--percent", "ten"], "'ten' is not a valid integer"),
        (["--promote", "--rollback"], "exclude each other"),
        (["--promote", "--percent", "1"], "exclude each other"),
    ],
)
def test_wrong_usage_ends_with_2(canary: Desk, capsys: Captured, args: list[str], words: str) -> None:
    assert canary.type("rollout", "iris", *args) == 2
    assert words in capsys.readouterr().err


def test_without_a_canary_nothing_is_written(desk: Desk, capsys: Captured) -> None:
    desk.server.add(INFERENCE_SERVICE, ALONE)
    desk.server.add(KNATIVE_REVISION, msgspec.to_builtins(FIRST))
    before = len(desk.server.changes)
    assert desk.type("rollout", "iris", "--percent", "10") == 1
    assert capsys.readouterr().err.startswith("there is no canary: v1 is the only revision")
    assert desk.type("rollout", "irs") == 1
    assert "not found" in capsys.readouterr().err
    assert len(desk.server.changes) == before
