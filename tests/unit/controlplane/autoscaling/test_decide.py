"""One decision: rates, panic, activation scale, burst capacity."""

from dataclasses import replace

import pytest

from inferplane.controlplane.autoscaling.decide import (
    Instant,
    Mood,
    Verdict,
    decide,
    excess_burst_capacity,
    explain,
    first_burst_capacity,
    first_mood,
)
from inferplane.controlplane.autoscaling.windows import Load
from inferplane.resources.autoscaling_knative.config import AutoscalerConfig
from inferplane.resources.autoscaling_knative.resolution import DeciderSpec, decider_spec

# 7 of 10 requests per pod; panic at twice the pods.
SPEC = decider_spec({}, AutoscalerConfig(), container_concurrency=10)
CALM = Mood()


def at(seconds: float) -> Instant:
    return Instant(946_684_800_000 + round(seconds * 1000))


def decided(stable: float, panic: float, ready: int, spec: DeciderSpec = SPEC, mood: Mood = CALM) -> Verdict:
    return decide(spec, Load(stable, panic), ready, mood, at(0))


@pytest.mark.parametrize(("stable", "ready", "desired"), [(7, 1, 1), (7.1, 2, 2), (0, 0, 0), (21, 3, 3), (0.001, 0, 1)])
def test_a_pod_for_every_seven_requests(stable: float, ready: int, desired: int) -> None:
    assert decided(stable, stable, ready).desired == desired


def test_pods_go_down_by_half_at_most_and_all_at_once_when_nothing_leads_to_them() -> None:
    assert decided(1, 1, 9).desired == 4
    assert decided(0, 0, 1).desired == 0
    assert decided(0, 0, 9, replace(SPEC, reachable=False)).desired == 0


def test_pods_go_up_by_the_rate_and_by_one_at_least() -> None:
    slow = replace(SPEC, max_scale_up_rate=1.1, panic_threshold=100)
    assert [decided(700, 700, ready, slow).desired for ready in (0, 1, 3, 20)] == [2, 2, 4, 22]


def test_twice_the_pods_is_panic() -> None:
    assert not decided(7, 7, 1).mood.is_panicking
    assert decided(1, 7.1, 1).mood == Mood(at(0), 2)
    assert not decided(1, 7 * 5, 3).mood.is_panicking
    assert decided(1, 7 * 6, 3).mood.is_panicking


def test_a_surge_is_held_for_one_stable_window_then_released() -> None:
    surge = decide(SPEC, Load(10, 63), 1, CALM, at(0))
    lull = decide(SPEC, Load(20, 0), 9, surge.mood, at(60))
    after = decide(SPEC, Load(28, 0), 9, lull.mood, at(60.001))
    assert [one.desired for one in (surge, lull, after)] == [9, 9, 4]
    assert after.mood == CALM


def test_more_of_a_surge_prolongs_the_panic() -> None:
    first = decide(SPEC, Load(10, 63), 1, CALM, at(0))
    second = decide(SPEC, Load(30, 140), 9, first.mood, at(40))
    assert second.mood == Mood(at(40), 20)
    assert decide(SPEC, Load(0, 0), 20, second.mood, at(100)).desired == 20


def test_in_panic_the_larger_of_both_averages_counts() -> None:
    assert decided(70, 14, 1, mood=Mood(at(0), 1)).desired == 10


def test_an_autoscaler_that_starts_beside_several_pods_holds_them() -> None:
    assert first_mood(1, at(0)) == Mood(None, 1)
    restarted = first_mood(5, at(0))
    assert decide(SPEC, Load(0, 0), 5, restarted, at(60)).desired == 5
    assert decide(SPEC, Load(0, 0), 5, restarted, at(61)).desired == 2


def test_the_activation_scale_is_the_least_that_is_not_zero_and_goes_beyond_the_rate() -> None:
    waking = replace(SPEC, activation_scale=5, max_scale_up_rate=2)
    assert [decided(load, load, 0, waking).desired for load in (0, 1, 70)] == [0, 5, 5]
    assert decided(0.001, 0, 0, waking).desired == 5


@pytest.mark.parametrize(
    ("burst", "ready", "load", "excess"),
    [(0, 3, 50, 0), (-1, 3, 50, -1), (211, 0, 5, -216), (20, 3, 10, 0), (20, 3, 10.5, -1), (0.5, 1, 0, 9)],
)
def test_the_excess_burst_capacity_is_what_ready_pods_could_take_more(
    burst: float, ready: int, load: float, excess: int
) -> None:
    assert excess_burst_capacity(replace(SPEC, target_burst_capacity=burst), load, ready) == excess


@pytest.mark.parametrize(("burst", "excess"), [(0, 0), (-1, -1), (211, -191), (15.5, 4)])
def test_before_the_first_decision_it_is_that_of_the_initial_pods(burst: float, excess: int) -> None:
    assert first_burst_capacity(replace(SPEC, target_burst_capacity=burst, initial_scale=2)) == excess


def test_a_verdict_is_explained_in_words() -> None:
    load = Load(10, 63)
    assert explain(SPEC, load, 1, decide(SPEC, load, 1, CALM, at(0))) == (
        "1 ready, 10 concurrency over 60s at 7 each: 2; panicking with 63 over 6s: 9"
    )
    assert explain(SPEC, Load(1, 1), 9, decided(1, 1, 9)) == "9 ready, 1 concurrency over 60s at 7 each: 1; held at 4"
