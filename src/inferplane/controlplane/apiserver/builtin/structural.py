"""What makes the schema of a CRD structural, and so fit for pruning, defaults and `kubectl explain`.

The rules and words are those of apiextensions-apiserver (`pkg/apis/apiextensions/validation`, `pkg/apiserver/schema/
validation.go`): every field has a type outside of `allOf`, `anyOf`, `oneOf` and `not`; what these ask about is also
declared outside of them; and the `x-kubernetes-` extensions go together. Pure.
"""

from collections.abc import Iterator, Sequence
from enum import StrEnum

from inferplane.kernel.json import Json, JsonObject, list_at, object_at, text_at
from inferplane.resources.schemas import FieldError
from inferplane.resources.schemas.values import duplicate, forbidden, invalid, not_supported, required

_INT_OR_STRING: Json = [{"type": "integer"}, {"type": "string"}]
_TYPES: list[Json] = ["array", "boolean", "integer", "number", "object", "string"]
_SCALARS = ("boolean", "integer", "number", "string")
_UNSUPPORTED = ("definitions", "dependencies", "deprecated", "id", "$ref", "patternProperties", "additionalItems")
_KEEP, _EMBEDDED, _EITHER = (
    f"x-kubernetes-{one}" for one in ("preserve-unknown-fields", "embedded-resource", "int-or-string")
)
_LIST, _KEYS, _MAP = (f"x-kubernetes-{one}" for one in ("list-type", "list-map-keys", "map-type"))
_JUNCTORS = ("allOf", "anyOf", "oneOf")
# What a part of a junctor may not say: whether it is there is all that counts.
_NOT_NESTED = {
    **dict.fromkeys(("type", "title", "description"), "must be empty to be structural"),
    **dict.fromkeys(("default", _LIST, _MAP), "must be undefined to be structural"),
    **dict.fromkeys(("nullable", _KEEP, _EMBEDDED, _EITHER), "must be false to be structural"),
    _KEYS: "must be empty to be structural",
}


class _Level(StrEnum):
    """Where a schema stands; the value is what is said when it has no type."""

    ROOT = "must not be empty at the root"
    ITEM = "must not be empty for specified array items"
    FIELD = "must not be empty for specified object fields"


def structural_errors(schema: JsonObject, path: str) -> list[FieldError]:
    """The faults of a CRD's `openAPIV3Schema`, which is at `path`; those of single fields come before all others."""
    found = [*_supported(schema, path, root=True)]
    faults = [*_invariants(schema, path, _Level.ROOT), *_complete(schema, path)]
    return found + sorted(faults, key=str)


def _children(schema: JsonObject, path: str) -> Iterator[tuple[JsonObject, str, _Level]]:
    """Items, fields and values of a schema, each with its path."""
    for key, level in (("items", _Level.ITEM), ("additionalProperties", _Level.FIELD)):
        part = schema.get(key)
        if isinstance(part, dict):
            yield part, f"{path}.{key}", level
    for name, part in object_at(schema, "properties").items():
        if isinstance(part, dict):
            yield part, f"{path}.properties[{name}]", _Level.FIELD


def _junctions(schema: JsonObject, path: str) -> Iterator[tuple[JsonObject, str, bool]]:
    """The parts of the junctors; the last says that types are allowed in it: an `int-or-string` spelt out."""
    spelt = schema.get(_EITHER) is True and schema.get("anyOf") == _INT_OR_STRING
    for key in _JUNCTORS:
        for index, part in enumerate(list_at(schema, key)):
            if isinstance(part, dict):
                yield part, f"{path}.{key}[{index}]", spelt and key == "anyOf"
    part = schema.get("not")
    if isinstance(part, dict):
        yield part, f"{path}.not", False


# --- fields that a CRD cannot have, and extensions that do not go together --------------------------------------------


def _supported(schema: JsonObject, path: str, *, root: bool = False) -> Iterator[FieldError]:
    if root and schema.get("nullable") is True:
        yield forbidden(f"{path}.nullable", "nullable cannot be true at the root")
    for key in _UNSUPPORTED:
        if key in schema:
            yield forbidden(f"{path}.{key}", f"{key} is not supported")
    yield from _typed(schema, path)
    if schema.get("uniqueItems") is True:
        words = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        yield forbidden(f"{path}.uniqueItems", words)
    values = schema.get("additionalProperties")
    if values is False:
        yield forbidden(f"{path}.additionalProperties", "additionalProperties cannot be set to false")
    if values is not None and values is not False and object_at(schema, "properties"):
        yield forbidden(f"{path}.additionalProperties", "additionalProperties and properties are mutual exclusive")
    if isinstance(schema.get("items"), list):
        yield forbidden(f"{path}.items", "items must be a schema object and not an array")
    yield from _extensions(schema, path)
    for part, place, _ in _children(schema, path):
        yield from _supported(part, place)
    for part, place, _ in _junctions(schema, path):
        yield from _supported(part, place)


def _typed(schema: JsonObject, path: str) -> Iterator[FieldError]:
    given = schema.get("type")
    if given == "null":
        yield forbidden(f"{path}.type", "type cannot be set to null, use nullable as an alternative")
    elif given not in (None, "") and given not in _TYPES:
        yield not_supported(f"{path}.type", given, _TYPES)


def _extensions(schema: JsonObject, path: str) -> Iterator[FieldError]:
    if schema.get(_KEEP) is False:
        yield invalid(f"{path}.{_KEEP}", False, "must be true or undefined")
    for key, type_, choices in ((_MAP, "object", ["atomic", "granular"]), (_LIST, "array", ["atomic", "map", "set"])):
        value = schema.get(key)
        if value is None:
            continue
        yield from _must_be(schema, path, type_, f"must be {type_} if {key} is specified")
        if value not in choices:
            yield not_supported(f"{path}.{key}", value, [*choices])
    yield from _keyed(schema, path)
    items = object_at(schema, "items")
    if schema.get(_LIST) == "set" and text_at(items, "type") == "object" and items.get(_MAP) != "atomic":
        words = f"must be atomic as item of a list with {_LIST}=set"
        yield forbidden(f"{path}.items.{_MAP}", words)


def _must_be(schema: JsonObject, path: str, type_: str, words: str) -> Iterator[FieldError]:
    given = text_at(schema, "type")
    if not given:
        yield required(f"{path}.type", words)
    elif given != type_:
        yield invalid(f"{path}.type", given, words)


def _keyed(schema: JsonObject, path: str) -> Iterator[FieldError]:
    """A list whose items are found by some of their fields."""
    keys, kind = list_at(schema, _KEYS), schema.get(_LIST)
    if keys and kind != "map":
        words = f"must be map if {_KEYS} is non-empty"
        yield required(f"{path}.{_LIST}", words) if kind is None else invalid(f"{path}.{_LIST}", kind, words)
    if kind != "map":
        return
    if not keys:
        yield required(f"{path}.{_KEYS}", f"must not be empty if {_LIST} is map")
    items = schema.get("items")
    if not isinstance(items, dict):
        yield required(f"{path}.items", f"must have a schema if {_LIST} is map")
        return
    if text_at(items, "type") != "object":
        words = f"must be object if parent array's {_LIST} is map"
        yield invalid(f"{path}.items.type", text_at(items, "type"), words)
    yield from _keys(keys, items, path)


def _keys(keys: Sequence[Json], items: JsonObject, path: str) -> Iterator[FieldError]:
    fields = object_at(items, "properties")
    for index, key in enumerate(keys):
        name, field = str(key), fields.get(str(key))
        if key in keys[:index]:
            yield duplicate(f"{path}.{_KEYS}[{index}]", key)
        elif not isinstance(field, dict):
            yield invalid(f"{path}.{_KEYS}[{index}]", key, "entries must all be names of item properties")
        elif text_at(field, "type") not in _SCALARS:
            words = f"must be a scalar type if parent array's {_LIST} is map"
            yield invalid(f"{path}.items.properties[{name}].type", text_at(field, "type"), words)
        elif name not in list_at(items, "required") and "default" not in field:
            words = f"this property is in {_KEYS}, so it must have a default or be a required property"
            yield required(f"{path}.items.properties[{name}].default", words)


# --- types ------------------------------------------------------------------------------------------------------------


def _invariants(schema: JsonObject, path: str, level: _Level) -> Iterator[FieldError]:
    type_, either = text_at(schema, "type"), schema.get(_EITHER) is True
    if type_ == "array" and "items" not in schema:
        yield required(f"{path}.items", "must be specified")
    if level is _Level.ROOT and "additionalProperties" in schema:
        yield forbidden(f"{path}.additionalProperties", "must not be used at the root")
    for key in (_KEEP, _EMBEDDED):
        if either and schema.get(key) is True:
            yield invalid(f"{path}.{key}", True, f"must be false if {_EITHER} is true")
    if schema.get(_EMBEDDED) is True:
        yield from _embedded(schema, path)
    elif not type_ and not either and schema.get(_KEEP) is not True:
        yield required(f"{path}.type", level.value)
    if level is _Level.ROOT or schema.get(_EMBEDDED) is True:
        yield from _of_objects(schema, path)
    for part, place, below in _children(schema, path):
        yield from _invariants(part, place, below)
    for part, place, typed in _junctions(schema, path):
        yield from _nested(part, place, typed=typed, first=either and place == f"{path}.allOf[0]")


def _embedded(schema: JsonObject, path: str) -> Iterator[FieldError]:
    yield from _must_be(schema, path, "object", f"must be object if {_EMBEDDED} is true")
    if schema.get(_KEEP) is not True and not object_at(schema, "properties"):
        yield required(f"{path}.properties", f"must not be empty if {_EMBEDDED} is true without {_KEEP}")


def _of_objects(schema: JsonObject, path: str) -> Iterator[FieldError]:
    """Fields that every object has are known; a schema may narrow the name of one, no more."""
    fields = object_at(schema, "properties")
    for name, type_ in (("kind", "string"), ("apiVersion", "string"), ("metadata", "object")):
        field = fields.get(name)
        if isinstance(field, dict) and text_at(field, "type") != type_:
            yield invalid(f"{path}.properties[{name}].type", text_at(field, "type"), f"must be {type_}")
    if set(object_at(fields, "metadata", "properties")) - {"name", "generateName"}:
        words = "must not specify anything other than name and generateName, but metadata is implicitly specified"
        yield forbidden(f"{path}.properties[metadata]", words)


def _nested(part: JsonObject, path: str, *, typed: bool = False, first: bool = False) -> Iterator[FieldError]:
    """Within a junctor: only what narrows values. An `int-or-string` may be spelt out there: it is what is `typed`, or
    it is in the `first` of all conditions."""
    for key, words in _NOT_NESTED.items():
        if part.get(key) not in (None, "", [], False) and not (typed and key == "type"):
            yield forbidden(f"{path}.{key}", words)
    if "metadata" in object_at(part, "properties"):
        yield forbidden(f"{path}.properties[metadata]", "must not be specified in a nested context")
    for below, place, _ in _children(part, path):
        yield from _nested(below, place)
    spelt = first and part.get("anyOf") == _INT_OR_STRING
    for below, place, _ in _junctions(part, path):
        yield from _nested(below, place, typed=spelt and place.startswith(f"{path}.anyOf"))


# --- what junctors ask about is declared ------------------------------------------------------------------------------


def _complete(schema: JsonObject, path: str) -> Iterator[FieldError]:
    for part, place, _ in _junctions(schema, path):
        yield from _declared(part, place, schema, path)
    for below, place, _ in _children(schema, path):
        yield from _complete(below, place)


def _declared(part: JsonObject, place: str, schema: JsonObject, path: str) -> Iterator[FieldError]:
    """`schema` at `path` is what declares; `part` at `place` is what asks."""
    for below, asked, _ in _junctions(part, place):
        yield from _declared(below, asked, schema, path)
    for below, asked, _ in _children(part, place):
        key = asked.removeprefix(place)
        beside = _at(schema, key)
        if beside is None:
            yield required(f"{path}{key}", f"because it is defined in {asked}")
        else:
            yield from _declared(below, asked, beside, f"{path}{key}")


def _at(schema: JsonObject, key: str) -> JsonObject | None:
    found = {place: part for part, place, _ in _children(schema, "")}
    return found.get(key)
