"""Views of the core group (`v1`): Pod, Node, Service, Namespace, Event, ConfigMap, Secret.

A stored object goes in, a frozen value with the fields that our controllers and the node read comes out. Defaults here
are for objects that nobody defaulted (tests, hand-written templates); the API server writes the same ones on admission.
Quantities stay text: `resources` of a container are shown and passed on, not computed with.
"""

from typing import TypeAlias

import msgspec

from inferplane.resources.meta import Condition, ObjectMeta, View

# A port or a path segment may be a number or a name (apimachinery `intstr.IntOrString`).
IntOrString: TypeAlias = int | str
# Quantities are text on the wire, but the API also admits bare numbers (`cpu: 1`).
Quantities: TypeAlias = dict[str, str | int | float]
# Of what is only looked at for whether it is there.
Opaque: TypeAlias = dict[str, object]


# --- containers -------------------------------------------------------------------------------------------------------


class KeySelector(View, frozen=True, kw_only=True):
    """`configMapKeyRef` and `secretKeyRef`: one key of the object `name` in the pod's namespace."""

    name: str = ""
    key: str = ""
    optional: bool = False


class FieldSelector(View, frozen=True, kw_only=True):
    field_path: str = ""
    api_version: str = "v1"


class ResourceFieldSelector(View, frozen=True, kw_only=True):
    resource: str = ""
    container_name: str = ""
    divisor: str | int = "1"


class EnvVarSource(View, frozen=True, kw_only=True):
    """Exactly one is set."""

    config_map_key_ref: KeySelector | None = None
    secret_key_ref: KeySelector | None = None
    field_ref: FieldSelector | None = None
    resource_field_ref: ResourceFieldSelector | None = None


class EnvVar(View, frozen=True, kw_only=True):
    name: str
    value: str = ""
    value_from: EnvVarSource | None = None


class EnvFromReference(View, frozen=True, kw_only=True):
    name: str = ""
    optional: bool = False


class EnvFromSource(View, frozen=True, kw_only=True):
    prefix: str = ""
    config_map_ref: EnvFromReference | None = None
    secret_ref: EnvFromReference | None = None


class ContainerPort(View, frozen=True, kw_only=True):
    container_port: int
    name: str = ""
    protocol: str = "TCP"
    host_port: int | None = None


class VolumeMount(View, frozen=True, kw_only=True):
    name: str
    mount_path: str
    sub_path: str = ""
    read_only: bool = False


class HttpHeader(View, frozen=True, kw_only=True):
    name: str
    value: str = ""


class HttpGetAction(View, frozen=True, kw_only=True):
    port: IntOrString
    path: str = "/"
    host: str = ""
    scheme: str = "HTTP"
    http_headers: list[HttpHeader] = []


class TcpSocketAction(View, frozen=True, kw_only=True):
    port: IntOrString
    host: str = ""


class ExecAction(View, frozen=True, kw_only=True):
    command: list[str] = []


class GrpcAction(View, frozen=True, kw_only=True):
    port: int
    service: str = ""


class SleepAction(View, frozen=True, kw_only=True):
    seconds: int = 0


class Probe(View, frozen=True, kw_only=True):
    """Exactly one of `http_get`, `tcp_socket`, `exec` and `grpc` is set. Times in seconds."""

    http_get: HttpGetAction | None = None
    tcp_socket: TcpSocketAction | None = None
    exec: ExecAction | None = None
    grpc: GrpcAction | None = None
    initial_delay_seconds: int = 0
    timeout_seconds: int = 1
    period_seconds: int = 10
    success_threshold: int = 1
    failure_threshold: int = 3
    termination_grace_period_seconds: int | None = None


class LifecycleHandler(View, frozen=True, kw_only=True):
    exec: ExecAction | None = None
    http_get: HttpGetAction | None = None
    tcp_socket: TcpSocketAction | None = None
    sleep: SleepAction | None = None


class Lifecycle(View, frozen=True, kw_only=True):
    post_start: LifecycleHandler | None = None
    pre_stop: LifecycleHandler | None = None


class ResourceRequirements(View, frozen=True, kw_only=True):
    requests: Quantities = {}
    limits: Quantities = {}


class Container(View, frozen=True, kw_only=True):
    """A container or an init container; an init container with `restart_policy: Always` is a sidecar."""

    name: str
    image: str = ""
    image_pull_policy: str = ""
    command: list[str] = []
    args: list[str] = []
    working_dir: str = ""
    env: list[EnvVar] = []
    env_from: list[EnvFromSource] = []
    ports: list[ContainerPort] = []
    volume_mounts: list[VolumeMount] = []
    resources: ResourceRequirements = ResourceRequirements()
    startup_probe: Probe | None = None
    readiness_probe: Probe | None = None
    liveness_probe: Probe | None = None
    lifecycle: Lifecycle | None = None
    security_context: Opaque = {}
    volume_devices: list[Opaque] = []
    stdin: bool = False
    tty: bool = False
    restart_policy: str = ""
    termination_message_path: str = "/dev/termination-log"
    termination_message_policy: str = "File"


# --- volumes ----------------------------------------------------------------------------------------------------------


class KeyToPath(View, frozen=True, kw_only=True):
    key: str
    path: str
    mode: int | None = None


class EmptyDirVolume(View, frozen=True, kw_only=True):
    medium: str = ""
    size_limit: str | int | None = None


class ConfigMapVolume(View, frozen=True, kw_only=True):
    name: str = ""
    items: list[KeyToPath] = []
    default_mode: int = 0o644
    optional: bool = False


class SecretVolume(View, frozen=True, kw_only=True):
    secret_name: str = ""
    items: list[KeyToPath] = []
    default_mode: int = 0o644
    optional: bool = False


class HostPathVolume(View, frozen=True, kw_only=True):
    path: str
    type: str = ""


class PersistentVolumeClaimVolume(View, frozen=True, kw_only=True):
    claim_name: str
    read_only: bool = False


class DownwardApiFile(View, frozen=True, kw_only=True):
    path: str
    field_ref: FieldSelector | None = None
    resource_field_ref: ResourceFieldSelector | None = None


class DownwardApiVolume(View, frozen=True, kw_only=True):
    items: list[DownwardApiFile] = []
    default_mode: int = 0o644


class SecretProjection(View, frozen=True, kw_only=True):
    name: str = ""
    items: list[KeyToPath] = []
    optional: bool = False


class ServiceAccountTokenProjection(View, frozen=True, kw_only=True):
    path: str
    audience: str = ""
    expiration_seconds: int = 3600


class VolumeProjection(View, frozen=True, kw_only=True):
    config_map: SecretProjection | None = None
    secret: SecretProjection | None = None
    downward_api: DownwardApiVolume | None = msgspec.field(default=None, name="downwardAPI")
    service_account_token: ServiceAccountTokenProjection | None = None


class ProjectedVolume(View, frozen=True, kw_only=True):
    sources: list[VolumeProjection] = []
    default_mode: int = 0o644


class Volume(View, frozen=True, kw_only=True):
    """Exactly one source is set; none of them when the source is of a type that we don't read."""

    name: str
    empty_dir: EmptyDirVolume | None = None
    config_map: ConfigMapVolume | None = None
    secret: SecretVolume | None = None
    host_path: HostPathVolume | None = None
    persistent_volume_claim: PersistentVolumeClaimVolume | None = None
    downward_api: DownwardApiVolume | None = msgspec.field(default=None, name="downwardAPI")
    projected: ProjectedVolume | None = None


# --- pods -------------------------------------------------------------------------------------------------------------


class ContainerStateWaiting(View, frozen=True, kw_only=True):
    reason: str = ""
    message: str = ""


class ContainerStateRunning(View, frozen=True, kw_only=True):
    started_at: str | None = None


class ContainerStateTerminated(View, frozen=True, kw_only=True):
    exit_code: int
    signal: int | None = None
    reason: str = ""
    message: str = ""
    started_at: str | None = None
    finished_at: str | None = None
    container_id: str = msgspec.field(default="", name="containerID")


class ContainerState(View, frozen=True, kw_only=True):
    """At most one is set; none means waiting."""

    waiting: ContainerStateWaiting | None = None
    running: ContainerStateRunning | None = None
    terminated: ContainerStateTerminated | None = None


class ContainerStatus(View, frozen=True, kw_only=True):
    """What the node last saw. Built-in kinds require `ready`, `restartCount`, `image` and `imageID` to be written."""

    name: str
    state: ContainerState = ContainerState()
    last_state: ContainerState = ContainerState()
    ready: bool = False
    restart_count: int = 0
    image: str = ""
    image_id: str = msgspec.field(default="", name="imageID")
    container_id: str = msgspec.field(default="", name="containerID")
    started: bool | None = None


class PodIp(View, frozen=True, kw_only=True):
    ip: str = ""


class PodCondition(Condition, frozen=True, kw_only=True):
    last_probe_time: str | None = None


class PodReadinessGate(View, frozen=True, kw_only=True):
    condition_type: str


class PodStatus(View, frozen=True, kw_only=True):
    phase: str = ""
    conditions: list[PodCondition] = []
    reason: str = ""
    message: str = ""
    host_ip: str = msgspec.field(default="", name="hostIP")
    pod_ip: str = msgspec.field(default="", name="podIP")
    pod_ips: list[PodIp] = msgspec.field(default_factory=list, name="podIPs")
    start_time: str | None = None
    init_container_statuses: list[ContainerStatus] = []
    container_statuses: list[ContainerStatus] = []
    qos_class: str = ""
    observed_generation: int | None = None


class Toleration(View, frozen=True, kw_only=True):
    key: str = ""
    operator: str = "Equal"
    value: str = ""
    effect: str = ""


class PodSpec(View, frozen=True, kw_only=True):
    node_name: str = ""
    containers: list[Container] = []
    init_containers: list[Container] = []
    volumes: list[Volume] = []
    restart_policy: str = "Always"
    termination_grace_period_seconds: int = 30
    active_deadline_seconds: int | None = None
    hostname: str = ""
    subdomain: str = ""
    service_account_name: str = ""
    scheduler_name: str = "default-scheduler"
    node_selector: dict[str, str] = {}
    readiness_gates: list[PodReadinessGate] = []
    tolerations: list[Toleration] = []
    affinity: Opaque = {}
    topology_spread_constraints: list[Opaque] = []
    security_context: Opaque = {}
    runtime_class_name: str = ""
    host_network: bool = False
    host_pid: bool = msgspec.field(default=False, name="hostPID")
    host_ipc: bool = msgspec.field(default=False, name="hostIPC")
    host_aliases: list[Opaque] = []
    dns_config: Opaque = {}
    image_pull_secrets: list[Opaque] = []
    share_process_namespace: bool = False
    priority_class_name: str = ""


class Pod(View, frozen=True, kw_only=True):
    metadata: ObjectMeta = ObjectMeta()
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()

    @property
    def ready(self) -> bool:
        return any(one.type == "Ready" and one.status == "True" for one in self.status.conditions)

    @property
    def finished(self) -> bool:
        """Its containers ended for good (`Succeeded` or `Failed`)."""
        return self.status.phase in ("Succeeded", "Failed")


class PodTemplate(View, frozen=True, kw_only=True):
    """`template` of a Deployment or ReplicaSet, as far as it is read and not just passed on."""

    metadata: ObjectMeta = ObjectMeta()
    spec: PodSpec = PodSpec()


# --- nodes ------------------------------------------------------------------------------------------------------------


class Taint(View, frozen=True, kw_only=True):
    key: str
    value: str = ""
    effect: str = ""


class NodeSpec(View, frozen=True, kw_only=True):
    unschedulable: bool = False
    taints: list[Taint] = []


class NodeAddress(View, frozen=True, kw_only=True):
    type: str
    address: str


class NodeStatus(View, frozen=True, kw_only=True):
    conditions: list[Condition] = []
    addresses: list[NodeAddress] = []
    capacity: Quantities = {}
    allocatable: Quantities = {}


class Node(View, frozen=True, kw_only=True):
    metadata: ObjectMeta = ObjectMeta()
    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()

    @property
    def ready(self) -> bool:
        return any(one.type == "Ready" and one.status == "True" for one in self.status.conditions)


# --- services ---------------------------------------------------------------------------------------------------------


class ServicePort(View, frozen=True, kw_only=True):
    port: int
    name: str = ""
    protocol: str = "TCP"
    target_port: IntOrString | None = None
    app_protocol: str | None = None
    node_port: int | None = None


class ServiceSpec(View, frozen=True, kw_only=True):
    type: str = "ClusterIP"
    selector: dict[str, str] = {}
    ports: list[ServicePort] = []
    cluster_ip: str = msgspec.field(default="", name="clusterIP")
    external_name: str = ""
    publish_not_ready_addresses: bool = False

    @property
    def headless(self) -> bool:
        return self.cluster_ip == "None"


class Service(View, frozen=True, kw_only=True):
    metadata: ObjectMeta = ObjectMeta()
    spec: ServiceSpec = ServiceSpec()


# --- namespaces, data, events -----------------------------------------------------------------------------------------


class NamespaceSpec(View, frozen=True, kw_only=True):
    finalizers: list[str] = []


class NamespaceStatus(View, frozen=True, kw_only=True):
    phase: str = ""
    conditions: list[Condition] = []


class Namespace(View, frozen=True, kw_only=True):
    metadata: ObjectMeta = ObjectMeta()
    spec: NamespaceSpec = NamespaceSpec()
    status: NamespaceStatus = NamespaceStatus()


class ServiceAccount(View, frozen=True, kw_only=True):
    metadata: ObjectMeta = ObjectMeta()
    secrets: list["ObjectReference"] = []


class ConfigMap(View, frozen=True, kw_only=True):
    """`binary_data` is base64 text."""

    metadata: ObjectMeta = ObjectMeta()
    data: dict[str, str] = {}
    binary_data: dict[str, str] = {}


class Secret(View, frozen=True, kw_only=True):
    """`data` is base64 text, as stored."""

    metadata: ObjectMeta = ObjectMeta()
    type: str = "Opaque"
    data: dict[str, str] = {}


class ObjectReference(View, frozen=True, kw_only=True):
    api_version: str = ""
    kind: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""
    resource_version: str = ""
    field_path: str = ""


class EventSource(View, frozen=True, kw_only=True):
    component: str = ""
    host: str = ""


class Event(View, frozen=True, kw_only=True):
    metadata: ObjectMeta = ObjectMeta()
    involved_object: ObjectReference = ObjectReference()
    reason: str = ""
    message: str = ""
    type: str = ""
    count: int = 1
    source: EventSource = EventSource()
    first_timestamp: str | None = None
    last_timestamp: str | None = None
