"""How a component scales: the fields of `autoScaling`, as KServe names them (v1beta1)."""

# msgspec copies a mutable default for each instance.

from enum import StrEnum
from typing import Annotated, Literal

from msgspec import Meta, field

from inferplane.resources.meta import View
from inferplane.resources.serving.fields import Int32, JsonObject, Quantity


class ScaleMetric(StrEnum):
    CPU = "cpu"
    MEMORY = "memory"
    CONCURRENCY = "concurrency"
    RPS = "rps"


class MetricTargetType(StrEnum):
    UTILIZATION = "Utilization"
    VALUE = "Value"
    AVERAGE_VALUE = "AverageValue"


class MetricTarget(View, frozen=True, kw_only=True):
    """What the metric should be; the field to fill in goes by `type`."""

    type: Annotated[MetricTargetType | None, Meta(description="Which of the fields below is the target.")] = None
    value: Annotated[Quantity | None, Meta(description="Target for the metric as it is.")] = None
    average_value: Annotated[Quantity | None, Meta(description="Target for the metric divided by the replicas.")] = None
    average_utilization: Annotated[
        Int32 | None, Meta(description="Target as a percentage of what the pods request.")
    ] = None


class ResourceMetricSource(View, frozen=True, kw_only=True):
    """CPU or memory of the component's pods."""

    name: Annotated[Literal["cpu", "memory"], Meta(description="The resource that is measured.")]
    target: Annotated[MetricTarget | None, Meta(description="The value to hold.")] = None


class ExternalMetric(View, frozen=True, kw_only=True):
    """A query to a monitoring system."""

    backend: Annotated[Literal["prometheus", "graphite"], Meta(description="The kind of monitoring system.")]
    server_address: Annotated[str, Meta(description="URL of the monitoring system.")] = ""
    query: Annotated[str, Meta(description="The query; it yields one number.")] = ""
    namespace: Annotated[str, Meta(description="Namespace for queries of a system with tenants.")] = ""


class AuthenticationName(View, frozen=True, kw_only=True):
    name: Annotated[str, Meta(description="Name of a TriggerAuthentication.")]


class AuthenticationReference(View, frozen=True, kw_only=True):
    """Credentials for the monitoring system."""

    authentication_ref: Annotated[AuthenticationName | None, Meta(description="The object that holds them.")] = None
    auth_modes: Annotated[str, Meta(description="How to log in, e.g. bearer or basic.")] = ""


class ExternalMetricSource(View, frozen=True, kw_only=True):
    """A metric of a monitoring system outside of the cluster's own."""

    metric: Annotated[ExternalMetric, Meta(description="Where the number comes from.")]
    authentication_ref: Annotated[AuthenticationReference | None, Meta(description="How to log in there.")] = None
    target: Annotated[MetricTarget | None, Meta(description="The value to hold.")] = None


class PodMetric(View, frozen=True, kw_only=True):
    """A metric that the pods themselves export."""

    backend: Annotated[Literal["opentelemetry"], Meta(description="The kind of collector.")]
    server_address: Annotated[str, Meta(description="Address of the collector.")] = ""
    metric_names: Annotated[list[str], Meta(description="Names of the metrics to collect.")] = []
    query: Annotated[str, Meta(description="The query; it yields one number.")] = ""
    operation_over_time: Annotated[str, Meta(description="How samples are combined, e.g. last_one or avg.")] = ""


class PodMetricSource(View, frozen=True, kw_only=True):
    """A metric of the pods and the value to hold."""

    metric: Annotated[PodMetric, Meta(description="Where the number comes from.")]
    target: Annotated[MetricTarget | None, Meta(description="The value to hold.")] = None


class MetricsSpec(View, frozen=True, kw_only=True):
    """One metric to scale on; the block to fill in goes by `type`."""

    type: Annotated[Literal["Resource", "External", "PodMetric"], Meta(description="Which block is filled in.")]
    resource: Annotated[ResourceMetricSource | None, Meta(description="CPU or memory.")] = None
    external: Annotated[ExternalMetricSource | None, Meta(description="A monitoring system.")] = None
    # All lower case on the wire, unlike its neighbours (KServe v1beta1).
    pod_metric: Annotated[PodMetricSource | None, Meta(description="A metric exported by the pods.")] = field(
        name="podmetric", default=None
    )


class AutoScalingSpec(View, frozen=True, kw_only=True):
    """Scaling on one or more metrics; the one that asks for the most replicas wins."""

    metrics: Annotated[list[MetricsSpec], Meta(description="The metrics to scale on.")] = []
    behavior: Annotated[
        JsonObject | None,
        Meta(
            description="How fast to scale up and down.",
            extra_json_schema={"definition": "io.k8s.api.autoscaling.v2.HorizontalPodAutoscalerBehavior"},
        ),
    ] = None
