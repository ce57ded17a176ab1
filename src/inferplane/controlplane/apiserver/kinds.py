"""What is served: one `Kind` for each resource and version, built in (the table below) or defined by a CRD."""

from dataclasses import dataclass, field, replace

from inferplane.client.kubernetes.api import Resource
from inferplane.controlplane.apiserver.cel.rules import Rules
from inferplane.resources.schemas import Schema

VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
CUSTOM_VERBS = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")


@dataclass(frozen=True, slots=True)
class PrinterColumn:
    """One of a CRD's additionalPrinterColumns."""

    name: str
    type: str
    path: str
    format: str = ""
    priority: int = 0
    description: str = ""


@dataclass(frozen=True, slots=True)
class ScalePaths:
    """Where the scale subresource of a custom resource reads and writes; each path is dotted, without the first dot."""

    spec_replicas: str
    status_replicas: str
    selector: str = ""


@dataclass(frozen=True, slots=True)
class Definition:
    """What a CRD says about one version beyond its names."""

    name: str
    schema: Schema
    columns: tuple[PrinterColumn, ...] = ()
    selectable: tuple[str, ...] = ()
    scale: ScalePaths | None = None
    # Objects written before this revision may not fit the schema and are pruned and defaulted when they are read.
    since: int = 0
    only_version: bool = True
    terminating: bool = False
    rules: Rules | None = None


@dataclass(frozen=True, slots=True)
class Kind:
    """A resource in one version. `storage` is the version that its objects are kept in."""

    resource: Resource
    singular: str
    list_kind: str
    storage: Resource
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    verbs: tuple[str, ...] = VERBS
    counts_generation: bool = False
    created_by_update: bool = False  # PUT on a name that isn't there creates it
    selectable: tuple[str, ...] | None = None  # None: metadata.name and metadata.namespace only
    computed: bool = False  # never stored: each answer is made when it is asked for
    definition: Definition | None = field(default=None, compare=False)

    @property
    def key(self) -> str:
        """The resource's name in the store; the same for all its versions."""
        return f"{self.storage.group}/{self.storage.plural}"

    @property
    def custom(self) -> bool:
        return self.definition is not None

    def has(self, subresource: str) -> bool:
        return subresource in self.subresources


def _kind(
    api_version: str,
    kind: str,
    plural: str,
    short: str = "",
    subresources: str = "",
    *,
    namespaced: bool = True,
    **more: object,
) -> Kind:
    group, _, version = api_version.rpartition("/")
    resource = Resource(group, version, plural, kind, namespaced)
    served = Kind(
        resource,
        singular=kind.lower(),
        list_kind=f"{kind}List",
        storage=resource,
        short_names=tuple(short.split()),
        subresources=tuple(subresources.split()),
    )
    return replace(served, **more)  # type: ignore[arg-type]  # the table below names fields of Kind


POD_FIELDS = (
    "spec.nodeName spec.restartPolicy spec.schedulerName spec.serviceAccountName spec.hostNetwork "
    "status.phase status.podIP status.podIPs status.nominatedNodeName"
)
EVENT_FIELDS = (
    "involvedObject.kind involvedObject.namespace involvedObject.name involvedObject.uid involvedObject.apiVersion "
    "involvedObject.resourceVersion involvedObject.fieldPath reason reportingComponent source type"
)
NO_COLLECTION = tuple(verb for verb in VERBS if verb != "deletecollection")
ALL = ("all",)
CRD_GROUP = "apiextensions.k8s.io"
CRD_KEY = f"{CRD_GROUP}/customresourcedefinitions"

REVIEW = ("create",)
READ = ("get", "list")
_METRICS = "metrics.k8s.io/v1beta1"
_AUTOSCALER = ("HorizontalPodAutoscaler", "horizontalpodautoscalers", "hpa", "status")
AUTHORIZATION = "authorization.k8s.io/v1"
AUTHENTICATION = "authentication.k8s.io/v1"

# Field selectors that a kind has besides metadata.name and metadata.namespace are as in Kubernetes
# (pkg/apis/*/v1/conversion.go, AddFieldLabelConversionFunc).
BUILT_IN: tuple[Kind, ...] = (
    _kind("v1", "ConfigMap", "configmaps", "cm"),
    _kind("v1", "Endpoints", "endpoints", "ep"),
    _kind("v1", "Event", "events", "ev", created_by_update=True, selectable=tuple(EVENT_FIELDS.split())),
    _kind(
        "v1",
        "Namespace",
        "namespaces",
        "ns",
        "finalize status",
        namespaced=False,
        verbs=NO_COLLECTION,
        selectable=("status.phase",),
    ),
    _kind("v1", "Node", "nodes", "no", "status", namespaced=False, selectable=("spec.unschedulable",)),
    _kind("v1", "PersistentVolume", "persistentvolumes", "pv", "status", namespaced=False),
    _kind("v1", "PersistentVolumeClaim", "persistentvolumeclaims", "pvc", "status"),
    _kind(
        "v1",
        "Pod",
        "pods",
        "po",
        "attach binding eviction exec log portforward status",
        categories=ALL,
        counts_generation=True,
        selectable=tuple(POD_FIELDS.split()),
    ),
    _kind("v1", "Secret", "secrets", selectable=("type",)),
    _kind("v1", "Service", "services", "svc", "status", categories=ALL, selectable=("spec.clusterIP", "spec.type")),
    _kind("v1", "ServiceAccount", "serviceaccounts", "sa", "token"),
    _kind("apps/v1", "Deployment", "deployments", "deploy", "scale status", categories=ALL, counts_generation=True),
    _kind(
        "apps/v1",
        "ReplicaSet",
        "replicasets",
        "rs",
        "scale status",
        categories=ALL,
        counts_generation=True,
        selectable=("status.replicas",),
    ),
    _kind("autoscaling/v2", *_AUTOSCALER, categories=ALL),
    _kind(
        "autoscaling/v1",
        *_AUTOSCALER,
        categories=ALL,
        storage=Resource("autoscaling", "v2", _AUTOSCALER[1], _AUTOSCALER[0]),
    ),
    _kind("coordination.k8s.io/v1", "Lease", "leases", created_by_update=True),
    _kind("discovery.k8s.io/v1", "EndpointSlice", "endpointslices", counts_generation=True),
    _kind("events.k8s.io/v1", "Event", "events", "ev", storage=Resource("", "v1", "events", "Event")),
    _kind("networking.k8s.io/v1", "Ingress", "ingresses", "ing", "status", counts_generation=True),
    _kind("networking.k8s.io/v1", "IngressClass", "ingressclasses", namespaced=False, counts_generation=True),
    _kind(
        f"{CRD_GROUP}/v1",
        "CustomResourceDefinition",
        "customresourcedefinitions",
        "crd crds",
        "status",
        namespaced=False,
        categories=("api-extensions",),
        counts_generation=True,
    ),
    # Measured, never kept.
    _kind(_METRICS, "NodeMetrics", "nodes", namespaced=False, verbs=READ, singular="", computed=True),
    _kind(_METRICS, "PodMetrics", "pods", verbs=READ, singular="", computed=True),
    # Asked, never kept.
    _kind(AUTHENTICATION, "SelfSubjectReview", "selfsubjectreviews", namespaced=False, verbs=REVIEW),
    _kind(AUTHENTICATION, "TokenReview", "tokenreviews", namespaced=False, verbs=REVIEW),
    _kind(AUTHORIZATION, "LocalSubjectAccessReview", "localsubjectaccessreviews", verbs=REVIEW),
    _kind(AUTHORIZATION, "SelfSubjectAccessReview", "selfsubjectaccessreviews", namespaced=False, verbs=REVIEW),
    _kind(AUTHORIZATION, "SelfSubjectRulesReview", "selfsubjectrulesreviews", namespaced=False, verbs=REVIEW),
    _kind(AUTHORIZATION, "SubjectAccessReview", "subjectaccessreviews", namespaced=False, verbs=REVIEW),
)
