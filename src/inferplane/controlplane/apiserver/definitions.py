"""CustomResourceDefinitions: what their objects become when they are written, and the kinds they make. Pure.

`completed` and `established` belong to writing a CRD; `kinds` turns a stored one into what is served.
"""

from inferplane.client.kubernetes.api import Resource
from inferplane.controlplane.apiserver import objects
from inferplane.controlplane.apiserver.cel.rules import Rules
from inferplane.controlplane.apiserver.kinds import CUSTOM_VERBS, Definition, Kind, PrinterColumn, ScalePaths
from inferplane.controlplane.apiserver.registry import Registry
from inferplane.kernel.json import Json, JsonObject, list_at, number_at, object_at, text_at
from inferplane.resources import schemas


def completed(obj: JsonObject) -> JsonObject:
    """With the names and the conversion that a CRD may leave out."""
    spec = object_at(obj, "spec")
    names = object_at(spec, "names")
    kind = text_at(names, "kind")
    names = {"singular": kind.lower(), "listKind": f"{kind}List" if kind else "", **names}
    names = {key: value for key, value in names.items() if value}
    return obj | {"spec": {"conversion": {"strategy": "None"}, **spec, "names": names}}


def established(obj: JsonObject, registry: Registry, now: str) -> JsonObject:
    """With its status: names accepted or not, versions that objects may be stored in."""
    names = object_at(obj, "spec", "names")
    clash = _clash(obj, registry)
    accepted = not clash
    reasons = ("NoConflicts", "InitialNamesAccepted") if accepted else ("NamesConflict", "NotAccepted")
    texts = ("no conflicts found", "the initial names have been accepted")
    if clash:
        texts = (clash, "not all names are accepted")
    conditions: list[Json] = [
        _condition(obj, type_, accepted, reason, text, now)
        for type_, reason, text in zip(("NamesAccepted", "Established"), reasons, texts, strict=True)
    ]
    status: JsonObject = {
        "conditions": conditions,
        "acceptedNames": names if accepted else {"plural": "", "kind": ""},
        "storedVersions": _stored_versions(obj),
    }
    return obj | {"status": status}


def _condition(obj: JsonObject, type_: str, holds: bool, reason: str, message: str, now: str) -> Json:
    status = "True" if holds else "False"
    before = [one for one in list_at(obj, "status", "conditions") if isinstance(one, dict) and one.get("type") == type_]
    since = before[0].get("lastTransitionTime") if before and before[0].get("status") == status else now
    return {"type": type_, "status": status, "lastTransitionTime": since, "reason": reason, "message": message}


def _stored_versions(obj: JsonObject) -> list[Json]:
    known = list_at(obj, "status", "storedVersions")
    now = [text_at(one, "name") for one in _versions(obj) if one.get("storage") is True]
    return list(dict.fromkeys([*(str(one) for one in known), *now]))


def _clash(obj: JsonObject, registry: Registry) -> str:
    names = object_at(obj, "spec", "names")
    taken = registry.taken_names(text_at(obj, "spec", "group"), objects.name(obj))
    resources = [text_at(names, "plural"), text_at(names, "singular"), *map(str, list_at(names, "shortNames"))]
    for name in resources:
        if name in taken["resource"]:
            return f'"{name}" is already in use'
    for name in (text_at(names, "kind"), text_at(names, "listKind")):
        if name in taken["kind"]:
            return f'"{name}" is already in use'
    return ""


def is_established(obj: JsonObject) -> bool:
    conditions = [one for one in list_at(obj, "status", "conditions") if isinstance(one, dict)]
    return any(one.get("type") == "Established" and one.get("status") == "True" for one in conditions)


def kinds(obj: JsonObject, revision: int) -> list[Kind]:
    """The kinds that a CRD stored at `revision` serves; none until it is established."""
    if not is_established(obj):
        return []
    versions = _versions(obj)
    storage = next((text_at(one, "name") for one in versions if one.get("storage") is True), "")
    return [_kind(obj, version, storage, revision, len(versions) == 1) for version in versions if version.get("served")]


def _kind(obj: JsonObject, version: JsonObject, storage: str, revision: int, only: bool) -> Kind:
    spec, names = object_at(obj, "spec"), object_at(obj, "status", "acceptedNames")
    group, plural, type_ = text_at(spec, "group"), text_at(names, "plural"), text_at(names, "kind")
    namespaced = text_at(spec, "scope") != "Cluster"
    return Kind(
        resource=Resource(group, text_at(version, "name"), plural, type_, namespaced),
        storage=Resource(group, storage, plural, type_, namespaced),
        singular=text_at(names, "singular"),
        list_kind=text_at(names, "listKind"),
        short_names=tuple(str(one) for one in list_at(names, "shortNames")),
        categories=tuple(str(one) for one in list_at(names, "categories")),
        subresources=tuple(one for one in ("status", "scale") if one in object_at(version, "subresources")),
        verbs=CUSTOM_VERBS,
        counts_generation=True,
        definition=_definition(obj, version, revision, only),
    )


def _definition(obj: JsonObject, version: JsonObject, revision: int, only: bool) -> Definition:
    scale = object_at(version, "subresources", "scale")
    paths = ScalePaths(
        text_at(scale, "specReplicasPath").lstrip("."),
        text_at(scale, "statusReplicasPath").lstrip("."),
        text_at(scale, "labelSelectorPath").lstrip("."),
    )
    selectable = [one for one in list_at(version, "selectableFields") if isinstance(one, dict)]
    return Definition(
        name=objects.name(obj),
        schema=schemas.custom(object_at(version, "schema", "openAPIV3Schema")),
        rules=Rules.of(object_at(version, "schema", "openAPIV3Schema")),
        columns=tuple(_column(one) for one in list_at(version, "additionalPrinterColumns") if isinstance(one, dict)),
        selectable=tuple(text_at(one, "jsonPath").lstrip(".") for one in selectable),
        scale=paths if scale else None,
        since=revision,
        only_version=only,
        terminating=objects.deleting(obj),
    )


def _column(column: JsonObject) -> PrinterColumn:
    return PrinterColumn(
        name=text_at(column, "name"),
        type=text_at(column, "type"),
        path=text_at(column, "jsonPath"),
        format=text_at(column, "format"),
        priority=number_at(column, "priority"),
        description=text_at(column, "description"),
    )


def _versions(obj: JsonObject) -> list[JsonObject]:
    return [one for one in list_at(obj, "spec", "versions") if isinstance(one, dict)]
