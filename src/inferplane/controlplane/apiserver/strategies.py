"""What single kinds need beyond the common rules when they are created or updated: a table of small functions."""

from collections.abc import Callable

from inferplane.controlplane.apiserver import definitions, objects
from inferplane.controlplane.apiserver.core import Core
from inferplane.controlplane.apiserver.kinds import CRD_KEY, Kind
from inferplane.kernel.json import Json, JsonObject, object_at, text_at

NAME_LABEL = "kubernetes.io/metadata.name"
OnCreate = Callable[[Core, JsonObject], JsonObject]
OnUpdate = Callable[[Core, JsonObject, JsonObject], JsonObject]


def created(core: Core, kind: Kind, obj: JsonObject) -> JsonObject:
    own = ON_CREATE.get(kind.key)
    return own(core, obj) if own else obj


def updated(core: Core, kind: Kind, old: JsonObject, new: JsonObject) -> JsonObject:
    own = ON_UPDATE.get(kind.key)
    return own(core, old, new) if own else new


def _labelled(obj: JsonObject) -> JsonObject:
    labels = object_at(obj, "metadata", "labels") | {NAME_LABEL: objects.name(obj)}
    return objects.with_metadata(obj, labels=labels)


def _new_namespace(core: Core, obj: JsonObject) -> JsonObject:
    finalizers: list[Json] = ["kubernetes"]
    return _labelled(obj) | {"spec": {"finalizers": finalizers}, "status": {"phase": "Active"}}


def _namespace(core: Core, old: JsonObject, new: JsonObject) -> JsonObject:
    """`spec.finalizers` is the finalize subresource's."""
    return objects.with_part(_labelled(new), "spec", old)


def _new_service(core: Core, obj: JsonObject) -> JsonObject:
    return core.addresses.assign(obj)


def _service(core: Core, old: JsonObject, new: JsonObject) -> JsonObject:
    """The address stays when the new state leaves it out (kubectl apply, helm)."""
    before, spec = object_at(old, "spec"), object_at(new, "spec")
    kept: JsonObject = {
        field: before[field] for field in ("clusterIP", "clusterIPs") if field in before and not spec.get(field)
    }
    if text_at(spec, "type") == "ExternalName":
        kept = {}
    return core.addresses.assign(new | {"spec": spec | kept})


def _new_definition(core: Core, obj: JsonObject) -> JsonObject:
    return definitions.established(definitions.completed(obj), core.registry, core.now)


def _definition(core: Core, old: JsonObject, new: JsonObject) -> JsonObject:
    if old.get("spec") == new.get("spec"):
        return new
    return definitions.established(definitions.completed(new), core.registry, core.now)


ON_CREATE: dict[str, OnCreate] = {
    "/namespaces": _new_namespace,
    "/services": _new_service,
    CRD_KEY: _new_definition,
}
ON_UPDATE: dict[str, OnUpdate] = {
    "/namespaces": _namespace,
    "/services": _service,
    CRD_KEY: _definition,
}
