"""What a real API server refuses in a HorizontalPodAutoscaler, in its words."""

import pytest

from inferplane.controlplane.apiserver.builtin.autoscalers import autoscaler_errors
from inferplane.kernel.json import Json, JsonObject

CPU: JsonObject = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}
POLICY: JsonObject = {"type": "Pods", "value": 4, "periodSeconds": 15}


def refused(**spec: Json) -> list[tuple[str, str]]:
    whole: JsonObject = {"scaleTargetRef": {"kind": "Deployment", "name": "web"}, "maxReplicas": 3, **spec}
    return [(one.path, one.message) for one in autoscaler_errors({"spec": whole})]


def resource(**target: Json) -> Json:
    return [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]


def test_a_whole_one_is_admitted() -> None:
    assert refused(
        minReplicas=1,
        metrics=[{"type": "Resource", "resource": CPU}, {"type": "Pods", "pods": {}}],
        behavior={"scaleUp": {"policies": [POLICY], "stabilizationWindowSeconds": 0, "selectPolicy": "Min"}},
    ) == []  # fmt: skip


SOURCE, RULES = "spec.metrics[0]", "spec.behavior.scaleDown"
NO_TARGET = "Required value: must set either a target raw value or a target utilization"
TWO_TARGETS = "Forbidden: may not set both a target raw value and a target utilization"
SOURCES = '"ContainerResource", "External", "Object", "Pods", "Resource"'


@pytest.mark.parametrize(
    ("spec", "path", "message"),
    [
        ({"minReplicas": 0}, "spec.minReplicas", "Invalid value: 0: must be greater than or equal to 1"),
        (
            {"minReplicas": 4},
            "spec.maxReplicas",
            "Invalid value: 3: must be greater than or equal to `minReplicas`",
        ),
        ({"scaleTargetRef": {"kind": "Deployment"}}, "spec.scaleTargetRef.name", "Required value"),
        ({"metrics": [{"type": "Odd"}]}, f"{SOURCE}.type", f'Unsupported value: "Odd": supported values: {SOURCES}'),
        (
            {"metrics": [{"type": "Resource"}]},
            f"{SOURCE}.resource",
            "Required value: must populate information for the given metric source",
        ),
        (
            {"metrics": [{"type": "Resource", "resource": CPU, "pods": {}}]},
            f"{SOURCE}.pods",
            "Forbidden: must populate the given metric source only",
        ),
        (
            {"metrics": [{"type": "ContainerResource", "containerResource": CPU}]},
            f"{SOURCE}.containerResource.container",
            "Required value: must specify a container",
        ),
        ({"metrics": resource(type="Utilization")}, f"{SOURCE}.resource.target.averageUtilization", NO_TARGET),
        (
            {"metrics": resource(type="Utilization", averageUtilization=0)},
            f"{SOURCE}.resource.target.averageUtilization",
            "Invalid value: 0: must be greater than 0",
        ),
        (
            {"metrics": resource(type="AverageValue", averageValue="1", averageUtilization=5)},
            f"{SOURCE}.resource.target.averageValue",
            TWO_TARGETS,
        ),
        (
            {"metrics": resource(type="Odd", averageValue="1")},
            f"{SOURCE}.resource.target.type",
            'Invalid value: "Odd": must be either Utilization, Value, or AverageValue',
        ),
        (
            {"metrics": resource(type="AverageValue", averageValue="-1")},
            f"{SOURCE}.resource.target.averageValue",
            'Invalid value: "-1": must be positive',
        ),
        (
            {"behavior": {"scaleDown": {"policies": []}}},
            f"{RULES}.policies",
            "Required value: must specify at least one Policy",
        ),
        (
            {"behavior": {"scaleDown": {"policies": [POLICY], "stabilizationWindowSeconds": 3601}}},
            f"{RULES}.stabilizationWindowSeconds",
            "Invalid value: 3601: must be less than or equal to 3600",
        ),
        (
            {"behavior": {"scaleDown": {"policies": [POLICY | {"type": "Odd"}]}}},
            f"{RULES}.policies[0].type",
            'Unsupported value: "Odd": supported values: "Percent", "Pods"',
        ),
        (
            {"behavior": {"scaleDown": {"policies": [POLICY | {"value": 0}]}}},
            f"{RULES}.policies[0].value",
            "Invalid value: 0: must be greater than zero",
        ),
        (
            {"behavior": {"scaleDown": {"policies": [POLICY | {"periodSeconds": 1801}]}}},
            f"{RULES}.policies[0].periodSeconds",
            "Invalid value: 1801: must be less than or equal to 1800",
        ),
    ],
)
def test_what_is_refused_is_named(spec: JsonObject, path: str, message: str) -> None:
    assert refused(**spec) == [(path, message)]
