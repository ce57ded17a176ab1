"""Bounds and triggers of a ScaledObject, and the HPA's metric, beyond what the reconcile tests show."""

import msgspec
import pytest
from tests.unit.controlplane.serving.made import isvc

from inferplane.controlplane.serving.autoscalers import objects
from inferplane.kernel.json import Json, JsonObject, object_at
from inferplane.resources.serving.config import Config
from inferplane.resources.serving.inferenceservice import ComponentExtension

METADATA: JsonObject = {"name": "iris-predictor", "namespace": "ml"}


def spec(component: JsonObject, way: str = "keda") -> JsonObject:
    service = isvc({}, annotations={"serving.kserve.io/autoscalerClass": way})
    [(_, body)] = objects(service, METADATA, msgspec.convert(component, ComponentExtension), Config())
    return object_at(body, "spec")


def resource(name: str, **target: Json) -> JsonObject:
    return {"type": "Resource", "resource": {"name": name, "target": {**target}}}


def external(backend: str, value: str, **metric: Json) -> JsonObject:
    said: JsonObject = {"backend": backend, "serverAddress": "http://m", "query": "q", **metric}
    return {"type": "External", "external": {"metric": said, "target": {"type": "Value", "value": value}}}


SERVER: JsonObject = {"serverAddress": "http://m", "query": "q"}


@pytest.mark.parametrize(
    ("metric", "trigger"),
    [
        (resource("cpu"), {"type": "cpu", "metricType": "Utilization", "metadata": {"value": "80"}}),
        (
            resource("memory", type="AverageValue", averageValue="10Gi"),
            {"type": "memory", "metricType": "AverageValue", "metadata": {"value": "10Gi"}},
        ),
        (
            resource("memory", type="Utilization"),
            {"type": "memory", "metricType": "Utilization", "metadata": {"value": "0"}},
        ),
        (external("prometheus", "0.5"), {"type": "prometheus", "metadata": SERVER | {"threshold": "0.5"}}),
        (external("prometheus", "500m"), {"type": "prometheus", "metadata": SERVER | {"threshold": "500m"}}),
        (
            external("prometheus", "1", namespace="ml"),
            {"type": "prometheus", "metadata": SERVER | {"threshold": "1", "namespace": "ml"}},
        ),
        (
            external("graphite", "1", namespace="only prometheus has them"),
            {"type": "graphite", "metadata": SERVER | {"threshold": "1"}},
        ),
    ],
)
def test_a_metric_is_a_trigger_with_values_as_they_were_typed(metric: JsonObject, trigger: JsonObject) -> None:
    assert spec({"autoScaling": {"metrics": [metric]}})["triggers"] == [trigger]


@pytest.mark.parametrize(
    ("component", "least", "most"),
    [({}, 1, 1), ({"minReplicas": 0}, 0, 0), ({"maxReplicas": 3}, 1, 3), ({"minReplicas": 4, "maxReplicas": 0}, 4, 4)],
)
def test_there_is_one_replica_at_least_and_never_fewer_at_most(component: JsonObject, least: int, most: int) -> None:
    found = spec(component)
    assert (found["minReplicaCount"], found["maxReplicaCount"]) == (least, most)


def test_memory_by_percentage_is_the_autoscalers_metric() -> None:
    found = spec({"scaleMetric": "memory", "scaleTarget": 50}, "hpa")
    assert found["metrics"] == [resource("memory", type="Utilization", averageUtilization=50)]
