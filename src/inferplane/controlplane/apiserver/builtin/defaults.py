"""Kubernetes' defaults for its own kinds: one function a kind, each filling in place what a fresh copy leaves out.

Sources: `pkg/apis/*/v1/defaults.go` and admission that is always on (service account, tolerations, priority).
"""

import base64
from collections.abc import Callable

from inferplane.client.kubernetes.api import Resource
from inferplane.controlplane.apiserver.builtin.encoding import encoded
from inferplane.controlplane.apiserver.builtin.filling import fill, part
from inferplane.controlplane.apiserver.builtin.pod_defaults import default_pod, default_template
from inferplane.controlplane.apiserver.builtin.service_defaults import default_endpoints, default_service, default_slice
from inferplane.kernel.json import Json, JsonObject
from inferplane.resources import schemas

NAME_LABEL = "kubernetes.io/metadata.name"


def default_object(resource: Resource, obj: JsonObject, old: JsonObject | None = None) -> JsonObject:
    """`obj` as a real server stores it: normal form, defaults filled in. The argument is not changed.

    What it shares with `old`, the stored state, is in that form already. For built-in kinds only; KeyError for another.
    """
    result = encoded(schemas.builtin(resource.api_version, resource.kind), obj, old)
    own = _DEFAULTS.get((resource.group, resource.kind))
    if own is not None:
        own(result)
    return result


def _deployment(obj: JsonObject) -> None:
    spec = part(obj, "spec")
    default_template(spec)
    fill(spec, {"replicas": 1, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600})
    strategy = part(spec, "strategy")
    if strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
        fill(part(strategy, "rollingUpdate"), {"maxUnavailable": "25%", "maxSurge": "25%"})
    obj.setdefault("status", {})


def _replica_set(obj: JsonObject) -> None:
    spec = part(obj, "spec")
    default_template(spec)
    spec.setdefault("replicas", 1)
    part(obj, "status").setdefault("replicas", 0)


def _secret(obj: JsonObject) -> None:
    """`stringData` is written only: it goes into `data`."""
    obj.setdefault("type", "Opaque")
    plain = obj.pop("stringData", None)
    if isinstance(plain, dict) and plain:
        coded: JsonObject = {k: base64.b64encode(str(v).encode()).decode() for k, v in plain.items()}
        obj["data"] = part(obj, "data") | coded


def _namespace(obj: JsonObject) -> None:
    metadata = part(obj, "metadata")
    name = metadata.get("name")
    if isinstance(name, str) and name:
        part(metadata, "labels").setdefault(NAME_LABEL, name)
    part(obj, "spec")
    part(obj, "status").setdefault("phase", "Active")


def _claim(obj: JsonObject) -> None:
    part(obj, "spec").setdefault("volumeMode", "Filesystem")
    part(obj, "status").setdefault("phase", "Pending")


def _volume(obj: JsonObject) -> None:
    fill(part(obj, "spec"), {"volumeMode": "Filesystem", "persistentVolumeReclaimPolicy": "Retain"})
    part(obj, "status").setdefault("phase", "Pending")


def _node(obj: JsonObject) -> None:
    part(obj, "spec")
    status = part(obj, "status")
    capacity = status.get("capacity")
    if isinstance(capacity, dict) and capacity:
        status.setdefault("allocatable", dict(capacity))


def _autoscaler(obj: JsonObject) -> None:
    spec = part(obj, "spec")
    spec.setdefault("minReplicas", 1)
    if not spec.get("metrics"):
        target: JsonObject = {"type": "Utilization", "averageUtilization": 80}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    behavior = spec.get("behavior")
    if isinstance(behavior, dict):
        up: list[Json] = [_policy("Pods", 4), _policy("Percent", 100)]
        fill(part(behavior, "scaleUp"), {"stabilizationWindowSeconds": 0, "selectPolicy": "Max", "policies": up})
        fill(part(behavior, "scaleDown"), {"selectPolicy": "Max", "policies": [_policy("Percent", 100)]})


def _policy(type: str, value: int) -> JsonObject:
    return {"type": type, "value": value, "periodSeconds": 15}


def _ingress(obj: JsonObject) -> None:
    part(part(obj, "status"), "loadBalancer")


_DEFAULTS: dict[tuple[str, str], Callable[[JsonObject], None]] = {
    ("", "Endpoints"): default_endpoints,
    ("", "Namespace"): _namespace,
    ("", "Node"): _node,
    ("", "PersistentVolume"): _volume,
    ("", "PersistentVolumeClaim"): _claim,
    ("", "Pod"): default_pod,
    ("", "Secret"): _secret,
    ("", "Service"): default_service,
    ("apps", "Deployment"): _deployment,
    ("apps", "ReplicaSet"): _replica_set,
    ("autoscaling", "HorizontalPodAutoscaler"): _autoscaler,
    ("discovery.k8s.io", "EndpointSlice"): default_slice,
    ("networking.k8s.io", "Ingress"): _ingress,
}
