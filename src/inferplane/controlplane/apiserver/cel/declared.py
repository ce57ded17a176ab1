"""The types that rules see, from a structural schema: what has fields, what is counted, how large it can get.

A part of a schema that says nothing of its type (unknown fields kept, a list without items) is not seen by rules.
Sizes are worst cases within one request; the cost of a rule is estimated with them. Figures: Kubernetes'
`apiserver/pkg/cel/limits.go`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import TypeAlias

from inferplane.kernel.json import Json, JsonObject, list_at, number_at, object_at, text_at

LARGEST_REQUEST = 3 * 1024 * 1024
_TIME_SIZE, _DURATION_SIZE, _DATE_SIZE = 32, 32, 12
_SMALLEST_TIME, _SMALLEST_DURATION = 21, 3
_ACCESSIBLE = re.compile(r"[a-zA-Z_.\-/][a-zA-Z0-9_.\-/]*")
_RESERVED = frozenset(
    [
        "true",
        "false",
        "null",
        "in",
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
        "while",
    ]
)


class Sort(StrEnum):
    OBJECT = "object"
    LIST = "list"
    MAP = "map"
    STRING = "string"
    BYTES = "bytes"
    INT = "int"
    DOUBLE = "double"
    BOOL = "bool"
    TIMESTAMP = "timestamp"
    DURATION = "duration"
    DYN = "dyn"


Named: TypeAlias = "frozenset[str] | None"


@dataclass(frozen=True, slots=True, eq=False)
class Declared:
    """One type. `most` is the largest size of a value, `least` the smallest number of bytes of one in JSON.

    `fields` are by their name in rules; `element` is the type of items, or of the values of a map.
    """

    sort: Sort
    most: int = 0
    least: int = 0
    fields: Mapping[str, "Declared"] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    element: "Declared | None" = None


_TEXT = Declared(Sort.STRING, LARGEST_REQUEST - 2, 2)
_METADATA = Declared(
    Sort.OBJECT, 0, 2, {"name": _TEXT, "generateName": _TEXT}, {"name": "name", "generateName": "generateName"}
)


def declare(schema: JsonObject, *, root: bool = False, named: Named = None) -> Declared | None:
    """The type of a part of a schema; None when rules can't see it. `root`: a whole object with type and metadata.

    `named` are the only fields that matter, since no rule names others: most of an InferenceService are such.
    """
    if schema.get("x-kubernetes-int-or-string") is True:
        return Declared(Sort.DYN, _longest(schema), 1)
    match schema.get("type"):
        case "object":
            if isinstance(schema.get("additionalProperties"), dict):
                return _map(schema, named)
            return _object(schema, root, named)
        case "array":
            return _list(schema, named)
        case "string":
            return _string(schema)
        case "integer":
            return Declared(Sort.INT, 0, 1)
        case "number":
            return Declared(Sort.DOUBLE, 0, 1)
        case "boolean":
            return Declared(Sort.BOOL, 0, 4)
        case _:
            return None


def _list(schema: JsonObject, named: Named) -> Declared | None:
    items = object_at(schema, "items")
    element = declare(items, root=_embedded(items), named=named)
    if element is None:
        return None
    most = max(number_at(schema, "maxItems"), 0) if "maxItems" in schema else _fitting(element.least + 1)
    return Declared(Sort.LIST, most, 2, element=element)


def _map(schema: JsonObject, named: Named) -> Declared | None:
    values = object_at(schema, "additionalProperties")
    element = declare(values, root=_embedded(values), named=named)
    if element is None:
        return None
    most = max(number_at(schema, "maxProperties"), 0) if "maxProperties" in schema else _fitting(element.least + 6)
    return Declared(Sort.MAP, most, 2, element=element)


def _embedded(schema: JsonObject) -> bool:
    return schema.get("x-kubernetes-embedded-resource") is True


def _fitting(size: int) -> int:
    return (LARGEST_REQUEST - 2) // size


def _object(schema: JsonObject, root: bool, named: Named) -> Declared:
    required = {str(one) for one in list_at(schema, "required")}
    fields: dict[str, Declared] = {}
    names: dict[str, str] = {}
    least = 2
    for name, part in object_at(schema, "properties").items():
        escaped, needed = escape(name), name in required
        shown = bool(escaped) and (named is None or escaped in named)
        if not isinstance(part, dict) or not (shown or needed):
            continue
        below = declare(part, root=_embedded(part), named=named)
        if below is None:
            continue
        if shown:
            fields[escaped], names[escaped] = below, name
        if needed and "default" not in part:
            least += len(name) + below.least + 4
    if root:
        fields |= {"apiVersion": _TEXT, "kind": _TEXT, "metadata": _METADATA}
        names |= {name: name for name in ("apiVersion", "kind", "metadata")}
    return Declared(Sort.OBJECT, 0, least, fields, names)


def _string(schema: JsonObject) -> Declared:
    match text_at(schema, "format"):
        case "byte":
            return Declared(Sort.BYTES, number_at(schema, "maxLength") if "maxLength" in schema else _TEXT.most, 2)
        case "duration":
            return Declared(Sort.DURATION, _DURATION_SIZE, _SMALLEST_DURATION)
        case "date":
            return Declared(Sort.TIMESTAMP, _DATE_SIZE, _DATE_SIZE)
        case "date-time":
            return Declared(Sort.TIMESTAMP, _TIME_SIZE, _SMALLEST_TIME)
        case _:
            return Declared(Sort.STRING, _longest(schema), 2)


def _longest(schema: JsonObject) -> int:
    """In bytes: `maxLength` counts characters, of up to four bytes each."""
    if "maxLength" in schema:
        return max(number_at(schema, "maxLength"), 0) * 4
    values: list[Json] = list_at(schema, "enum")
    if values and "x-kubernetes-int-or-string" not in schema:
        return max(len(one.encode()) if isinstance(one, str) else 0 for one in values)
    return LARGEST_REQUEST - 2


@lru_cache(maxsize=4096)
def escape(name: str) -> str:
    """A field's name as rules write it (`my-field` → `my__dash__field`); "" when they can't."""
    if name in _RESERVED:
        return f"__{name}__"
    if not _ACCESSIBLE.fullmatch(name):
        return ""
    for sign, word in (("__", "__underscores__"), (".", "__dot__"), ("-", "__dash__"), ("/", "__slash__")):
        name = name.replace(sign, word)
    return name
