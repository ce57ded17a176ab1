"""Rules about replicas and what they scale on; which ones apply goes by mode and autoscaler class."""

from collections.abc import Iterator, Mapping
from fractions import Fraction

from inferplane.resources.schemas.quantities import amount, is_quantity
from inferplane.resources.serving.defaulting import DEPLOYMENT_MODE
from inferplane.resources.serving.inferenceservice import ComponentExtension
from inferplane.resources.serving.scaling import MetricsSpec, MetricTarget, ResourceMetricSource
from inferplane.resources.serving.validation.metadata import AUTOSCALER_CLASS

KNATIVE_CLASS = "autoscaling.knative.dev/class"
_KNATIVE_HPA = "hpa.autoscaling.knative.dev"
_LEAST_MEMORY = Fraction(1024**2)


def bound_problems(path: str, component: ComponentExtension) -> Iterator[str]:
    least, most = component.min_replicas, component.max_replicas
    if most and (1 if least is None else least) > most:
        yield f"{path}: minReplicas ({1 if least is None else least}) is more than maxReplicas ({most})"


def metric_problems(annotations: Mapping[str, str], path: str, component: ComponentExtension) -> Iterator[str]:
    """KServe looks at the annotations as they are written (after defaulting), not at what follows from them."""
    if annotations.get(DEPLOYMENT_MODE) != "Standard":
        yield from _knative(path, component, is_hpa=annotations.get(KNATIVE_CLASS) == _KNATIVE_HPA)
        return
    match annotations.get(AUTOSCALER_CLASS):
        case "hpa":
            yield from _hpa(path, component)
        case "keda":
            yield from _keda(path, component)


def _knative(path: str, component: ComponentExtension, *, is_hpa: bool) -> Iterator[str]:
    if component.deployment_strategy is not None:
        yield f"{path}.deploymentStrategy: is for Standard mode only"
    if is_hpa:
        yield from _hpa(path, component)
        return
    metric, target = component.scale_metric, component.scale_target
    if metric is not None and metric not in ("concurrency", "rps"):
        yield f"{path}.scaleMetric: Knative mode knows concurrency and rps, got {metric}"
    if metric == "rps" and target is not None and target < 1:
        yield f"{path}.scaleTarget: expected 1 or more requests a second, got {target}"


# --- hpa --------------------------------------------------------------------------------------------------------------


def _hpa(path: str, component: ComponentExtension) -> Iterator[str]:
    metric, target = component.scale_metric, component.scale_target
    if metric is not None and metric not in ("cpu", "memory"):
        yield f"{path}.scaleMetric: the class hpa knows cpu and memory, got {metric}"
    if target is not None and (target > 100 or (metric in ("cpu", "memory") and target < 1)):
        yield f"{path}.scaleTarget: expected 1 to 100 percent, got {target}"
    for index, one in enumerate(_metrics(component)):
        where = f"{path}.autoScaling.metrics[{index}]"
        if one.type != "Resource":
            yield f"{where}.type: the class hpa knows Resource, got {one.type}"
        elif one.resource is None:
            yield f"{where}: resource is needed for the type Resource"


def _metrics(component: ComponentExtension) -> list[MetricsSpec]:
    return component.auto_scaling.metrics if component.auto_scaling else []


# --- keda -------------------------------------------------------------------------------------------------------------


def _keda(path: str, component: ComponentExtension) -> Iterator[str]:
    if component.scale_metric is not None:
        yield f"{path}.scaleMetric: the class keda scales on autoScaling.metrics: remove it"
    for index, one in enumerate(_metrics(component)):
        where = f"{path}.autoScaling.metrics[{index}]"
        match one.type:
            case "Resource" if one.resource is None:
                yield f"{where}: resource is needed for the type Resource"
            case "Resource":
                assert one.resource is not None
                yield from _keda_resource(f"{where}.resource", one.resource)
            case "External":
                query = (one.external.metric.query, one.external.target) if one.external else None
                yield from _keda_query(where, "external", query)
            case "PodMetric":
                query = (one.pod_metric.metric.query, one.pod_metric.target) if one.pod_metric else None
                yield from _keda_query(where, "podmetric", query)


def _keda_query(where: str, block: str, found: tuple[str, MetricTarget | None] | None) -> Iterator[str]:
    if found is None:
        yield f"{where}: {block} is needed for the type {'External' if block == 'external' else 'PodMetric'}"
        return
    query, target = found
    if not query:
        yield f"{where}.{block}.metric.query: is empty"
    if target is None or target.value is None:
        yield f"{where}.{block}.target.value: is needed"


def _keda_resource(where: str, source: ResourceMetricSource) -> Iterator[str]:
    target = source.target or MetricTarget()
    allowed = ("Utilization",) if source.name == "cpu" else ("AverageValue", "Utilization")
    if target.type not in allowed:
        given = target.type or "nothing"
        yield f"{where}.target.type: {source.name} knows {' and '.join(allowed)}, got {given}"
        return
    if target.type == "Utilization":
        percent = target.average_utilization
        if percent is None:
            yield f"{where}.target.averageUtilization: is needed for the type Utilization"
        elif not 1 <= percent <= 100:
            yield f"{where}.target.averageUtilization: expected 1 to 100 percent, got {percent}"
    elif target.average_value is None:
        yield f"{where}.target.averageValue: is needed for the type AverageValue"
    elif not is_quantity(target.average_value) or amount(str(target.average_value)) < _LEAST_MEMORY:
        yield f"{where}.target.averageValue: expected 1Mi or more, got {target.average_value}"
