"""Volumes of a pod, and claims."""

from inferplane.controlplane.apiserver.builtin import names
from inferplane.controlplane.apiserver.builtin.filling import parts
from inferplane.kernel.json import JsonObject, list_at, object_at, text_at
from inferplane.resources.schemas import FieldError
from inferplane.resources.schemas.values import duplicate, forbidden, invalid, required

# What a source can't be without.
_SOURCE_FIELDS = {
    "configMap": "name",
    "secret": "secretName",
    "hostPath": "path",
    "persistentVolumeClaim": "claimName",
    "csi": "driver",
}
# Of a claim that exists, what may still be written.
_CLAIM_MUTABLE = ("resources", "volumeAttributesClassName", "volumeName")


def volume_errors(spec: JsonObject, path: str) -> list[FieldError]:
    found = []
    seen: set[str] = set()
    for i, volume in enumerate(parts(spec, "volumes")):
        here = f"{path}.volumes[{i}]"
        name = text_at(volume, "name")
        if not name:
            found.append(required(f"{here}.name"))
        else:
            found += [invalid(f"{here}.name", name, one) for one in names.label_name(name)]
        if name in seen:
            found.append(duplicate(f"{here}.name", name))
        seen.add(name)
        found += _source_errors(volume, here)
    return found


def _source_errors(volume: JsonObject, path: str) -> list[FieldError]:
    kinds = sorted(key for key in volume if key != "name")
    found = [forbidden(f"{path}.{kind}", "may not specify more than 1 volume type") for kind in kinds[1:]]
    for kind in kinds[:1]:
        field = _SOURCE_FIELDS.get(kind)
        if field and not text_at(volume, kind, field):
            found.append(required(f"{path}.{kind}.{field}"))
    return found


def claim_errors(obj: JsonObject) -> list[FieldError]:
    spec = object_at(obj, "spec")
    found = []
    if not list_at(spec, "accessModes"):
        found.append(required("spec.accessModes", "at least 1 access mode is required"))
    if not object_at(spec, "resources", "requests").get("storage"):
        found.append(required("spec.resources[storage]"))
    return found


def claim_update_errors(old: JsonObject, new: JsonObject) -> list[FieldError]:
    before, after = (
        {key: value for key, value in object_at(one, "spec").items() if key not in _CLAIM_MUTABLE} for one in (old, new)
    )
    if before == after:
        return []
    message = (
        "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
    )
    return [forbidden("spec", message)]
