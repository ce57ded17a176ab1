"""An object of a built-in kind with nothing in it: the fields that Go writes even when they are empty.

A watch's bookmark is such an object with a resourceVersion.
"""

from collections.abc import Callable

from inferplane.client.kubernetes.api import Resource
from inferplane.kernel.json import JsonObject


def empty_object(resource: Resource) -> JsonObject:
    """With apiVersion and kind; metadata is the caller's. A custom kind has no other fields."""
    make = _FIELDS.get((resource.group, resource.kind))
    return {"apiVersion": resource.api_version, "kind": resource.kind, **(make() if make else {})}


def _halves() -> JsonObject:
    return {"spec": {}, "status": {}}


def _pod_template() -> JsonObject:
    return {"metadata": {}, "spec": {"containers": None}}


def _pod() -> JsonObject:
    return {"spec": {"containers": None}, "status": {}}


def _deployment() -> JsonObject:
    spec: JsonObject = {"replicas": 0, "selector": None, "template": _pod_template(), "strategy": {}}
    return {"spec": spec, "status": {}}


def _replica_set() -> JsonObject:
    spec: JsonObject = {"replicas": 0, "selector": None, "template": _pod_template()}
    return {"spec": spec, "status": {"replicas": 0}}


def _service() -> JsonObject:
    return {"spec": {}, "status": {"loadBalancer": {}}}


def _claim() -> JsonObject:
    return {"spec": {"resources": {}}, "status": {}}


def _autoscaler() -> JsonObject:
    target: JsonObject = {"kind": "", "name": ""}
    spec: JsonObject = {"scaleTargetRef": target, "maxReplicas": 0}
    return {"spec": spec, "status": {"desiredReplicas": 0, "currentMetrics": None}}


def _lease() -> JsonObject:
    return {"spec": {}}


def _slice() -> JsonObject:
    return {"addressType": "", "endpoints": None, "ports": None}


_FIELDS: dict[tuple[str, str], Callable[[], JsonObject]] = {
    ("", "Namespace"): _halves,
    ("", "Node"): _halves,
    ("", "PersistentVolume"): _halves,
    ("", "PersistentVolumeClaim"): _claim,
    ("", "Pod"): _pod,
    ("", "Service"): _service,
    ("apps", "Deployment"): _deployment,
    ("apps", "ReplicaSet"): _replica_set,
    ("autoscaling", "HorizontalPodAutoscaler"): _autoscaler,
    ("coordination.k8s.io", "Lease"): _lease,
    ("discovery.k8s.io", "EndpointSlice"): _slice,
    ("networking.k8s.io", "Ingress"): _service,
}
