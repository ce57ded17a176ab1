"""Unknown fields, pruning, defaulting: what happens to a custom object on its way in.

Each takes a schema and an object and gives back a value; the object that came in is never changed, and the result
shares with it what stays the same.
"""

import msgspec

from inferplane.kernel.json import Json, JsonObject
from inferplane.resources.schemas.schema import Schema

# Every object has these, whatever its schema declares.
_TYPE_META = frozenset({"apiVersion", "kind"})


def unknown_fields(schema: Schema, obj: JsonObject) -> list[str]:
    """The paths of fields that the schema doesn't declare, in the order of the object."""
    found: list[str] = []
    _unknown(schema, obj, "", found)
    return found


def _unknown(schema: Schema, value: Json, path: str, found: list[str]) -> None:
    if isinstance(value, dict):
        declared = schema.properties
        for name, child in value.items():
            below = declared.get(name) or schema.property(name)
            if below is None:
                if path or name not in _TYPE_META:
                    found.append(_join(path, name))
            elif isinstance(child, dict | list) and not below.is_anything:
                _unknown(below, child, _join(path, name), found)
    elif isinstance(value, list):
        items = schema.items
        for i, child in enumerate(value):
            if isinstance(child, dict | list):
                _unknown(items, child, f"{path}[{i}]", found)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def prune(schema: Schema, obj: JsonObject) -> JsonObject:
    """The object without the fields that the schema doesn't declare."""
    pruned = _pruned(schema, obj, top=True)
    return pruned if isinstance(pruned, dict) else obj


def _pruned(schema: Schema, value: Json, *, top: bool = False) -> Json:
    if isinstance(value, dict):
        kept: JsonObject = {}
        changed = False
        declared = schema.properties
        for name, child in value.items():
            below = declared.get(name) or schema.property(name)
            if below is None and not (top and name in _TYPE_META):
                changed = True
                continue
            after = child
            if below is not None and isinstance(child, dict | list) and not below.is_anything:
                after = _pruned(below, child)
            changed = changed or after is not child
            kept[name] = after
        return kept if changed else value
    if isinstance(value, list):
        items = [_pruned(schema.items, child) for child in value]
        return items if any(a is not b for a, b in zip(items, value, strict=True)) else value
    return value


def default(schema: Schema, obj: JsonObject) -> JsonObject:
    """The object with the schema's defaults where fields are absent.

    A null in a field that isn't nullable counts as absent (apiextensions: structural defaulting).
    """
    nulls = b"null" in msgspec.json.encode(obj)
    defaulted = _defaulted(schema, obj, nulls=nulls)
    return defaulted if isinstance(defaulted, dict) else obj


def _defaulted(schema: Schema, value: Json, *, nulls: bool) -> Json:
    """`nulls`: there may be some, so that all has to be looked at, and not only what may get a default."""
    if not (nulls or schema.defaults_below):
        return value
    if isinstance(value, dict):
        return _defaulted_object(schema, value, nulls=nulls)
    if isinstance(value, list):
        items = [_defaulted(schema.items, child, nulls=nulls) for child in value]
        return items if any(a is not b for a, b in zip(items, value, strict=True)) else value
    return value


def _defaulted_object(schema: Schema, value: JsonObject, *, nulls: bool) -> JsonObject:
    result: JsonObject = {}
    changed = False
    declared = schema.properties
    for name, child in value.items():
        below = declared.get(name) or schema.property(name)
        if child is None and below is not None and not below.nullable:
            changed = True
            continue
        after = child if below is None or not isinstance(child, dict | list) else _defaulted(below, child, nulls=nulls)
        changed = changed or after is not child
        result[name] = after
    for name, below in schema.defaulting:
        if name not in result:
            result[name] = _defaulted(below, below.document["default"], nulls=True)
            changed = True
    return result if changed else value
