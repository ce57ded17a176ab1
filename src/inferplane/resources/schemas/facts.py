"""What the models' source doesn't say about built-in kinds: how lists merge, what maps hold, defaults of list keys.

Facts of Kubernetes' published OpenAPI document (`x-kubernetes-list-type`, `-list-map-keys`, `-patch-strategy`,
`-patch-merge-key`), for the kinds that we serve. One row: definition, field, list type, patch strategy, map keys; `-`
is "none". A strategic merge goes by the first map key alone: `ports` of a Service by `port`. Other lists are atomic.
"""

from inferplane.kernel.json import Json, JsonObject

_LISTS = """
apps.v1.DeploymentStatus                    conditions                map merge            type
apps.v1.ReplicaSetStatus                    conditions                map merge            type
apps.v1.StatefulSetStatus                   conditions                map merge            type
apps.v1.DaemonSetStatus                     conditions                map merge            type
autoscaling.v2.HorizontalPodAutoscalerStatus conditions                map merge            type
core.v1.Container                           env                       map merge            name
core.v1.Container                           ports                     map merge            containerPort,protocol
core.v1.Container                           volumeDevices             map merge            devicePath
core.v1.Container                           volumeMounts              map merge            mountPath
core.v1.EphemeralContainer                  env                       map merge            name
core.v1.EphemeralContainer                  ports                     map merge            containerPort,protocol
core.v1.EphemeralContainer                  volumeDevices             map merge            devicePath
core.v1.EphemeralContainer                  volumeMounts              map merge            mountPath
core.v1.ContainerStatus                     allocatedResourcesStatus  map merge            name
core.v1.ContainerStatus                     volumeMounts              map merge            mountPath
core.v1.NamespaceStatus                     conditions                map merge            type
core.v1.NodeSpec                            podCIDRs                  set merge            -
core.v1.NodeStatus                          addresses                 map merge            type
core.v1.NodeStatus                          conditions                map merge            type
core.v1.PersistentVolumeClaimStatus         conditions                map merge            type
core.v1.PodSpec                             containers                map merge            name
core.v1.PodSpec                             ephemeralContainers       map merge            name
core.v1.PodSpec                             hostAliases               map merge            ip
core.v1.PodSpec                             imagePullSecrets          map merge            name
core.v1.PodSpec                             initContainers            map merge            name
core.v1.PodSpec                             resourceClaims            map merge,retainKeys name
core.v1.PodSpec                             schedulingGates           map merge            name
core.v1.PodSpec                             topologySpreadConstraints map merge            topologyKey,whenUnsatisfiable
core.v1.PodSpec                             volumes                   map merge,retainKeys name
core.v1.PodStatus                           conditions                map merge            type
core.v1.PodStatus                           podIPs                    map merge            ip
core.v1.PodStatus                           resourceClaimStatuses     map merge,retainKeys name
core.v1.ResourceRequirements                claims                    map -                name
core.v1.ServiceAccount                      secrets                   map merge            name
core.v1.ServiceSpec                         ports                     map merge            port,protocol
core.v1.ServiceStatus                       conditions                map merge            type
discovery.v1.Endpoint                       addresses                 set -                -
meta.v1.ObjectMeta                          finalizers                set merge            -
meta.v1.ObjectMeta                          ownerReferences           map merge            uid
policy.v1.PodDisruptionBudgetStatus         conditions                map merge            type
apiextensions.v1.CustomResourceDefinitionStatus conditions                map -                type
"""

# References that are replaced as one value under server-side apply.
_ATOMIC_MAPS = frozenset(
    f"core.v1.{name}"
    for name in (
        "ConfigMapKeySelector", "LocalObjectReference", "NodeSelector", "NodeSelectorTerm", "ObjectFieldSelector",
        "ObjectReference", "ResourceFieldSelector", "ScopeSelector", "SecretKeySelector", "SecretReference",
        "TopologySelectorTerm", "TypedLocalObjectReference",
    )
) | {"meta.v1.LabelSelector", "meta.v1.OwnerReference"}  # fmt: skip

# Maps in fields whose type is a struct elsewhere: replaced whole.
_ATOMIC_FIELDS = frozenset(
    {
        ("core.v1.PodSpec", "nodeSelector"),
        ("core.v1.ServiceSpec", "selector"),
        ("core.v1.ReplicationControllerSpec", "selector"),
    }
)

# Structs of which one branch is chosen: a strategic merge keeps only the keys that the patch retains.
_RETAIN_KEYS = frozenset({("apps.v1.DeploymentSpec", "strategy")})

_QUANTITY: JsonObject = {"$ref": "#/components/schemas/io.k8s.apimachinery.pkg.api.resource.Quantity"}
_BYTES: JsonObject = {"type": "string", "format": "byte"}
_TEXTS: JsonObject = {"type": "array", "items": {"type": "string"}}
_SCHEMA: JsonObject = {
    "$ref": "#/components/schemas/io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps"
}
_TEXT: JsonObject = {"type": "string"}

# Values of maps that aren't strings.
_MAP_VALUES: dict[tuple[str, str], JsonObject] = {
    ("core.v1.ConfigMap", "binaryData"): _BYTES,
    ("core.v1.Secret", "data"): _BYTES,
    ("apiextensions.v1.JSONSchemaProps", "dependencies"): {},
    ("apiextensions.v1.JSONSchemaProps", "definitions"): _SCHEMA,
    ("apiextensions.v1.JSONSchemaProps", "patternProperties"): _SCHEMA,
    ("apiextensions.v1.JSONSchemaProps", "properties"): _SCHEMA,
    ("authorization.v1.SubjectAccessReviewSpec", "extra"): _TEXTS,
    ("authentication.v1.UserInfo", "extra"): _TEXTS,
}
_MAP_VALUES |= dict.fromkeys(
    (
        ("core.v1.ContainerStatus", "allocatedResources"), ("core.v1.LimitRangeItem", "default"),
        ("core.v1.LimitRangeItem", "defaultRequest"), ("core.v1.LimitRangeItem", "max"),
        ("core.v1.LimitRangeItem", "maxLimitRequestRatio"), ("core.v1.LimitRangeItem", "min"),
        ("core.v1.NodeStatus", "allocatable"), ("core.v1.NodeStatus", "capacity"),
        ("core.v1.PersistentVolumeClaimStatus", "allocatedResources"),
        ("core.v1.PersistentVolumeClaimStatus", "capacity"), ("core.v1.PersistentVolumeSpec", "capacity"),
        ("core.v1.PodSpec", "overhead"), ("core.v1.PodStatus", "allocatedResources"),
        ("core.v1.ResourceQuotaSpec", "hard"), ("core.v1.ResourceQuotaStatus", "hard"),
        ("core.v1.ResourceQuotaStatus", "used"), ("core.v1.ResourceRequirements", "limits"),
        ("core.v1.ResourceRequirements", "requests"), ("core.v1.VolumeResourceRequirements", "limits"),
        ("core.v1.VolumeResourceRequirements", "requests"),
    ),
    _QUANTITY,
)  # fmt: skip

# Defaults that the published document states because list keys need them.
_DEFAULTS: dict[tuple[str, str], Json] = {
    ("core.v1.ContainerPort", "protocol"): "TCP",
    ("core.v1.ServicePort", "protocol"): "TCP",
}

# Kubernetes' own format for integers; int32 where not named here.
INT64 = frozenset(
    {
        "generation", "observedGeneration", "deletionGracePeriodSeconds", "terminationGracePeriodSeconds",
        "activeDeadlineSeconds", "tolerationSeconds", "runAsUser", "runAsGroup", "fsGroup", "supplementalGroups",
        "expirationSeconds", "remainingItemCount", "maxLength", "minLength", "maxItems", "minItems", "maxProperties",
        "minProperties",
    }
)  # fmt: skip


def _list_row(line: str) -> tuple[tuple[str, str], JsonObject]:
    definition, field, kind, strategy, keys = line.split()
    extensions: JsonObject = {"x-kubernetes-list-type": kind}
    if keys != "-":
        extensions["x-kubernetes-list-map-keys"] = [*keys.split(",")]
    if strategy != "-":
        extensions["x-kubernetes-patch-strategy"] = strategy
    if "merge" in strategy and keys != "-":
        extensions["x-kubernetes-patch-merge-key"] = keys.split(",")[0]
    return (definition, field), extensions


_LIST_FACTS = dict(_list_row(line) for line in _LISTS.strip().splitlines())


def field_extensions(definition: str, field: str) -> JsonObject:
    """What to add to the schema of one field. `definition` is short: `core.v1.PodSpec`."""
    key = (definition, field)
    found: JsonObject = dict(_LIST_FACTS.get(key, {}))
    if key in _ATOMIC_FIELDS:
        found["x-kubernetes-map-type"] = "atomic"
    if key in _RETAIN_KEYS:
        found["x-kubernetes-patch-strategy"] = "retainKeys"
    if key in _DEFAULTS:
        found["default"] = _DEFAULTS[key]
    return found


def map_values(definition: str, field: str) -> JsonObject:
    """The schema of the values of a map field."""
    return _MAP_VALUES.get((definition, field), _TEXT)


def is_atomic_map(definition: str) -> bool:
    return definition in _ATOMIC_MAPS
