"""InferenceService (`serving.kserve.io/v1beta1`): every field that KServe has, as types.

The pod and container fields that KServe inlines into a component are not repeated here: they are passed on whole, by
strategic merge, so the raw JSON of `spec` is kept and `passthrough` cuts out what is not a field of its own. The CRD is
made from these types, with the inlined parts taken from Kubernetes' own schemas (`INLINES`).
"""

# msgspec copies a mutable default for each instance.

from enum import StrEnum
from functools import cache
from typing import Annotated, ClassVar, Literal, TypeAlias

import msgspec
from msgspec import Meta

from inferplane.resources.knative import Address as Address
from inferplane.resources.knative import TrafficTarget
from inferplane.resources.meta import Condition, ObjectMeta, View
from inferplane.resources.serving.fields import Count32, Count64, Int32, Int64, JsonObject
from inferplane.resources.serving.scaling import AutoScalingSpec, MetricTargetType, ScaleMetric

POD_SPEC = "io.k8s.api.core.v1.PodSpec"
CONTAINER = "io.k8s.api.core.v1.Container"
NAME_PATTERN = r"^[a-z]([-a-z0-9]*[a-z0-9])?$"

# The order in which a shortcut becomes the model when several are given (KServe's defaulter).
FRAMEWORKS = (
    "sklearn",
    "xgboost",
    "tensorflow",
    "pytorch",
    "triton",
    "onnx",
    "huggingface",
    "pmml",
    "lightgbm",
    "paddle",
)

ProtocolVersion: TypeAlias = Literal["v1", "v2", "grpc-v1", "grpc-v2"]


class StorageUri(View, frozen=True, kw_only=True):
    """One of several things to fetch before the container starts."""

    uri: Annotated[str, Meta(min_length=1, description="Where it is, e.g. hf://owner/model or pvc://claim/path.")]
    mount_path: Annotated[str, Meta(pattern=r"^/.*", max_length=255, description="Where the container finds it.")] = (
        "/mnt/models"
    )


StorageUris: TypeAlias = Annotated[list[StorageUri], Meta(min_length=1)]


class StorageSpec(View, frozen=True, kw_only=True):
    """Where the model is, by an entry of the secret `storage-config`."""

    key: Annotated[str | None, Meta(description="Key of the secret.")] = None
    path: Annotated[str | None, Meta(description="Path of the model in the storage.")] = None
    parameters: Annotated[dict[str, str] | None, Meta(description="Settings that override those of the secret.")] = None
    schema_path: Annotated[str | None, Meta(description="Path of the model's schema in the storage.")] = None


class Confidential(View, frozen=True, kw_only=True):
    """Decryption of the model with a key from a key broker."""

    enabled: Annotated[bool, Meta(description="Whether the model is encrypted.")] = False
    resource_id: Annotated[str | None, Meta(description="The key, as kbs:///repository/type/tag.")] = None


class PredictorExtension(View, frozen=True, kw_only=True):
    """What a model server needs to know, beside the fields of a container."""

    INLINES: ClassVar[str] = CONTAINER

    storage_uri: Annotated[
        str | None, Meta(description="Where the model is: a path, file://, pvc://, hf://, s3://, gs://, https://, …")
    ] = None
    runtime_version: Annotated[str | None, Meta(description="Image tag to use instead of the runtime's own.")] = None
    protocol_version: Annotated[
        ProtocolVersion | None, Meta(description="Protocol that the model server must speak; v1 when absent.")
    ] = None
    storage: Annotated[StorageSpec | None, Meta(description="Where the model is, by a secret's entry.")] = None
    confidential: Annotated[Confidential | None, Meta(description="Decryption of the model.")] = None


class ModelFormat(View, frozen=True, kw_only=True):
    """The format in which the model was saved; runtimes are chosen by it."""

    name: Annotated[str, Meta(description="Name of the format, e.g. sklearn, xgboost, onnx, huggingface.")]
    version: Annotated[str | None, Meta(description="Version of the format; compared as text.")] = None


class ModelSpec(PredictorExtension, frozen=True, kw_only=True):
    """The model to serve: its format, where it is, and changes to the runtime's container."""

    model_format: Annotated[ModelFormat, Meta(description="The format of the model.")]
    runtime: Annotated[
        str | None, Meta(description="ServingRuntime or ClusterServingRuntime to use; chosen by format when absent.")
    ] = None


class LoggerStorage(View, frozen=True, kw_only=True):
    path: Annotated[str | None, Meta(description="Path to write under.")] = None
    parameters: Annotated[dict[str, str] | None, Meta(description="Settings of the storage.")] = None
    key: Annotated[str | None, Meta(description="Key of the storage secret.")] = None
    service_account_name: Annotated[str | None, Meta(description="Account whose credentials are used.")] = None


class LoggerSpec(View, frozen=True, kw_only=True):
    """Logging of requests and responses as CloudEvents."""

    url: Annotated[str | None, Meta(description="Where events are sent.")] = None
    mode: Annotated[Literal["all", "request", "response"] | None, Meta(description="What is logged.")] = None
    metadata_headers: Annotated[list[str] | None, Meta(description="Request headers to add to the events.")] = None
    metadata_annotations: Annotated[list[str] | None, Meta(description="Annotations to add to the events.")] = None
    storage: Annotated[LoggerStorage | None, Meta(description="Storage to write to instead of a URL.")] = None
    marshaller_url: Annotated[str | None, Meta(description="Service that turns events into files.")] = None
    batch_size: Annotated[Int64 | None, Meta(description="Events in one file.")] = None
    batch_interval: Annotated[str | None, Meta(description="Longest wait for a file, e.g. 30s.")] = None


class Batcher(View, frozen=True, kw_only=True):
    """Merging of waiting requests into one call of the model."""

    max_batch_size: Annotated[Int64 | None, Meta(description="Most instances in one call.")] = None
    max_latency: Annotated[
        Int64 | None, Meta(description="Longest wait for company, in milliseconds; none when absent.")
    ] = None
    timeout: Annotated[Int64 | None, Meta(description="Longest time of one call, in seconds.")] = None


class ComponentExtension(View, frozen=True, kw_only=True):
    """What predictor, transformer and explainer have in common, beside the fields of a pod."""

    INLINES: ClassVar[str] = POD_SPEC

    min_replicas: Annotated[Count32 | None, Meta(description="Fewest replicas; 1 when absent.")] = None
    max_replicas: Annotated[Count32 | None, Meta(description="Most replicas; 0 or absent sets no bound.")] = None
    scale_target: Annotated[Int32 | None, Meta(description="Value of scaleMetric to hold.")] = None
    scale_metric: Annotated[ScaleMetric | None, Meta(description="What to scale on.")] = None
    scale_metric_type: Annotated[MetricTargetType | None, Meta(description="How scaleTarget is read.")] = None
    auto_scaling: Annotated[AutoScalingSpec | None, Meta(description="Scaling on several metrics.")] = None
    container_concurrency: Annotated[
        Count64 | None, Meta(description="Most requests that one replica handles at a time; 0 sets no bound.")
    ] = None
    timeout: Annotated[Int64 | None, Meta(description="Longest time of a request, in seconds.")] = None
    canary_traffic_percent: Annotated[
        Int64 | None, Meta(description="Share of the traffic for the latest revision (Knative mode).")
    ] = None
    logger: Annotated[LoggerSpec | None, Meta(description="Logging of requests and responses.")] = None
    batcher: Annotated[Batcher | None, Meta(description="Merging of requests.")] = None
    labels: Annotated[dict[str, str], Meta(description="Labels for the component's objects and pods.")] = {}
    annotations: Annotated[dict[str, str], Meta(description="Annotations for the component's objects and pods.")] = {}
    deployment_strategy: Annotated[
        JsonObject | None,
        Meta(
            description="How a new version replaces the old one (Standard mode).",
            extra_json_schema={"definition": "io.k8s.api.apps.v1.DeploymentStrategy"},
        ),
    ] = None


class WorkerSpec(View, frozen=True, kw_only=True):
    """The workers of a model that runs on several nodes."""

    INLINES: ClassVar[str] = POD_SPEC

    pipeline_parallel_size: Annotated[Int64 | None, Meta(description="Nodes that share the model's layers.")] = None
    tensor_parallel_size: Annotated[Int64 | None, Meta(description="GPUs that share one layer.")] = None


class PredictorSpec(ComponentExtension, frozen=True, kw_only=True):
    """The model server: `model`, one of the framework shortcuts, or containers of your own."""

    name: Annotated[
        Annotated[str, Meta(pattern=NAME_PATTERN)] | None,
        Meta(description="Goes into the names of the predictor's objects: SERVICE-NAME-predictor."),
    ] = None
    model: Annotated[ModelSpec | None, Meta(description="The model to serve, of any format.")] = None
    sklearn: Annotated[PredictorExtension | None, Meta(description="Short for model of format sklearn.")] = None
    xgboost: Annotated[PredictorExtension | None, Meta(description="Short for model of format xgboost.")] = None
    tensorflow: Annotated[PredictorExtension | None, Meta(description="Short for model of format tensorflow.")] = None
    pytorch: Annotated[PredictorExtension | None, Meta(description="Short for model of format pytorch.")] = None
    triton: Annotated[PredictorExtension | None, Meta(description="Short for model of format triton.")] = None
    onnx: Annotated[PredictorExtension | None, Meta(description="Short for model of format onnx.")] = None
    huggingface: Annotated[PredictorExtension | None, Meta(description="Short for model of format huggingface.")] = None
    pmml: Annotated[PredictorExtension | None, Meta(description="Short for model of format pmml.")] = None
    lightgbm: Annotated[PredictorExtension | None, Meta(description="Short for model of format lightgbm.")] = None
    paddle: Annotated[PredictorExtension | None, Meta(description="Short for model of format paddle.")] = None
    storage_uris: Annotated[StorageUris | None, Meta(description="Several things to fetch, each to its own path.")] = (
        None
    )
    storage_container_name: Annotated[
        str | None, Meta(description="ClusterStorageContainer that fetches the model.")
    ] = None
    worker_spec: Annotated[WorkerSpec | None, Meta(description="Workers, for a model that spans nodes.")] = None


class TransformerSpec(ComponentExtension, frozen=True, kw_only=True):
    """Works on requests before, and on answers after, the predictor."""

    storage_uris: Annotated[StorageUris | None, Meta(description="Things to fetch before it starts.")] = None


class ArtExplainer(PredictorExtension, frozen=True, kw_only=True):
    """Explanations by the Adversarial Robustness Toolbox."""

    type: Annotated[str, Meta(description="Kind of attack, e.g. SquareAttack.")] = ""
    config: Annotated[dict[str, str], Meta(description="Settings of the attack.")] = {}


class ExplainerSpec(ComponentExtension, frozen=True, kw_only=True):
    """Explains predictions."""

    art: Annotated[ArtExplainer | None, Meta(description="The Adversarial Robustness Toolbox.")] = None
    storage_uris: Annotated[StorageUris | None, Meta(description="Things to fetch before it starts.")] = None


class CanarySpec(View, frozen=True, kw_only=True):
    """Another version of the predictor and its share of the traffic."""

    predictor: Annotated[PredictorSpec, Meta(description="The other version; it needs a name.")]
    traffic_percent: Annotated[
        Annotated[int, Meta(ge=0, le=100, extra_json_schema={"format": "int32"})],
        Meta(description="Its share of the traffic, in percent."),
    ]


class InferenceServiceSpec(View, frozen=True, kw_only=True):
    """What to serve."""

    predictor: Annotated[PredictorSpec, Meta(description="The model server.")]
    transformer: Annotated[TransformerSpec | None, Meta(description="Work before and after the predictor.")] = None
    explainer: Annotated[ExplainerSpec | None, Meta(description="Explanations of predictions.")] = None
    canary: Annotated[
        list[CanarySpec],
        Meta(
            description="Other versions of the predictor (Standard mode).",
            extra_json_schema={"x-kubernetes-list-type": "atomic"},
        ),
    ] = []


# --- status -----------------------------------------------------------------------------------------------------------


class TransitionStatus(StrEnum):
    NONE = ""
    UP_TO_DATE = "UpToDate"
    IN_PROGRESS = "InProgress"
    BLOCKED = "BlockedByFailedLoad"
    INVALID_SPEC = "InvalidSpec"


class ModelState(StrEnum):
    NONE = ""
    PENDING = "Pending"
    STANDBY = "Standby"
    LOADING = "Loading"
    LOADED = "Loaded"
    FAILED_TO_LOAD = "FailedToLoad"


class FailureReason(StrEnum):
    MODEL_LOAD_FAILED = "ModelLoadFailed"
    RUNTIME_UNHEALTHY = "RuntimeUnhealthy"
    RUNTIME_DISABLED = "RuntimeDisabled"
    NO_SUPPORTING_RUNTIME = "NoSupportingRuntime"
    RUNTIME_NOT_RECOGNIZED = "RuntimeNotRecognized"
    INVALID_PREDICTOR_SPEC = "InvalidPredictorSpec"


class ModelRevisionStates(View, frozen=True, kw_only=True):
    """Both are always written: KServe's Python client refuses a status without them."""

    active_model_state: Annotated[ModelState, Meta(description="State of the model that answers requests.")]
    target_model_state: Annotated[ModelState, Meta(description="State of the model that the spec asks for.")]


class ModelCopies(View, frozen=True, kw_only=True):
    failed_copies: Annotated[Int64, Meta(description="Replicas whose model failed to load.")]
    total_copies: Annotated[Int64 | None, Meta(description="Replicas that are ready.")] = None


class FailureInfo(View, frozen=True, kw_only=True):
    """Why the model is not served."""

    location: Annotated[str, Meta(description="The pod.")] = ""
    reason: Annotated[FailureReason | None, Meta(description="The failure in one word.")] = None
    message: Annotated[str, Meta(description="The failure in words.")] = ""
    model_revision_name: Annotated[str, Meta(description="The revision that failed.")] = ""
    time: Annotated[str | None, Meta(description="When it failed.", extra_json_schema={"format": "date-time"})] = None
    exit_code: Annotated[Int32 | None, Meta(description="Exit code of the container that failed.")] = None


class ModelStatus(View, frozen=True, kw_only=True):
    """Where the model stands."""

    transition_status: Annotated[TransitionStatus, Meta(description="Whether the spec's model is served.")]
    states: Annotated[ModelRevisionStates | None, Meta(description="States of the models.")] = None
    last_failure_info: Annotated[FailureInfo | None, Meta(description="The last failure, until it is overcome.")] = None
    copies: Annotated[ModelCopies | None, Meta(description="How many replicas have the model.")] = None


class ComponentStatus(View, frozen=True, kw_only=True):
    """Where one component stands."""

    latest_ready_revision: str = ""
    latest_created_revision: str = ""
    previous_rolledout_revision: str = ""
    latest_rolledout_revision: str = ""
    traffic: list[TrafficTarget] = []
    url: str = ""
    rest_url: str = msgspec.field(name="restUrl", default="")
    grpc_url: str = msgspec.field(name="grpcUrl", default="")
    address: Address | None = None


class CanaryStatus(View, frozen=True, kw_only=True):
    name: str = ""
    ready: bool = False
    traffic_percent: Int32 = 0
    model_status: ModelStatus | None = None


class InferenceServiceStatus(View, frozen=True, kw_only=True):
    """Where the service stands; written by the controller."""

    conditions: Annotated[list[Condition], Meta(description="Ready, and what it depends on.")] = []
    observed_generation: Annotated[Int64 | None, Meta(description="Generation of the spec that this is about.")] = None
    annotations: Annotated[dict[str, str], Meta(description="Further facts.")] = {}
    address: Annotated[Address | None, Meta(description="URL inside the cluster.")] = None
    url: Annotated[str, Meta(description="URL for clients.")] = ""
    components: Annotated[dict[str, ComponentStatus], Meta(description="predictor, transformer, explainer.")] = {}
    model_status: Annotated[ModelStatus | None, Meta(description="Where the model stands.")] = None
    canary_statuses: Annotated[list[CanaryStatus], Meta(description="Where the canaries stand.")] = []
    deployment_mode: Annotated[str, Meta(description="Standard or Knative; it never changes.")] = ""
    serving_runtime_name: Annotated[str, Meta(description="The ServingRuntime in use.")] = ""
    cluster_serving_runtime_name: Annotated[str, Meta(description="The ClusterServingRuntime in use.")] = ""


class InferenceService(View, frozen=True, kw_only=True):
    """As the controller reads it; `spec` stays JSON so that the inlined pod and container fields are kept."""

    metadata: ObjectMeta = ObjectMeta()
    spec: JsonObject = {}
    status: InferenceServiceStatus = InferenceServiceStatus()


def passthrough(raw: JsonObject, own: type[View]) -> JsonObject:
    """The fields of `raw` that are not fields of `own`: the pod or container fields inlined beside them."""
    mine = _names(own)
    return {key: value for key, value in raw.items() if key not in mine}


@cache
def _names(own: type[View]) -> frozenset[str]:
    return frozenset(field.encode_name for field in msgspec.structs.fields(own))
