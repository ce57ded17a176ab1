"""Structural schemas (apiextensions v1) from our types, with Kubernetes' own definitions put in place.

A View goes in, the JSON of an `openAPIV3Schema` comes out: descriptions from docstrings and `Meta`, bounds, patterns
and enumerations as the types say them, the pod and container fields that a View inlines (`INLINES`) taken from
`resources.schemas`. What a CRD may not say (`$ref`, `oneOf`, patch strategies) is translated or left out.
"""

import re
from collections.abc import Mapping
from inspect import getdoc
from typing import Final, cast

from msgspec import inspect

from inferplane.kernel.json import Json, JsonObject
from inferplane.resources.meta import View
from inferplane.resources.schemas import models

ANYTHING: Final[JsonObject] = {"x-kubernetes-preserve-unknown-fields": True}
INT_OR_STRING: Final[JsonObject] = {"x-kubernetes-int-or-string": True}

_KEPT = (
    "type",
    "format",
    "enum",
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-map-type",
)
_SENTENCE = re.compile(r"(?<=[a-z)`\"]\.)\s")
_BOUNDS = {
    "ge": "minimum",
    "le": "maximum",
    "min_length": "minLength",
    "max_length": "maxLength",
    "pattern": "pattern",
}


def of(view: type[View], *, words: int = 3) -> JsonObject:
    """`words`: how many levels of a built-in definition are described near the root; further down it is two."""
    return _Schemas(words).of_view(view)


class _Schemas:
    def __init__(self, words: int) -> None:
        self._words = words

    def of_view(self, view: type[View], depth: int = 0) -> JsonObject:
        info = inspect.type_info(view)
        assert isinstance(info, inspect.StructType)
        properties: JsonObject = {}
        if definition := getattr(view, "INLINES", None):
            properties |= _inlined(definition, words=max(2, self._words - depth + 1))
        properties |= {one.encode_name: self._of(one.type, depth) for one in info.fields}
        schema: JsonObject = {"type": "object", "description": _first_paragraph(view), "properties": properties}
        required: list[Json] = [one.encode_name for one in info.fields if one.required]
        return schema | {"required": required} if required else schema

    def _of(self, found: inspect.Type, depth: int) -> JsonObject:
        match found:
            case inspect.Metadata(type=inner, extra_json_schema=extra):
                return self._with(extra or {}, inner, depth)
            case inspect.UnionType(types=types):
                return self._of_union(types, depth)
            case inspect.StructType(cls=view):
                return self.of_view(cast("type[View]", view), depth + 1)
            case inspect.ListType(item_type=item, min_length=fewest):
                items: JsonObject = {"type": "array", "items": self._of(item, depth)}
                return items | {"minItems": fewest} if fewest else items
            case inspect.DictType(value_type=value):
                return {"type": "object", "additionalProperties": self._of(value, depth)}
            case inspect.EnumType(cls=words):
                return {"type": "string", "enum": [one.value for one in words]}
            case inspect.LiteralType(values=values):
                return {"type": "string", "enum": [*values]}
            case _:
                return _of_scalar(found)

    def _with(self, extra: Mapping[str, object], inner: inspect.Type, depth: int) -> JsonObject:
        said = cast(JsonObject, {key: value for key, value in extra.items() if key != "definition"})
        definition = extra.get("definition")
        if isinstance(definition, str):
            return built_in(definition, words=max(1, self._words - depth - 1)) | said
        if said.get("x-kubernetes-int-or-string"):
            return said
        return self._of(inner, depth) | said

    def _of_union(self, types: tuple[inspect.Type, ...], depth: int) -> JsonObject:
        present = [one for one in types if not isinstance(one, inspect.NoneType)]
        if len(present) == 1:
            return self._of(present[0], depth)
        return dict(INT_OR_STRING)


def _of_scalar(found: inspect.Type) -> JsonObject:
    bounds: JsonObject = {
        word: getattr(found, name) for name, word in _BOUNDS.items() if getattr(found, name, None) is not None
    }
    match found:
        case inspect.StrType():
            return {"type": "string"} | bounds
        case inspect.IntType():
            return {"type": "integer"} | bounds
        case inspect.BoolType():
            return {"type": "boolean"}
        case inspect.FloatType():
            return {"type": "number"} | bounds
        case _:
            return dict(ANYTHING)


def _first_paragraph(view: type[View]) -> str:
    # msgspec gives structs without a docstring none of their base's; `getdoc` would look at the bases.
    text = getdoc(view) if "__doc__" in vars(view) and view.__doc__ else ""
    return " ".join((text or view.__name__).split("\n\n")[0].split())


def _inlined(definition: str, *, words: int) -> JsonObject:
    """The fields alone: nothing is required, and a container may go unnamed (the first one gets its name later)."""
    found = built_in(definition, words=words)["properties"]
    assert isinstance(found, dict)
    containers = found.get("containers")
    if isinstance(containers, dict) and isinstance(items := containers.get("items"), dict):
        items.pop("required", None)
        _complete_map(containers)
    return found


# --- Kubernetes' own definitions --------------------------------------------------------------------------------------


def built_in(name: str, *, words: int) -> JsonObject:
    """The definition as a structural schema; descriptions on its first `words` levels."""
    return _structural(models().document(name), words)


def _structural(document: JsonObject, words: int) -> JsonObject:
    reference = document.get("$ref")
    if isinstance(reference, str):
        document = models().document(reference.rpartition("/")[2]) | document
    if "oneOf" in document:
        return _described(dict(INT_OR_STRING), document, words)
    schema = {key: document[key] for key in _KEPT if key in document}
    properties = document.get("properties")
    if isinstance(properties, dict):
        schema["properties"] = {
            name: _structural(one, words - 1) for name, one in properties.items() if isinstance(one, dict)
        }
        if "required" in document:
            schema["required"] = document["required"]
    for key in ("items", "additionalProperties"):
        inner = document.get(key)
        if isinstance(inner, dict):
            schema[key] = _structural(inner, words)
    _complete_map(schema)
    return _described(schema, document, words)


def _described(schema: JsonObject, document: JsonObject, words: int) -> JsonObject:
    """With the first sentence alone: Kubernetes' own words in full would be two thirds of a CRD."""
    description = document.get("description")
    if words <= 0 or not isinstance(description, str) or not description:
        return schema
    return schema | {"description": _SENTENCE.split(description, maxsplit=1)[0]}


def _complete_map(schema: JsonObject) -> None:
    """The keys of a list that is a map must be required or have a default (a rule of apiextensions)."""
    items = schema.get("items")
    if schema.get("x-kubernetes-list-type") != "map" or not isinstance(items, dict):
        return
    required, properties = items.get("required"), items.get("properties")
    keys = schema.get("x-kubernetes-list-map-keys")
    assert isinstance(properties, dict)
    assert isinstance(keys, list)
    for key in keys:
        field = properties.get(str(key))
        if isinstance(field, dict) and not (isinstance(required, list) and key in required):
            field["default"] = "TCP" if key == "protocol" else ""
