"""Versions of built-in kinds that are the same object in other words: converted on the way in and out. Pure.

`Event` is kept as core `v1` and served as `events.k8s.io/v1` too, `HorizontalPodAutoscaler` is kept as `v2`, also `v1`.
Custom resources have one shape in all their versions (conversion strategy `None`).
"""

from collections.abc import Callable

from inferplane.controlplane.apiserver.kinds import Kind
from inferplane.kernel.json import Json, JsonObject, list_at, number_at, object_at, text_at

Convert = Callable[[JsonObject], JsonObject]

# events.k8s.io/v1 → v1
EVENT_FIELDS = {
    "regarding": "involvedObject",
    "note": "message",
    "reportingController": "reportingComponent",
    "deprecatedSource": "source",
    "deprecatedFirstTimestamp": "firstTimestamp",
    "deprecatedLastTimestamp": "lastTimestamp",
    "deprecatedCount": "count",
}
_EVENT_FIELDS_BACK = {kept: served for served, kept in EVENT_FIELDS.items()}


def to_storage(kind: Kind, obj: JsonObject) -> JsonObject:
    """An object of `kind` in the version that it is kept in."""
    if kind.resource == kind.storage:
        return obj
    way = _WAYS.get(kind.key)
    converted = way[0](obj) if way else obj
    return converted | {"apiVersion": kind.storage.api_version}


def from_storage(kind: Kind, obj: JsonObject) -> JsonObject:
    """A kept object in the version of `kind`."""
    if kind.resource == kind.storage:
        return obj
    way = _WAYS.get(kind.key)
    converted = way[1](obj) if way else obj
    return converted | {"apiVersion": kind.resource.api_version}


def _renamed(obj: JsonObject, names: dict[str, str]) -> JsonObject:
    return {names.get(key, key): value for key, value in obj.items()}


def _autoscaler_to_v2(obj: JsonObject) -> JsonObject:
    spec = object_at(obj, "spec")
    percent = spec.get("targetCPUUtilizationPercentage")
    kept: JsonObject = {key: value for key, value in spec.items() if key != "targetCPUUtilizationPercentage"}
    if percent is not None:
        target: Json = {"type": "Utilization", "averageUtilization": percent}
        kept["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    return obj | {"spec": kept}


def _autoscaler_to_v1(obj: JsonObject) -> JsonObject:
    spec = object_at(obj, "spec")
    kept: JsonObject = {
        key: value for key, value in spec.items() if key in ("scaleTargetRef", "minReplicas", "maxReplicas")
    }
    for metric in list_at(spec, "metrics"):
        if isinstance(metric, dict) and text_at(metric, "resource", "name") == "cpu":
            percent = number_at(metric, "resource", "target", "averageUtilization")
            kept |= {"targetCPUUtilizationPercentage": percent} if percent else {}
    status = object_at(obj, "status")
    shown: JsonObject = {
        key: value
        for key, value in status.items()
        if key in ("observedGeneration", "lastScaleTime", "currentReplicas", "desiredReplicas")
    }
    return obj | {"spec": kept, "status": {"currentReplicas": 0, "desiredReplicas": 0} | shown}


# By storage key: to the kept version, and from it.
_WAYS: dict[str, tuple[Convert, Convert]] = {
    "/events": (lambda obj: _renamed(obj, EVENT_FIELDS), lambda obj: _renamed(obj, _EVENT_FIELDS_BACK)),
    "autoscaling/horizontalpodautoscalers": (_autoscaler_to_v2, _autoscaler_to_v1),
}
