"""CustomResourceDefinitions of every kind that Inferplane brings, made from the types themselves.

They go into the embedded API server at start, and into a cluster by `kubectl apply --server-side`.
"""

from inferplane.kernel.json import JsonObject
from inferplane.resources import gateway, process_image
from inferplane.resources.crds import rules
from inferplane.resources.crds.definition import AGE, Definition, column, crd
from inferplane.resources.serving.inferencegraph import InferenceGraphSpec, InferenceGraphStatus
from inferplane.resources.serving.inferenceservice import InferenceServiceSpec, InferenceServiceStatus
from inferplane.resources.serving.runtime import ServingRuntimeSpec
from inferplane.resources.serving.storagecontainer import StorageContainerSpec
from inferplane.resources.serving.trainedmodel import TrainedModelSpec, TrainedModelStatus


def all_crds() -> list[JsonObject]:
    """Kinds of serving.kserve.io, gateway.networking.k8s.io and inferplane.dev."""
    return [*(crd(one) for one in _KINDS), *gateway.crds(), process_image.crd()]


def _traffic(which: str, field: str) -> str:
    return f".status.components.predictor.traffic[?(@.{which})].{field}"


_RUNTIME_COLUMNS = (
    column("Disabled", ".spec.disabled", "boolean"),
    column("ModelType", ".spec.supportedModelFormats[*].name"),
    column("Containers", ".spec.containers[*].name"),
    AGE,
)
_KINDS = (
    Definition(
        "serving.kserve.io",
        "v1beta1",
        "InferenceService",
        "inferenceservices",
        InferenceServiceSpec,
        "A model behind an endpoint: it is fetched, loaded by a runtime, scaled, and reached by one URL.",
        (
            column("URL", ".status.url"),
            column("Ready", ".status.conditions[?(@.type=='Ready')].status"),
            column("Prev", _traffic("tag=='prev'", "percent"), "integer"),
            column("Latest", _traffic("latestRevision==true", "percent"), "integer"),
            column("PrevRolledoutRevision", _traffic("tag=='prev'", "revisionName")),
            column("LatestReadyRevision", _traffic("latestRevision==true", "revisionName")),
            AGE,
        ),
        status=InferenceServiceStatus,
        short_names=("isvc",),
        rules=rules.INFERENCE_SERVICE,
    ),
    Definition(
        "serving.kserve.io",
        "v1alpha1",
        "ServingRuntime",
        "servingruntimes",
        ServingRuntimeSpec,
        "A container that serves models of some formats, for the services of its namespace.",
        _RUNTIME_COLUMNS,
        rules=rules.RUNTIME,
    ),
    Definition(
        "serving.kserve.io",
        "v1alpha1",
        "ClusterServingRuntime",
        "clusterservingruntimes",
        ServingRuntimeSpec,
        "A container that serves models of some formats, for the services of all namespaces.",
        _RUNTIME_COLUMNS,
        namespaced=False,
        rules=rules.RUNTIME,
    ),
    Definition(
        "serving.kserve.io",
        "v1alpha1",
        "TrainedModel",
        "trainedmodels",
        TrainedModelSpec,
        "A model of a server that has many: an InferenceService without a model of its own.",
        (
            column("URL", ".status.url"),
            column("Ready", ".status.conditions[?(@.type=='Ready')].status"),
            AGE,
        ),
        status=TrainedModelStatus,
        short_names=("tm",),
        rules=rules.TRAINED_MODEL,
    ),
    Definition(
        "serving.kserve.io",
        "v1alpha1",
        "InferenceGraph",
        "inferencegraphs",
        InferenceGraphSpec,
        "Several services behind one URL: in sequence, by condition, by weight, or all at once.",
        (
            column("URL", ".status.url"),
            column("Ready", ".status.conditions[?(@.type=='Ready')].status"),
            AGE,
        ),
        status=InferenceGraphStatus,
        short_names=("ig",),
        rules=rules.GRAPH,
    ),
    Definition(
        "serving.kserve.io",
        "v1alpha1",
        "ClusterStorageContainer",
        "clusterstoragecontainers",
        StorageContainerSpec,
        "A container that fetches models from some kinds of URI, for the services of all namespaces.",
        (
            column("Disabled", ".disabled", "boolean"),
            column("Workload", ".spec.workloadType"),
            column("Prefixes", ".spec.supportedUriFormats[*].prefix"),
            AGE,
        ),
        namespaced=False,
        beside_spec={"disabled": {"type": "boolean", "description": "Takes it out of use."}},
    ),
)
