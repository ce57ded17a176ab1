"""The paths of a kind and what can be done there, with the parameters and media types that clients look for."""

from inferplane.controlplane.apiserver.kinds import Kind
from inferplane.controlplane.apiserver.openapi.components import DELETE_OPTIONS, GVK, PATCH, REF, STATUS, gvk
from inferplane.controlplane.apiserver.openapi.components import component_name as name_of
from inferplane.kernel.json import Json, JsonObject

JSON = "application/json"
_PATCHES = ("application/apply-patch+yaml", "application/json-patch+json", "application/merge-patch+json")
_STRATEGIC = "application/strategic-merge-patch+json"
# Subresources that are read and written as the object itself.
_HALVES = ("status",)

_STRINGS = {
    "dryRun": "When present, indicates that modifications should not be persisted. Valid values: All.",
    "fieldManager": "The name of the actor that is making these changes.",
    "fieldValidation": "What to do with unknown or duplicate fields. Valid values: Ignore, Warn, Strict.",
    "fieldSelector": "Restricts the list by the objects' fields.",
    "labelSelector": "Restricts the list by the objects' labels.",
    "continue": "A token of an earlier list: go on from there.",
    "resourceVersion": "A constraint on what resource versions a request may be served from.",
    "resourceVersionMatch": "How resourceVersion is applied to list calls.",
    "propagationPolicy": "Whether and how dependents are deleted. Valid values: Orphan, Background, Foreground.",
    "pretty": "If 'true', then the output is pretty printed.",
}
_BOOLEANS = {
    "force": "Whether an apply takes over fields that others own.",
    "watch": "Watch for changes instead of listing.",
    "allowWatchBookmarks": "Whether a watch may send BOOKMARK events.",
    "sendInitialEvents": "Whether a watch begins with all that exists.",
}
_INTEGERS = {
    "limit": "The most items in one answer.",
    "timeoutSeconds": "How long a list or a watch may take.",
    "gracePeriodSeconds": "How many seconds before the object is deleted.",
}
_PARAMETERS: dict[str, tuple[str, str]] = {
    name: (kind, text)
    for kind, texts in (("string", _STRINGS), ("boolean", _BOOLEANS), ("integer", _INTEGERS))
    for name, text in texts.items()
}
_WRITE = ("dryRun", "fieldManager", "fieldValidation")
_LIST = (
    "allowWatchBookmarks", "continue", "fieldSelector", "labelSelector", "limit", "resourceVersion",
    "resourceVersionMatch", "sendInitialEvents", "timeoutSeconds", "watch",
)  # fmt: skip
_DELETE = ("dryRun", "gracePeriodSeconds", "propagationPolicy")
# Verb of the API: (HTTP method, what Kubernetes calls the action, query parameters).
_AT_COLLECTION = {
    "list": ("get", "list", _LIST),
    "create": ("post", "post", _WRITE),
    "deletecollection": ("delete", "deletecollection", (*_LIST, *_DELETE)),
}
_AT_ITEM = {
    "get": ("get", "get", ()),
    "update": ("put", "put", _WRITE),
    "patch": ("patch", "patch", (*_WRITE, "force")),
    "delete": ("delete", "delete", _DELETE),
}


def paths(kind: Kind) -> JsonObject:
    """All paths of one kind: collection, item, and the subresources that are halves of the object."""
    resource = kind.resource
    prefix = f"/apis/{resource.api_version}" if resource.group else f"/api/{resource.version}"
    place = f"{prefix}/namespaces/{{namespace}}" if resource.namespaced else prefix
    collection, item = f"{place}/{resource.plural}", f"{place}/{resource.plural}/{{name}}"
    found = {collection: _path(kind, collection, _AT_COLLECTION), item: _path(kind, item, _AT_ITEM)}
    if resource.namespaced:
        everywhere = f"{prefix}/{resource.plural}"
        found[everywhere] = _path(kind, everywhere, {"list": _AT_COLLECTION["list"]})
    for half in _HALVES:
        if kind.has(half):
            path = f"{item}/{half}"
            found[path] = _path(kind, path, {verb: _AT_ITEM[verb] for verb in ("get", "update", "patch")})
    return {path: value for path, value in found.items() if value}


def _path(kind: Kind, path: str, actions: dict[str, tuple[str, str, tuple[str, ...]]]) -> JsonObject:
    operations: JsonObject = {
        method: _operation(kind, path, method, action, parameters)
        for verb, (method, action, parameters) in actions.items()
        if verb in kind.verbs
    }
    if not operations:
        return {}
    named = [name for name in ("name", "namespace") if f"{{{name}}}" in path]
    shared: list[Json] = [*(_path_parameter(name) for name in named), _parameter("pretty")]
    return {**operations, "parameters": shared}


def _operation(kind: Kind, path: str, method: str, action: str, parameters: tuple[str, ...]) -> JsonObject:
    operation: JsonObject = {
        "tags": [kind.resource.api_version.replace("/", "_").replace(".", "")],
        "description": f"{action} {kind.resource.kind}",
        "operationId": f"{action}{path.title().replace('/', '').replace('{', '').replace('}', '')}",
        "parameters": [_parameter(name) for name in parameters],
        "responses": _responses(kind, action),
        "x-kubernetes-action": action,
        GVK: gvk(kind.resource),
    }
    if body := _body(kind, method):
        operation["requestBody"] = body
    return operation


def _responses(kind: Kind, action: str) -> JsonObject:
    listed = action == "list"
    answer = STATUS if action.startswith("delete") else name_of(kind, "List" if listed else "")
    return {"200": {"description": "OK", "content": {JSON: _reference(answer)}}, "401": {"description": "Unauthorized"}}


def _body(kind: Kind, method: str) -> JsonObject:
    if method == "get":
        return {}
    if method == "patch":
        media = _PATCHES if kind.custom else (*_PATCHES, _STRATEGIC)
        return {"required": True, "content": {one: _reference(PATCH) for one in media}}
    if method == "delete":
        return {"content": {"*/*": _reference(DELETE_OPTIONS)}}
    return {"required": True, "content": {"*/*": _reference(name_of(kind))}}


def _reference(name: str) -> JsonObject:
    return {"schema": {"$ref": REF + name}}


def _parameter(name: str) -> JsonObject:
    kind, text = _PARAMETERS[name]
    return {"name": name, "in": "query", "description": text, "schema": {"type": kind, "uniqueItems": True}}


def _path_parameter(name: str) -> JsonObject:
    schema: JsonObject = {"type": "string", "uniqueItems": True}
    return {"name": name, "in": "path", "required": True, "schema": schema}
