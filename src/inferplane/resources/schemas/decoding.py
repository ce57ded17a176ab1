"""Whether an object of a built-in kind can be decoded: does each value have the JSON type that its field takes.

Built-in kinds aren't held against `required`, ranges or enums when they are decoded; `controlplane.apiserver.builtin`
has their rules. Null is taken everywhere: it is the same as leaving the field out.
"""

import re

from inferplane.kernel.json import Json, JsonObject
from inferplane.resources.schemas.formats import FORMATS
from inferplane.resources.schemas.quantities import is_quantity
from inferplane.resources.schemas.schema import Schema
from inferplane.resources.schemas.values import FieldError, mistyped, type_name

_MICROTIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d\.\d{6}([Zz]|[+-]\d\d:\d\d)")


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
    elif schema.is_scalar:
        fault = _notation_fault(schema, value)
        if fault:
            found.append(mistyped(path, actual, fault))
    elif isinstance(value, dict):
        declared = schema.properties
        for name, child in value.items():
            below = declared.get(name) or schema.property(name)
            if below is None or below.is_anything or (below.is_plain_text and isinstance(child, str)):
                continue
            _walk(below, child, f"{path}.{name}" if path else name, found)
    elif isinstance(value, list):
        items = schema.items
        for i, child in enumerate(value):
            _walk(items, child, f"{path}[{i}]", found)


def _notation_fault(schema: Schema, value: Json) -> str:
    """What is wrong with the notation of a plain value: quantities, times and bytes are decoded, not kept as text."""
    if schema.form == "quantity":
        return "" if is_quantity(value) else "cannot decode into a quantity: expected a number with a suffix like 1Gi"
    if not isinstance(value, str):
        return ""
    if schema.form == "microtime":
        return "" if _MICROTIME.fullmatch(value) else "cannot decode into a time with six digits of a second"
    name = schema.document.get("format")
    if name in ("byte", "date-time") and not FORMATS[str(name)](value):
        return f"cannot decode into {name}"
    return ""
