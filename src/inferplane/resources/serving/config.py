"""The ConfigMap `inferenceservice-config`: KServe's keys, each a JSON document, as one value.

The ConfigMap's data goes in, `Config` comes out. A key that is absent has our own default, so that one missing key does
not break what has nothing to do with it; one that is malformed is an error that names it. Fields are found whatever
their case, as Go finds them. What reads a section checks what only it needs (`Ingress.gateway`, say).
"""

# msgspec copies a mutable default for each instance.

from collections.abc import Mapping
from functools import lru_cache

import msgspec

from inferplane.kernel.errors import InferplaneError
from inferplane.kernel.json import Json
from inferplane.resources.meta import View
from inferplane.resources.schemas.quantities import is_quantity

CONFIG_NAMESPACE = "kserve"
CONFIG_NAME = "inferenceservice-config"
MODE_ALIASES = {"RawDeployment": "Standard", "Serverless": "Knative"}
STANDARD, KNATIVE = "Standard", "Knative"
MODES = (STANDARD, KNATIVE, "ModelMesh")
OCI_MODES = ("", "modelcar", "native", "fetch")


class ConfigError(InferplaneError):
    """The ConfigMap cannot be read."""


class Ingress(View, frozen=True, kw_only=True):
    enable_gateway_api: bool = True
    kserve_ingress_gateway: str = "kserve/kserve-ingress-gateway"
    # Of Istio; used in Knative mode on a cluster that has it.
    ingress_gateway: str = "knative-serving/knative-ingress-gateway"
    local_gateway: str = "knative-serving/knative-local-gateway"
    local_gateway_service: str = "knative-local-gateway.istio-system.svc.cluster.local"
    knative_local_gateway_service: str = ""
    ingress_domain: str = "localhost"
    ingress_class_name: str = "istio"
    additional_ingress_domains: list[str] = []
    domain_template: str = "{{ .Name }}-{{ .Namespace }}.{{ .IngressDomain }}"
    path_template: str = "/serving/{{ .Namespace }}/{{ .Name }}"
    url_scheme: str = "http"
    disable_istio_virtual_host: bool = False
    disable_ingress_creation: bool = False
    disable_http_route_timeout: bool = msgspec.field(name="disableHTTPRouteTimeout", default=False)

    @property
    def gateway(self) -> tuple[str, str]:
        """Namespace and name of the Gateway that routes attach to."""
        namespace, slash, name = self.kserve_ingress_gateway.partition("/")
        if not (namespace and slash and name):
            raise ConfigError(
                f"{CONFIG_NAME}: ingress.kserveIngressGateway: expected NAMESPACE/NAME, "
                f"got {self.kserve_ingress_gateway!r}"
            )
        return namespace, name


class RollingUpdate(View, frozen=True, kw_only=True):
    max_surge: str = "25%"
    max_unavailable: str = "25%"


class RolloutStrategy(View, frozen=True, kw_only=True):
    default_rollout: RollingUpdate = RollingUpdate()


class Deploy(View, frozen=True, kw_only=True):
    # KServe's constant, where a ConfigMap says nothing. The one that we bring says Knative, as KServe's does.
    default_deployment_mode: str = STANDARD
    deployment_rollout_strategy: RolloutStrategy = RolloutStrategy()

    @property
    def mode(self) -> str:
        return MODE_ALIASES.get(self.default_deployment_mode, self.default_deployment_mode)


class Sidecar(View, frozen=True, kw_only=True):
    """An image and the resources of the container that is made of it."""

    image: str = "kserve/agent:latest"
    memory_request: str = "100Mi"
    memory_limit: str = "1Gi"
    cpu_request: str = "100m"
    cpu_limit: str = "1"


class StorageInitializer(Sidecar, frozen=True, kw_only=True):
    image: str = "kserve/storage-initializer:latest"
    ca_bundle_config_map_name: str = ""
    ca_bundle_volume_mount_path: str = "/etc/ssl/custom-certs"
    # KServe's shipped ConfigMap says true; we fetch unless asked, which works where nothing runs images, too.
    enable_modelcar: bool = False
    cpu_modelcar: str = "10m"
    memory_modelcar: str = "15Mi"
    uid_modelcar: int = 1010
    enable_oci_model_support: bool = False
    oci_model_mode: str = ""
    oci_insecure_registry: bool = False


class S3Credentials(View, frozen=True, kw_only=True):
    """Which keys of a secret hold what, and defaults for what the secret does not say."""

    s3_access_key_id_name: str = msgspec.field(name="s3AccessKeyIDName", default="AWS_ACCESS_KEY_ID")
    s3_secret_access_key_name: str = "AWS_SECRET_ACCESS_KEY"
    s3_endpoint: str = ""
    s3_use_https: str = ""
    s3_region: str = ""
    s3_verify_ssl: str = msgspec.field(name="s3VerifySSL", default="")
    s3_use_virtual_bucket: str = ""
    s3_use_accelerate: str = ""
    s3_use_anonymous_credential: str = ""
    s3_ca_bundle_config_map: str = msgspec.field(name="s3CABundleConfigMap", default="")
    s3_ca_bundle: str = msgspec.field(name="s3CABundle", default="")


class GcsCredentials(View, frozen=True, kw_only=True):
    gcs_credential_file_name: str = "gcloud-application-credentials.json"


class Credentials(View, frozen=True, kw_only=True):
    storage_spec_secret_name: str = "storage-config"
    storage_secret_name_annotation: str = "serving.kserve.io/storageSecretName"
    gcs: GcsCredentials = GcsCredentials()
    s3: S3Credentials = S3Credentials()


class ArtImage(View, frozen=True, kw_only=True):
    image: str = "kserve/art-explainer"
    default_image_version: str = "latest"


class Explainers(View, frozen=True, kw_only=True):
    art: ArtImage = ArtImage()


class Logger(Sidecar, frozen=True, kw_only=True):
    default_url: str = "http://default-broker"
    ca_bundle: str = ""
    ca_cert_file: str = ""
    tls_skip_verify: bool = False
    marshaller_url: str = ""
    batch_size: int | None = None
    batch_interval: str = ""


class Batcher(Sidecar, frozen=True, kw_only=True):
    memory_request: str = "1Gi"
    cpu_request: str = "1"
    max_batch_size: str = "32"
    max_latency: str = "5000"


class Router(Sidecar, frozen=True, kw_only=True):
    """Of InferenceGraphs."""

    image: str = "kserve/router:latest"
    image_pull_policy: str = "IfNotPresent"
    image_pull_secrets: list[str] = []
    headers: dict[str, list[str]] = {}


class Metrics(View, frozen=True, kw_only=True):
    """The key `metricsAggregator`; "true" and "false" as text."""

    enable_metric_aggregation: str = "false"
    enable_prometheus_scraping: str = "false"


class LocalModel(View, frozen=True, kw_only=True):
    enabled: bool = False
    job_namespace: str = "kserve-localmodel-jobs"
    default_job_image: str = "kserve/storage-initializer:latest"
    fs_group: int = 1000
    job_ttl_seconds_after_finished: int = msgspec.field(name="jobTTLSecondsAfterFinished", default=3600)
    # Spelled so by KServe.
    reconciliation_frequency_in_secs: int = msgspec.field(name="reconcilationFrequencyInSecs", default=60)
    disable_volume_management: bool = False


class Resources(View, frozen=True, kw_only=True):
    """For containers that the user brings; each figure only where the container has none."""

    cpu_limit: str = "1"
    memory_limit: str = "2Gi"
    cpu_request: str = "1"
    memory_request: str = "2Gi"


class Services(View, frozen=True, kw_only=True):
    service_cluster_ip_none: bool = msgspec.field(name="serviceClusterIPNone", default=False)


class Defaults(View, frozen=True, kw_only=True):
    """The key `inferenceService`."""

    resource: Resources = Resources()
    service_annotation_disallowed_list: list[str] = []
    service_label_disallowed_list: list[str] = msgspec.field(
        default_factory=lambda: ["networking.knative.dev/visibility"]
    )


class Security(View, frozen=True, kw_only=True):
    auto_mount_service_account_token: bool = True


class MultiNode(View, frozen=True, kw_only=True):
    custom_gpu_resource_type_list: list[str] = msgspec.field(name="customGPUResourceTypeList", default=[])


class OpenTelemetryResources(Resources, frozen=True, kw_only=True):
    cpu_request: str = "200m"
    memory_request: str = "512Mi"


class OpenTelemetryCollector(View, frozen=True, kw_only=True):
    scrape_interval: str = "5s"
    metric_receiver_endpoint: str = "keda-otel-scaler.keda.svc:4317"
    metric_scaler_endpoint: str = "keda-otel-scaler.keda.svc:4318"
    resource: OpenTelemetryResources = OpenTelemetryResources()


class Autoscaler(View, frozen=True, kw_only=True):
    """Of KEDA; seconds as text, empty for KEDA's own (KServe's shipped ConfigMap says 0 and 300)."""

    scale_up_stabilization_window_seconds: str = ""
    scale_down_stabilization_window_seconds: str = ""


class Config(View, frozen=True, kw_only=True):
    explainers: Explainers = Explainers()
    storage_initializer: StorageInitializer = StorageInitializer()
    credentials: Credentials = Credentials()
    ingress: Ingress = Ingress()
    logger: Logger = Logger()
    batcher: Batcher = Batcher()
    agent: Sidecar = Sidecar()
    router: Router = Router()
    deploy: Deploy = Deploy()
    service: Services = Services()
    metrics_aggregator: Metrics = Metrics()
    local_model: LocalModel = LocalModel()
    security: Security = Security()
    inference_service: Defaults = Defaults()
    multi_node: MultiNode = MultiNode()
    opentelemetry_collector: OpenTelemetryCollector = OpenTelemetryCollector()
    autoscaler: Autoscaler = Autoscaler()


def parse(data: Mapping[str, str]) -> Config:
    """Raises ConfigError naming the key and what is wrong in it. What is the same is read once, whoever asks."""
    return _parsed(tuple(data.items()))


@lru_cache(maxsize=4)
def _parsed(items: tuple[tuple[str, str], ...]) -> Config:
    data = dict(items)
    sections = {field.encode_name: field for field in msgspec.structs.fields(Config)}
    values: dict[str, View] = {}
    for key, field in sections.items():
        if data.get(key):
            values[field.name] = _section(key, data[key], field.type)
    config = msgspec.structs.replace(Config(), **values)
    _check(config)
    return config


def _section(key: str, text: str, view: type[View]) -> View:
    try:
        return msgspec.convert(_as_named(msgspec.json.decode(text), view), type=view)
    except msgspec.MsgspecError as error:
        raise ConfigError(f"{_place(key)}: {error}", fix="correct the JSON under that key") from error


def _place(key: str) -> str:
    return f"ConfigMap {CONFIG_NAMESPACE}/{CONFIG_NAME}, key {key}"


def _as_named(value: Json, view: type[View]) -> Json:
    """`value` with its fields spelled as `view` spells them: Go takes `ingressdomain` for `ingressDomain`."""
    if not isinstance(value, dict):
        return value
    fields = {field.encode_name.lower(): field for field in msgspec.structs.fields(view)}
    found: dict[str, Json] = {}
    for key, one in value.items():
        field = fields.get(key.lower())
        nested = field is not None and isinstance(field.type, type) and issubclass(field.type, View)
        found[field.encode_name if field else key] = _as_named(one, field.type) if field and nested else one
    return found


# --- what one section alone cannot say -------------------------------------------------------------------------------


def _check(config: Config) -> None:
    mode = config.deploy.mode
    if mode not in MODES:
        known = ", ".join((*MODES, *MODE_ALIASES))
        raise ConfigError(f"{_place('deploy')}: defaultDeploymentMode: expected one of {known}, got {mode!r}")
    if config.ingress.path_template and not config.ingress.ingress_domain:
        raise ConfigError(f"{_place('ingress')}: ingressDomain is needed when pathTemplate is set")
    path = config.ingress.path_template
    if path and (not path.startswith("/") or path.startswith("//")):
        raise ConfigError(f"{_place('ingress')}: pathTemplate: expected a path that begins with /, got {path!r}")
    if config.storage_initializer.oci_model_mode not in OCI_MODES:
        known = ", ".join(OCI_MODES[1:])
        got = config.storage_initializer.oci_model_mode
        raise ConfigError(f"{_place('storageInitializer')}: ociModelMode: expected one of {known}, got {got!r}")
    for key in ("storageInitializer", "logger", "batcher", "agent", "router"):
        _check_resources(key, config)


def _check_resources(key: str, config: Config) -> None:
    section: Sidecar = next(
        getattr(config, field.name) for field in msgspec.structs.fields(Config) if field.encode_name == key
    )
    for field in msgspec.structs.fields(Sidecar):
        given = getattr(section, field.name)
        if field.name != "image" and not is_quantity(given):
            raise ConfigError(f"{_place(key)}: {field.encode_name}: expected a quantity such as 100Mi, got {given!r}")
