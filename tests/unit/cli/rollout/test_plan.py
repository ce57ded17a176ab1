"""Shares that are asked for, and the change of `canaryTrafficPercent` that brings them."""

import pytest
from tests.unit.cli.rollout.canaries import ALONE, CANARY, FIRST, PROMOTED, isvc, predictor, revision, rollout

from inferplane.cli.rollout.plan import Change, component_of, promote, rollback, share
from inferplane.kernel.errors import InferplaneError
from inferplane.kernel.json import JsonObject

FAILED = revision("v2", 2, "False", 0, "RevisionFailed")


@pytest.mark.parametrize(("percent", "shares"), [(0, {"v1": 100}), (50, {"v2": 50, "v1": 50}), (100, {"v2": 100})])
@pytest.mark.parametrize("body", [CANARY, PROMOTED])
def test_a_percentage_is_for_the_newest_revision_and_the_rest_for_the_one_before(
    body: JsonObject, percent: int, shares: dict[str, int]
) -> None:
    change = share(predictor(body), percent)
    assert change == Change("predictor", percent, shares)
    assert change.patch == {"spec": {"predictor": {"canaryTrafficPercent": percent}}}


def test_promotion_takes_the_field_away() -> None:
    change = promote(predictor(CANARY))
    assert change.patch == {"spec": {"predictor": {"canaryTrafficPercent": None}}}
    assert change.shares == {"v2": 100}


@pytest.mark.parametrize("body", [CANARY, PROMOTED])
def test_rolling_back_gives_all_to_the_revision_before(body: JsonObject) -> None:
    assert rollback(predictor(body)) == Change("predictor", 0, {"v1": 100})


def test_rolling_back_takes_a_revision_that_failed_out() -> None:
    assert rollback(predictor(CANARY, FIRST, FAILED)).shares == {"v1": 100}


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (lambda: share(predictor(ALONE, FIRST), 10), "no canary: v1 is the only revision and takes all requests"),
        (lambda: rollback(predictor(ALONE, FIRST)), "nothing to go back to: v1 is the only revision"),
        (lambda: promote(predictor(ALONE, FIRST)), "nothing to promote: v1 takes all requests already"),
        (lambda: promote(predictor(PROMOTED)), "nothing to promote: v2 takes all requests already"),
        (
            lambda: promote(predictor(isvc(("v1", 100), newest="v2", last="v1"))),
            "nothing to promote: v2 takes all requests as soon as it is ready",
        ),
        (lambda: promote(predictor(CANARY, FIRST, FAILED)), r"v2 cannot take requests \(RevisionFailed: it broke\)"),
        (lambda: share(predictor(CANARY, FIRST, FAILED), 1), "v2 cannot take requests"),
        (lambda: rollback(predictor(PROMOTED, revision("v2", 2))), "v1 is no longer there"),
    ],
)
def test_what_cannot_be_is_refused_in_words(asked: object, words: str) -> None:
    assert callable(asked)
    with pytest.raises(InferplaneError, match=words):
        asked()


def test_all_requests_can_go_to_the_newest_revision_where_the_one_before_was_collected() -> None:
    assert share(predictor(CANARY, revision("v2", 2)), 100).shares == {"v2": 100}


def test_the_component_that_is_asked_for_has_to_be_there() -> None:
    assert component_of(rollout(CANARY), "predictor").newest == "v2"
    with pytest.raises(InferplaneError, match=r"has no transformer \(there is: predictor\)"):
        component_of(rollout(CANARY), "transformer")
    with pytest.raises(InferplaneError, match="the predictor of inferenceservice/iris has no revision yet"):
        component_of(rollout({**ALONE, "status": {"deploymentMode": "Serverless"}}), "predictor")


@pytest.mark.parametrize(
    ("mode", "words"),
    [("RawDeployment", r"is in Standard mode, which has no revisions: its canaries are in spec\.canary"), ("", "yet")],
)
def test_a_service_of_another_mode_has_no_shares_of_revisions(mode: str, words: str) -> None:
    with pytest.raises(InferplaneError, match=words):
        component_of(rollout({**ALONE, "status": {"deploymentMode": mode}}), "predictor")
