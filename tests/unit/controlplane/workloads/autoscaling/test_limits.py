"""Stabilisation windows and scaling policies over made-up time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferplane.controlplane.workloads.autoscaling.limits import (
    Bounds,
    Change,
    History,
    Recommendation,
    allowed,
    down_limit,
    up_limit,
)
from inferplane.resources.autoscaling import Behavior, Policy, ScalingRules

FOUR_OR_DOUBLE = [
    Policy(type="Pods", value=4, period_seconds=15),
    Policy(type="Percent", value=100, period_seconds=15),
]
UP = ScalingRules(stabilization_window_seconds=0, policies=FOUR_OR_DOUBLE)
DOWN = ScalingRules(policies=[Policy(type="Percent", value=100, period_seconds=15)])
DEFAULTS = Behavior(scale_up=UP, scale_down=DOWN)
WIDE = Bounds(1, 100)


def steps(
    wanted: list[int], behavior: Behavior | None, *, current: int = 1, bounds: Bounds = WIDE, every: float = 15.0
) -> list[tuple[int, str, str]]:
    """One sync after another: replicas, and the reasons of AbleToScale and ScalingLimited."""
    history, found = History().begun(current, 0.0), []
    for number, one in enumerate(wanted):
        now = number * every
        result = allowed(current, one, bounds, behavior, history, 300.0, now)
        history = result.history.scaled(current, result.replicas, behavior, now)
        current = result.replicas
        found.append((current, result.able.reason, result.range.reason))
    return found


def replicas(found: list[tuple[int, str, str]]) -> list[int]:
    return [one for one, _, _ in found]


# Kubernetes counts a recommendation of exactly five minutes ago in the one case and not in the other.
@pytest.mark.parametrize(("behavior", "held"), [(None, 21), (DEFAULTS, 20)])
def test_scaling_down_waits_until_no_recommendation_of_five_minutes_was_higher(
    behavior: Behavior | None, held: int
) -> None:
    found = steps([4, *[1] * 25], behavior, current=4)
    assert replicas(found) == [4] * held + [1] * (26 - held)
    assert found[1][1] == "ScaleDownStabilized"
    assert found[-1][1:] == ("ReadyForNewScale", "DesiredWithinRange")


def test_a_restart_forgets_the_past_but_scales_nothing_down_for_a_window() -> None:
    assert replicas(steps([1] * 10, DEFAULTS, current=5)) == [5] * 10


def test_without_behavior_the_number_at_most_doubles_at_once() -> None:
    found = steps([50, 50, 50, 50], None)
    assert replicas(found) == [4, 8, 16, 32]
    assert {reason for _, _, reason in found} == {"ScaleUpLimit"}


def test_by_default_four_pods_or_as_many_again_come_every_15_seconds() -> None:
    found = steps([50] * 5, DEFAULTS, every=5.0)
    # Those of the last 15 s count against the policy.
    assert replicas(found) == [5, 5, 5, 10, 10]
    assert found[0][2] == "ScaleUpLimit"


def test_the_bounds_are_named_when_they_hold_the_number() -> None:
    bounds = Bounds(2, 3)
    assert steps([9], DEFAULTS, current=2, bounds=bounds)[0][2] == "TooManyReplicas"
    short = Behavior(scale_up=UP, scale_down=ScalingRules(stabilization_window_seconds=0, policies=DOWN.policies))
    assert steps([0], short, current=3, bounds=bounds)[0] == (2, "ReadyForNewScale", "TooFewReplicas")


def test_scaling_up_can_be_made_to_wait_too() -> None:
    slow = Behavior(scale_up=ScalingRules(stabilization_window_seconds=30, policies=FOUR_OR_DOUBLE), scale_down=DOWN)
    found = steps([3, 3, 3, 3, 3], slow)
    assert replicas(found) == [1, 1, 3, 3, 3]
    assert found[0][1] == "ScaleUpStabilized"


def test_a_direction_can_be_disabled() -> None:
    stuck = Behavior(
        scale_up=ScalingRules(select_policy="Disabled", policies=FOUR_OR_DOUBLE),
        scale_down=ScalingRules(select_policy="Disabled", stabilization_window_seconds=0, policies=DOWN.policies),
    )
    assert steps([9, 1], stuck, current=3) == [
        (3, "ReadyForNewScale", "ScaleUpLimit"),
        (3, "ReadyForNewScale", "ScaleDownLimit"),
    ]


@pytest.mark.parametrize(
    ("select", "up", "down"),
    [("Max", 20, 4), ("Min", 14, 5)],
)
def test_of_several_policies_the_one_that_changes_most_or_least_is_taken(select: str, up: int, down: int) -> None:
    policies = [Policy(type="Pods", value=4, period_seconds=60), Policy(type="Percent", value=100, period_seconds=60)]
    shrink = [Policy(type="Pods", value=5, period_seconds=60), Policy(type="Percent", value=60, period_seconds=60)]
    rules = ScalingRules(select_policy=select, policies=policies)  # type: ignore[arg-type]  # Max or Min
    fewer = ScalingRules(select_policy=select, policies=shrink)  # type: ignore[arg-type]  # Max or Min
    assert (up_limit(10, rules, History(), 0.0), down_limit(10, fewer, History(), 0.0)) == (up, down)


def test_policies_count_from_the_number_at_the_start_of_their_period() -> None:
    history = History(ups=(Change(3, 100.0), Change(2, 5.0)), downs=(Change(1, 110.0),))
    rules = ScalingRules(policies=[Policy(type="Pods", value=4, period_seconds=60)])
    # Ten now, three of them new and one gone since: eight at the start.
    assert up_limit(10, rules, history, 120.0) == 12
    assert down_limit(10, rules, history, 120.0) == 4


def test_a_percentage_always_allows_one_more() -> None:
    rules = ScalingRules(policies=[Policy(type="Percent", value=10, period_seconds=60)])
    assert up_limit(1, rules, History(), 0.0) == 2


counts = st.integers(0, 30)
rules = st.builds(
    ScalingRules,
    stabilization_window_seconds=st.integers(0, 120),
    select_policy=st.sampled_from(["Max", "Min", "Disabled"]),
    policies=st.lists(
        st.builds(
            Policy,
            type=st.sampled_from(["Pods", "Percent"]),
            value=st.integers(1, 200),
            period_seconds=st.integers(1, 120),
        ),
        min_size=1,
        max_size=3,
    ),
)
behaviors = st.one_of(st.none(), st.builds(Behavior, scale_up=rules, scale_down=rules))


@given(st.lists(counts, min_size=1, max_size=20), behaviors, st.integers(1, 5), st.integers(0, 10))
def test_the_number_never_leaves_its_bounds(
    wanted: list[int], behavior: Behavior | None, least: int, more: int
) -> None:
    bounds = Bounds(least, least + more)
    assert all(
        bounds.least <= one <= bounds.most for one in replicas(steps(wanted, behavior, current=least, bounds=bounds))
    )


@given(st.lists(counts, min_size=1, max_size=20), behaviors)
def test_a_step_never_goes_against_what_is_wanted(wanted: list[int], behavior: Behavior | None) -> None:
    current = 5
    for one, found in zip(wanted, replicas(steps(wanted, behavior, current=current)), strict=True):
        stays_or_agrees = found == current or (found > current) == (one > current) or behavior is None
        assert stays_or_agrees
        current = found


@given(st.integers(1, 30), behaviors)
def test_a_steady_wish_comes_true_unless_its_direction_is_disabled(wanted: int, behavior: Behavior | None) -> None:
    rule = None if behavior is None else behavior.scale_up if wanted > 5 else behavior.scale_down
    if rule is not None and rule.select_policy == "Disabled":
        return
    assert replicas(steps([wanted] * 600, behavior, current=5))[-1] == wanted or _is_stuck(rule)


def _is_stuck(rule: ScalingRules | None) -> bool:
    """A percentage of a few pods may round to none."""
    return rule is not None and any(one.type == "Percent" and one.value < 100 for one in rule.policies)


def test_old_recommendations_are_forgotten() -> None:
    history = History((Recommendation(5, 0.0), Recommendation(3, 250.0)))
    kept = history.recommended(4, 400.0, 300.0)
    assert kept.recommendations == (Recommendation(3, 250.0), Recommendation(4, 400.0))
