"""What an object of a built-in kind looks like after a decode and an encode by Go types, as a real server stores it.

Gone are nulls, unknown fields, empty lists and maps, and zero values of fields that are no pointers; quantities are
written canonically. What the result shares with the original is free content (a CRD's `default`), so defaults may be
filled in place.
"""

from inferplane.controlplane.apiserver import objects
from inferplane.kernel.json import Json, JsonObject
from inferplane.resources.schemas import Schema
from inferplane.resources.schemas.quantities import canonical

# Strings where "" is a value (pointers in Go, or fields that are always written).
_TEXT_POINTERS = frozenset(
    {
        "appProtocol", "holderIdentity", "hostname", "ingressClassName", "loadBalancerClass", "message", "nodeName",
        "reason", "runtimeClassName", "storageClassName", "type", "volumeAttributesClassName", "zone",
    }
)  # fmt: skip
# Booleans and numbers whose zero is the same as absent (no pointers in Go).
_PLAIN = frozenset(
    {
        "availableReplicas", "containerPort", "failureThreshold", "fullyLabeledReplicas",
        "healthCheckNodePort", "hostIPC", "hostNetwork", "hostPID", "hostPort", "initialDelaySeconds",
        "minReadySeconds", "nodePort", "observedGeneration", "paused", "periodSeconds", "publishNotReadyAddresses",
        "readOnly", "readyReplicas", "stdin", "stdinOnce", "successThreshold", "timeoutSeconds", "tty",
        "unavailableReplicas", "unschedulable", "updatedReplicas",
    }
)  # fmt: skip
# Lists that are written as null rather than left out.
_ALWAYS_WRITTEN = frozenset({"endpoints"})


def encoded(schema: Schema, obj: JsonObject, old: JsonObject | None = None) -> JsonObject:
    """`obj` as it would be stored, defaults aside. What are parts of `old`, the stored state, stays as it is."""
    if old is None:
        return _object(schema, obj)
    parts = objects.changed_parts(old, obj)
    return objects.with_parts(obj, parts, _object(schema, parts))


def _object(schema: Schema, value: JsonObject) -> JsonObject:
    result: JsonObject = {}
    declared = schema.properties
    for name, child in value.items():
        below = declared.get(name)
        if below is None:
            other = schema.property(name)
            if other is not None:
                result[name] = _value(other, child)
            continue
        if isinstance(child, str) and child and below.form != "quantity":
            result[name] = child
            continue
        if child is None or child == []:
            if name in _ALWAYS_WRITTEN and not schema.is_anything and below.type == "array":
                result[name] = None
            continue
        written = _value(below, child)
        if not _left_out(name, below, written, required=name in schema.required):
            result[name] = written
    return result


def _value(schema: Schema, value: Json) -> Json:
    if schema.is_anything:
        return value
    if isinstance(value, dict):
        return _object(schema, value)
    if isinstance(value, list):
        items = schema.items
        return [_value(items, one) for one in value]
    if schema.form == "quantity":
        return canonical(str(value))
    return value


def _left_out(name: str, schema: Schema, value: Json, *, required: bool) -> bool:
    if value == "":
        return schema.type == "string" and not required and name not in _TEXT_POINTERS
    if value == {}:
        return schema.additional is not None and not schema.properties
    return value in (0, False) and name in _PLAIN and not isinstance(value, dict | list)
