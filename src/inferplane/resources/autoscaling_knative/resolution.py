"""What holds for one revision: its annotations where they say something, `config-autoscaler` where they don't.

`decider_spec` is what a decision needs; `scale_limits` is what applying the decision needs.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from inferplane.resources.autoscaling_knative import annotations as spoken
from inferplane.resources.autoscaling_knative.annotations import LINEAR, RPS, WEIGHTED, WEIGHTED_SPELLINGS, Annotations
from inferplane.resources.autoscaling_knative.config import RPS_UTILIZATION, TARGET_MIN, AutoscalerConfig
from inferplane.resources.autoscaling_knative.podautoscaler import Reachability


@dataclass(frozen=True, slots=True)
class DeciderSpec:
    """The rules of one autoscaler. Windows are whole seconds, values are in units of the metric and per pod.

    `panic_threshold` is a ratio of pods. `activation_scale` 0: unset; `max_scale` 0: no limit. Without a scrape target
    (target burst capacity -1) everything is seen by the activator, and silence means no load.
    """

    metric: str
    aggregation: str
    target_value: float
    total_value: float
    target_burst_capacity: float
    activator_capacity: float
    panic_threshold: float
    stable_window: int
    panic_window: int
    scale_down_delay: int
    max_scale_up_rate: float
    max_scale_down_rate: float
    activation_scale: int
    initial_scale: int
    min_scale: int
    max_scale: int
    reachable: bool
    has_scrape_target: bool


@dataclass(frozen=True, slots=True)
class ScaleLimits:
    """What bounds a wanted scale. Times are seconds. `max_scale` 0: no limit."""

    min_scale: int
    max_scale: int
    initial_scale: int
    scale_to_zero: bool
    stable_window: float
    grace_period: float
    retention_period: float
    burst_is_unlimited: bool
    reachable: bool


def decider_spec(
    annotations: Mapping[str, str],
    config: AutoscalerConfig,
    *,
    container_concurrency: int = 0,
    reachability: Reachability = Reachability.UNKNOWN,
) -> DeciderSpec:
    said = spoken.read(annotations)
    reachable = reachability != Reachability.UNREACHABLE
    window = config.stable_window if said.window is None else said.window
    burst = _first(said.target_burst_capacity, config.target_burst_capacity)
    total = _total(said, config, container_concurrency)
    least, most = _bounds(said, config, reachable)
    return DeciderSpec(
        metric=said.metric,
        aggregation=WEIGHTED if said.metric_aggregation_algorithm in WEIGHTED_SPELLINGS else LINEAR,
        target_value=max(TARGET_MIN, total * _utilization(said, config)),
        total_value=total,
        target_burst_capacity=burst,
        activator_capacity=config.activator_capacity,
        panic_threshold=_first(said.panic_threshold_percentage, config.panic_threshold_percentage) / 100,
        stable_window=int(window),
        panic_window=_panic_window(window, _first(said.panic_window_percentage, config.panic_window_percentage)),
        scale_down_delay=int(_first(said.scale_down_delay, config.scale_down_delay)),
        max_scale_up_rate=config.max_scale_up_rate,
        max_scale_down_rate=config.max_scale_down_rate,
        activation_scale=said.activation_scale or 0,
        initial_scale=_initial_scale(said, config),
        min_scale=least,
        max_scale=most,
        reachable=reachable,
        has_scrape_target=burst != -1,
    )


def scale_limits(
    annotations: Mapping[str, str],
    config: AutoscalerConfig,
    *,
    reachability: Reachability = Reachability.UNKNOWN,
) -> ScaleLimits:
    said = spoken.read(annotations)
    reachable = reachability != Reachability.UNREACHABLE
    least, most = _bounds(said, config, reachable)
    retention = _first(said.scale_to_zero_pod_retention_period, config.scale_to_zero_pod_retention_period)
    return ScaleLimits(
        min_scale=least,
        max_scale=most,
        initial_scale=_initial_scale(said, config),
        scale_to_zero=config.enable_scale_to_zero,
        stable_window=_first(said.window, config.stable_window),
        grace_period=config.scale_to_zero_grace_period,
        retention_period=retention if reachable else 0.0,
        burst_is_unlimited=_first(said.target_burst_capacity, config.target_burst_capacity) == -1,
        reachable=reachable,
    )


def _first(said: float | None, configured: float) -> float:
    return configured if said is None else said


def _total(said: Annotations, config: AutoscalerConfig, container_concurrency: int) -> float:
    """What a pod can take: a target above the container's hard limit means the limit."""
    if said.metric == RPS:
        return _first(said.target, config.requests_per_second_target_default)
    if said.target is not None:
        return min(said.target, container_concurrency) if container_concurrency else said.target
    return float(container_concurrency or config.container_concurrency_target_default)


def _utilization(said: Annotations, config: AutoscalerConfig) -> float:
    if said.target_utilization_percentage is not None:
        return said.target_utilization_percentage / 100
    return RPS_UTILIZATION if said.metric == RPS else config.target_fraction


def _panic_window(stable: float, percentage: float) -> int:
    """Whole seconds, halves up, at least one."""
    nanoseconds = int(stable * 1e9 * percentage / 100)
    return max(1, (nanoseconds + 500_000_000) // 1_000_000_000)


def _initial_scale(said: Annotations, config: AutoscalerConfig) -> int:
    if said.initial_scale is None or (said.initial_scale == 0 and not config.allow_zero_initial_scale):
        return config.initial_scale
    return said.initial_scale


def _bounds(said: Annotations, config: AutoscalerConfig, reachable: bool) -> tuple[int, int]:
    """Nobody waits for an unreachable revision: it has no minimum."""
    least = config.min_scale if said.min_scale is None else said.min_scale
    most = config.max_scale if said.max_scale is None else said.max_scale
    return (least if reachable else 0), most
