"""CustomResourceDefinitions of every kind that Inferplane brings, made from the types themselves.

They go into the embedded API server at start, and into a cluster by `kubectl apply --server-side`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from inferplane.kernel.json import Json, JsonObject
from inferplane.resources import gateway, process_image
from inferplane.resources.crds import rules, structural
from inferplane.resources.crds.rules import Rule
from inferplane.resources.meta import View
from inferplane.resources.serving.inferenceservice import InferenceServiceSpec, InferenceServiceStatus
from inferplane.resources.serving.runtime import ServingRuntimeSpec
from inferplane.resources.serving.storagecontainer import StorageContainerSpec


def all_crds() -> list[JsonObject]:
    """Kinds of serving.kserve.io, gateway.networking.k8s.io and inferplane.dev."""
    return [*(_crd(one) for one in _KINDS), *gateway.crds(), process_image.crd()]


@dataclass(frozen=True, slots=True)
class _Kind:
    group: str
    version: str
    kind: str
    plural: str
    spec: type[View]
    description: str
    columns: tuple[JsonObject, ...]
    status: type[View] | None = None
    short_names: tuple[str, ...] = ()
    namespaced: bool = True
    beside_spec: Mapping[str, JsonObject] = field(default_factory=dict)
    rules: Mapping[str, Sequence[Rule]] = field(default_factory=dict)


def _column(name: str, path: str, type: str = "string") -> JsonObject:
    return {"name": name, "type": type, "jsonPath": path}


def _traffic(which: str, field: str) -> str:
    return f".status.components.predictor.traffic[?(@.{which})].{field}"


_AGE = _column("Age", ".metadata.creationTimestamp", "date")
_RUNTIME_COLUMNS = (
    _column("Disabled", ".spec.disabled", "boolean"),
    _column("ModelType", ".spec.supportedModelFormats[*].name"),
    _column("Containers", ".spec.containers[*].name"),
    _AGE,
)
_KINDS = (
    _Kind(
        "serving.kserve.io",
        "v1beta1",
        "InferenceService",
        "inferenceservices",
        InferenceServiceSpec,
        "A model behind an endpoint: it is fetched, loaded by a runtime, scaled, and reached by one URL.",
        (
            _column("URL", ".status.url"),
            _column("Ready", ".status.conditions[?(@.type=='Ready')].status"),
            _column("Prev", _traffic("tag=='prev'", "percent"), "integer"),
            _column("Latest", _traffic("latestRevision==true", "percent"), "integer"),
            _column("PrevRolledoutRevision", _traffic("tag=='prev'", "revisionName")),
            _column("LatestReadyRevision", _traffic("latestRevision==true", "revisionName")),
            _AGE,
        ),
        status=InferenceServiceStatus,
        short_names=("isvc",),
        rules=rules.INFERENCE_SERVICE,
    ),
    _Kind(
        "serving.kserve.io",
        "v1alpha1",
        "ServingRuntime",
        "servingruntimes",
        ServingRuntimeSpec,
        "A container that serves models of some formats, for the services of its namespace.",
        _RUNTIME_COLUMNS,
        rules=rules.RUNTIME,
    ),
    _Kind(
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
    _Kind(
        "serving.kserve.io",
        "v1alpha1",
        "ClusterStorageContainer",
        "clusterstoragecontainers",
        StorageContainerSpec,
        "A container that fetches models from some kinds of URI, for the services of all namespaces.",
        (
            _column("Disabled", ".disabled", "boolean"),
            _column("Workload", ".spec.workloadType"),
            _column("Prefixes", ".spec.supportedUriFormats[*].prefix"),
            _AGE,
        ),
        namespaced=False,
        beside_spec={"disabled": {"type": "boolean", "description": "Takes it out of use."}},
    ),
)


def _crd(kind: _Kind) -> JsonObject:
    names: JsonObject = {
        "kind": kind.kind,
        "listKind": f"{kind.kind}List",
        "plural": kind.plural,
        "singular": kind.kind.lower(),
        "categories": ["inferplane"],
    }
    if kind.short_names:
        names["shortNames"] = [*kind.short_names]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{kind.group}"},
        "spec": {
            "group": kind.group,
            "scope": "Namespaced" if kind.namespaced else "Cluster",
            "names": names,
            "versions": [_version(kind)],
        },
    }


def _version(kind: _Kind) -> JsonObject:
    columns: list[Json] = [*kind.columns]
    version: JsonObject = {
        "name": kind.version,
        "served": True,
        "storage": True,
        "additionalPrinterColumns": columns,
        "schema": {"openAPIV3Schema": _schema(kind)},
    }
    return version | {"subresources": {"status": {}}} if kind.status else version


def _schema(kind: _Kind) -> JsonObject:
    properties: JsonObject = {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object"},
        "spec": structural.of(kind.spec),
        **kind.beside_spec,
    }
    if kind.status:
        status = structural.of(kind.status)
        # KServe's clients and other controllers may know fields of the status that we don't.
        properties["status"] = status | structural.ANYTHING
    schema: JsonObject = {
        "type": "object",
        "description": kind.description,
        "properties": properties,
        "required": ["spec"],
    }
    return rules.ruled(schema, kind.rules)
