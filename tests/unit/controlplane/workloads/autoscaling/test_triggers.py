"""The autoscaler that KEDA would make of a ScaledObject, and what is said about triggers that need KEDA itself."""

import msgspec
import pytest

from inferplane.controlplane.workloads.autoscaling.triggers import Outcome, outcome, status
from inferplane.kernel.json import Json, JsonObject, list_at, object_at, text_at
from inferplane.resources.autoscaling import ScaledObject


def made(*triggers: Json, **spec: Json) -> Outcome:
    body: JsonObject = {
        "metadata": {"name": "iris", "namespace": "ml", "uid": "u", "labels": {"team": "a"}},
        "spec": {"scaleTargetRef": {"name": "iris"}, "triggers": list(triggers), **spec},
    }
    return outcome(msgspec.convert(body, ScaledObject))


def trigger(kind: str, value: str = "80", way: str = "Utilization", **metadata: str) -> Json:
    return {"type": kind, "metricType": way, "metadata": {"value": value, **metadata}}


def test_cpu_and_memory_become_an_autoscaler_of_kedas_name() -> None:
    found = made(trigger("cpu", "60"), trigger("memory", "10Gi", "AverageValue"), minReplicaCount=2, maxReplicaCount=4)
    assert found.autoscaler is not None
    assert text_at(found.autoscaler, "metadata", "name") == "keda-hpa-iris"
    assert object_at(found.autoscaler, "metadata", "labels")["team"] == "a"
    assert found.autoscaler["spec"] == {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "iris"},
        "minReplicas": 2,
        "maxReplicas": 4,
        "metrics": [
            {
                "type": "Resource",
                "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60}},
            },
            {
                "type": "Resource",
                "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": "10Gi"}},
            },
        ],
    }
    assert (found.ready, found.reason) == (True, "ScaledObjectReady")


def test_nothing_scales_to_zero_on_cpu() -> None:
    spec = object_at(made(trigger("cpu"), minReplicaCount=0, maxReplicaCount=3).autoscaler or {}, "spec")
    assert (spec["minReplicas"], spec["maxReplicas"]) == (1, 3)


def test_one_container_and_a_behavior_are_passed_on() -> None:
    behavior: Json = {"scaleDown": {"stabilizationWindowSeconds": 5}}
    advanced: Json = {"horizontalPodAutoscalerConfig": {"name": "own", "behavior": behavior}}
    found = made(trigger("cpu", containerName="main"), advanced=advanced).autoscaler or {}
    [metric] = list_at(found, "spec", "metrics")
    assert isinstance(metric, dict)
    assert (text_at(found, "metadata", "name"), object_at(found, "spec")["behavior"]) == ("own", behavior)
    assert (metric["type"], text_at(metric, "containerResource", "container")) == ("ContainerResource", "main")


@pytest.mark.parametrize(
    ("triggers", "autoscaler", "reason", "words"),
    [
        ([trigger("prometheus")], False, "TriggerNotHonoured", "triggers of type prometheus need KEDA"),
        ([trigger("external"), trigger("cpu")], True, "TriggerNotHonoured", "the rest is honoured"),
        ([], False, "ScaledObjectCheckFailed", "no triggers defined"),
    ],
)
def test_what_needs_keda_is_said(triggers: list[Json], autoscaler: bool, reason: str, words: str) -> None:
    found = made(*triggers)
    assert (found.autoscaler is not None, found.ready, found.reason) == (autoscaler, False, reason)
    assert words in found.message


def test_the_condition_keeps_its_time_while_it_says_the_same() -> None:
    before: JsonObject = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    one = msgspec.convert({"status": {"conditions": [before]}}, ScaledObject)
    ready, broken = Outcome({}, True, "ScaledObjectReady", ""), Outcome(None, False, "TriggerNotHonoured", "")
    told = [list_at(status(one, each, "2026-01-01T01:00:00Z"), "conditions")[0] for each in (ready, broken)]
    times = [one["lastTransitionTime"] for one in told if isinstance(one, dict)]
    assert times == ["2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z"]
