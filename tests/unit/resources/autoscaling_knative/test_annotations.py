"""Annotations of a template: spellings, bounds, and what is said about those past them."""

import pytest

from inferplane.resources.autoscaling_knative.annotations import OTHER_SPELLINGS, PREFIX, problems, read
from inferplane.resources.autoscaling_knative.config import AutoscalerConfig

CONFIG = AutoscalerConfig()
KPA = "kpa.autoscaling.knative.dev"


def complaints(config: AutoscalerConfig = CONFIG, /, **given: str) -> list[str]:
    return problems({PREFIX + key.replace("_", "-"): text for key, text in given.items()}, config)


ACCEPTED = [
    {"class": KPA}, {"class": "hpa.autoscaling.knative.dev", "metric": "memory"}, {"class": "mine.example.com"},
    {"metric": "rps"}, {"metric": "concurrency"}, {"class": "mine.example.com", "metric": "moods"},
    {"target": "0.01"}, {"target_utilization_percentage": "1"}, {"target_utilization_percentage": "100"},
    {"target_burst_capacity": "-1"}, {"target_burst_capacity": "0"}, {"min_scale": "3", "max_scale": "0"},
    {"min_scale": "3", "max_scale": "3"}, {"initial_scale": "2"}, {"activation_scale": "2", "max_scale": "2"},
    {"activation_scale": "3", "min_scale": "3"}, {"scale_down_delay": "0s"}, {"scale_down_delay": "1h"},
    {"scale_to_zero_pod_retention_period": "1h"}, {"scale_to_zero_pod_retention_period": "1ms"}, {"window": "6s"},
    {"window": "1h"}, {"panic_window_percentage": "1"}, {"panic_window_percentage": "100"},
    {"panic_threshold_percentage": "110"}, {"panic_threshold_percentage": "1000"},
    {"class": KPA, "metric_aggregation_algorithm": "weightedExponential"}, {"metric_aggregation_algorithm": "sum"},
]  # fmt: skip


@pytest.mark.parametrize("given", ACCEPTED, ids=str)
def test_what_is_at_a_bound_is_accepted(given: dict[str, str]) -> None:
    assert complaints(**given) == []


REFUSED = [
    ({"class": "vpa.autoscaling.knative.dev"}, "class", "a class of another domain"),
    ({"metric": "cpu"}, "metric", "concurrency or rps"),
    ({"class": "hpa.autoscaling.knative.dev", "metric": ""}, "metric", "cpu, memory or the name of a metric"),
    ({"target": "0"}, "target", "0.01 or more"),
    ({"target": "many"}, "target", "a number"),
    ({"target_utilization_percentage": "0.5"}, "target-utilization-percentage", "1 to 100"),
    ({"target_utilization_percentage": "101"}, "target-utilization-percentage", "1 to 100"),
    ({"target_burst_capacity": "-0.5"}, "target-burst-capacity", "or -1"),
    ({"min_scale": "-1"}, "min-scale", "an integer of 0 or more"),
    ({"max_scale": "2147483648"}, "max-scale", "an integer of 0 or more"),
    ({"min_scale": "3", "max_scale": "2"}, "max-scale", "no less than min-scale (3)"),
    ({"initial_scale": "-1"}, "initial-scale", "0 or more"),
    ({"initial_scale": "0"}, "initial-scale", "does not allow-zero-initial-scale"),
    ({"activation_scale": "1"}, "activation-scale", "2 or more"),
    ({"activation_scale": "2", "min_scale": "3"}, "activation-scale", "no less than min-scale (3)"),
    ({"activation_scale": "3", "max_scale": "2"}, "activation-scale", "no more than max-scale (2)"),
    ({"scale_down_delay": "61m"}, "scale-down-delay", "0s to 1h"),
    ({"scale_down_delay": "100ms"}, "scale-down-delay", "whole seconds"),
    ({"scale_to_zero_pod_retention_period": "-1s"}, "scale-to-zero-pod-retention-period", "0s to 1h"),
    ({"window": "5s"}, "window", "6s to 1h"),
    ({"window": "60"}, "window", "a duration"),
    ({"panic_window_percentage": "0"}, "panic-window-percentage", "1 to 100"),
    ({"panic_threshold_percentage": "109"}, "panic-threshold-percentage", "110 to 1000"),
    ({"class": KPA, "metric_aggregation_algorithm": "sum"}, "metric-aggregation-algorithm", "weighted-exponential"),
]


@pytest.mark.parametrize(("given", "key", "expected"), REFUSED, ids=str)
def test_what_is_past_a_bound_is_refused_with_name_bound_and_text(
    given: dict[str, str], key: str, expected: str
) -> None:
    (complaint,) = complaints(**given)
    assert complaint.startswith(f"{PREFIX}{key}: expected ")
    assert expected in complaint
    assert complaint.endswith(f"got {given[key.replace('-', '_')]!r}")


@pytest.mark.parametrize(("most", "count"), [("0", 1), ("5", 1), ("4", 0), ("1", 0)])
def test_a_limit_of_the_platform_holds_for_max_scale(most: str, count: int) -> None:
    assert len(complaints(AutoscalerConfig(max_scale=4, max_scale_limit=4), max_scale=most)) == count


@pytest.mark.parametrize(("key", "other"), OTHER_SPELLINGS.items())
def test_both_spellings_are_read_and_the_one_with_dashes_wins(key: str, other: str) -> None:
    text, field = ("weighted-exponential" if "metric" in key else "7s" if "sc" in key else "7"), key.replace("-", "_")
    text = "7" if key in ("min-scale", "max-scale", "initial-scale") else text
    alone = getattr(read({PREFIX + other: text}), field)
    both = getattr(read({PREFIX + other: "0", PREFIX + key: text}), field)
    assert alone == both != getattr(read({}), field)


def test_what_cannot_be_read_counts_as_absent() -> None:
    assert read({PREFIX + "target": "many", PREFIX + "window": "soon", "other.dev/target": "5"}) == read({})


def test_a_class_brings_its_metric() -> None:
    assert read({}).metric == "concurrency"
    assert read({PREFIX + "class": "hpa.autoscaling.knative.dev"}).metric == "cpu"
