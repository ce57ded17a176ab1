"""Annotations `autoscaling.knative.dev/…` of a revision's template: text in, values and complaints out.

`problems` says what Knative's webhook would refuse. `read` is lenient, as the autoscaler itself is: what is no number
and no duration counts as absent. Where both spellings of a key are there, the one with dashes wins.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

import msgspec

from inferplane.resources import go_text
from inferplane.resources.autoscaling_knative.config import (
    HPA,
    KPA,
    TARGET_MIN,
    WINDOW_MAX,
    WINDOW_MIN,
    AutoscalerConfig,
)

DOMAIN = "autoscaling.knative.dev"
PREFIX = f"{DOMAIN}/"

CONCURRENCY = "concurrency"
RPS = "rps"
LINEAR = "linear"
WEIGHTED = "weighted-exponential"
WEIGHTED_SPELLINGS = (WEIGHTED, "weightedExponential")

OTHER_SPELLINGS: Mapping[str, str] = {
    "target-utilization-percentage": "targetUtilizationPercentage",
    "target-burst-capacity": "targetBurstCapacity",
    "min-scale": "minScale",
    "max-scale": "maxScale",
    "initial-scale": "initialScale",
    "scale-down-delay": "scaleDownDelay",
    "scale-to-zero-pod-retention-period": "scaleToZeroPodRetentionPeriod",
    "panic-window-percentage": "panicWindowPercentage",
    "panic-threshold-percentage": "panicThresholdPercentage",
    "metric-aggregation-algorithm": "metricAggregationAlgorithm",
}

Number: TypeAlias = float | int


class Annotations(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """What the template says; None where it says nothing. Durations are seconds. `metric` has its class's default."""

    class_: str = msgspec.field(name="class", default=KPA)
    metric: str = CONCURRENCY
    metric_aggregation_algorithm: str = LINEAR
    target: float | None = None
    target_utilization_percentage: float | None = None
    target_burst_capacity: float | None = None
    min_scale: int | None = None
    max_scale: int | None = None
    initial_scale: int | None = None
    activation_scale: int | None = None
    scale_down_delay: float | None = None
    scale_to_zero_pod_retention_period: float | None = None
    window: float | None = None
    panic_window_percentage: float | None = None
    panic_threshold_percentage: float | None = None


def read(annotations: Mapping[str, str]) -> Annotations:
    """The values, whatever their bounds."""
    given = _given(annotations)
    values: dict[str, object] = {key: text for key, (_, text) in given.items() if key in _WORDS}
    for bound in _BOUNDS:
        if bound.key in given:
            try:
                values[bound.key] = bound.read(given[bound.key][1])
            except ValueError:
                continue  # as Knative: relied on to have been validated
    if values.get("class") == HPA:
        values.setdefault("metric", "cpu")
    return msgspec.convert(values, Annotations)


def problems(annotations: Mapping[str, str], config: AutoscalerConfig) -> list[str]:
    """A sentence for each annotation that Knative refuses: where, what was expected, what came."""
    given = _given(annotations)
    values = read(annotations)
    return [
        *_out_of_bounds(given),
        *_contradictions(given, values, config),
        *_unknown_words(given, values),
    ]


class _Bound(msgspec.Struct, frozen=True):
    key: str
    words: str
    read: Callable[[str], Number]
    fits: Callable[[Number], bool]


def _seconds(text: str) -> float:
    return go_text.duration(text) / go_text.NANOSECONDS


_WORDS = ("class", "metric", "metric-aggregation-algorithm")
_SCALE = ("an integer of 0 or more", go_text.integer, lambda it: it >= 0)
_BOUNDS = (
    _Bound("target", f"a number of {TARGET_MIN} or more", go_text.decimal, lambda it: it >= TARGET_MIN),
    _Bound("target-utilization-percentage", "a number from 1 to 100", go_text.decimal, lambda it: 1 <= it <= 100),
    _Bound(
        "target-burst-capacity",
        "a number of 0 or more, or -1 (no limit)",
        go_text.decimal,
        lambda it: it >= 0 or it == -1,
    ),
    _Bound("min-scale", *_SCALE),
    _Bound("max-scale", *_SCALE),
    _Bound("initial-scale", *_SCALE),
    _Bound("activation-scale", "an integer of 2 or more", go_text.integer, lambda it: it >= 2),
    _Bound(
        "scale-down-delay",
        "a duration from 0s to 1h in whole seconds",
        _seconds,
        lambda it: 0 <= it <= WINDOW_MAX and it % 1 == 0,
    ),
    _Bound(
        "scale-to-zero-pod-retention-period",
        "a duration from 0s to 1h",
        _seconds,
        lambda it: 0 <= it <= WINDOW_MAX,
    ),
    _Bound(
        "window",
        "a duration from 6s to 1h in whole seconds",
        _seconds,
        lambda it: WINDOW_MIN <= it <= WINDOW_MAX and it % 1 == 0,
    ),
    _Bound("panic-window-percentage", "a number from 1 to 100", go_text.decimal, lambda it: 1 <= it <= 100),
    _Bound("panic-threshold-percentage", "a number from 110 to 1000", go_text.decimal, lambda it: 110 <= it <= 1000),
)
KEYS = (*_WORDS, *(one.key for one in _BOUNDS))

_Given: TypeAlias = Mapping[str, tuple[str, str]]
"""By key with dashes: the annotation's full name as it was written, and its text."""


def _given(annotations: Mapping[str, str]) -> _Given:
    found: dict[str, tuple[str, str]] = {}
    for key in KEYS:
        for spelling in (key, OTHER_SPELLINGS.get(key, key)):
            if key not in found and (name := PREFIX + spelling) in annotations:
                found[key] = (name, annotations[name])
    return found


def _out_of_bounds(given: _Given) -> Iterator[str]:
    for bound in _BOUNDS:
        if bound.key in given and not _fits(bound, given[bound.key][1]):
            yield _complaint(given, bound.key, bound.words)


def _fits(bound: _Bound, text: str) -> bool:
    try:
        return bound.fits(bound.read(text))
    except ValueError:
        return False


def _contradictions(given: _Given, values: Annotations, config: AutoscalerConfig) -> Iterator[str]:
    least, most = values.min_scale or 0, values.max_scale or 0
    if 0 < most < least:
        yield _complaint(given, "max-scale", f"no less than min-scale ({least}), or 0 (no limit)")
    if values.max_scale is not None and config.max_scale_limit > 0 and not 1 <= most <= config.max_scale_limit:
        yield _complaint(given, "max-scale", f"1 to {config.max_scale_limit} (max-scale-limit of config-autoscaler)")
    if values.activation_scale is not None and values.activation_scale < least:
        yield _complaint(given, "activation-scale", f"no less than min-scale ({least})")
    if values.activation_scale is not None and 0 < most < values.activation_scale:
        yield _complaint(given, "activation-scale", f"no more than max-scale ({most})")
    if values.initial_scale == 0 and not config.allow_zero_initial_scale:
        yield _complaint(given, "initial-scale", "1 or more, as config-autoscaler does not allow-zero-initial-scale")


def _unknown_words(given: _Given, values: Annotations) -> Iterator[str]:
    if values.class_.endswith(DOMAIN) and values.class_ not in (KPA, HPA):
        yield _complaint(given, "class", f"{KPA}, {HPA} or a class of another domain")
    if values.class_ == KPA and values.metric not in (CONCURRENCY, RPS):
        yield _complaint(given, "metric", f"{CONCURRENCY} or {RPS}")
    if values.class_ == HPA and not values.metric:
        yield _complaint(given, "metric", "cpu, memory or the name of a metric")
    explicit = given.get("class", ("", ""))[1] == KPA
    if explicit and values.metric_aggregation_algorithm not in (LINEAR, *WEIGHTED_SPELLINGS, ""):
        yield _complaint(given, "metric-aggregation-algorithm", f"{LINEAR} or {WEIGHTED}")


def _complaint(given: _Given, key: str, expected: str) -> str:
    name, text = given[key]
    return f"{name}: expected {expected}, got {text!r}"
