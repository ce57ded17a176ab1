"""HorizontalPodAutoscalers: bounds, target, metrics and behavior (`pkg/apis/autoscaling/validation`)."""

from collections.abc import Iterator

from inferplane.kernel.json import Json, JsonObject, list_at, object_at, text_at
from inferplane.resources.schemas import FieldError
from inferplane.resources.schemas.quantities import amount, is_quantity
from inferplane.resources.schemas.values import forbidden, invalid, not_supported, required

_LONGEST_WINDOW, _LONGEST_PERIOD = 3600, 1800
_SOURCES: dict[str, str] = {
    "ContainerResource": "containerResource",
    "External": "external",
    "Object": "object",
    "Pods": "pods",
    "Resource": "resource",
}
_TARGETS = ("Utilization", "Value", "AverageValue")
_NO_TARGET = "must set either a target raw value or a target utilization"
_TWO_TARGETS = "may not set both a target raw value and a target utilization"


def autoscaler_errors(obj: JsonObject) -> list[FieldError]:
    spec = object_at(obj, "spec")
    return [*_bounds(spec), *_reference(spec), *_metrics(spec), *_behavior(object_at(spec, "behavior"))]


def _bounds(spec: JsonObject) -> Iterator[FieldError]:
    least, most = spec.get("minReplicas"), spec.get("maxReplicas", 0)
    if isinstance(least, int) and least < 1:
        yield invalid("spec.minReplicas", least, "must be greater than or equal to 1")
    if not isinstance(most, int) or most < 1:
        yield invalid("spec.maxReplicas", most, "must be greater than 0")
    if isinstance(least, int) and isinstance(most, int) and most < least:
        yield invalid("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`")


def _reference(spec: JsonObject) -> Iterator[FieldError]:
    for key in ("kind", "name"):
        if not text_at(spec, "scaleTargetRef", key):
            yield required(f"spec.scaleTargetRef.{key}")


# --- metrics ----------------------------------------------------------------------------------------------------------


def _metrics(spec: JsonObject) -> Iterator[FieldError]:
    for index, one in enumerate(list_at(spec, "metrics")):
        if isinstance(one, dict):
            yield from _metric(one, f"spec.metrics[{index}]")


def _metric(metric: JsonObject, path: str) -> Iterator[FieldError]:
    kind = text_at(metric, "type")
    if not kind:
        yield required(f"{path}.type", "must specify a metric source type")
    elif kind not in _SOURCES:
        yield not_supported(f"{path}.type", kind, [*_SOURCES])
    present = [field for field in _SOURCES.values() if isinstance(metric.get(field), dict)]
    for field in present:
        if field in ("resource", "containerResource"):
            yield from _resource(object_at(metric, field), f"{path}.{field}", of_container=field == "containerResource")
    expected = _SOURCES.get(kind, "")
    if expected and expected not in present:
        yield required(f"{path}.{expected}", "must populate information for the given metric source")
    if len(present) != 1:
        for field in present:
            if field != expected:
                yield forbidden(f"{path}.{field}", "must populate the given metric source only")


def _resource(source: JsonObject, path: str, *, of_container: bool) -> Iterator[FieldError]:
    if not text_at(source, "name"):
        yield required(f"{path}.name", "must specify a resource name")
    if of_container and not text_at(source, "container"):
        yield required(f"{path}.container", "must specify a container")
    target = object_at(source, "target")
    yield from _target(target, f"{path}.target")
    has_percent, has_value = target.get("averageUtilization") is not None, target.get("averageValue") is not None
    if not has_percent and not has_value:
        yield required(f"{path}.target.averageUtilization", _NO_TARGET)
    if has_percent and has_value:
        yield forbidden(f"{path}.target.averageValue", _TWO_TARGETS)


def _target(target: JsonObject, path: str) -> Iterator[FieldError]:
    kind = text_at(target, "type")
    if not kind:
        yield required(f"{path}.type", "must specify a metric target type")
    elif kind not in _TARGETS:
        yield invalid(f"{path}.type", kind, "must be either Utilization, Value, or AverageValue")
    for key in ("value", "averageValue"):
        value = target.get(key)
        if is_quantity(value) and amount(str(value)) <= 0:
            yield invalid(f"{path}.{key}", value, "must be positive")
    percent = target.get("averageUtilization")
    if isinstance(percent, int) and percent < 1:
        yield invalid(f"{path}.averageUtilization", percent, "must be greater than 0")


# --- behavior ---------------------------------------------------------------------------------------------------------


def _behavior(behavior: JsonObject) -> Iterator[FieldError]:
    for way in ("scaleUp", "scaleDown"):
        if isinstance(behavior.get(way), dict):
            yield from _rules(object_at(behavior, way), f"spec.behavior.{way}")


def _rules(rules: JsonObject, path: str) -> Iterator[FieldError]:
    yield from _seconds(
        rules.get("stabilizationWindowSeconds"), f"{path}.stabilizationWindowSeconds", 0, _LONGEST_WINDOW
    )
    select = rules.get("selectPolicy")
    if select is not None and select not in ("Disabled", "Max", "Min"):
        yield not_supported(f"{path}.selectPolicy", select, ["Disabled", "Max", "Min"])
    policies = list_at(rules, "policies")
    if not policies:
        yield required(f"{path}.policies", "must specify at least one Policy")
    for index, one in enumerate(policies):
        if isinstance(one, dict):
            yield from _policy(one, f"{path}.policies[{index}]")
    tolerance = rules.get("tolerance")
    if is_quantity(tolerance) and amount(str(tolerance)) < 0:
        yield invalid(f"{path}.tolerance", tolerance, "must be greater or equal to 0")


def _policy(policy: JsonObject, path: str) -> Iterator[FieldError]:
    kind, value = policy.get("type"), policy.get("value")
    if kind not in ("Percent", "Pods"):
        yield not_supported(f"{path}.type", kind, ["Percent", "Pods"])
    if isinstance(value, int) and value <= 0:
        yield invalid(f"{path}.value", value, "must be greater than zero")
    yield from _seconds(policy.get("periodSeconds"), f"{path}.periodSeconds", 1, _LONGEST_PERIOD)


def _seconds(value: Json, path: str, least: int, most: int) -> Iterator[FieldError]:
    if not isinstance(value, int):
        return
    if value < least:
        yield invalid(path, value, "must be greater than zero" if least else "must be greater than or equal to zero")
    if value > most:
        yield invalid(path, value, f"must be less than or equal to {most}")
