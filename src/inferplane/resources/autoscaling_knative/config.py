"""ConfigMap `config-autoscaler`: text in, checked settings out. Keys, defaults and bounds are Knative's.

Durations are seconds. A key that Knative does not know is passed over, as there.
"""

# msgspec needs the defaults as they are.

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from inferplane.kernel.errors import InferplaneError
from inferplane.kernel.json import JsonObject
from inferplane.resources import go_text

NAME = "config-autoscaler"
NAMESPACE = "knative-serving"

KPA = "kpa.autoscaling.knative.dev"
HPA = "hpa.autoscaling.knative.dev"

TARGET_MIN: Final = 0.01
WINDOW_MIN: Final = 6
WINDOW_MAX: Final = 3600

RPS_UTILIZATION: Final = 0.7
"""Of the requests per second that a pod is meant to take; Knative has no key for it."""


class AutoscalerConfig(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """Without arguments: Knative's defaults."""

    container_concurrency_target_percentage: float = 70.0
    container_concurrency_target_default: float = 100.0
    requests_per_second_target_default: float = 200.0
    target_burst_capacity: float = 211.0
    stable_window: float = 60.0
    panic_window_percentage: float = 10.0
    panic_threshold_percentage: float = 200.0
    max_scale_up_rate: float = 1000.0
    max_scale_down_rate: float = 2.0
    enable_scale_to_zero: bool = True
    scale_to_zero_grace_period: float = 30.0
    scale_to_zero_pod_retention_period: float = 0.0
    scale_down_delay: float = 0.0
    pod_autoscaler_class: str = KPA
    activator_capacity: float = 100.0
    initial_scale: int = 1
    allow_zero_initial_scale: bool = False
    min_scale: int = 0
    max_scale: int = 0
    max_scale_limit: int = 0

    @property
    def target_fraction(self) -> float:
        """What is above 1 is a percentage, what is not is the fraction itself."""
        given = self.container_concurrency_target_percentage
        return given / 100 if given > 1 else given


class BadConfig(InferplaneError):
    """`config-autoscaler` says what cannot be; `problems` has one sentence for each key."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(f"ConfigMap {NAMESPACE}/{NAME}: {'; '.join(problems)}")
        self.problems = problems


def read(data: Mapping[str, str]) -> AutoscalerConfig:
    """The settings; raises BadConfig with everything that is wrong."""
    values: dict[str, object] = {}
    problems: list[str] = []
    for key in data.keys() & _READERS.keys():
        try:
            values[key] = _READERS[key](data[key])
        except ValueError as error:
            problems.append(f"{key}: {error}, got {data[key]!r}")
    found = msgspec.convert(values, AutoscalerConfig)
    problems += [
        f"{rule.key}: expected {rule.words}, got {_said(rule.key, data)}" for rule in _RULES if rule.broken(found)
    ]
    if problems:
        raise BadConfig(sorted(problems))
    return found


def _said(key: str, data: Mapping[str, str]) -> str:
    return repr(data[key]) if key in data else f"{DEFAULTS[key]!r} by default"


def config_map() -> JsonObject:
    """The ConfigMap of one machine: a burst waits in Envoy, so the activator is in the way only at zero."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": NAME, "namespace": NAMESPACE},
        "data": {"target-burst-capacity": "0"},
    }


def _seconds(text: str) -> float:
    return go_text.duration(text) / go_text.NANOSECONDS


def _text(text: str) -> str:
    return text


_READERS: Mapping[str, Callable[[str], object]] = {
    **dict.fromkeys(
        (
            "container-concurrency-target-percentage",
            "container-concurrency-target-default",
            "requests-per-second-target-default",
            "target-burst-capacity",
            "panic-window-percentage",
            "panic-threshold-percentage",
            "max-scale-up-rate",
            "max-scale-down-rate",
            "activator-capacity",
        ),
        go_text.decimal,
    ),
    **dict.fromkeys(("initial-scale", "min-scale", "max-scale", "max-scale-limit"), go_text.integer),
    **dict.fromkeys(("enable-scale-to-zero", "allow-zero-initial-scale"), go_text.truth),
    **dict.fromkeys(
        (
            "stable-window",
            "scale-to-zero-grace-period",
            "scale-to-zero-pod-retention-period",
            "scale-down-delay",
        ),
        _seconds,
    ),
    "pod-autoscaler-class": _text,
}
DEFAULTS: Mapping[str, object] = msgspec.to_builtins(AutoscalerConfig())
"""By key; durations in seconds."""


class _Rule(msgspec.Struct, frozen=True):
    key: str
    words: str
    broken: Callable[[AutoscalerConfig], bool]


_RULES = (
    _Rule(
        "container-concurrency-target-percentage",
        "a percentage of more than 0 and at most 100",
        lambda it: not 0 < it.target_fraction <= 1,
    ),
    _Rule(
        "container-concurrency-target-default",
        f"{TARGET_MIN} or more after container-concurrency-target-percentage is taken of it",
        lambda it: it.target_fraction * it.container_concurrency_target_default < TARGET_MIN,
    ),
    _Rule(
        "requests-per-second-target-default",
        f"{TARGET_MIN} or more",
        lambda it: it.requests_per_second_target_default < TARGET_MIN,
    ),
    _Rule(
        "target-burst-capacity",
        "0 or more, or -1 (no limit)",
        lambda it: it.target_burst_capacity < 0 and it.target_burst_capacity != -1,
    ),
    _Rule(
        "stable-window",
        "6s to 1h in whole seconds",
        lambda it: not WINDOW_MIN <= it.stable_window <= WINDOW_MAX or it.stable_window % 1 != 0,
    ),
    _Rule("panic-window-percentage", "1 to 100", lambda it: not 1 <= it.panic_window_percentage <= 100),
    _Rule("max-scale-up-rate", "more than 1", lambda it: it.max_scale_up_rate <= 1),
    _Rule("max-scale-down-rate", "more than 1", lambda it: it.max_scale_down_rate <= 1),
    _Rule("scale-to-zero-grace-period", "more than 0s", lambda it: it.scale_to_zero_grace_period <= 0),
    _Rule("scale-to-zero-pod-retention-period", "0s or more", lambda it: it.scale_to_zero_pod_retention_period < 0),
    _Rule(
        "scale-down-delay",
        "0s or more in whole seconds",
        lambda it: it.scale_down_delay < 0 or it.scale_down_delay % 1 != 0,
    ),
    _Rule("activator-capacity", "1 or more", lambda it: it.activator_capacity < 1),
    _Rule(
        "initial-scale",
        "1 or more, or 0 with allow-zero-initial-scale",
        lambda it: it.initial_scale < 0 or (it.initial_scale == 0 and not it.allow_zero_initial_scale),
    ),
    _Rule(
        "min-scale",
        "0 or more, and no more than max-scale",
        lambda it: it.min_scale < 0 or 0 < it.max_scale < it.min_scale,
    ),
    _Rule(
        "max-scale",
        "0 (no limit) or more; 1 to max-scale-limit where that is set",
        lambda it: it.max_scale < 0 or (it.max_scale_limit > 0 and not 1 <= it.max_scale <= it.max_scale_limit),
    ),
    _Rule("max-scale-limit", "0 (none) or more", lambda it: it.max_scale_limit < 0),
)
