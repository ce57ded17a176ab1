"""A ScaledObject on a machine without KEDA → the HorizontalPodAutoscaler that KEDA would make of it. Pure.

KEDA leaves cpu and memory to an HPA named `keda-hpa-NAME` and only measures other things itself; those need KEDA, and
the ScaledObject's condition says so. Nothing scales to zero on cpu or memory, in KEDA neither.
"""

from dataclasses import dataclass

from inferplane.client.kubernetes.kinds import HORIZONTAL_POD_AUTOSCALER, SCALED_OBJECT
from inferplane.controlplane.machinery.owners import owner_reference
from inferplane.kernel.json import Json, JsonObject
from inferplane.resources.autoscaling import ScaledObject, Trigger
from inferplane.resources.meta import Condition, ConditionStatus, condition

HONOURED = ("cpu", "memory")
READY = "Ready"


@dataclass(frozen=True, slots=True)
class Outcome:
    """`autoscaler` is None when no trigger can be honoured."""

    autoscaler: JsonObject | None
    ready: bool
    reason: str
    message: str


def autoscaler_name(one: ScaledObject) -> str:
    return one.spec.advanced.horizontal_pod_autoscaler_config.name or f"keda-hpa-{one.metadata.name}"


def outcome(one: ScaledObject) -> Outcome:
    honoured = [trigger for trigger in one.spec.triggers if trigger.type in HONOURED]
    others = sorted({trigger.type for trigger in one.spec.triggers} - set(HONOURED))
    made = _autoscaler(one, honoured) if honoured else None
    if not one.spec.triggers:
        return Outcome(None, False, "ScaledObjectCheckFailed", "no triggers defined in the ScaledObject")
    if others:
        rest = ", the rest is honoured" if honoured else ""
        words = f"triggers of type {', '.join(others)} need KEDA, which is not on this machine{rest}"
        return Outcome(made, False, "TriggerNotHonoured", words)
    return Outcome(made, True, "ScaledObjectReady", "ScaledObject is defined correctly and is ready for scaling")


def _autoscaler(one: ScaledObject, triggers: list[Trigger]) -> JsonObject:
    meta, spec = one.metadata, one.spec
    least = max(1, spec.min_replica_count)
    target = spec.scale_target_ref
    metrics: list[Json] = [_metric(trigger) for trigger in triggers]
    hpa: JsonObject = {
        "scaleTargetRef": {"apiVersion": target.api_version, "kind": target.kind, "name": target.name},
        "minReplicas": least,
        "maxReplicas": max(least, spec.max_replica_count),
        "metrics": metrics,
    }
    if behavior := spec.advanced.horizontal_pod_autoscaler_config.behavior:
        hpa["behavior"] = behavior
    name = autoscaler_name(one)
    labels: JsonObject = {
        **meta.labels,
        "app.kubernetes.io/managed-by": "keda-operator",
        "app.kubernetes.io/name": name,
        "app.kubernetes.io/part-of": meta.name,
        "scaledobject.keda.sh/name": meta.name,
    }
    return {
        "apiVersion": HORIZONTAL_POD_AUTOSCALER.api_version,
        "kind": HORIZONTAL_POD_AUTOSCALER.kind,
        "metadata": {
            "name": name,
            "namespace": meta.namespace,
            "labels": labels,
            "ownerReferences": [owner_reference(SCALED_OBJECT, meta)],
        },
        "spec": hpa,
    }


def _metric(trigger: Trigger) -> Json:
    """`value` is a percentage of what the pods request, or a quantity for each pod."""
    value = trigger.metadata.get("value", "")
    if trigger.metric_type in ("", "Utilization"):
        percent = int(value) if value.isdigit() else None
        target: Json = {"type": "Utilization", "averageUtilization": percent}
    else:
        target = {"type": "AverageValue", "averageValue": value}
    container = trigger.metadata.get("containerName", "")
    if not container:
        return {"type": "Resource", "resource": {"name": trigger.type, "target": target}}
    source: Json = {"name": trigger.type, "container": container, "target": target}
    return {"type": "ContainerResource", "containerResource": source}


def status(one: ScaledObject, found: Outcome, now: str) -> JsonObject:
    """What the ScaledObject says of itself. `now` is RFC 3339."""
    ready = ConditionStatus.TRUE if found.ready else ConditionStatus.FALSE
    before = condition(one.status.conditions, READY)
    same = before is not None and before.status is ready and before.last_transition_time
    made: Json = {
        "type": READY,
        "status": ready.value,
        "reason": found.reason,
        "message": found.message,
        "lastTransitionTime": before.last_transition_time if same and before else now,
    }
    return {"conditions": [made], "hpaName": autoscaler_name(one) if found.autoscaler else ""}


def says(one: ScaledObject) -> Condition | None:
    return condition(one.status.conditions, READY)
