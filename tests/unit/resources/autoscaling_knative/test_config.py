"""`config-autoscaler`: Knative's defaults, bounds and spellings."""

import pytest

from inferplane.kernel.json import object_at
from inferplane.resources.autoscaling_knative.config import DEFAULTS, AutoscalerConfig, BadConfig, config_map, read


def test_an_empty_config_map_means_knatives_defaults() -> None:
    assert read({}) == AutoscalerConfig()
    assert DEFAULTS == {
        "container-concurrency-target-percentage": 70, "container-concurrency-target-default": 100,
        "requests-per-second-target-default": 200, "target-burst-capacity": 211, "stable-window": 60,
        "panic-window-percentage": 10, "panic-threshold-percentage": 200, "max-scale-up-rate": 1000,
        "max-scale-down-rate": 2, "enable-scale-to-zero": True, "scale-to-zero-grace-period": 30,
        "scale-to-zero-pod-retention-period": 0, "scale-down-delay": 0,
        "pod-autoscaler-class": "kpa.autoscaling.knative.dev", "activator-capacity": 100, "initial-scale": 1,
        "allow-zero-initial-scale": False, "min-scale": 0, "max-scale": 0, "max-scale-limit": 0,
    }  # fmt: skip


@pytest.mark.parametrize(("text", "fraction"), [("70", 0.7), ("1", 1.0), ("0.5", 0.5), ("1.1", 0.011), ("100", 1.0)])
def test_a_percentage_of_1_or_less_is_a_fraction(text: str, fraction: float) -> None:
    assert read({"container-concurrency-target-percentage": text}).target_fraction == pytest.approx(fraction)


def test_durations_are_seconds() -> None:
    found = read({"stable-window": "1m30s", "scale-to-zero-grace-period": "500ms", "scale-down-delay": "2s"})
    assert (found.stable_window, found.scale_to_zero_grace_period, found.scale_down_delay) == (90, 0.5, 2)


ACCEPTED = [
    {"target-burst-capacity": "-1"}, {"target-burst-capacity": "0"}, {"stable-window": "6s"}, {"stable-window": "1h"},
    {"panic-window-percentage": "1"}, {"panic-window-percentage": "100"}, {"panic-threshold-percentage": "1"},
    {"max-scale-up-rate": "1.01"}, {"max-scale-down-rate": "1.01"}, {"scale-to-zero-grace-period": "1ms"},
    {"scale-to-zero-pod-retention-period": "2h"}, {"scale-down-delay": "2h"}, {"activator-capacity": "1"},
    {"initial-scale": "0", "allow-zero-initial-scale": "true"}, {"min-scale": "3", "max-scale": "3"},
    {"min-scale": "3"}, {"max-scale": "4", "max-scale-limit": "4"}, {"requests-per-second-target-default": "0.01"},
    {"container-concurrency-target-default": "1", "container-concurrency-target-percentage": "0.01"},
    {"a-key-of-another-release": "?"},
]  # fmt: skip


@pytest.mark.parametrize("data", ACCEPTED, ids=str)
def test_what_is_at_a_bound_is_accepted(data: dict[str, str]) -> None:
    read(data)


REFUSED = [
    ({"target-burst-capacity": "-2"}, "0 or more, or -1"),
    ({"stable-window": "5s"}, "6s to 1h in whole seconds"),
    ({"stable-window": "3601s"}, "6s to 1h in whole seconds"),
    ({"stable-window": "6.5s"}, "6s to 1h in whole seconds"),
    ({"stable-window": "60"}, "a duration"),
    ({"panic-window-percentage": "0.9"}, "1 to 100"),
    ({"panic-window-percentage": "100.1"}, "1 to 100"),
    ({"panic-threshold-percentage": "much"}, "a number"),
    ({"max-scale-up-rate": "1"}, "more than 1"),
    ({"max-scale-down-rate": "1.0"}, "more than 1"),
    ({"scale-to-zero-grace-period": "0s"}, "more than 0s"),
    ({"scale-to-zero-pod-retention-period": "-1s"}, "0s or more"),
    ({"scale-down-delay": "1500ms"}, "0s or more in whole seconds"),
    ({"activator-capacity": "0.9"}, "1 or more"),
    ({"initial-scale": "0"}, "1 or more, or 0 with allow-zero-initial-scale"),
    ({"initial-scale": "1.0"}, "an integer"),
    ({"enable-scale-to-zero": "yes"}, "true or false"),
    ({"min-scale": "4", "max-scale": "3"}, "no more than max-scale"),
    ({"max-scale": "5", "max-scale-limit": "4"}, "1 to max-scale-limit"),
    ({"max-scale": "-1"}, "0 (no limit) or more"),
    ({"max-scale-limit": "-1"}, "0 (none) or more"),
    ({"requests-per-second-target-default": "0"}, "0.01 or more"),
    ({"container-concurrency-target-percentage": "101"}, "at most 100"),
    ({"container-concurrency-target-default": "0.001"}, "0.01 or more after"),
]


@pytest.mark.parametrize(("data", "expected"), REFUSED, ids=str)
def test_what_is_past_a_bound_is_refused_with_key_bound_and_text(data: dict[str, str], expected: str) -> None:
    with pytest.raises(BadConfig) as refused:
        read(data)
    assert expected in str(refused.value)
    assert any(f"{key}: expected" in str(refused.value) for key in data)
    assert any(repr(text) in str(refused.value) for text in data.values())


def test_a_limit_needs_a_maximum_below_it() -> None:
    with pytest.raises(BadConfig, match=r"max-scale: expected .* got 0 by default"):
        read({"max-scale-limit": "10"})


def test_everything_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(BadConfig) as refused:
        read({"stable-window": "1s", "max-scale-up-rate": "x"})
    assert [one.partition(":")[0] for one in refused.value.problems] == ["max-scale-up-rate", "stable-window"]


def test_the_config_map_of_one_machine_leaves_bursts_to_envoy() -> None:
    data = {key: str(text) for key, text in object_at(config_map(), "data").items()}
    assert read(data).target_burst_capacity == 0
