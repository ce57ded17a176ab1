"""Whole documents: one of OpenAPI v3 for each group and version, their index, and one of v2 for everything.

They depend on the kinds alone, so a caller keeps them until a CRD changes: the document of `v1` takes 40 ms to
make.
"""

from collections.abc import Iterable, Mapping

from inferplane.controlplane.apiserver.kinds import Kind
from inferplane.controlplane.apiserver.openapi import gnostic
from inferplane.controlplane.apiserver.openapi.components import REF, components
from inferplane.controlplane.apiserver.openapi.operations import paths
from inferplane.kernel.json import Json, JsonObject, object_at

_INFO: JsonObject = {"title": "Kubernetes", "version": "unversioned"}
_V2_REF = "#/definitions/"
# Words of JSON schema that v2 doesn't have (kube-openapi drops them in the same way).
_NOT_IN_V2 = frozenset({"anyOf", "oneOf", "not", "nullable"})
_METHODS = ("get", "put", "post", "patch", "delete")


def index(hashes: Mapping[str, str]) -> JsonObject:
    """What `/openapi/v3` answers. `hashes`: for `v1`, `apps/v1`, … a text that changes with the document."""
    listed: JsonObject = {}
    for group_version, state in sorted(hashes.items()):
        path = f"apis/{group_version}" if "/" in group_version else f"api/{group_version}"
        listed[path] = {"serverRelativeURL": f"/openapi/v3/{path}?hash={state}"}
    return {"paths": listed}


def v3(group_version: str, kinds: Iterable[Kind]) -> JsonObject:
    """The document of one group and version (`v1`, `apps/v1`); kinds of others are left out."""
    served = [kind for kind in kinds if kind.resource.api_version == group_version]
    described: JsonObject = {path: item for kind in served for path, item in paths(kind).items()}
    return {
        "openapi": "3.0.0",
        "info": _INFO,
        "paths": dict(sorted(described.items())),
        "components": {"schemas": components(served)},
    }


def v2(kinds: Iterable[Kind]) -> JsonObject:
    """The document of all kinds in Swagger 2.0, made from the same parts."""
    served = list(kinds)
    described: JsonObject = {path: _v2_path(item) for kind in served for path, item in paths(kind).items()}
    definitions: JsonObject = {name: _v2(one) for name, one in components(served).items()}
    return {
        "swagger": "2.0",
        "info": _INFO,
        "paths": dict(sorted(described.items())),
        "definitions": definitions,
    }


def v2_protobuf(kinds: Iterable[Kind]) -> bytes:
    """The same as protobuf, for requests that accept one of `V2_PROTOBUF_ACCEPTED`; its type is `V2_PROTOBUF`."""
    return gnostic.encoded(v2(kinds))


def _v2(value: Json) -> Json:
    """A schema of v3 as one of v2."""
    if isinstance(value, list):
        return [_v2(one) for one in value]
    if isinstance(value, str) and value.startswith(REF):
        return _V2_REF + value.removeprefix(REF)
    if not isinstance(value, dict):
        return value
    # A field may be called `not`; then its schema is an object under `properties`, and is kept there.
    result: JsonObject = {
        key: _v2_properties(one) if key == "properties" else _v2(one)
        for key, one in value.items()
        if key not in _NOT_IN_V2
    }
    if value.get("format") == "int-or-string":
        result["type"] = "string"
    wrapped = result.get("allOf")
    if isinstance(wrapped, list) and len(wrapped) == 1 and isinstance(wrapped[0], dict) and "$ref" in wrapped[0]:
        del result["allOf"]
        result["$ref"] = wrapped[0]["$ref"]
    return result


def _v2_properties(value: Json) -> Json:
    return {key: _v2(one) for key, one in value.items()} if isinstance(value, dict) else value


def _v2_path(item: Json) -> JsonObject:
    if not isinstance(item, dict):
        return {}
    result: JsonObject = {method: _v2_operation(object_at(item, method)) for method in _METHODS if method in item}
    return {**result, "parameters": _v2_parameters(item)}


def _v2_operation(operation: JsonObject) -> JsonObject:
    parameters = _v2_parameters(operation)
    media = object_at(operation, "requestBody", "content")
    kept = {k: v for k, v in operation.items() if k not in ("parameters", "requestBody", "responses")}
    responses: JsonObject = {
        code: _v2_response(one) for code, one in object_at(operation, "responses").items() if isinstance(one, dict)
    }
    if media:
        first = next(iter(media.values()))
        schema = _v2(object_at(first, "schema")) if isinstance(first, dict) else {}
        parameters = [{"name": "body", "in": "body", "schema": schema}, *parameters]
        kept["consumes"] = list(media)
    return {**kept, "produces": ["application/json"], "parameters": parameters, "responses": responses}


def _v2_response(response: JsonObject) -> JsonObject:
    schema = object_at(response, "content", "application/json").get("schema")
    description = response.get("description")
    return {"description": description, "schema": _v2(schema)} if schema else {"description": description}


def _v2_parameters(owner: JsonObject) -> list[Json]:
    found = owner.get("parameters")
    if not isinstance(found, list):
        return []
    return [
        {**{key: value for key, value in one.items() if key != "schema"}, **object_at(one, "schema")}
        for one in found
        if isinstance(one, dict)
    ]
