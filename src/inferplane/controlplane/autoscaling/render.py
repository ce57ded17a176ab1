"""A PodAutoscaler's children: its ServerlessService, and the HorizontalPodAutoscaler of the class HPA. Pure."""

from math import ceil

from inferplane.client.kubernetes import kinds
from inferplane.client.kubernetes.api import Resource
from inferplane.controlplane.machinery.owners import owner_reference
from inferplane.kernel.json import Json, JsonObject
from inferplane.resources.autoscaling_knative.annotations import Annotations
from inferplane.resources.autoscaling_knative.podautoscaler import PodAutoscaler
from inferplane.resources.autoscaling_knative.resolution import ScaleLimits
from inferplane.resources.autoscaling_knative.serverlessservice import Mode
from inferplane.resources.knative.words import LAST_APPLIED

_NO_LIMIT = 2**31 - 1


def serverless_service(pa: PodAutoscaler, mode: Mode, activators: int) -> JsonObject:
    spec: JsonObject = {
        "mode": mode,
        "objectRef": _target(pa),
        "protocolType": pa.spec.protocol_type,
        "numActivators": activators,
    }
    return _child(kinds.SERVERLESS_SERVICE, pa, {"spec": spec})


def autoscaler(pa: PodAutoscaler, said: Annotations, limits: ScaleLimits) -> JsonObject:
    """A HorizontalPodAutoscaler. Without a target it has Kubernetes' own default metric."""
    spec: JsonObject = {"scaleTargetRef": _target(pa), "maxReplicas": limits.max_scale or _NO_LIMIT}
    if limits.min_scale > 0:
        spec["minReplicas"] = limits.min_scale
    if said.target is not None:
        spec["metrics"] = [_metric(said.metric, said.target)]
    if said.window is not None:
        rules: JsonObject = {"stabilizationWindowSeconds": int(said.window)}
        spec["behavior"] = {"scaleUp": rules, "scaleDown": dict(rules)}
    return _child(kinds.HORIZONTAL_POD_AUTOSCALER, pa, {"spec": spec})


def _metric(name: str, target: float) -> Json:
    match name:
        case "cpu":
            value: JsonObject = {"type": "Utilization", "averageUtilization": ceil(target)}
        case "memory":
            value = {"type": "AverageValue", "averageValue": f"{ceil(target)}Mi"}
        case _:
            value = {"type": "AverageValue", "averageValue": str(int(target))}
            return {"type": "Pods", "pods": {"metric": {"name": name}, "target": value}}
    return {"type": "Resource", "resource": {"name": name, "target": value}}


def _target(pa: PodAutoscaler) -> JsonObject:
    ref = pa.spec.scale_target_ref
    return {"apiVersion": ref.api_version, "kind": ref.kind, "name": ref.name}


def _child(resource: Resource, pa: PodAutoscaler, content: JsonObject) -> JsonObject:
    meta = pa.metadata
    metadata: JsonObject = {
        "name": meta.name,
        "namespace": meta.namespace,
        "labels": {**meta.labels},
        "annotations": {key: text for key, text in meta.annotations.items() if key != LAST_APPLIED},
        "ownerReferences": [owner_reference(kinds.POD_AUTOSCALER, meta)],
    }
    return {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata, **content}
