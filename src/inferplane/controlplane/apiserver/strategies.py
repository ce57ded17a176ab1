"""What single kinds need beyond the common rules when they are created or updated: a table of small functions."""

import base64
from collections.abc import Callable

from inferplane.controlplane.apiserver import definitions, objects
from inferplane.controlplane.apiserver.core import Core
from inferplane.controlplane.apiserver.errors import StatusError
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


def _new_pod(core: Core, obj: JsonObject) -> JsonObject:
    """A service account must be there. Every namespace gets `default` by a controller, so it isn't waited for."""
    account = text_at(obj, "spec", "serviceAccountName") or text_at(obj, "spec", "serviceAccount")
    kind = core.registry.find("", "v1", "serviceaccounts")
    assert kind is not None  # built in
    namespace = objects.namespace(obj)
    if account in ("", "default") or core.storage.get(kind, namespace, account) is not None:
        return obj
    why = f'error looking up service account {namespace}/{account}: serviceaccount "{account}" not found'
    raise StatusError(
        403, "Forbidden", f'pods "{objects.name(obj)}" is forbidden: {why}', {"name": objects.name(obj), "kind": "pods"}
    )


def warnings(kind: Kind, obj: JsonObject) -> list[str]:
    """What is accepted but probably not meant."""
    if kind.key == "/secrets" and obj.get("type") == "kubernetes.io/tls":
        content = base64.b64decode(text_at(object_at(obj, "data"), "tls.crt"))
        if b"-----BEGIN" not in content:
            return ["tls: failed to find any PEM data in certificate input"]
    return []


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
    "/pods": _new_pod,
    "/services": _new_service,
    CRD_KEY: _new_definition,
}
ON_UPDATE: dict[str, OnUpdate] = {
    "/namespaces": _namespace,
    "/services": _service,
    CRD_KEY: _definition,
}
