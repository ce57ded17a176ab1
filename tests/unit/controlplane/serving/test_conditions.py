import pytest

from inferplane.controlplane.serving.conditions import FALSE, TRUE, UNKNOWN, Verdict, failed, settled
from inferplane.resources.meta import Condition, condition

EARLY, LATE = "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z"


def ready(predictor: Verdict, ingress: Verdict) -> Condition:
    found = condition(settled({"PredictorReady": predictor, "IngressReady": ingress}, [], EARLY), "Ready")
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("predictor", "ingress", "status", "reason"),
    [
        (TRUE, TRUE, "True", ""),
        (UNKNOWN, TRUE, "Unknown", ""),
        (failed("A", "a"), UNKNOWN, "False", "A"),
        (UNKNOWN, failed("B", "b"), "False", "B"),
        (failed("A", "a"), failed("B", "b"), "False", "A"),
        (Verdict(TRUE.status, "MinimumReplicasAvailable", "m"), TRUE, "True", ""),
    ],
)
def test_ready_follows_predictor_and_ingress(predictor: Verdict, ingress: Verdict, status: str, reason: str) -> None:
    found = ready(predictor, ingress)
    assert (found.status, found.reason) == (status, reason)


def test_of_two_failures_the_one_that_came_last_speaks() -> None:
    before = settled({"PredictorReady": failed("A", "a"), "IngressReady": TRUE}, [], EARLY)
    after = settled({"PredictorReady": failed("A", "a"), "IngressReady": failed("B", "b")}, before, LATE)
    found = condition(after, "Ready")
    assert found is not None
    assert found.reason == "B"


def test_a_time_changes_only_with_the_condition() -> None:
    before = settled({"PredictorReady": UNKNOWN, "IngressReady": TRUE}, [], EARLY)
    after = settled({"PredictorReady": TRUE, "IngressReady": TRUE}, before, LATE)
    assert {one.type: one.last_transition_time for one in after} == {
        "IngressReady": EARLY,
        "PredictorReady": LATE,
        "Ready": LATE,
    }


def test_others_inform_and_never_change_ready_and_all_are_sorted() -> None:
    found = settled({"Stopped": FALSE, "PredictorReady": TRUE, "IngressReady": TRUE}, [], EARLY)
    assert [(one.type, one.severity) for one in found] == [
        ("IngressReady", ""),
        ("PredictorReady", ""),
        ("Ready", ""),
        ("Stopped", "Info"),
    ]
    assert found[2].status == "True"
