"""Whether an object of a built-in kind can be decoded: does each value have the JSON type that its field takes.

Built-in kinds aren't held against `required`, ranges or enums when they are decoded; `controlplane.apiserver.builtin`
has their rules. Null is taken everywhere: it is the same as leaving the field out.
"""

from inferplane.kernel.json import Json, JsonObject
from inferplane.resources.schemas.schema import Schema
from inferplane.resources.schemas.values import FieldError, mistyped, type_name


def type_errors(schema: Schema, obj: JsonObject) -> list[FieldError]:
    """The values whose type doesn't fit, each with its path."""
    found: list[FieldError] = []
    _walk(schema, obj, "", found)
    return found


def _walk(schema: Schema, value: Json, path: str, found: list[FieldError]) -> None:
    if value is None:
        return
    wanted = schema.type
    actual = type_name(value)
    if wanted and wanted != actual and not (wanted == "number" and actual == "integer"):
        if not (schema.int_or_string and actual in ("integer", "string")):
            found.append(mistyped(path, actual, f"cannot decode {actual} into a field of type {wanted}"))
        return
    if schema.is_choice and actual in ("object", "array", "boolean"):
        found.append(mistyped(path, actual, f"cannot decode {actual} into a field of type number or string"))
    elif isinstance(value, dict):
        for name, child in value.items():
            below = schema.property(name)
            if below is not None:
                _walk(below, child, f"{path}.{name}" if path else name, found)
    elif isinstance(value, list):
        items = schema.items
        for i, child in enumerate(value):
            _walk(items, child, f"{path}[{i}]", found)
