"""What the schemas say about a kind, built in or custom, through one set of functions. Pure."""

from dataclasses import replace

from inferplane.controlplane.apiserver import builtin
from inferplane.controlplane.apiserver.conversions import from_storage, to_storage
from inferplane.controlplane.apiserver.kinds import Kind
from inferplane.kernel.json import JsonObject
from inferplane.resources import schemas
from inferplane.resources.schemas import FieldError, Schema

_MISSHAPEN = frozenset(
    ["FieldValueNotSupported", "FieldValueRequired", "FieldValueTooLong", "FieldValueTooMany", "FieldValueTypeInvalid"]
)
_UNCHECKED = FieldError(
    "<nil>",
    "FieldValueInvalid",
    "Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing "
    "errors to complete validation",
)


def schema_of(kind: Kind) -> Schema:
    if kind.definition is not None:
        return kind.definition.schema
    return schemas.builtin(kind.resource.api_version, kind.resource.kind)


def unknown_fields(kind: Kind, obj: JsonObject) -> list[str]:
    return schemas.unknown_fields(schema_of(kind), obj)


def decoding_errors(kind: Kind, obj: JsonObject) -> list[FieldError]:
    """Values that a built-in kind's fields can't hold at all. Custom kinds find them when they validate."""
    return [] if kind.custom else schemas.type_errors(schema_of(kind), obj)


def pruned(kind: Kind, obj: JsonObject) -> JsonObject:
    return schemas.prune(schema_of(kind), obj)


def defaulted(kind: Kind, obj: JsonObject, old: JsonObject | None = None) -> JsonObject:
    """`old`: the stored state, with which it may share parts."""
    if kind.definition is not None:
        return schemas.default(kind.definition.schema, obj)
    # Defaults and rules are those of the version that is kept; the others are the same object in other words.
    before = None if old is None else to_storage(kind, old)
    return from_storage(kind, builtin.default_object(kind.storage, to_storage(kind, obj), before))


def creation_errors(kind: Kind, obj: JsonObject) -> list[FieldError]:
    found = builtin.validate_create(kind.storage, to_storage(kind, obj))
    if kind.custom:
        found = _with_rules(kind, found + schemas.validate(schema_of(kind), obj), obj, None)
    return found


def update_errors(kind: Kind, old: JsonObject, new: JsonObject, subresource: str = "") -> list[FieldError]:
    found = builtin.validate_update(kind.storage, to_storage(kind, old), to_storage(kind, new))
    if not kind.custom:
        return found
    if subresource == "status":
        found += _status_errors(kind, new, old)
    else:
        found += schemas.validate(schema_of(kind), new, old)
    return _with_rules(kind, found, new, old)


def _with_rules(kind: Kind, found: list[FieldError], new: JsonObject, old: JsonObject | None) -> list[FieldError]:
    """And what the kind's own rules say, which are only asked about an object of the right shape."""
    validations = kind.definition.rules if kind.definition is not None else None
    if validations is None:
        return found
    if any(one.reason in _MISSHAPEN for one in found):
        return [*found, _UNCHECKED]
    return found + validations.violations(new, old)


def _status_errors(kind: Kind, obj: JsonObject, old: JsonObject) -> list[FieldError]:
    """The status path holds nothing but the status against its own part of the schema, as a real server does."""
    part, status = schema_of(kind).property("status"), obj.get("status")
    if part is None or not isinstance(status, dict):
        return schemas.validate(schema_of(kind), obj, old)
    before = old.get("status")
    found = schemas.validate(part, status, before if isinstance(before, dict) else None)
    return [replace(error, path=f"status.{error.path}") for error in found]
