"""Targets, and the revisions that were rolled out, over the life of a canary."""

import pytest

from inferplane.controlplane.serving.knative.traffic import rolled_out, shares, targets
from inferplane.kernel.json import JsonObject
from inferplane.resources.knative import KnativeServiceStatus, TrafficTarget
from inferplane.resources.serving.inferenceservice import ComponentStatus

PREV: JsonObject = {"revisionName": "r1", "latestRevision": False, "tag": "prev"}


@pytest.mark.parametrize(
    ("percent", "rolled", "found"),
    [
        (None, "r1", [{"latestRevision": True, "percent": 100}]),
        (20, "", [{"latestRevision": True, "percent": 100}]),
        (20, "r1", [{"latestRevision": True, "percent": 20}, PREV | {"percent": 80}]),
        (0, "r1", [{"latestRevision": True, "percent": 0}, PREV | {"percent": 100}]),
        (100, "r1", [{"latestRevision": True, "percent": 100}]),
    ],
)
def test_the_latest_revision_gets_its_share_and_the_one_before_the_rest(
    percent: int | None, rolled: str, found: list[JsonObject]
) -> None:
    assert targets(percent, rolled, tag_latest=False) == found


def status(ready: str, *traffic: tuple[str, int, bool], created: str = "") -> KnativeServiceStatus:
    return KnativeServiceStatus(
        latest_created_revision_name=created or ready,
        latest_ready_revision_name=ready,
        traffic=[
            TrafficTarget(revision_name=name, percent=share, latest_revision=latest) for name, share, latest in traffic
        ],
    )


def life(*steps: KnativeServiceStatus) -> list[tuple[str, str]]:
    """Rolled out last and before that, after each step."""
    here, found = ComponentStatus(), []
    for one in steps:
        here = rolled_out(here, one)
        found.append((here.latest_rolledout_revision, here.previous_rolledout_revision))
    return found


def test_a_revision_is_rolled_out_once_it_has_all_of_the_traffic() -> None:
    assert life(
        status("r1", ("r1", 100, True)),
        status("r2", ("r2", 20, True), ("r1", 80, False)),
        status("r2", ("r2", 100, True)),
    ) == [("r1", ""), ("r1", ""), ("r2", "r1")]


def test_going_back_to_what_was_rolled_out_makes_the_one_before_the_last() -> None:
    steps = (status("r1", ("r1", 100, True)), status("r2", ("r2", 100, True)))
    back = status("r2", ("r2", 10, True), ("r2", 90, False))
    assert life(*steps, back)[-1] == ("r1", "r1")


def test_without_a_latest_entry_nothing_is_concluded() -> None:
    assert life(status("r1"), status("r1", ("r1", 100, False))) == [("", ""), ("", "")]


def test_shares_of_one_revision_add_up_and_none_are_left_out() -> None:
    entries = status("r2", ("r2", 30, True), ("r1", 60, False), ("r2", 10, False), ("r0", 0, False)).traffic
    assert shares(entries) == {"r2": 40, "r1": 60}
