"""What would happen: services under made-up loads, on made-up pods."""

import pytest

from inferplane.controlplane.autoscaling.curves import parse
from inferplane.controlplane.autoscaling.simulate import Run, Scenario, What, simulate
from inferplane.resources.autoscaling_knative.annotations import PREFIX
from inferplane.resources.autoscaling_knative.config import AutoscalerConfig
from inferplane.resources.autoscaling_knative.resolution import decider_spec, scale_limits


def ran(load: str, until: float, *, burst: float = 0, startup: float = 1, replicas: int = 0, **said: str) -> Run:
    """A request takes 0.1 s, ten fit into a pod, seven should be there."""
    annotations = {PREFIX + key.replace("_", "-"): text for key, text in said.items()}
    config = AutoscalerConfig(target_burst_capacity=burst)
    scenario = Scenario(
        spec=decider_spec(annotations, config, container_concurrency=10),
        limits=scale_limits(annotations, config),
        load=parse(load, "load"),
        until=until,
        duration=0.1,
        slots=10,
        startup=startup,
        replicas=replicas,
    )
    return simulate(scenario)


def happened(run: Run, *kinds: What) -> list[tuple[float, int, int]]:
    return [(one.t, one.before, one.after) for one in run.events if one.what in kinds]


def test_a_steady_load_gets_a_pod_for_every_seven_requests_in_flight() -> None:
    run = ran("0:200", 200, replicas=3)
    assert {one.replicas for one in run.frames[100:]} == {3}
    assert run.frames[-1].in_flight == pytest.approx(20)
    assert run.totals.waited == 0


def test_the_first_request_wakes_a_service_at_once_and_waits_for_its_pod() -> None:
    run = ran("5:1", 20)
    assert happened(run, What.WAKE, What.SCALE) == [(5, 0, 1), (5, 0, 1)]
    assert happened(run, What.READY) == [(6, 0, 1)]
    assert (run.totals.cold_starts, run.totals.waited, run.totals.requests) == (1, 1, 15)
    assert run.totals.wait_max == pytest.approx(1)


def test_the_last_pod_goes_a_window_and_the_grace_period_after_the_last_request() -> None:
    run = ran("0:50,30:0", 150, replicas=1)
    assert happened(run, What.INACTIVE) == [(92, 1, 1)]
    assert happened(run, What.SCALE) == [(122, 1, 0)]
    assert run.totals.seconds_at_zero == 28


def test_with_the_activator_in_the_path_the_last_pod_goes_soon_after_the_window() -> None:
    run = ran("0:50,60:0", 200, replicas=1, burst=211)
    ((turned, *_),) = happened(run, What.INACTIVE)
    ((gone, *_),) = happened(run, What.SCALE)
    assert 118 <= turned <= 122
    assert turned <= gone <= turned + 4


def test_the_last_pod_is_kept_as_long_as_its_retention_says() -> None:
    run = ran("0:50,30:0", 250, replicas=1, scale_to_zero_pod_retention_period="90s")
    assert happened(run, What.SCALE) == [(182, 1, 0)]


def test_a_surge_is_panic_and_held_for_a_window() -> None:
    run = ran("0:50,30:600,40:50", 140, replicas=1)
    ((begun, *_),) = happened(run, What.PANIC)
    ((ended, *_),) = happened(run, What.CALM)
    assert 30 < begun <= 34
    assert 60 < ended - begun <= 66
    before_calm = [one.replicas for one in run.frames if begun < one.t < ended]
    assert before_calm == sorted(before_calm)
    assert run.frames[-1].replicas < max(before_calm)


def test_pods_stay_within_their_bounds() -> None:
    run = ran("0:1000,60:0", 300, min_scale="1", max_scale="4")
    assert (run.totals.most_replicas, min(one.replicas for one in run.frames[1:])) == (4, 1)
    assert max(one.wanted for one in run.frames) > 4
    assert run.totals.waited > 1000


def test_an_activation_scale_wakes_so_many() -> None:
    assert happened(ran("0:1", 4, activation_scale="3"), What.SCALE) == [(0, 0, 3)]


def test_a_longer_start_lets_more_requests_wait() -> None:
    quick, slow = ran("0:20", 60, startup=0.1), ran("0:20", 60, startup=10)
    assert quick.totals.waited < 4 < 190 < slow.totals.waited
    assert slow.totals.wait_max == pytest.approx(10, abs=0.1)


def test_requests_now_and_then_wake_it_each_time() -> None:
    totals = ran("0:0.005", 700).totals
    assert (totals.requests, totals.cold_starts, totals.waited) == (4, 4, 4)


def test_all_requests_are_accounted_for() -> None:
    run = ran("0:10,20:200,40:0", 60)
    assert run.totals.requests == pytest.approx(10 * 20 + 200 * 20, abs=2)
