"""Who owns an object, and how one object points at another."""

from inferplane.client.kubernetes.api import Resource
from inferplane.controlplane.machinery.cache import Key
from inferplane.kernel.json import JsonObject
from inferplane.resources.core import ObjectReference
from inferplane.resources.meta import ObjectMeta


def owner_reference(resource: Resource, owner: ObjectMeta, *, controller: bool = True) -> JsonObject:
    """For `metadata.ownerReferences` of a dependent: garbage collection takes it with its owner."""
    reference: JsonObject = {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "name": owner.name,
        "uid": owner.uid,
    }
    return reference | ({"controller": True, "blockOwnerDeletion": True} if controller else {})


def object_reference(resource: Resource, about: ObjectMeta) -> ObjectReference:
    """For `involvedObject` of an Event and `targetRef` of an endpoint."""
    return ObjectReference(
        api_version=resource.api_version,
        kind=resource.kind,
        namespace=about.namespace,
        name=about.name,
        uid=about.uid,
        resource_version=about.resource_version,
    )


def is_controlled_by(item: ObjectMeta, owner: ObjectMeta) -> bool:
    found = item.controller_of()
    return found is not None and found.uid == owner.uid


def controller_key(item: ObjectMeta, resource: Resource) -> list[Key]:
    """The key of the controlling owner when it is of this kind: what `Controller.watch` wants for dependents."""
    found = item.controller_of()
    if found is None or found.kind != resource.kind or found.api_version.rpartition("/")[0] != resource.group:
        return []
    return [Key(item.namespace if resource.namespaced else "", found.name)]


def key_of_meta(item: ObjectMeta) -> Key:
    return Key(item.namespace, item.name)
