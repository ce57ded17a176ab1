"""What may change in a pod that exists: images, the deadline, more tolerations; the rest is fixed when it is made."""

from inferplane.controlplane.apiserver.builtin.filling import parts
from inferplane.kernel.json import Json, JsonObject, list_at, object_at
from inferplane.resources.schemas import FieldError
from inferplane.resources.schemas.values import forbidden

_MESSAGE = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


def pod_update_errors(old: JsonObject, new: JsonObject) -> list[FieldError]:
    before, after = object_at(old, "spec"), object_at(new, "spec")
    found = []
    kept = list_at(after, "tolerations")
    if any(one not in kept for one in list_at(before, "tolerations")):
        found.append(
            forbidden("spec.tolerations", "existing toleration can not be modified except its tolerationSeconds")
        )
    if _fixed(before) != _fixed(after):
        found.append(forbidden("spec", _MESSAGE))
    return found


def _fixed(spec: JsonObject) -> JsonObject:
    """The part of a spec that no update may change."""
    rest = {k: v for k, v in spec.items() if k not in ("activeDeadlineSeconds", "tolerations", "schedulingGates")}
    for field in ("containers", "initContainers"):
        if field in rest:
            rest[field] = [_without_image(one) for one in parts(spec, field)]
    if isinstance(seconds := rest.get("terminationGracePeriodSeconds"), int) and seconds < 0:
        rest["terminationGracePeriodSeconds"] = 1
    return rest


def _without_image(container: JsonObject) -> Json:
    return {k: v for k, v in container.items() if k != "image"}
