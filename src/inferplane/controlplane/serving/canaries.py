"""Canaries in Standard mode: other versions of the predictor beside the stable one, each with a share of the traffic.

Pure arithmetic on the spec: what a canary's predictor is, how many replicas it runs, and what its readiness takes off
the stable predictor's replicas and share.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil

import msgspec

from inferplane.kernel.json import JsonObject, list_at, object_at
from inferplane.resources.serving.defaulting import frameworks_in
from inferplane.resources.serving.inferenceservice import CanarySpec, InferenceService, InferenceServiceSpec

# Each canary's number of replicas is fixed by its share.
_SCALING = ("minReplicas", "maxReplicas", "scaleTarget", "scaleMetric", "scaleMetricType", "autoScaling")
_IMPLEMENTATION = "containers"


@dataclass(frozen=True, slots=True)
class Share:
    """A canary's name, percentage of the requests, and number of replicas."""

    name: str
    percent: int
    replicas: int


def raw_predictors(isvc: InferenceService) -> list[JsonObject]:
    """The stable predictor overlaid with each canary's, in the order of the spec."""
    stable = object_at(isvc.spec, "predictor")
    entries = [one for one in list_at(isvc.spec, "canary") if isinstance(one, dict)]
    return [overlaid(stable, object_at(one, "predictor")) for one in entries]


def overlaid(stable: JsonObject, canary: JsonObject) -> JsonObject:
    """What the canary says wins; another implementation than the stable one's takes its place."""
    if _implementation(canary) not in (None, _implementation(stable)):
        stable = {key: value for key, value in stable.items() if key not in (*frameworks_in(stable), _IMPLEMENTATION)}
    result = _over(stable, canary)
    return {key: value for key, value in result.items() if key not in _SCALING}


def _implementation(predictor: JsonObject) -> str | None:
    framework = next(iter(frameworks_in(predictor)), None)
    return framework or (_IMPLEMENTATION if list_at(predictor, _IMPLEMENTATION) else None)


def _over(base: JsonObject, overlay: JsonObject) -> JsonObject:
    result = dict(base)
    for key, value in overlay.items():
        if value in (None, "", [], {}):
            continue
        below = result.get(key)
        result[key] = _over(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return result


def shares(spec: InferenceServiceSpec) -> list[Share]:
    return [Share(one.predictor.name or "", one.traffic_percent, _replicas(one, spec)) for one in spec.canary]


def _replicas(canary: CanarySpec, spec: InferenceServiceSpec) -> int:
    """Its own minReplicas, else its share of the stable ones; one at least, or it could never show what it does."""
    if canary.predictor.min_replicas is not None:
        return canary.predictor.min_replicas
    least = spec.predictor.min_replicas
    return max(1, ceil((1 if least is None else least) * canary.traffic_percent / 100))


def stable_replicas(least: int | None, ready: Iterable[Share]) -> int | None:
    """Canaries that are ready take over from as many stable replicas, of which one always stays."""
    if least is None:
        return None
    return max(min(1, least), least - sum(one.replicas for one in ready if one.percent))


def stable_percent(ready: Iterable[Share]) -> int:
    return 100 - sum(one.percent for one in ready)


def with_predictor(isvc: InferenceService, predictor: JsonObject) -> InferenceService:
    return msgspec.structs.replace(isvc, spec=isvc.spec | {"predictor": predictor})
