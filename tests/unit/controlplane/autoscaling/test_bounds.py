"""From a wanted scale to an applied one: bounds, the way to zero, the condition Active, the mode of the Services."""

from dataclasses import replace

import pytest

from inferplane.controlplane.autoscaling.bounds import (
    ACTIVE,
    NO_TRAFFIC,
    QUEUED,
    TIMED_OUT,
    Activity,
    Standing,
    Step,
    activators,
    activity,
    bounded,
    min_ready,
    mode,
)
from inferplane.resources.autoscaling_knative.config import AutoscalerConfig
from inferplane.resources.autoscaling_knative.resolution import ScaleLimits, decider_spec, scale_limits
from inferplane.resources.autoscaling_knative.serverlessservice import Mode
from inferplane.resources.meta import ConditionStatus

TRUE, FALSE, UNKNOWN = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN
LIMITS = scale_limits({}, AutoscalerConfig())
RUNNING = Standing(TRUE, active_for=300, is_initialized=True, progress_deadline=600)
IDLE = replace(RUNNING, active=FALSE, active_for=0, proxy_for=0, activator_answers=True)
WRITE, WAIT = True, False


def limited(**changes: int | float | bool) -> ScaleLimits:
    return replace(LIMITS, **changes)  # type: ignore[arg-type]  # the fields are of three types


@pytest.mark.parametrize(
    ("wanted", "least", "most", "scale"),
    [(5, 0, 0, 5), (5, 0, 3, 3), (1, 2, 3, 2), (0, 2, 0, 2), (2, 4, 3, 4), (900, 0, 0, 900)],
)
def test_a_scale_stays_within_the_revisions_bounds(wanted: int, least: int, most: int, scale: int) -> None:
    assert bounded(wanted, limited(min_scale=least, max_scale=most), RUNNING) == Step(scale, WRITE)


def test_the_initial_scale_is_the_least_until_it_was_reached_once() -> None:
    starting = replace(RUNNING, active=UNKNOWN, is_initialized=False)
    assert bounded(-1, limited(initial_scale=3), starting).scale == 3
    assert bounded(1, limited(initial_scale=3), starting).scale == 3
    assert bounded(1, limited(initial_scale=3), RUNNING).scale == 1
    assert bounded(1, limited(initial_scale=3, reachable=False), starting).scale == 1


@pytest.mark.parametrize("active", [TRUE, FALSE])
def test_without_a_decision_nothing_is_written(active: ConditionStatus) -> None:
    assert bounded(-1, limited(min_scale=2), replace(RUNNING, active=active)) == Step(-1, WAIT)


def test_with_scale_to_zero_off_one_pod_stays() -> None:
    assert bounded(0, limited(scale_to_zero=False), IDLE) == Step(1, WRITE)


@pytest.mark.parametrize("wanted", [-1, 0])
def test_a_revision_that_does_not_start_is_given_up_after_its_deadline_and_half_a_minute(wanted: int) -> None:
    starting = replace(RUNNING, active=UNKNOWN, active_for=0)
    assert bounded(wanted, LIMITS, starting) == Step(-1, WAIT, recheck_after=630)
    assert bounded(wanted, LIMITS, replace(starting, active_for=629)) == Step(-1, WAIT, recheck_after=1)
    assert bounded(wanted, LIMITS, replace(starting, active_for=630)) == Step(0, WRITE)


def test_a_revision_stays_active_for_a_stable_window() -> None:
    assert bounded(0, LIMITS, replace(RUNNING, active_for=45)) == Step(1, WRITE, recheck_after=15)
    assert bounded(0, LIMITS, replace(RUNNING, active_for=60)) == Step(0, WAIT)


def test_with_the_activator_in_the_path_already_it_looks_again_soon() -> None:
    assert bounded(0, LIMITS, replace(RUNNING, proxy_for=200)) == Step(0, WAIT, recheck_after=3)


def test_the_last_pod_waits_until_the_activator_is_known_to_answer() -> None:
    unknown, silent = replace(IDLE, activator_answers=None), replace(IDLE, activator_answers=False)
    assert bounded(0, LIMITS, unknown) == Step(0, WAIT, ask_activator=True)
    assert bounded(0, LIMITS, silent) == Step(0, WAIT, recheck_after=1, ask_activator=True)
    assert bounded(0, limited(burst_is_unlimited=True), unknown).ask_activator is False


@pytest.mark.parametrize(
    ("inactive", "proxy", "retention", "step"),
    [
        (5, 5, 0, Step(0, WAIT, recheck_after=25)),
        (30, 5, 0, Step(0, WRITE)),
        (5, 30, 0, Step(0, WRITE)),
        (5, 100, 20, Step(0, WAIT, recheck_after=15)),
        (25, 100, 20, Step(0, WRITE)),
        (25, 10, 20, Step(0, WAIT, recheck_after=20)),
        (50, 100, 60, Step(0, WAIT, recheck_after=10)),
        (60, 1, 60, Step(0, WRITE)),
        (5, None, 0, Step(0, WAIT, recheck_after=30)),
    ],
)
def test_the_last_pod_goes_after_the_grace_period_of_the_proxy_and_its_own_retention(
    inactive: float, proxy: float | None, retention: float, step: Step
) -> None:
    assert bounded(0, limited(retention_period=retention), replace(IDLE, active_for=inactive, proxy_for=proxy)) == step


# --- Active -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("want", "ready", "needed", "before", "after"),
    [
        (0, 0, 1, TRUE, NO_TRAFFIC),
        (0, 3, 1, FALSE, NO_TRAFFIC),
        (0, 0, 1, UNKNOWN, TIMED_OUT),
        (-1, 0, 0, UNKNOWN, NO_TRAFFIC),
        (1, 0, 1, FALSE, QUEUED),
        (2, 1, 2, TRUE, QUEUED),
        (-1, 0, 1, UNKNOWN, QUEUED),
        (-1, 0, 1, TRUE, QUEUED),
        (-1, 0, 1, FALSE, NO_TRAFFIC),
        (1, 1, 1, FALSE, ACTIVE),
        (2, 1, 1, UNKNOWN, ACTIVE),
        (-1, 1, 1, UNKNOWN, ACTIVE),
        (-1, 1, 1, TRUE, ACTIVE),
        (-1, 1, 1, FALSE, None),
    ],
)
def test_active_follows_from_wanted_and_ready_pods(
    want: int, ready: int, needed: int, before: ConditionStatus, after: Activity | None
) -> None:
    assert activity(want, ready, needed, before) == after


@pytest.mark.parametrize(
    ("least", "initial", "before", "after"), [(0, 1, 1, 1), (0, 3, 3, 1), (2, 1, 2, 2), (2, 3, 3, 2), (0, 0, 0, 1)]
)
def test_the_initial_scale_is_needed_once_the_minimum_always(least: int, initial: int, before: int, after: int) -> None:
    limits = limited(min_scale=least, initial_scale=initial)
    assert [min_ready(limits, is_initialized=one) for one in (False, True)] == [before, after]


# --- The ServerlessService --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("want", "excess", "active", "expected"),
    [
        (0, 5, FALSE, Mode.PROXY),
        (2, -1, TRUE, Mode.PROXY),
        (2, 0, TRUE, Mode.SERVE),
        (-1, 0, FALSE, Mode.PROXY),
        (-1, 0, TRUE, Mode.SERVE),
        (-1, 0, UNKNOWN, Mode.SERVE),
    ],
)
def test_requests_go_to_the_activator_at_zero_and_while_a_burst_would_be_too_much(
    want: int, excess: int, active: ConditionStatus, expected: Mode
) -> None:
    assert mode(want, excess, active) == expected


@pytest.mark.parametrize(("burst", "ready", "count"), [("0", 50, 2), ("-1", 50, 5), ("211", 0, 3), ("211", 10, 4)])
def test_activators_cover_the_capacity_of_the_pods_and_a_burst(burst: str, ready: int, count: int) -> None:
    spec = decider_spec(
        {"autoscaling.knative.dev/target-burst-capacity": burst}, AutoscalerConfig(), container_concurrency=10
    )
    assert activators(spec, ready) == count
