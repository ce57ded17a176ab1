"""ScaledObject (`keda.sh/v1alpha1`) as a CustomResourceDefinition, for a machine without KEDA.

A subset of KEDA's own: what `controlplane.workloads.autoscaling` honours is typed, the rest is kept as it is.
"""

from inferplane.kernel.json import Json, JsonObject

GROUP = "keda.sh"
_ANYTHING: JsonObject = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_COUNT: JsonObject = {"type": "integer", "format": "int32", "minimum": 0}
_TEXT: JsonObject = {"type": "string"}


def crd() -> JsonObject:
    names: JsonObject = {
        "kind": "ScaledObject",
        "listKind": "ScaledObjectList",
        "plural": "scaledobjects",
        "singular": "scaledobject",
        "shortNames": ["so"],
    }
    version: JsonObject = {
        "name": "v1alpha1",
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": _columns(),
        "schema": {"openAPIV3Schema": _schema()},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"scaledobjects.{GROUP}"},
        "spec": {"group": GROUP, "scope": "Namespaced", "names": names, "versions": [version]},
    }


def _columns() -> list[Json]:
    columns: dict[str, tuple[str, str]] = {
        "ScaleTargetName": ("string", ".spec.scaleTargetRef.name"),
        "Min": ("integer", ".spec.minReplicaCount"),
        "Max": ("integer", ".spec.maxReplicaCount"),
        "Ready": ("string", '.status.conditions[?(@.type=="Ready")].status'),
        "Triggers": ("string", ".spec.triggers[*].type"),
        "Age": ("date", ".metadata.creationTimestamp"),
    }
    return [{"name": name, "type": kind, "jsonPath": path} for name, (kind, path) in columns.items()]


def _schema() -> JsonObject:
    target: JsonObject = {
        "type": "object",
        "description": "What is scaled: a Deployment unless kind and apiVersion say otherwise.",
        "required": ["name"],
        "properties": {"name": _TEXT, "kind": _TEXT, "apiVersion": _TEXT, "envSourceContainerName": _TEXT},
    }
    trigger: JsonObject = {
        "type": "object",
        "required": ["type"],
        "properties": {
            "type": _TEXT,
            "name": _TEXT,
            "metricType": {"type": "string", "enum": ["Utilization", "Value", "AverageValue"]},
            "metadata": {"type": "object", "additionalProperties": _TEXT},
            "authenticationRef": _ANYTHING,
            "useCachedMetrics": {"type": "boolean"},
        },
    }
    spec: JsonObject = {
        **_ANYTHING,
        "required": ["scaleTargetRef", "triggers"],
        "properties": {
            "scaleTargetRef": target,
            "minReplicaCount": _COUNT,
            "maxReplicaCount": _COUNT,
            "triggers": {"type": "array", "items": trigger},
            "advanced": _ANYTHING,
        },
    }
    return {
        "type": "object",
        "description": "A Deployment that is scaled by triggers. On one machine cpu and memory are honoured.",
        "required": ["spec"],
        "properties": {
            "apiVersion": _TEXT,
            "kind": _TEXT,
            "metadata": {"type": "object"},
            "spec": spec,
            "status": _ANYTHING,
        },
    }
