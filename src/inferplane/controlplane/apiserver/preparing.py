"""What the API server itself decides about an object that is written: metadata, generation, the two halves. Pure.

A kind with a status subresource has two halves: its own path writes everything but `status`, the subresource `status`.
"""

from inferplane.controlplane.apiserver import objects
from inferplane.controlplane.apiserver.kinds import Kind
from inferplane.kernel.json import Json, JsonObject

STATUS = "status"
KEPT_FIELDS = ("creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds", "uid")


def for_create(kind: Kind, obj: JsonObject, *, namespace: str, uid: str, now: str) -> JsonObject:
    """The object as it may be created: ours are uid, creation time and generation; there is no status yet."""
    ours: dict[str, Json] = dict.fromkeys(objects.SYSTEM_FIELDS)
    ours |= {"namespace": namespace or None, "uid": uid, "creationTimestamp": now, "managedFields": None}
    if kind.counts_generation or kind.custom:
        ours["generation"] = 1
    obj = objects.with_metadata(obj, **ours)
    # A node says at once how it is (core/node/strategy.go); everything else begins without a status.
    return objects.with_part(obj, STATUS, {}) if kind.has(STATUS) and kind.key != "/nodes" else obj


def for_update(kind: Kind, old: JsonObject, new: JsonObject, subresource: str) -> JsonObject:
    """The new state with what may not be changed this way put back."""
    kept = objects.metadata(old)
    ours: dict[str, Json] = {"selfLink": None, "resourceVersion": kept.get("resourceVersion")}
    ours |= {field: kept.get(field) for field in ("name", "namespace")}
    for field in KEPT_FIELDS:
        # A uid or a time of deletion that differs is refused by validation, so it is not put back silently.
        protected = field in ("uid", "deletionTimestamp", "deletionGracePeriodSeconds")
        if not protected or objects.metadata(new).get(field) is None:
            ours[field] = kept.get(field)
    new = objects.with_metadata(new, **ours)
    if subresource == STATUS:
        return _only_status(kind, old, new)
    return objects.with_part(new, STATUS, old) if kind.has(STATUS) else new


def _only_status(kind: Kind, old: JsonObject, new: JsonObject) -> JsonObject:
    if kind.custom:
        # A custom resource's status path takes nothing else, not even labels.
        managed = objects.metadata(new).get("managedFields")
        return objects.with_metadata(objects.with_part(old, STATUS, new), managedFields=managed)
    owners = objects.metadata(old).get("ownerReferences")
    return objects.with_metadata(objects.with_part(new, "spec", old), ownerReferences=owners)


def counted(kind: Kind, old: JsonObject, new: JsonObject) -> JsonObject:
    """The new state with `generation` one up when anything but metadata and status has changed."""
    if not (kind.counts_generation or kind.custom):
        return new
    ignored = {"metadata", "apiVersion"} | ({STATUS} if kind.has(STATUS) else set())
    changed = any(old.get(key) != new.get(key) for key in old.keys() | new.keys() if key not in ignored)
    return objects.with_metadata(new, generation=objects.generation(old) + 1) if changed else new


def gone(obj: JsonObject) -> bool:
    """Whether nothing holds an object any more that is being deleted."""
    if not objects.deleting(obj) or objects.finalizers(obj):
        return False
    if obj.get("kind") == "Namespace":
        spec = obj.get("spec")
        return not (spec.get("finalizers") if isinstance(spec, dict) else None)
    return not objects.metadata(obj).get("deletionGracePeriodSeconds")
