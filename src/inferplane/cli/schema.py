"""Field errors of the API server, shown where the user wrote the field, with the nearest name that exists. Pure.

The server names a field in one of four ways: `unknown field "spec.replicaz"` (strict decoding), `.spec.replicaz: field
not declared in schema` and `.spec.replicas: …` (server-side apply), or the causes of an Invalid answer. An OpenAPI v3
document of the server says which names there are.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches

from inferplane.cli.manifests import Manifest
from inferplane.client.kubernetes.api import ApiError
from inferplane.kernel.json import JsonObject, list_at, object_at, text_at
from inferplane.resources.schemas.schema import Schema

_UNKNOWN = re.compile(r'unknown field \\*"([^"\\]+)\\*"')
_UNDECLARED = re.compile(r"\.([\w.\[\]-]+): field not declared in schema")
_MISTYPED = (
    re.compile(
        r"typed patch object .*: \.([\w.\[\]-]+): .*cannot decode (?P<found>\w+) into a field of type (?P<wanted>\w+)"
    ),
    re.compile(r"typed patch object .*: \.([\w.\[\]-]+): expected (?P<wanted>[^,]+), got (?P<found>\w+)"),
)
_STEP = re.compile(r"([^.\[\]]+)|\[[^\]]*\]")
_MUST_BE = (
    re.compile(r"must be of type (?P<wanted>\S+): \"(?P<found>\w+)\""),
    re.compile(r"cannot decode (?P<found>\w+) into a field of type (?P<wanted>\w+)"),
)
# How the words of a validation rule begin: that its value is an object says nothing.
_OF_A_RULE = re.compile(r'^Invalid value: "?(?:object|array)"?: ')


@dataclass(frozen=True, slots=True)
class FieldError:
    """`unknown`: there is no such field; otherwise `message` says what is wrong with its value."""

    path: str
    message: str = ""
    unknown: bool = False


def field_errors(error: ApiError) -> list[FieldError]:
    """The fields that an answer blames; empty when it blames none."""
    unknown = [*_UNKNOWN.findall(error.message), *_UNDECLARED.findall(error.message)]
    if unknown:
        return [FieldError(path, unknown=True) for path in dict.fromkeys(unknown)]
    for mistyped in _MISTYPED:
        if (one := mistyped.search(error.message)) is not None:
            return [FieldError(one[1], f"expected {one['wanted']}, got {one['found']}")]
    causes = [one for one in list_at(error.details, "causes") if isinstance(one, dict)]
    named = [(text_at(one, "field"), text_at(one, "message")) for one in causes]
    return [FieldError(path.replace("<nil>", ""), worded(message)) for path, message in named if _tells(path, message)]


def _tells(path: str, message: str) -> bool:
    """A cause without a field is a rule about the whole object, or says that rules could not be evaluated."""
    return bool(path) and (path != "<nil>" or _OF_A_RULE.match(message) is not None)


def located(error: FieldError, manifest: Manifest, names: list[str]) -> str:
    """One line: `isvc.yaml:9: spec.predictor.model.modelFormt: unknown field; did you mean modelFormat?`"""
    path = f"{error.path}: " if error.path else ""
    return f"{manifest.where(error.path)}: {path}{explained(error, names)}"


def explained(error: FieldError, names: list[str]) -> str:
    """What is wrong with the field, without where it is; `names` could stand in its place."""
    if not error.unknown:
        return error.message
    near = get_close_matches(error.path.rpartition(".")[2], names, n=1)
    if near:
        return f"unknown field; did you mean {near[0]}?"
    known = f"; there are: {', '.join(sorted(names)[:12])}" if names else ""
    return f"unknown field{known}"


def field_names(openapi: JsonObject, group: str, version: str, kind: str, path: str) -> list[str]:
    """The names that could stand where the last step of `path` stands, by the server's OpenAPI v3 document."""
    schemas = object_at(openapi, "components", "schemas")
    here = next((one for one in _objects(schemas) if _is_kind(one, group, version, kind)), {})
    *parents, _ = _STEP.finditer(path)
    for step in parents:
        name = step.group(1)
        here = _resolved(here, schemas)
        here = object_at(here, "items") if name is None else _property(here, name)
    return list(object_at(_resolved(here, schemas), "properties"))


def names_beside(schema: Schema, path: str) -> list[str]:
    """The names that could stand where the last step of `path` stands, by the schema of the whole object."""
    here = schema
    *parents, _ = _STEP.finditer(path)
    for step in parents:
        name = step.group(1)
        below = here.items if name is None else here.property(name)
        if below is None:
            return []
        here = below
    return list(here.properties)


def _property(schema: JsonObject, name: str) -> JsonObject:
    return object_at(schema, "properties", name) or object_at(schema, "additionalProperties")


def _resolved(schema: JsonObject, schemas: JsonObject) -> JsonObject:
    """Follows `$ref`, also inside an `allOf` of one (the form that carries a default or a description)."""
    while True:
        reference = text_at(schema, "$ref")
        parts = [one for one in list_at(schema, "allOf") if isinstance(one, dict)]
        if not reference and len(parts) == 1:
            reference = text_at(parts[0], "$ref")
        if not reference:
            return schema
        schema = object_at(schemas, reference.rpartition("/")[2])


def _is_kind(schema: JsonObject, group: str, version: str, kind: str) -> bool:
    wanted = {"group": group, "version": version, "kind": kind}
    return wanted in list_at(schema, "x-kubernetes-group-version-kind")


def _objects(document: JsonObject) -> Iterator[JsonObject]:
    return (one for one in document.values() if isinstance(one, dict))


def worded(message: str) -> str:
    """`… spec.size in body must be of type string: "integer"` → `expected string, got integer`."""
    for pattern in _MUST_BE:
        if (wrong := pattern.search(message)) is not None:
            return f"expected {wrong['wanted']}, got {wrong['found']}"
    return _OF_A_RULE.sub("", message)
