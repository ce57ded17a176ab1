"""Views of the groups that scale: `autoscaling/v2` (HorizontalPodAutoscaler), KEDA's ScaledObject, `metrics.k8s.io`.

Objects have their defaults when they are read: the API server fills them in, `behavior` too where there is one.
"""

# msgspec copies a mutable default for each instance.

from enum import StrEnum
from typing import Literal

from inferplane.resources.meta import Condition, LabelSelector, ObjectMeta, View
from inferplane.resources.serving.fields import JsonObject, Quantity

# --- HorizontalPodAutoscaler ------------------------------------------------------------------------------------------


class MetricType(StrEnum):
    RESOURCE = "Resource"
    CONTAINER_RESOURCE = "ContainerResource"
    PODS = "Pods"
    OBJECT = "Object"
    EXTERNAL = "External"


class ScaleTargetRef(View, frozen=True, kw_only=True):
    kind: str = ""
    name: str = ""
    api_version: str = ""


class MetricTarget(View, frozen=True, kw_only=True):
    type: str = ""
    value: Quantity | None = None
    average_value: Quantity | None = None
    average_utilization: int | None = None


class ResourceMetric(View, frozen=True, kw_only=True):
    """Of a whole pod, or (`container`) of one container of each pod."""

    name: str = ""
    container: str = ""
    target: MetricTarget = MetricTarget()


class MetricIdentifier(View, frozen=True, kw_only=True):
    name: str = ""
    selector: LabelSelector | None = None


class PodsMetric(View, frozen=True, kw_only=True):
    """An average over the pods, from an adapter. Of an external metric, too, nothing more is read."""

    metric: MetricIdentifier = MetricIdentifier()


class ObjectMetric(PodsMetric, frozen=True, kw_only=True):
    """About another object, from an adapter."""

    described_object: ScaleTargetRef = ScaleTargetRef()


class MetricSpec(View, frozen=True, kw_only=True):
    type: str = ""
    resource: ResourceMetric | None = None
    container_resource: ResourceMetric | None = None
    pods: PodsMetric | None = None
    object: ObjectMetric | None = None
    external: PodsMetric | None = None


class Policy(View, frozen=True, kw_only=True):
    """At most `value` pods, or percent of the pods, within `period_seconds`."""

    type: Literal["Pods", "Percent"]
    value: int
    period_seconds: int


class ScalingRules(View, frozen=True, kw_only=True):
    stabilization_window_seconds: int | None = None
    select_policy: Literal["Max", "Min", "Disabled"] = "Max"
    policies: list[Policy] = []
    tolerance: Quantity | None = None


class Behavior(View, frozen=True, kw_only=True):
    scale_up: ScalingRules = ScalingRules()
    scale_down: ScalingRules = ScalingRules()


class AutoscalerSpec(View, frozen=True, kw_only=True):
    scale_target_ref: ScaleTargetRef = ScaleTargetRef()
    min_replicas: int = 1
    max_replicas: int = 1
    metrics: list[MetricSpec] = []
    behavior: Behavior | None = None


class MetricValue(View, frozen=True, kw_only=True):
    value: str | None = None
    average_value: str | None = None
    average_utilization: int | None = None


class MetricStatusOf(View, frozen=True, kw_only=True):
    name: str = ""
    container: str = ""
    current: MetricValue = MetricValue()


class MetricStatus(View, frozen=True, kw_only=True):
    """What was measured, in the place of its MetricSpec; `type` is empty where nothing could be measured."""

    type: str
    resource: MetricStatusOf | None = None
    container_resource: MetricStatusOf | None = None


class AutoscalerStatus(View, frozen=True, kw_only=True):
    observed_generation: int | None = None
    last_scale_time: str | None = None
    current_replicas: int = 0
    desired_replicas: int = 0
    current_metrics: list[MetricStatus] | None = None
    conditions: list[Condition] = []


class HorizontalPodAutoscaler(View, frozen=True, kw_only=True):
    metadata: ObjectMeta = ObjectMeta()
    spec: AutoscalerSpec = AutoscalerSpec()
    status: AutoscalerStatus = AutoscalerStatus()


# --- metrics.k8s.io ---------------------------------------------------------------------------------------------------


class ContainerUsage(View, frozen=True, kw_only=True):
    """`usage`: cpu and memory as quantities."""

    name: str
    usage: dict[str, str] = {}


class PodMetrics(View, frozen=True, kw_only=True):
    """Use of resources over the `window` (a Go duration) that ended at `timestamp`."""

    metadata: ObjectMeta = ObjectMeta()
    timestamp: str = ""
    window: str = ""
    containers: list[ContainerUsage] = []


# --- KEDA -------------------------------------------------------------------------------------------------------------


class Trigger(View, frozen=True, kw_only=True):
    type: str = ""
    metric_type: str = ""
    metadata: dict[str, str] = {}
    name: str = ""


class HpaConfig(View, frozen=True, kw_only=True):
    name: str = ""
    behavior: JsonObject | None = None


class Advanced(View, frozen=True, kw_only=True):
    horizontal_pod_autoscaler_config: HpaConfig = HpaConfig()


class KedaTarget(View, frozen=True, kw_only=True):
    name: str = ""
    kind: str = "Deployment"
    api_version: str = "apps/v1"


class ScaledObjectSpec(View, frozen=True, kw_only=True):
    """`min_replica_count` 0 when absent and `max_replica_count` 100: KEDA's defaults."""

    scale_target_ref: KedaTarget = KedaTarget()
    min_replica_count: int = 0
    max_replica_count: int = 100
    triggers: list[Trigger] = []
    advanced: Advanced = Advanced()


class ScaledObjectStatus(View, frozen=True, kw_only=True):
    conditions: list[Condition] = []
    hpa_name: str = ""


class ScaledObject(View, frozen=True, kw_only=True):
    metadata: ObjectMeta = ObjectMeta()
    spec: ScaledObjectSpec = ScaledObjectSpec()
    status: ScaledObjectStatus = ScaledObjectStatus()
