"""Gradual rollout, step by step, over made-up time."""

import msgspec
import pytest

from inferplane.controlplane.knative.routes.rollout import (
    Rolling,
    Rollout,
    Share,
    Steps,
    living,
    observed,
    read,
    stepped,
    wanted,
)
from inferplane.controlplane.knative.routes.traffic import Target

SECOND = 1_000_000_000
START = 1_000 * SECOND


def at(seconds: float) -> int:
    return START + round(seconds * SECOND)


def state(*shares: tuple[str, int], **steps: int) -> Rollout:
    found = [Share(revision_name=name, percent=percent) for name, percent in shares]
    params = Steps(**steps)
    total = sum(percent for _, percent in shares)
    return Rollout(configurations=[Rolling(configuration_name="c", percent=total, revisions=found, step_params=params)])


def shares(found: Rollout) -> list[tuple[str, int]]:
    return [(one.revision_name, one.percent) for one in found.configurations[0].revisions]


def params(found: Rollout) -> Steps:
    return found.configurations[0].step_params


def test_a_new_revision_starts_with_one_percent_of_the_one_before_it() -> None:
    begun = stepped(state(("new", 100)), state(("old", 100)), at(0))
    assert shares(begun) == [("old", 99), ("new", 1)]
    assert params(begun) == Steps(start_time=at(0))
    assert (begun.is_done, begun.next_step()) == (False, None)


def test_a_first_revision_and_a_share_of_one_percent_go_at_once() -> None:
    assert shares(stepped(state(("new", 100)), Rollout(), at(0))) == [("new", 100)]
    assert shares(stepped(state(("new", 1)), state(("old", 1)), at(0))) == [("new", 1)]


def test_the_time_of_the_first_step_sets_the_pace() -> None:
    begun = stepped(state(("new", 100)), state(("old", 100)), at(0))
    paced = observed(begun, at(2.3), 120)
    assert (params(paced).step_size, params(paced).step_duration) == (3, 3 * SECOND)
    assert paced.next_step() == at(2.3) + 3 * SECOND
    assert observed(paced, at(9), 120) == paced


def test_steps_are_taken_when_they_are_due_until_all_is_moved() -> None:
    end = state(("new", 100))
    here = observed(stepped(end, state(("old", 100)), at(0)), at(2.3), 120)
    assert stepped(end, here, at(3)) == here
    moves = 0
    while not here.is_done:
        due = here.next_step()
        assert due is not None
        here, moves = stepped(end, here, due), moves + 1
    assert (moves, shares(here), here.next_step()) == (33, [("new", 100)], None)


def test_a_newer_revision_is_stacked_on_one_that_is_still_rolling() -> None:
    rolling = state(("first", 60), ("second", 40), start_time=at(0), step_size=10, step_duration=SECOND)
    begun = stepped(state(("third", 100)), rolling, at(5))
    assert shares(begun) == [("first", 60), ("second", 39), ("third", 1)]
    assert params(begun) == Steps(start_time=at(5))


def test_a_step_takes_from_the_newest_of_the_old_first() -> None:
    rolling = state(
        ("first", 60), ("second", 4), ("third", 36), step_size=10, step_duration=SECOND, next_step_time=at(1)
    )
    assert shares(stepped(state(("third", 100)), rolling, at(1))) == [("first", 54), ("third", 46)]


@pytest.mark.parametrize(
    ("percent", "after"),
    [
        (90, [("first", 50), ("second", 40)]),
        (70, [("first", 50), ("second", 20)]),
        (50, [("first", 30), ("second", 20)]),
        (10, [("second", 10)]),
    ],
)
def test_more_goes_to_the_newest_and_less_is_taken_from_the_oldest(percent: int, after: list[tuple[str, int]]) -> None:
    rolling = state(("first", 50), ("second", 20))
    assert shares(stepped(state(("second", percent)), rolling, at(0))) == after


def test_tags_and_configurations_roll_apart() -> None:
    latest = Target("new", 30, "tag", "c", follows_latest=True)
    fixed = Target("old", 70)
    found = wanted({"": [latest, fixed], "tag": [Target("new", 100, "tag", "c", follows_latest=True)]})
    assert [(one.tag, one.percent) for one in found.configurations] == [("", 30), ("tag", 100)]


def test_the_state_survives_as_text_in_knatives_form() -> None:
    here = observed(stepped(state(("new", 100)), state(("old", 100)), at(0)), at(2.3), 120)
    text = msgspec.json.encode(here).decode()
    assert read(text) == here
    assert '"configurationName":"c"' in text
    assert '"starttime":' in text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"configurations":[{"configurationName":"c","percent":90,"revisions":[{"revisionName":"a","percent":80}]}]}',
        '{"configurations":[{"configurationName":"c","percent":101,"revisions":[{"revisionName":"a","percent":101}]}]}',
        '{"configurations":[{"configurationName":"c","revisions":[],"stepParams":{"stepSize":-1}}]}',
    ],
)
def test_a_state_that_cannot_be_is_a_jump_to_the_end(text: str) -> None:
    assert read(text) == Rollout()


def test_a_revision_that_is_gone_ends_the_rollout() -> None:
    rolling = state(("old", 99), ("new", 1))
    assert living(rolling, {"old", "new"}) == rolling
    assert living(rolling, {"new"}) == Rollout()
