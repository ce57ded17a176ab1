"""From annotations and `config-autoscaler` to the rules of one autoscaler."""

import pytest

from inferplane.resources.autoscaling_knative.annotations import PREFIX
from inferplane.resources.autoscaling_knative.config import AutoscalerConfig
from inferplane.resources.autoscaling_knative.podautoscaler import Reachability
from inferplane.resources.autoscaling_knative.resolution import DeciderSpec, ScaleLimits, decider_spec, scale_limits


def resolved(config: AutoscalerConfig | None = None, concurrency: int = 0, /, **said: str) -> DeciderSpec:
    annotations = {PREFIX + key.replace("_", "-"): text for key, text in said.items()}
    return decider_spec(annotations, config or AutoscalerConfig(), container_concurrency=concurrency)


def limits(reachability: Reachability, /, **said: str) -> ScaleLimits:
    annotations = {PREFIX + key.replace("_", "-"): text for key, text in said.items()}
    return scale_limits(annotations, AutoscalerConfig(min_scale=1, max_scale=9), reachability=reachability)


def test_without_a_word_a_pod_is_meant_to_have_70_of_100_requests_in_flight() -> None:
    found = resolved()
    assert (found.metric, found.target_value, found.total_value, found.panic_threshold) == ("concurrency", 70, 100, 2)
    assert (found.stable_window, found.panic_window, found.target_burst_capacity) == (60, 6, 211)


@pytest.mark.parametrize(
    ("concurrency", "target", "total"), [(0, "5", 5), (10, "5", 5), (10, "50", 10), (10, None, 10), (0, None, 100)]
)
def test_a_target_beyond_the_hard_limit_means_the_limit(concurrency: int, target: str | None, total: float) -> None:
    said = {"target": target} if target else {}
    assert resolved(None, concurrency, **said).total_value == total


def test_requests_per_second_have_their_own_default_and_utilization() -> None:
    found = resolved(AutoscalerConfig(container_concurrency_target_percentage=50), 10, metric="rps")
    assert (found.total_value, found.target_value) == (200, 140)
    assert resolved(None, 10, metric="rps", target="30").total_value == 30


def test_the_target_is_never_below_a_hundredth() -> None:
    assert resolved(target="0.01", target_utilization_percentage="10").target_value == 0.01


@pytest.mark.parametrize(
    ("window", "percentage", "seconds"), [("60s", "10", 6), ("6s", "1", 1), ("15s", "10", 2), ("14s", "10", 1)]
)
def test_the_panic_window_is_rounded_to_seconds_halves_up(window: str, percentage: str, seconds: int) -> None:
    assert resolved(window=window, panic_window_percentage=percentage).panic_window == seconds


def test_an_unlimited_burst_means_that_nothing_is_scraped() -> None:
    assert resolved().has_scrape_target
    assert not resolved(target_burst_capacity="-1").has_scrape_target


def test_an_initial_scale_of_0_needs_the_platforms_leave() -> None:
    assert resolved(initial_scale="0").initial_scale == 1
    assert resolved(AutoscalerConfig(allow_zero_initial_scale=True), initial_scale="0").initial_scale == 0
    assert resolved(initial_scale="4").initial_scale == 4


def test_annotations_win_over_the_platforms_bounds() -> None:
    found = limits(Reachability.REACHABLE, min_scale="0", max_scale="3", window="20s")
    assert (found.min_scale, found.max_scale, found.stable_window, found.grace_period) == (0, 3, 20, 30)
    assert limits(Reachability.UNKNOWN).max_scale == 9


def test_an_unreachable_revision_has_no_minimum_and_keeps_no_pod() -> None:
    said = {"min_scale": "2", "scale_to_zero_pod_retention_period": "5m"}
    reachable, unreachable = limits(Reachability.REACHABLE, **said), limits(Reachability.UNREACHABLE, **said)
    assert (reachable.min_scale, reachable.retention_period) == (2, 300)
    assert (unreachable.min_scale, unreachable.retention_period) == (0, 0)
