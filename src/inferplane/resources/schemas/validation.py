"""Whether a custom object fits its structural schema, in the words of a real API server.

CEL rules (`x-kubernetes-validations`) are not evaluated here: they are a pass of their own over an object that already
fits its types.

An update is only held to what it changes (Kubernetes 1.30 and later, "ratcheting"): a value that is as it was stays,
however wrong, so that a schema that became stricter stops nobody from changing something else. Items of a list are the
same ones only by their keys (`x-kubernetes-list-type: map`); all other lists are changed or unchanged as a whole.
"""

from enum import Enum
from typing import Final

import msgspec

from inferplane.kernel.json import Json, JsonObject
from inferplane.resources.schemas.schema import Schema
from inferplane.resources.schemas.values import FieldError, duplicate, mistyped, printed, required, type_name


class _No(Enum):
    """No value to compare with: there was none, or it cannot be told which it was."""

    VALUE = 0


_NO: Final = _No.VALUE
_Was = Json | _No


def validate(schema: Schema, obj: JsonObject, old: JsonObject | None = None) -> list[FieldError]:
    """All faults, those of lists that hold an item twice last. An object that fits gives an empty list.

    `old`: the object that this one takes the place of.
    """
    found: list[FieldError] = []
    repeated: list[FieldError] = []
    _check(schema, obj, "", found, repeated, _NO if old is None else old)
    return found + repeated


def _check(
    schema: Schema, value: Json, path: str, found: list[FieldError], repeated: list[FieldError], was: _Was = _NO
) -> None:
    if (value is None and schema.nullable) or (was is not _NO and _same(value, was)):
        return
    _check_type(schema, value, path, found)
    for word, parts in schema.junctors:
        _check_junctor(word, parts, value, path, found)
    if schema.is_checked:
        found += schema.checks.find(value, path)
    if isinstance(value, dict):
        _check_object(schema, value, path, found, repeated, was)
    elif isinstance(value, list):
        items, before = schema.items, _by_key(schema, was)
        for i, child in enumerate(value):
            former = before.get(printed(_key(schema, child)), _NO) if before else _NO
            _check(items, child, f"{path}[{i}]", found, repeated, former)
        if schema.list_type != "atomic":
            repeated += _repeated(schema, value, path)


def _check_type(schema: Schema, value: Json, path: str, found: list[FieldError]) -> None:
    wanted = schema.type
    if schema.int_or_string:
        wanted = "integer,string"
    if not wanted:
        return
    actual = type_name(value)
    if actual in wanted.split(",") or (wanted == "number" and actual == "integer"):
        return
    found.append(mistyped(path, actual, f'{path} in body must be of type {wanted}: "{actual}"'))


def _check_object(
    schema: Schema, value: JsonObject, path: str, found: list[FieldError], repeated: list[FieldError], was: _Was
) -> None:
    found += [required(_join(path, name)) for name in schema.required if name not in value]
    if schema.embedded:
        found += [required(_join(path, k), "must not be empty") for k in ("apiVersion", "kind") if not value.get(k)]
    former = was if isinstance(was, dict) else {}
    for name, child in value.items():
        below = schema.property(name)
        if below is not None:
            _check(below, child, _join(path, name), found, repeated, former.get(name, _NO))


def _same(value: Json, was: Json) -> bool:
    """Equal in JSON: Python takes `true` and 1 for equal."""
    return value == was and msgspec.json.encode(value, order="sorted") == msgspec.json.encode(was, order="sorted")


def _by_key(schema: Schema, was: _Was) -> dict[str, Json]:
    """The items of a list as it was, where they can be told apart."""
    if schema.list_type != "map" or not isinstance(was, list):
        return {}
    return {printed(_key(schema, one)): one for one in was}


def _check_junctor(word: str, parts: tuple[Schema, ...], value: Json, path: str, found: list[FieldError]) -> None:
    tried = [_errors(part, value, path) for part in parts]
    fitting = sum(not errors for errors in tried)
    if word == "allOf" and fitting < len(parts):
        found += [_unplaced(f'"{path}" must validate all the schemas (allOf)')]
        found += [one for errors in tried for one in errors]
    elif word == "anyOf" and not fitting:
        found.append(_unplaced(f'"{path}" must validate at least one schema (anyOf)'))
        found += _nearest(tried)
    elif word == "oneOf" and fitting != 1:
        detail = f"Found {fitting} valid alternatives" if fitting else "Found none valid"
        found.append(_unplaced(f'"{path}" must validate one and only one schema (oneOf). {detail}'))
        found += [] if fitting else _nearest(tried)
    elif word == "not" and fitting:
        found.append(_unplaced(f'"{path}" must not validate the schema (not)'))


def _nearest(tried: list[list[FieldError]]) -> list[FieldError]:
    """The faults of the alternative that came closest."""
    return sorted(tried, key=len)[0]


def _errors(schema: Schema, value: Json, path: str) -> list[FieldError]:
    found: list[FieldError] = []
    _check(schema, value, path, found, [])
    return found


def _unplaced(message: str) -> FieldError:
    return FieldError("<nil>", "FieldValueInvalid", f'Invalid value: "": {message}')


def _repeated(schema: Schema, values: list[Json], path: str) -> list[FieldError]:
    """Items of a set or map list that were there before."""
    seen: set[str] = set()
    found = []
    for i, value in enumerate(values):
        key = _key(schema, value)
        name = printed(key)
        if name in seen:
            found.append(duplicate(f"{path}[{i}]", key))
        seen.add(name)
    return found


def _key(schema: Schema, value: Json) -> Json:
    if schema.list_type == "map" and isinstance(value, dict):
        defaults = schema.key_defaults
        return {k: value.get(k, defaults.get(k)) for k in schema.map_keys if k in value or k in defaults}
    return value


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
