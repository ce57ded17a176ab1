"""What scales the Deployments of an InferenceService in Standard mode: one object of the right kind, or none."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.reconcile.serving.world import World, config, isvc, serving

from inferplane.client.kubernetes.api import Resource
from inferplane.client.kubernetes.kinds import (
    CUSTOM_RESOURCE_DEFINITION,
    DEPLOYMENT,
    HORIZONTAL_POD_AUTOSCALER,
    OPEN_TELEMETRY_COLLECTOR,
    SCALED_OBJECT,
)
from inferplane.kernel.json import Json, JsonObject, object_at, text_at

HPA = HORIZONTAL_POD_AUTOSCALER
NAME = "raw-foo-predictor"
MEMORY: Json = {
    "type": "Resource",
    "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": "10Gi"}},
}


def hpa(world: World, name: str = NAME) -> JsonObject:
    return object_at(world.peek(HPA, name), "spec")


async def rendered(predictor: JsonObject) -> JsonObject:
    async with serving() as world:
        await world.applied(isvc(predictor=predictor))
        return hpa(world)


async def test_r5_memory_by_average_value() -> None:
    async with serving() as world:
        predictor: JsonObject = {"minReplicas": 1, "maxReplicas": 3, "autoScaling": {"metrics": [MEMORY]}}
        await world.applied(isvc(predictor=predictor, autoscalerClass="hpa"))
        found = world.peek(HPA, NAME)
        deployment = world.peek(DEPLOYMENT, NAME)
    assert found["spec"] == {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": NAME},
        "minReplicas": 1,
        "maxReplicas": 3,
        "metrics": [MEMORY],
        "behavior": {},
    }
    for field in ("labels", "annotations", "ownerReferences"):
        assert object_at(found, "metadata")[field] == object_at(deployment, "metadata")[field]
    assert "replicas" not in object_at(deployment, "spec")


def cpu(percent: int) -> list[Json]:
    target: Json = {"type": "Utilization", "averageUtilization": percent}
    return [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]


@pytest.mark.parametrize(
    ("predictor", "least", "most", "metrics"),
    [
        ({}, 1, 1, cpu(80)),
        ({"minReplicas": 0}, 1, 1, cpu(80)),
        ({"minReplicas": 2}, 2, 2, cpu(80)),
        ({"minReplicas": 3, "maxReplicas": 5, "scaleTarget": 60}, 3, 5, cpu(60)),
        ({"maxReplicas": 4, "scaleMetric": "cpu"}, 1, 4, cpu(80)),
        ({"maxReplicas": 4, "autoScaling": {"metrics": [*cpu(75)]}}, 1, 4, cpu(75)),
    ],
)
async def test_bounds_and_metric_come_from_the_component(
    predictor: JsonObject, least: int, most: int, metrics: list[Json]
) -> None:
    found = await rendered(predictor)
    assert (found["minReplicas"], found["maxReplicas"], found["metrics"]) == (least, most, metrics)


async def test_memory_without_a_target_is_no_metric() -> None:
    assert "metrics" not in await rendered({"scaleMetric": "memory"})


async def test_several_metrics_and_a_behavior_are_passed_on() -> None:
    behavior: JsonObject = {"scaleDown": {"stabilizationWindowSeconds": 5}}
    found = await rendered({"maxReplicas": 4, "autoScaling": {"metrics": [*cpu(75), MEMORY], "behavior": behavior}})
    assert (found["metrics"], found["behavior"]) == ([*cpu(75), MEMORY], behavior)


@pytest.mark.parametrize("way", ["none", "external"])
async def test_another_class_removes_the_autoscaler(way: str) -> None:
    async with serving() as world:
        await world.applied(isvc())
        before = world.exists(HPA, NAME)
        await world.applied(isvc(autoscalerClass=way))
        assert (before, world.exists(HPA, NAME)) == (True, False)


async def test_an_autoscaler_of_somebody_else_is_left_alone() -> None:
    async with serving() as world:
        await world.add(HPA, {"metadata": {"name": NAME}, "spec": {"maxReplicas": 9}}, "default")
        await world.applied(isvc(autoscalerClass="external"))
        assert hpa(world) == {"maxReplicas": 9}


async def test_one_that_was_changed_or_deleted_is_put_right() -> None:
    async with serving() as world:
        await world.applied(isvc())
        changed = world.peek(HPA, NAME)
        await world.add(HPA, changed | {"spec": object_at(changed, "spec") | {"maxReplicas": 9}})
        repaired = hpa(world)["maxReplicas"]
        world.api.remove(HPA, NAME)
        await world.rests()
        assert (repaired, world.exists(HPA, NAME)) == (1, True)


async def test_what_the_autoscaler_says_is_no_reason_to_look_again() -> None:
    async with serving() as world:
        await world.applied(isvc())
        world.api.writes.clear()
        await world.says(HPA, NAME, {"currentReplicas": 1, "desiredReplicas": 1})
        assert world.api.writes == []


async def test_replicas_that_were_scaled_stay_when_the_service_changes() -> None:
    async with serving() as world:
        await world.applied(isvc(predictor={"maxReplicas": 5}))
        await world.api.patch(DEPLOYMENT, NAME, {"spec": {"replicas": 4}}, "default", subresource="scale")
        await world.applied(isvc(predictor={"maxReplicas": 5, "timeout": 30, "containerConcurrency": 2}))
        assert object_at(world.peek(DEPLOYMENT, NAME), "spec")["replicas"] == 4


async def test_a_stopped_service_has_no_autoscaler() -> None:
    async with serving() as world:
        await world.applied(isvc())
        await world.applied(isvc(stop="true"))
        assert not world.exists(HPA, NAME)


async def test_r31_the_transformer_has_one_of_its_own() -> None:
    transformer: Json = {
        "minReplicas": 1,
        "maxReplicas": 2,
        "scaleTarget": 80,
        "containers": [{"image": "transformer:v1"}],
    }
    body = isvc(predictor={"minReplicas": 1, "maxReplicas": 3, "autoScaling": {"metrics": [*cpu(75)]}})
    body["spec"] = object_at(body, "spec") | {"transformer": transformer}
    async with serving() as world:
        await world.applied(body)
        mine, other = hpa(world, "raw-foo-transformer"), hpa(world)
    assert (mine["minReplicas"], mine["maxReplicas"], mine["metrics"]) == (1, 2, cpu(80))
    assert (text_at(mine, "scaleTargetRef", "name"), other["metrics"]) == ("raw-foo-transformer", cpu(75))


# KEDA.


def definition(resource: Resource) -> JsonObject:
    conditions: list[Json] = [{"type": "Established", "status": "True"}]
    return {"metadata": {"name": f"{resource.plural}.{resource.group}"}, "status": {"conditions": conditions}}


@asynccontextmanager
async def with_keda(*more: Resource) -> AsyncIterator[World]:
    async with serving() as world:
        for one in (SCALED_OBJECT, *more):
            await world.add(CUSTOM_RESOURCE_DEFINITION, definition(one))
        yield world


def scaled_object(world: World) -> JsonObject:
    return object_at(world.peek(SCALED_OBJECT, NAME), "spec")


async def test_r36_keda_gets_a_scaled_object() -> None:
    predictor: JsonObject = {"minReplicas": 1, "maxReplicas": 3, "autoScaling": {"metrics": [MEMORY]}}
    async with with_keda() as world:
        await world.applied(isvc(predictor=predictor, autoscalerClass="keda"))
        found = scaled_object(world)
        assert (world.exists(HPA, NAME), "replicas" in object_at(world.peek(DEPLOYMENT, NAME), "spec")) == (
            False,
            False,
        )
    assert found == {
        "scaleTargetRef": {"name": NAME},
        "minReplicaCount": 1,
        "maxReplicaCount": 3,
        "triggers": [{"type": "memory", "metricType": "AverageValue", "metadata": {"value": "10Gi"}}],
    }


PROMETHEUS: Json = {
    "type": "External",
    "external": {
        "metric": {
            "backend": "prometheus",
            "serverAddress": "http://prometheus:9090",
            "query": "vllm:num_requests_running",
            "namespace": "monitoring",
        },
        "authenticationRef": {"authModes": "bearer", "authenticationRef": {"name": "prometheus"}},
        "target": {"type": "Value", "value": "0.5"},
    },
}
TELEMETRY: Json = {
    "type": "PodMetric",
    "podmetric": {
        "metric": {
            "backend": "opentelemetry",
            "metricNames": ["process_cpu_seconds_total"],
            "query": "process_cpu_seconds_total",
            "operationOverTime": "avg",
        },
        "target": {"type": "Value", "value": "4"},
    },
}


@pytest.mark.parametrize(
    ("metric", "trigger"),
    [
        (cpu(75)[0], {"type": "cpu", "metricType": "Utilization", "metadata": {"value": "75"}}),
        (
            {
                "type": "Resource",
                "resource": {"name": "memory", "target": {"type": "Utilization", "averageUtilization": 5}},
            },
            {"type": "memory", "metricType": "Utilization", "metadata": {"value": "5"}},
        ),
        (
            PROMETHEUS,
            {
                "type": "prometheus",
                "metadata": {
                    "serverAddress": "http://prometheus:9090",
                    "query": "vllm:num_requests_running",
                    "threshold": "0.5",
                    "namespace": "monitoring",
                    "authModes": "bearer",
                },
                "authenticationRef": {"name": "prometheus"},
            },
        ),
    ],
)
async def test_each_metric_is_a_trigger(metric: Json, trigger: JsonObject) -> None:
    async with with_keda() as world:
        predictor: JsonObject = {"minReplicas": 0, "maxReplicas": 3, "autoScaling": {"metrics": [metric]}}
        await world.applied(isvc(predictor=predictor, autoscalerClass="keda"))
        found = scaled_object(world)
    assert (found["minReplicaCount"], found["triggers"]) == (0, [trigger])


async def test_r37_metrics_of_pods_are_collected() -> None:
    async with with_keda(OPEN_TELEMETRY_COLLECTOR) as world:
        predictor: JsonObject = {"maxReplicas": 3, "autoScaling": {"metrics": [TELEMETRY]}}
        await world.applied(isvc(predictor=predictor, autoscalerClass="keda"))
        triggers = scaled_object(world)["triggers"]
        collector = object_at(world.peek(OPEN_TELEMETRY_COLLECTOR, NAME), "spec")
    query = f'sum(process_cpu_seconds_total{{namespace="default", deployment="{NAME}"}})'
    address = "keda-otel-scaler.keda.svc:4318"
    metadata: Json = {"scalerAddress": address, "metricQuery": query, "targetValue": "4", "operationOverTime": "avg"}
    assert triggers == [{"type": "external", "metadata": metadata}]
    assert collector["mode"] == "sidecar"
    receivers = object_at(collector, "config", "receivers", "prometheus", "config")
    assert receivers["scrape_configs"] == [
        {
            "job_name": "otel-collector",
            "scrape_interval": "5s",
            "static_configs": [{"targets": ["localhost:8080"]}],
        }
    ]
    assert object_at(collector, "config", "service", "pipelines", "metrics")["processors"] == [
        "resourcedetection/env",
        "transform",
        "filter/metrics",
    ]
    filtered = object_at(collector, "config", "processors", "filter/metrics", "metrics", "include")
    assert filtered == {"match_type": "strict", "metric_names": ["process_cpu_seconds_total"]}
    assert object_at(collector, "config", "exporters", "otlp") == {
        "endpoint": "keda-otel-scaler.keda.svc:4317",
        "compression": "none",
        "tls": {"insecure": True},
    }


async def test_windows_come_from_the_service_else_from_the_configuration() -> None:
    windows = '{"scaleUpStabilizationWindowSeconds": "0", "scaleDownStabilizationWindowSeconds": "300"}'
    behavior: JsonObject = {"scaleDown": {"stabilizationWindowSeconds": 7}}
    predictor: JsonObject = {"maxReplicas": 3, "autoScaling": {"metrics": [*cpu(75)], "behavior": behavior}}
    async with serving(config_map=config(autoscaler=windows)) as world:
        await world.add(CUSTOM_RESOURCE_DEFINITION, definition(SCALED_OBJECT))
        await world.applied(isvc(predictor=predictor, autoscalerClass="keda"))
        found = object_at(scaled_object(world), "advanced", "horizontalPodAutoscalerConfig", "behavior")
    assert found == {
        "scaleUp": {"stabilizationWindowSeconds": 0},
        "scaleDown": {"stabilizationWindowSeconds": 7},
    }


async def test_the_object_of_the_class_before_is_removed_either_way() -> None:
    predictor: JsonObject = {"maxReplicas": 3, "autoScaling": {"metrics": [*cpu(75)]}}
    seen = []
    async with with_keda() as world:
        for way in ("hpa", "keda", "hpa", "none"):
            await world.applied(isvc(predictor=predictor, autoscalerClass=way))
            seen.append((world.exists(HPA, NAME), world.exists(SCALED_OBJECT, NAME)))
    assert seen == [(True, False), (False, True), (True, False), (False, False)]


async def test_without_keda_the_service_says_what_is_missing_and_goes_on_when_it_comes() -> None:
    predictor: JsonObject = {"maxReplicas": 3, "autoScaling": {"metrics": [*cpu(75)]}}
    async with serving() as world:
        await world.applied(isvc(predictor=predictor, autoscalerClass="keda"))
        before = world.condition("PredictorReady")
        await world.add(CUSTOM_RESOURCE_DEFINITION, definition(SCALED_OBJECT))
        assert world.exists(SCALED_OBJECT, NAME)
    words = "this API server does not have ScaledObject (keda.sh/v1alpha1): install KEDA, or choose the class hpa"
    assert (before["reason"], before["message"]) == ("ReconcileFailed", words)
