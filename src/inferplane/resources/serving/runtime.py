"""ServingRuntime and ClusterServingRuntime (`serving.kserve.io/v1alpha1`): which container serves which format."""

# msgspec copies a mutable default for each instance.

from typing import Annotated

from msgspec import Meta

from inferplane.resources.meta import ObjectMeta, View
from inferplane.resources.serving.fields import Int64, JsonObject

_CONTAINER = {"definition": "io.k8s.api.core.v1.Container"}


class SupportedModelFormat(View, frozen=True, kw_only=True):
    """A format that the runtime can serve."""

    name: Annotated[str, Meta(description="Name of the format; compared exactly.")]
    version: Annotated[str | None, Meta(description="Version of the format; compared as text.")] = None
    auto_select: Annotated[bool, Meta(description="Whether services that name no runtime may get this one.")] = False
    priority: Annotated[
        Annotated[int, Meta(ge=1, extra_json_schema={"format": "int32"})] | None,
        Meta(description="Higher goes first among runtimes that may be chosen."),
    ] = None


class RuntimePodSpec(View, frozen=True, kw_only=True):
    """The parts of a pod that a runtime brings."""

    containers: Annotated[
        list[Annotated[JsonObject, Meta(extra_json_schema=_CONTAINER)]],
        Meta(description="Containers of the pod; the one named kserve-container serves the model."),
    ]
    volumes: Annotated[
        list[Annotated[JsonObject, Meta(extra_json_schema={"definition": "io.k8s.api.core.v1.Volume"})]],
        Meta(description="Volumes of the pod."),
    ] = []
    node_selector: Annotated[dict[str, str], Meta(description="Labels that a node must have.")] = {}
    affinity: Annotated[
        JsonObject | None,
        Meta(description="Where to run.", extra_json_schema={"definition": "io.k8s.api.core.v1.Affinity"}),
    ] = None
    tolerations: Annotated[
        list[Annotated[JsonObject, Meta(extra_json_schema={"definition": "io.k8s.api.core.v1.Toleration"})]],
        Meta(description="Taints that the pod tolerates."),
    ] = []
    labels: Annotated[dict[str, str], Meta(description="Labels for the pods.")] = {}
    annotations: Annotated[dict[str, str], Meta(description="Annotations for the pods.")] = {}
    image_pull_secrets: Annotated[
        list[Annotated[JsonObject, Meta(extra_json_schema={"definition": "io.k8s.api.core.v1.LocalObjectReference"})]],
        Meta(description="Secrets for pulling the images."),
    ] = []
    host_ipc: Annotated[bool, Meta(description="Accepted for compatibility; not used.")] = False
    scheduler_name: Annotated[str, Meta(description="Scheduler of the pods.")] = ""
    resource_claims: Annotated[
        list[Annotated[JsonObject, Meta(extra_json_schema={"definition": "io.k8s.api.core.v1.PodResourceClaim"})]],
        Meta(description="Devices that the pod claims."),
    ] = []


class RuntimeWorkerSpec(RuntimePodSpec, frozen=True, kw_only=True):
    """The workers of a runtime that spans nodes."""

    pipeline_parallel_size: Annotated[Int64 | None, Meta(description="Nodes that share the layers.")] = None
    tensor_parallel_size: Annotated[Int64 | None, Meta(description="GPUs that share one layer.")] = None


class StorageHelper(View, frozen=True, kw_only=True):
    disabled: Annotated[bool, Meta(description="Whether the helper is left out.")] = False


class BuiltInAdapter(View, frozen=True, kw_only=True):
    """Of ModelMesh; accepted for compatibility, not used."""

    server_type: str = ""
    runtime_management_port: Int64 | None = None
    mem_buffer_bytes: Int64 | None = None
    model_loading_timeout_millis: Int64 | None = None
    env: list[Annotated[JsonObject, Meta(extra_json_schema={"definition": "io.k8s.api.core.v1.EnvVar"})]] = []


class ServingRuntimeSpec(RuntimePodSpec, frozen=True, kw_only=True):
    """A way to serve models of some formats."""

    supported_model_formats: Annotated[list[SupportedModelFormat], Meta(description="Formats that it can serve.")] = []
    multi_model: Annotated[bool | None, Meta(description="Of ModelMesh: serves many models; never chosen here.")] = None
    disabled: Annotated[bool | None, Meta(description="Takes the runtime out of use.")] = None
    protocol_versions: Annotated[
        list[str], Meta(description="Protocols that it speaks: v1, v2, grpc-v1, grpc-v2; none means all.")
    ] = []
    worker_spec: Annotated[RuntimeWorkerSpec | None, Meta(description="Workers, for models that span nodes.")] = None
    grpc_endpoint: Annotated[str | None, Meta(description="Of ModelMesh; not used.")] = None
    grpc_data_endpoint: Annotated[str | None, Meta(description="Of ModelMesh; not used.")] = None
    http_data_endpoint: Annotated[str | None, Meta(description="Of ModelMesh; not used.")] = None
    replicas: Annotated[Int64 | None, Meta(description="Of ModelMesh; not used.")] = None
    storage_helper: Annotated[StorageHelper | None, Meta(description="Of ModelMesh; not used.")] = None
    built_in_adapter: Annotated[BuiltInAdapter | None, Meta(description="Of ModelMesh; not used.")] = None


class ServingRuntime(View, frozen=True, kw_only=True):
    """Either kind: a ClusterServingRuntime has no namespace."""

    metadata: ObjectMeta = ObjectMeta()
    spec: ServingRuntimeSpec

    @property
    def cluster_scoped(self) -> bool:
        return not self.metadata.namespace
