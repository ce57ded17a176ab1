"""What Kubernetes refuses beyond the schema: a table from kind to its checks.

Every function here takes objects that decode and that are defaulted, and gives the faults in Kubernetes' words.
"""

from collections.abc import Callable

from inferplane.client.kubernetes.api import Resource
from inferplane.controlplane.apiserver.builtin.autoscalers import autoscaler_errors
from inferplane.controlplane.apiserver.builtin.configs import (
    config_map_errors,
    config_map_update_errors,
    secret_errors,
    secret_update_errors,
)
from inferplane.controlplane.apiserver.builtin.definitions import definition_errors, definition_update_errors
from inferplane.controlplane.apiserver.builtin.metadata import (
    metadata_errors,
    metadata_errors_after_update,
    metadata_update_errors,
)
from inferplane.controlplane.apiserver.builtin.pod_updates import pod_update_errors
from inferplane.controlplane.apiserver.builtin.pods import pod_errors
from inferplane.controlplane.apiserver.builtin.services import (
    service_errors,
    service_update_errors,
    slice_errors,
    slice_update_errors,
)
from inferplane.controlplane.apiserver.builtin.volumes import claim_errors, claim_update_errors
from inferplane.controlplane.apiserver.builtin.workloads import (
    deployment_errors,
    lease_errors,
    replica_set_errors,
    selector_update_errors,
)
from inferplane.kernel.json import JsonObject
from inferplane.resources.schemas import FieldError

Check = Callable[[JsonObject], list[FieldError]]
UpdateCheck = Callable[[JsonObject, JsonObject], list[FieldError]]


def validate_create(resource: Resource, obj: JsonObject) -> list[FieldError]:
    """Metadata of any kind, and the rest of the built-in ones. An empty list: it may be created."""
    own = _CHECKS.get((resource.group, resource.kind))
    return metadata_errors(resource, obj) + (own(obj) if own else [])


def validate_update(resource: Resource, old: JsonObject, new: JsonObject) -> list[FieldError]:
    """What may not be, and what may not change."""
    key = (resource.group, resource.kind)
    own, own_update = _CHECKS.get(key), _UPDATE_CHECKS.get(key)
    found = metadata_update_errors(resource, old, new) * _TIMES_CHECKED
    found += metadata_errors_after_update(resource, new) * _TIMES_CHECKED ** (2 if own else 1)
    # A change that is refused as such needs no word on what else is wrong with the result.
    changed = own_update(old, new) if own_update else []
    return found + changed + (own(new) if own and not changed and _spec(old) != _spec(new) else [])


# A real server checks the metadata of an update in its generic code and again for the kind, and names each cause as
# often; the fields of a built-in kind's metadata are looked at once more in each.
_TIMES_CHECKED = 2


def _spec(obj: JsonObject) -> JsonObject:
    """All but what has rules of its own (metadata) and what controllers write (status)."""
    return {key: value for key, value in obj.items() if key not in ("metadata", "status")}


_CHECKS: dict[tuple[str, str], Check] = {
    ("", "ConfigMap"): config_map_errors,
    ("", "PersistentVolumeClaim"): claim_errors,
    ("", "Pod"): pod_errors,
    ("", "Secret"): secret_errors,
    ("", "Service"): service_errors,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): definition_errors,
    ("apps", "Deployment"): deployment_errors,
    ("apps", "ReplicaSet"): replica_set_errors,
    ("autoscaling", "HorizontalPodAutoscaler"): autoscaler_errors,
    ("coordination.k8s.io", "Lease"): lease_errors,
    ("discovery.k8s.io", "EndpointSlice"): slice_errors,
}
_UPDATE_CHECKS: dict[tuple[str, str], UpdateCheck] = {
    ("", "ConfigMap"): config_map_update_errors,
    ("", "PersistentVolumeClaim"): claim_update_errors,
    ("", "Pod"): pod_update_errors,
    ("", "Secret"): secret_update_errors,
    ("", "Service"): service_update_errors,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): definition_update_errors,
    ("apps", "Deployment"): selector_update_errors,
    ("apps", "ReplicaSet"): selector_update_errors,
    ("discovery.k8s.io", "EndpointSlice"): slice_update_errors,
}
