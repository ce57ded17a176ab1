"""Metrics that an adapter would bring (Pods, Object, External), and the words for that there is none. Pure.

`custom.metrics.k8s.io` and `external.metrics.k8s.io` are served by adapters; the embedded API server has neither. The
words are those of Kubernetes' HorizontalPodAutoscaler controller on a cluster without one (`podautoscaler/
replica_calculator.go`, `metrics/client.go`), so that what people know and search for fits.
"""

from inferplane.resources.autoscaling import MetricIdentifier, MetricSpec
from inferplane.resources.meta import LabelSelector

_CUSTOM = "unable to fetch metrics from custom metrics API: no custom metrics API (custom.metrics.k8s.io) registered"


def trouble(spec: MetricSpec, namespace: str) -> str:
    """Why there is no figure for the metric; empty for one that needs no adapter, or that lacks its own block."""
    if spec.pods is not None:
        return f"unable to get metric {spec.pods.metric.name}: {_CUSTOM}"
    if spec.object is not None:
        about = spec.object.described_object
        where = f"{about.kind} on {namespace} {about.name}"
        return f"unable to get metric {spec.object.metric.name}: {where}/{_CUSTOM}"
    if spec.external is not None:
        return _external(spec.external.metric, namespace)
    return ""


def _external(metric: MetricIdentifier, namespace: str) -> str:
    what = f"{namespace}/{metric.name}/{_selector(metric.selector)}"
    missing = f"the server could not find the requested resource (get {metric.name}.external.metrics.k8s.io)"
    return f"unable to get external metric {what}: unable to fetch metrics from external metrics API: {missing}"


def _selector(selector: LabelSelector | None) -> str:
    """As Go prints one."""
    if selector is None:
        return "nil"
    labels = "".join(f"{key}: {value}," for key, value in sorted(selector.match_labels.items()))
    asked = "".join(
        f"LabelSelectorRequirement{{Key:{one.key},Operator:{one.operator},Values:[{' '.join(one.values)}],}},"
        for one in selector.match_expressions
    )
    expressions = f"[]LabelSelectorRequirement{{{asked}}}"
    return f"&LabelSelector{{MatchLabels:map[string]string{{{labels}}},MatchExpressions:{expressions},}}"
