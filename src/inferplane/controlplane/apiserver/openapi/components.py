"""The definitions that a document needs: those of its kinds and everything that they refer to."""

from collections.abc import Iterable, Iterator

from inferplane.client.kubernetes.api import Resource
from inferplane.controlplane.apiserver.kinds import Kind
from inferplane.kernel.json import Json, JsonObject, object_at
from inferplane.resources import schemas
from inferplane.resources.schemas.models import OBJECT_META
from inferplane.resources.schemas.schema import FORM, reference_name

_META = "io.k8s.apimachinery.pkg.apis.meta.v1."
LIST_META = f"{_META}ListMeta"
DELETE_OPTIONS = f"{_META}DeleteOptions"
PATCH = f"{_META}Patch"
STATUS = f"{_META}Status"
GVK = "x-kubernetes-group-version-kind"
REF = "#/components/schemas/"
_TYPE_META: JsonObject = {
    "apiVersion": {
        "type": "string",
        "description": "APIVersion defines the versioned schema of this representation of an object.",
    },
    "kind": {
        "type": "string",
        "description": "Kind is a string value representing the REST resource this object represents.",
    },
}


def gvk(resource: Resource, kind: str = "") -> JsonObject:
    return {"group": resource.group, "version": resource.version, "kind": kind or resource.kind}


def component_name(kind: Kind, suffix: str = "") -> str:
    """`io.k8s.api.core.v1.Pod`; for a custom kind the reversed group, its version and the kind, as in Kubernetes."""
    resource = kind.resource
    if not kind.custom:
        return schemas.definition_name(resource.api_version, resource.kind + suffix)
    domain = ".".join(reversed(resource.group.split(".")))
    return f"{domain}.{resource.version}.{resource.kind}{suffix}"


def components(kinds: Iterable[Kind]) -> JsonObject:
    """All definitions by name, in OpenAPI v3 form, each kind's marked with its group, version and kind."""
    found: JsonObject = {}
    for name in (DELETE_OPTIONS, STATUS, PATCH):
        _add(found, name, schemas.builtin_definition(name).document)
    for kind in kinds:
        _add_kind(found, kind)
    return dict(sorted(found.items()))


def _add_kind(found: JsonObject, kind: Kind) -> None:
    resource = kind.resource
    document = _custom_document(kind) if kind.definition else schemas.builtin_definition(component_name(kind)).document
    _add(found, component_name(kind), document)
    object_at(found, component_name(kind))[GVK] = [gvk(resource)]
    name = component_name(kind, "List")
    try:
        document = _list_document(kind) if kind.custom else schemas.builtin_definition(name).document
    except KeyError:
        return  # kinds that are only asked (reviews) have no list
    _add(found, name, document)
    object_at(found, name)[GVK] = [gvk(resource, kind.list_kind)]


def _custom_document(kind: Kind) -> JsonObject:
    assert kind.definition is not None
    document = kind.definition.schema.document
    metadata: JsonObject = {
        "$ref": REF + OBJECT_META,
        "description": "Standard object's metadata.",
    }
    return {**document, "properties": {**object_at(document, "properties"), **_TYPE_META, "metadata": metadata}}


def _list_document(kind: Kind) -> JsonObject:
    items: JsonObject = {"type": "array", "items": {"$ref": REF + component_name(kind)}}
    metadata: JsonObject = {"$ref": REF + LIST_META, "description": "Standard list metadata."}
    return {
        "type": "object",
        "description": f"{kind.list_kind} is a list of {kind.resource.kind}",
        "required": ["items"],
        "properties": {**_TYPE_META, "items": {**items, "description": "The objects."}, "metadata": metadata},
    }


def _add(found: JsonObject, name: str, document: JsonObject) -> None:
    """Adds a definition and, one by one, all that it refers to."""
    waiting = [(name, document)]
    while waiting:
        name, document = waiting.pop()
        if name in found:
            continue
        found[name] = _published_object(document)
        missing = [other for other in _references(document) if other not in found]
        waiting += [(other, schemas.builtin_definition(other).document) for other in missing]


def _references(document: Json) -> Iterator[str]:
    if isinstance(document, dict):
        reference = document.get("$ref")
        if isinstance(reference, str):
            yield reference_name(reference)
        for value in document.values():
            yield from _references(value)
    elif isinstance(document, list):
        for value in document:
            yield from _references(value)


def _published(value: Json) -> Json:
    if isinstance(value, dict):
        return _published_object(value)
    return [_published(one) for one in value] if isinstance(value, list) else value


def _published_object(document: JsonObject) -> JsonObject:
    """Without our own words; a reference that has company is wrapped, since beside `$ref` nothing counts in v3."""
    result: JsonObject = {key: _published(value) for key, value in document.items() if key != FORM}
    if isinstance(result.get("$ref"), str) and len(result) > 1:
        return {"allOf": [{"$ref": result.pop("$ref")}], **result}
    return result
