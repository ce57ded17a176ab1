"""What `why` looks at: the service, what it was reduced to, and what the node and the gateway said about it.

`collect` fills these from the API; tests make them up. Only the fields that an explanation uses are here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from inferplane.resources.autoscaling import HorizontalPodAutoscaler
from inferplane.resources.knative import TrafficTarget
from inferplane.resources.meta import Condition, ObjectMeta, View


class ModelFormat(View, frozen=True, kw_only=True):
    name: str = ""
    version: str | None = None


class ModelSpec(View, frozen=True, kw_only=True):
    model_format: ModelFormat = ModelFormat()
    protocol_version: str | None = None
    runtime: str | None = None
    runtime_version: str | None = None
    storage_uri: str | None = None


class PredictorSpec(View, frozen=True, kw_only=True):
    model: ModelSpec | None = None
    storage_uri: str | None = None
    min_replicas: int | None = None


class ServiceSpec(View, frozen=True, kw_only=True):
    predictor: PredictorSpec = PredictorSpec()


class FailureInfo(View, frozen=True, kw_only=True):
    location: str = ""
    reason: str = ""
    message: str = ""
    exit_code: int | None = None


class ModelCopies(View, frozen=True, kw_only=True):
    total_copies: int = 0


class ModelStatus(View, frozen=True, kw_only=True):
    transition_status: str = ""
    copies: ModelCopies = ModelCopies()
    last_failure_info: FailureInfo | None = None


class Component(View, frozen=True, kw_only=True):
    """`traffic`: which revision has which share (Knative mode)."""

    traffic: tuple[TrafficTarget, ...] = ()


class ServiceStatus(View, frozen=True, kw_only=True):
    conditions: tuple[Condition, ...] = ()
    url: str | None = None
    components: dict[str, Component] = {}
    model_status: ModelStatus = ModelStatus()
    observed_generation: int = 0
    serving_runtime_name: str | None = None
    cluster_serving_runtime_name: str | None = None
    deployment_mode: str = ""


class Service(View, frozen=True, kw_only=True):
    """An InferenceService."""

    metadata: ObjectMeta = ObjectMeta()
    spec: ServiceSpec = ServiceSpec()
    status: ServiceStatus = ServiceStatus()


class SupportedFormat(View, frozen=True, kw_only=True):
    name: str = ""
    version: str | None = None
    auto_select: bool | None = None


class RuntimeSpec(View, frozen=True, kw_only=True):
    supported_model_formats: tuple[SupportedFormat, ...] = ()
    protocol_versions: tuple[str, ...] = ()
    disabled: bool | None = None
    multi_model: bool | None = None


class Runtime(View, frozen=True, kw_only=True):
    """A ServingRuntime or a ClusterServingRuntime."""

    metadata: ObjectMeta = ObjectMeta()
    spec: RuntimeSpec = RuntimeSpec()


class DeploymentSpec(View, frozen=True, kw_only=True):
    replicas: int | None = None


class DeploymentStatus(View, frozen=True, kw_only=True):
    observed_generation: int = 0
    replicas: int = 0
    updated_replicas: int = 0
    available_replicas: int = 0
    conditions: tuple[Condition, ...] = ()
    ready_replicas: int = 0


class Deployment(View, frozen=True, kw_only=True):
    metadata: ObjectMeta = ObjectMeta()
    spec: DeploymentSpec = DeploymentSpec()
    status: DeploymentStatus = DeploymentStatus()


class Waiting(View, frozen=True, kw_only=True):
    reason: str = ""
    message: str = ""


class Running(View, frozen=True, kw_only=True):
    started_at: str | None = None


class Terminated(View, frozen=True, kw_only=True):
    exit_code: int = 0
    signal: int = 0
    reason: str = ""
    message: str = ""


class ContainerState(View, frozen=True, kw_only=True):
    waiting: Waiting | None = None
    running: Running | None = None
    terminated: Terminated | None = None


class ContainerStatus(View, frozen=True, kw_only=True):
    name: str = ""
    image: str = ""
    ready: bool = False
    restart_count: int = 0
    state: ContainerState = ContainerState()
    last_state: ContainerState = ContainerState()


class PodStatus(View, frozen=True, kw_only=True):
    phase: str = ""
    reason: str = ""
    message: str = ""
    conditions: tuple[Condition, ...] = ()
    init_container_statuses: tuple[ContainerStatus, ...] = ()
    container_statuses: tuple[ContainerStatus, ...] = ()


class PodSpec(View, frozen=True, kw_only=True):
    node_name: str = ""


class Pod(View, frozen=True, kw_only=True):
    metadata: ObjectMeta = ObjectMeta()
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()


class RouteParent(View, frozen=True, kw_only=True):
    controller_name: str = ""
    conditions: tuple[Condition, ...] = ()


class RouteStatus(View, frozen=True, kw_only=True):
    parents: tuple[RouteParent, ...] = ()


class Route(View, frozen=True, kw_only=True):
    """An HTTPRoute."""

    metadata: ObjectMeta = ObjectMeta()
    status: RouteStatus = RouteStatus()


class NodeStatus(View, frozen=True, kw_only=True):
    conditions: tuple[Condition, ...] = ()


class Node(View, frozen=True, kw_only=True):
    metadata: ObjectMeta = ObjectMeta()
    status: NodeStatus = NodeStatus()


class EventObject(View, frozen=True, kw_only=True):
    kind: str = ""
    name: str = ""


class Event(View, frozen=True, kw_only=True):
    metadata: ObjectMeta = ObjectMeta()
    involved_object: EventObject = EventObject()
    type: str = "Normal"
    reason: str = ""
    message: str = ""
    count: int | None = None
    last_timestamp: str | None = None


class TrainedModelSpec(View, frozen=True, kw_only=True):
    inference_service: str = ""


class TrainedModelStatus(View, frozen=True, kw_only=True):
    conditions: tuple[Condition, ...] = ()


class TrainedModel(View, frozen=True, kw_only=True):
    metadata: ObjectMeta = ObjectMeta()
    spec: TrainedModelSpec = TrainedModelSpec()
    status: TrainedModelStatus = TrainedModelStatus()


@dataclass(frozen=True, slots=True)
class Process:
    """A process of the local platform, as the supervisor recorded it."""

    name: str
    pid: int
    alive: bool


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything known about one service at one moment. `service` is None when there is none of that name."""

    name: str
    namespace: str
    now: datetime
    service: Service | None
    runtimes: tuple[Runtime, ...] = ()
    deployments: tuple[Deployment, ...] = ()
    autoscalers: tuple[HorizontalPodAutoscaler, ...] = ()
    pods: tuple[Pod, ...] = ()
    routes: tuple[Route, ...] = ()
    nodes: tuple[Node, ...] = ()
    events: tuple[Event, ...] = ()
    processes: tuple[Process, ...] = ()
    """Empty on a cluster that isn't ours."""
    models: tuple[TrainedModel, ...] = ()
    """Those that name the service."""
    index: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """(state, reason) of each model, as a server of the service tells them; empty when it was not, or could not be,
    asked."""
    log_tails: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Last lines by pod name; of the previous process when the present one has not written yet."""
    other_services: tuple[str, ...] = ()
    """`namespace/name` of the services there are, when the one asked for is not among them."""
