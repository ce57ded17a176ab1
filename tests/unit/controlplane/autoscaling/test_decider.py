"""The autoscaler of one revision over time: no data, wake-up, news, new rules."""

from dataclasses import replace

from inferplane.controlplane.autoscaling.decide import Instant
from inferplane.controlplane.autoscaling.decider import Decider
from inferplane.resources.autoscaling_knative.config import AutoscalerConfig
from inferplane.resources.autoscaling_knative.resolution import DeciderSpec, decider_spec

T0 = 946_684_800
SPEC = decider_spec({}, AutoscalerConfig(target_burst_capacity=0), container_concurrency=10)


def at(seconds: float) -> Instant:
    return Instant(round((T0 + seconds) * 1000))


def loaded(spec: DeciderSpec, concurrency: float, *, until: int, ready: int = 1) -> Decider:
    """An autoscaler that saw so many requests in flight from second 0 on."""
    decider = Decider(spec, ready, at(0))
    for second in range(until):
        decider.record(T0 + second, concurrency, 0)
    return decider


def desired(decider: Decider, ready: int, seconds: float) -> int | None:
    verdict = decider.decide(ready, at(seconds))
    return verdict.desired if verdict else None


def test_no_data_is_not_zero() -> None:
    decider = loaded(SPEC, 14, until=1)
    assert [desired(decider, 2, seconds) for seconds in (59, 60, 61)] == [2, 1, None]


def test_silence_means_zero_where_everything_goes_through_the_activator() -> None:
    unlimited = replace(SPEC, target_burst_capacity=-1, has_scrape_target=False)
    assert desired(Decider(unlimited, 0, at(0)), 0, 5) == 0


def test_a_request_to_a_revision_at_zero_asks_for_a_decision_at_once() -> None:
    decider = loaded(SPEC, 0, until=10)
    first, wake = decider.decide(0, at(10)), None
    assert first
    decider.take(first)
    assert [decider.record(T0 + 11, 0, 1), decider.record(T0 + 11, 1, 1)] == [False, True]
    wake = decider.decide(0, at(11))
    assert wake
    assert (wake.desired, decider.take(wake), decider.record(T0 + 11, 1, 1)) == (1, True, False)


def test_before_the_first_decision_nothing_is_wanted_and_nothing_asked_for() -> None:
    decider = Decider(SPEC, 0, at(0))
    assert (decider.wanted, decider.record(T0, 1, 1)) == (-1, False)


def test_news_is_another_scale_or_another_sign_of_the_burst_capacity() -> None:
    decider = loaded(replace(SPEC, target_burst_capacity=12), 7, until=2)
    told = []
    for ready in (1, 1, 2, 2):
        verdict = decider.decide(ready, at(2))
        assert verdict
        told.append((verdict.desired, verdict.excess_burst_capacity, decider.take(verdict)))
    assert told == [(1, -9, True), (1, -9, False), (1, 1, True), (1, 1, False)]


def test_requests_per_second_count_where_they_are_the_metric() -> None:
    rps = decider_spec(
        {"autoscaling.knative.dev/metric": "rps", "autoscaling.knative.dev/target": "10"}, AutoscalerConfig()
    )
    decider = Decider(rps, 1, at(0))
    decider.record(T0, 1000, 21)
    assert desired(decider, 1, 0) == 3


CALM = replace(SPEC, panic_threshold=100)


def test_the_delay_of_the_start_holds_also_under_later_rules() -> None:
    decider = loaded(replace(CALM, scale_down_delay=10), 21, until=10)
    assert desired(decider, 3, 10) == 3
    decider.update(CALM, at(11))
    for second in range(10, 80):
        decider.record(T0 + second, 0, 0)
    assert [desired(decider, 3, seconds) for seconds in (18, 19, 20)] == [3, 3, 1]


def test_rules_without_a_delay_at_the_start_never_get_one() -> None:
    decider = loaded(CALM, 21, until=1)
    assert desired(decider, 3, 1) == 3
    decider.update(replace(CALM, scale_down_delay=60), at(2))
    assert desired(decider, 3, 60) == 1


def test_an_unreachable_revision_goes_at_once_whatever_the_delay() -> None:
    decider = loaded(replace(SPEC, scale_down_delay=60), 7, until=2)
    assert desired(decider, 1, 2) == 1
    decider.update(replace(SPEC, scale_down_delay=60, reachable=False), at(3))
    assert desired(decider, 1, 61) == 0


def test_new_windows_keep_what_was_seen() -> None:
    decider = loaded(SPEC, 14, until=60, ready=2)
    decider.update(replace(SPEC, stable_window=30, panic_window=3), at(60))
    load = decider.load(at(60))
    assert load
    assert (load.stable, load.panic) == (14, 14)


def test_new_windows_cost_nothing_where_nothing_is_known() -> None:
    decider = loaded(SPEC, 14, until=60, ready=2)
    decider.release(at(200))
    decider.update(replace(SPEC, stable_window=30), at(200))
    assert desired(decider, 2, 200) is None
    decider.record(T0 + 201, 21, 0)
    assert desired(decider, 2, 201) == 3
