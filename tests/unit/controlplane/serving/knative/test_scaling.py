import pytest

from inferplane.controlplane.serving.knative.scaling import annotated
from inferplane.kernel.json import JsonObject
from inferplane.resources.serving.inferenceservice import ComponentExtension
from inferplane.resources.serving.scaling import ScaleMetric

KPA = {"autoscaling.knative.dev/class": "kpa.autoscaling.knative.dev"}


def scaled(given: JsonObject, component: ComponentExtension, *, allow_zero: bool = False) -> JsonObject:
    found = annotated(given, component, allow_zero_initial_scale=allow_zero)
    return {key.removeprefix("autoscaling.knative.dev/"): value for key, value in found.items()}


def test_one_replica_at_least_unless_told_otherwise() -> None:
    assert scaled({}, ComponentExtension()) == {"class": KPA["autoscaling.knative.dev/class"], "min-scale": "1"}
    assert scaled({}, ComponentExtension(min_replicas=0))["min-scale"] == "0"


def test_an_upper_bound_of_0_is_none() -> None:
    assert "max-scale" not in scaled({}, ComponentExtension(max_replicas=0))
    assert scaled({}, ComponentExtension(max_replicas=5))["max-scale"] == "5"


def test_metric_and_target_are_knatives() -> None:
    found = scaled({}, ComponentExtension(scale_metric=ScaleMetric.RPS, scale_target=7))
    assert (found["metric"], found["target"]) == ("rps", "7")


def test_what_the_user_set_of_knatives_own_stays() -> None:
    given: JsonObject = {
        "autoscaling.knative.dev/class": "hpa.autoscaling.knative.dev",
        "autoscaling.knative.dev/window": "9s",
    }
    found = scaled(given, ComponentExtension())
    assert (found["class"], found["window"]) == ("hpa.autoscaling.knative.dev", "9s")


@pytest.mark.parametrize(
    ("text", "allow_zero", "kept"),
    [
        ("3", False, True),
        ("0", False, False),
        ("0", True, True),
        ("-1", True, False),
        ("3.5", True, False),
        ("", True, False),
    ],
)
def test_an_initial_scale_that_knative_would_refuse_is_left_out(text: str, allow_zero: bool, kept: bool) -> None:
    found = scaled({"autoscaling.knative.dev/initial-scale": text}, ComponentExtension(), allow_zero=allow_zero)
    assert ("initial-scale" in found) == kept
