"""What scales a component in Standard mode: a HorizontalPodAutoscaler, KEDA's ScaledObject, or nothing of ours.

The annotation `serving.kserve.io/autoscalerClass` decides. A component's metadata and scaling fields go in; bodies for
server-side apply come out, with the same metadata as its Deployment. The rules are KServe's (`pkg/controller/v1beta1/
inferenceservice/reconcilers/{hpa,keda,otel}`); unlike there `autoScaling.behavior` reaches the HPA too. Pure.
"""

from collections.abc import Iterator
from enum import StrEnum

from inferplane.client.kubernetes import kinds
from inferplane.client.kubernetes.api import Resource
from inferplane.controlplane.serving import names
from inferplane.kernel.json import Json, JsonObject, object_at, text_at
from inferplane.resources.serving.config import Autoscaler, Config, OpenTelemetryCollector
from inferplane.resources.serving.inferenceservice import ComponentExtension, InferenceService
from inferplane.resources.serving.scaling import (
    ExternalMetricSource,
    MetricsSpec,
    MetricTarget,
    MetricTargetType,
    PodMetricSource,
    ResourceMetricSource,
    ScaleMetric,
)

_CPU_PERCENT = 80
_METRICS_PORT = "prometheus.kserve.io/port"


class AutoscalerClass(StrEnum):
    HPA = "hpa"
    KEDA = "keda"
    EXTERNAL = "external"
    NONE = "none"


def class_of(isvc: InferenceService) -> AutoscalerClass:
    """Validation has refused any other word."""
    return AutoscalerClass(isvc.metadata.annotations.get(names.AUTOSCALER_CLASS, AutoscalerClass.HPA))


def fixed_replicas(isvc: InferenceService, component: ComponentExtension) -> int | None:
    """`spec.replicas` of the Deployment when nothing scales it; None leaves the number to whoever does."""
    return component.min_replicas if class_of(isvc) is AutoscalerClass.NONE else None


def objects(
    isvc: InferenceService, metadata: JsonObject, component: ComponentExtension, config: Config
) -> list[tuple[Resource, JsonObject]]:
    """The objects that scale the Deployment of this `metadata`; none for the classes `external` and `none`."""
    match class_of(isvc):
        case AutoscalerClass.HPA:
            return [(kinds.HORIZONTAL_POD_AUTOSCALER, _hpa(metadata, component))]
        case AutoscalerClass.KEDA:
            return [*_collector(isvc, metadata, component, config), _scaled_object(metadata, component, config)]
        case _:
            return []


def _metrics(component: ComponentExtension) -> list[MetricsSpec]:
    return component.auto_scaling.metrics if component.auto_scaling else []


def _behavior(component: ComponentExtension) -> JsonObject:
    found = component.auto_scaling.behavior if component.auto_scaling else None
    return found or {}


# --- HorizontalPodAutoscaler ------------------------------------------------------------------------------------------


def _hpa(metadata: JsonObject, component: ComponentExtension) -> JsonObject:
    least = max(1, component.min_replicas or 0)
    spec: JsonObject = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": metadata["name"]},
        "minReplicas": least,
        "maxReplicas": max(least, component.max_replicas or 0),
        "behavior": _behavior(component),
    }
    if metrics := list(_hpa_metrics(component)):
        spec["metrics"] = metrics
    return {
        "apiVersion": kinds.HORIZONTAL_POD_AUTOSCALER.api_version,
        "kind": kinds.HORIZONTAL_POD_AUTOSCALER.kind,
        "metadata": metadata,
        "spec": spec,
    }


def _hpa_metrics(component: ComponentExtension) -> Iterator[Json]:
    if component.auto_scaling is not None:
        for one in _metrics(component):
            if one.resource is not None and (target := _hpa_target(one.resource)):
                yield _hpa_metric(one.resource.name, target)
    elif component.scale_metric in (None, ScaleMetric.CPU):
        yield _hpa_metric("cpu", _utilization(component.scale_target or _CPU_PERCENT))
    elif component.scale_metric is ScaleMetric.MEMORY and component.scale_target is not None:
        yield _hpa_metric("memory", _utilization(component.scale_target))


def _hpa_metric(name: str, target: JsonObject) -> Json:
    return {"type": "Resource", "resource": {"name": name, "target": target}}


def _hpa_target(source: ResourceMetricSource) -> JsonObject:
    """Empty when there is nothing to hold: memory has no target of its own."""
    target = source.target or MetricTarget()
    if target.average_value is not None and target.type is not MetricTargetType.UTILIZATION:
        return {"type": MetricTargetType.AVERAGE_VALUE.value, "averageValue": target.average_value}
    percent = target.average_utilization or (_CPU_PERCENT if source.name == "cpu" else None)
    return _utilization(percent) if percent is not None else {}


def _utilization(percent: int) -> JsonObject:
    return {"type": MetricTargetType.UTILIZATION.value, "averageUtilization": percent}


# --- ScaledObject -----------------------------------------------------------------------------------------------------


def _scaled_object(metadata: JsonObject, component: ComponentExtension, config: Config) -> tuple[Resource, JsonObject]:
    least = 1 if component.min_replicas is None else component.min_replicas
    triggers: list[Json] = [_trigger(one, metadata, config.opentelemetry_collector) for one in _metrics(component)]
    spec: JsonObject = {
        "scaleTargetRef": {"name": metadata["name"]},
        "minReplicaCount": least,
        "maxReplicaCount": max(least, component.max_replicas or 0),
        "triggers": triggers,
    }
    if behavior := _keda_behavior(_behavior(component), config.autoscaler):
        spec["advanced"] = {"horizontalPodAutoscalerConfig": {"behavior": behavior}}
    return kinds.SCALED_OBJECT, {
        "apiVersion": kinds.SCALED_OBJECT.api_version,
        "kind": kinds.SCALED_OBJECT.kind,
        "metadata": metadata,
        "spec": spec,
    }


def _keda_behavior(given: JsonObject, config: Autoscaler) -> JsonObject:
    """What the user says, with the windows of the configuration where he doesn't."""
    windows = {
        "scaleUp": config.scale_up_stabilization_window_seconds,
        "scaleDown": config.scale_down_stabilization_window_seconds,
    }
    filled: dict[str, JsonObject] = {
        way: {**({"stabilizationWindowSeconds": int(seconds)} if seconds else {}), **object_at(given, way)}
        for way, seconds in windows.items()
    }
    return {way: rules for way, rules in filled.items() if rules}


def _trigger(metric: MetricsSpec, metadata: JsonObject, collector: OpenTelemetryCollector) -> JsonObject:
    if metric.external is not None:
        return _external_trigger(metric.external)
    if metric.pod_metric is not None:
        return _pod_trigger(metric.pod_metric, metadata, collector)
    assert metric.resource is not None, "validation asks for the block that the type names"
    return _resource_trigger(metric.resource)


def _resource_trigger(source: ResourceMetricSource) -> JsonObject:
    target = source.target or MetricTarget()
    way = target.type or MetricTargetType.UTILIZATION
    if way is MetricTargetType.UTILIZATION:
        value = str(target.average_utilization or (_CPU_PERCENT if source.name == "cpu" else 0))
    else:
        value = _text(target.average_value)
    return {"type": source.name, "metricType": way.value, "metadata": {"value": value}}


def _external_trigger(source: ExternalMetricSource) -> JsonObject:
    metric, auth = source.metric, source.authentication_ref
    metadata: JsonObject = {
        "serverAddress": metric.server_address,
        "query": metric.query,
        "threshold": _text(source.target.value if source.target else None),
    }
    if metric.backend == "prometheus" and metric.namespace:
        metadata["namespace"] = metric.namespace
    if auth is not None and auth.auth_modes:
        metadata["authModes"] = auth.auth_modes
    trigger: JsonObject = {"type": metric.backend, "metadata": metadata}
    if auth is not None and auth.authentication_ref is not None:
        trigger["authenticationRef"] = {"name": auth.authentication_ref.name}
    return trigger


def _pod_trigger(source: PodMetricSource, metadata: JsonObject, collector: OpenTelemetryCollector) -> JsonObject:
    metric = source.metric
    labels = f'namespace="{text_at(metadata, "namespace")}", deployment="{text_at(metadata, "name")}"'
    found: JsonObject = {
        "scalerAddress": metric.server_address or collector.metric_scaler_endpoint,
        "metricQuery": f"sum({metric.query}{{{labels}}})",
        "targetValue": _text(source.target.value if source.target else None),
    }
    if metric.operation_over_time:
        found["operationOverTime"] = metric.operation_over_time
    return {"type": "external", "metadata": found}


def _text(quantity: int | str | None) -> str:
    """As the user wrote it."""
    return "0" if quantity is None else str(quantity)


# --- OpenTelemetryCollector -------------------------------------------------------------------------------------------


def _collector(
    isvc: InferenceService, metadata: JsonObject, component: ComponentExtension, config: Config
) -> Iterator[tuple[Resource, JsonObject]]:
    """One for all metrics that the pods are to export, when there are any."""
    sources = [one.pod_metric.metric for one in _metrics(component) if one.pod_metric is not None]
    wanted = [name for one in sources for name in one.metric_names]
    if not wanted:
        return
    port = isvc.metadata.annotations.get(_METRICS_PORT, str(names.DEFAULT_PORT))
    amounts = config.opentelemetry_collector.resource
    spec: JsonObject = {
        "mode": "sidecar",
        "config": _collecting(wanted, port, config.opentelemetry_collector),
        "resources": {
            "requests": {"cpu": amounts.cpu_request, "memory": amounts.memory_request},
            "limits": {"cpu": amounts.cpu_limit, "memory": amounts.memory_limit},
        },
    }
    yield (
        kinds.OPEN_TELEMETRY_COLLECTOR,
        {
            "apiVersion": kinds.OPEN_TELEMETRY_COLLECTOR.api_version,
            "kind": kinds.OPEN_TELEMETRY_COLLECTOR.kind,
            "metadata": metadata,
            "spec": spec,
        },
    )


def _collecting(wanted: list[str], port: str, config: OpenTelemetryCollector) -> JsonObject:
    job: JsonObject = {
        "job_name": "otel-collector",
        "scrape_interval": config.scrape_interval,
        "static_configs": [{"targets": [f"localhost:{port}"]}],
    }
    statements: list[Json] = [
        f'set(attributes["{label}"], resource.attributes["k8s.{label}.name"])'
        for label in ("namespace", "deployment", "pod")
    ]
    processors: JsonObject = {
        "resourcedetection/env": {"detectors": ["env"], "timeout": "2s", "override": False},
        "transform": {"metric_statements": [{"context": "datapoint", "statements": statements}]},
        "filter/metrics": {"metrics": {"include": {"match_type": "strict", "metric_names": [*wanted]}}},
    }
    sending: JsonObject = {
        "endpoint": config.metric_receiver_endpoint,
        "compression": "none",
        "tls": {"insecure": True},
    }
    pipeline: JsonObject = {"receivers": ["prometheus"], "processors": [*processors], "exporters": ["otlp"]}
    return {
        "receivers": {"prometheus": {"config": {"scrape_configs": [job]}}},
        "processors": processors,
        "exporters": {"otlp": sending},
        "service": {"pipelines": {"metrics": pipeline}},
    }
