"""Views of the Gateway API v1 (`gateway.networking.k8s.io`): GatewayClass, Gateway, HTTPRoute, and their CRDs.

A view accepts words that we don't know (a filter of a newer release): the plan reports them in a condition. The CRDs
made from the same structs are strict, as the project's own are: there an unknown word is refused when it is written.
Rules and defaults: https://gateway-api.sigs.k8s.io/reference/spec/
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from inferplane.kernel.json import Json, JsonObject
from inferplane.resources.meta import Condition, LabelSelector, ObjectMeta, View

GROUP = "gateway.networking.k8s.io"
CONTROLLER_NAME = "inferplane.dev/gateway"
CLASS_NAME = "inferplane"
DEFAULT_NAMESPACE = "kserve"
DEFAULT_GATEWAY = "kserve-ingress-gateway"

MIRROR_HOST = "inferplane.dev/mirror-host"
"""Annotation of an HTTPRoute: a host at which its mirrored requests come in again, and are routed as any others.

A hint for our gateway: so they are counted as load of where they go, wake what sleeps, and can have their paths
rewritten. Others mirror straight to the Service that the filter names.
"""


def _one_of(*words: str) -> Meta:
    """An enumeration in the CRD only, so that reading an object never fails on a word of a newer release."""
    return Meta(extra_json_schema={"enum": list(words)})


PORT = Meta(ge=1, le=65535)
DURATION = Meta(pattern=r"^([0-9]{1,5}(h|m|s|ms)){1,4}$")
HOSTNAME = Meta(
    min_length=1,
    max_length=253,
    pattern=r"^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
)
HEADER_NAME = Meta(min_length=1, max_length=256, pattern=r"^[A-Za-z0-9!#$%&'*+\-.^_\x60|~]+$")
MAP_BY_NAME = Meta(extra_json_schema={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]})
MAP_BY_TYPE = Meta(extra_json_schema={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]})
Conditions = Annotated[list[Condition], MAP_BY_TYPE]
MATCH_TYPE = _one_of("Exact", "RegularExpression")
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH")


# --- GatewayClass -----------------------------------------------------------------------------------------------------


class ParametersReference(View, frozen=True, kw_only=True):
    group: str
    kind: str
    name: str
    namespace: str | None = None


class GatewayClassSpec(View, frozen=True, kw_only=True):
    controller_name: str = ""
    parameters_ref: ParametersReference | None = None
    description: str | None = None


class GatewayClassStatus(View, frozen=True, kw_only=True):
    conditions: Conditions = []


class GatewayClass(View, frozen=True, kw_only=True):
    metadata: ObjectMeta = ObjectMeta()
    spec: GatewayClassSpec = GatewayClassSpec()
    status: GatewayClassStatus = GatewayClassStatus()


# --- Gateway ----------------------------------------------------------------------------------------------------------


class RouteNamespaces(View, frozen=True, kw_only=True):
    from_: Annotated[str, _one_of("All", "Selector", "Same")] = msgspec.field(default="Same", name="from")
    selector: LabelSelector | None = None


class RouteGroupKind(View, frozen=True, kw_only=True):
    kind: str
    group: str = GROUP


class AllowedRoutes(View, frozen=True, kw_only=True):
    namespaces: RouteNamespaces = RouteNamespaces()
    kinds: list[RouteGroupKind] = []


class SecretReference(View, frozen=True, kw_only=True):
    name: str
    group: str = ""
    kind: str = "Secret"
    namespace: str | None = None


class ListenerTls(View, frozen=True, kw_only=True):
    mode: Annotated[str, _one_of("Terminate", "Passthrough")] = "Terminate"
    certificate_refs: list[SecretReference] = []
    options: dict[str, str] = {}


class Listener(View, frozen=True, kw_only=True):
    name: str
    port: Annotated[int, PORT]
    protocol: str
    hostname: Annotated[str, HOSTNAME] | None = None
    allowed_routes: AllowedRoutes = AllowedRoutes()
    tls: ListenerTls | None = None


class GatewayAddress(View, frozen=True, kw_only=True):
    value: str = ""
    type: str = "IPAddress"


class GatewaySpec(View, frozen=True, kw_only=True):
    gateway_class_name: str = ""
    listeners: Annotated[list[Listener], MAP_BY_NAME] = []
    addresses: list[GatewayAddress] = []


class ListenerStatus(View, frozen=True, kw_only=True, omit_defaults=False):
    name: str
    attached_routes: int = 0
    supported_kinds: list[RouteGroupKind] = []
    conditions: Conditions = []


class GatewayStatus(View, frozen=True, kw_only=True):
    addresses: list[GatewayAddress] = []
    listeners: Annotated[list[ListenerStatus], MAP_BY_NAME] = []
    conditions: Conditions = []


class Gateway(View, frozen=True, kw_only=True):
    metadata: ObjectMeta = ObjectMeta()
    spec: GatewaySpec = GatewaySpec()
    status: GatewayStatus = GatewayStatus()


# --- HTTPRoute --------------------------------------------------------------------------------------------------------


class ParentReference(View, frozen=True, kw_only=True):
    name: str
    group: str = GROUP
    kind: str = "Gateway"
    namespace: str | None = None
    section_name: str | None = None
    port: Annotated[int, PORT] | None = None


class HTTPPathMatch(View, frozen=True, kw_only=True, omit_defaults=False):
    type: Annotated[str, _one_of("Exact", "PathPrefix", "RegularExpression")] = "PathPrefix"
    value: Annotated[str, Meta(max_length=1024)] = "/"


class HTTPHeaderMatch(View, frozen=True, kw_only=True):
    name: Annotated[str, HEADER_NAME]
    value: Annotated[str, Meta(min_length=1, max_length=4096)]
    type: Annotated[str, MATCH_TYPE] = "Exact"


class HTTPQueryParamMatch(View, frozen=True, kw_only=True):
    name: Annotated[str, HEADER_NAME]
    value: Annotated[str, Meta(min_length=1, max_length=1024)]
    type: Annotated[str, MATCH_TYPE] = "Exact"


class HTTPRouteMatch(View, frozen=True, kw_only=True):
    path: HTTPPathMatch = HTTPPathMatch()
    headers: list[HTTPHeaderMatch] = []
    query_params: list[HTTPQueryParamMatch] = []
    method: Annotated[str, _one_of(*METHODS)] | None = None


class HTTPHeader(View, frozen=True, kw_only=True):
    name: Annotated[str, HEADER_NAME]
    value: Annotated[str, Meta(min_length=1, max_length=4096)]


class HTTPHeaderFilter(View, frozen=True, kw_only=True):
    set: list[HTTPHeader] = []
    add: list[HTTPHeader] = []
    remove: list[str] = []


class HTTPPathModifier(View, frozen=True, kw_only=True):
    type: Annotated[str, _one_of("ReplaceFullPath", "ReplacePrefixMatch")]
    replace_full_path: Annotated[str, Meta(max_length=1024)] | None = None
    replace_prefix_match: Annotated[str, Meta(max_length=1024)] | None = None


class HTTPURLRewriteFilter(View, frozen=True, kw_only=True):
    hostname: Annotated[str, HOSTNAME] | None = None
    path: HTTPPathModifier | None = None


class HTTPRequestRedirectFilter(View, frozen=True, kw_only=True):
    scheme: Annotated[str, _one_of("http", "https")] | None = None
    hostname: Annotated[str, HOSTNAME] | None = None
    path: HTTPPathModifier | None = None
    port: Annotated[int, PORT] | None = None
    status_code: Annotated[int, Meta(extra_json_schema={"enum": [301, 302, 303, 307, 308]})] = 302


class BackendObjectReference(View, frozen=True, kw_only=True, omit_defaults=False):
    name: str
    group: str = ""
    kind: str = "Service"
    namespace: str | None = None
    port: Annotated[int, PORT] | None = None


class Fraction(View, frozen=True, kw_only=True, omit_defaults=False):
    numerator: Annotated[int, Meta(ge=0)]
    denominator: Annotated[int, Meta(ge=1)] = 100


class HTTPRequestMirrorFilter(View, frozen=True, kw_only=True):
    """Of `percent` and `fraction` at most one is set; with neither all requests are mirrored."""

    backend_ref: BackendObjectReference
    percent: Annotated[int, Meta(ge=0, le=100)] | None = None
    fraction: Fraction | None = None


class HTTPRouteFilter(View, frozen=True, kw_only=True):
    """Exactly the member that `type` names is set."""

    type: Annotated[
        str,
        _one_of("RequestHeaderModifier", "ResponseHeaderModifier", "RequestMirror", "RequestRedirect", "URLRewrite"),
    ]
    request_header_modifier: HTTPHeaderFilter | None = None
    response_header_modifier: HTTPHeaderFilter | None = None
    request_mirror: HTTPRequestMirrorFilter | None = None
    request_redirect: HTTPRequestRedirectFilter | None = None
    url_rewrite: HTTPURLRewriteFilter | None = msgspec.field(default=None, name="urlRewrite")


class HTTPBackendRef(BackendObjectReference, frozen=True, kw_only=True, omit_defaults=False):
    weight: Annotated[int, Meta(ge=0, le=1_000_000)] = 1
    filters: list[HTTPRouteFilter] = []


class HTTPRouteTimeouts(View, frozen=True, kw_only=True):
    request: Annotated[str, DURATION] | None = None
    backend_request: Annotated[str, DURATION] | None = None


class HTTPRouteRule(View, frozen=True, kw_only=True):
    name: str | None = None
    matches: list[HTTPRouteMatch] = []
    filters: list[HTTPRouteFilter] = []
    backend_refs: list[HTTPBackendRef] = []
    timeouts: HTTPRouteTimeouts = HTTPRouteTimeouts()


class HTTPRouteSpec(View, frozen=True, kw_only=True):
    parent_refs: list[ParentReference] = []
    hostnames: list[Annotated[str, HOSTNAME]] = []
    rules: list[HTTPRouteRule] = []


class RouteParentStatus(View, frozen=True, kw_only=True, omit_defaults=False):
    parent_ref: ParentReference
    controller_name: str
    conditions: Conditions = []


class HTTPRouteStatus(View, frozen=True, kw_only=True):
    parents: list[RouteParentStatus] = []


class HTTPRoute(View, frozen=True, kw_only=True):
    metadata: ObjectMeta = ObjectMeta()
    spec: HTTPRouteSpec = HTTPRouteSpec()
    status: HTTPRouteStatus = HTTPRouteStatus()


# --- the objects of one machine ---------------------------------------------------------------------------------------


def default_objects(port: int) -> list[JsonObject]:
    """GatewayClass `inferplane` and the Gateway that KServe's ConfigMap names, with one HTTP listener on `port`."""
    listener: JsonObject = {
        "name": "http",
        "protocol": "HTTP",
        "port": port,
        "allowedRoutes": {"namespaces": {"from": "All"}},
    }
    return [
        {
            "apiVersion": f"{GROUP}/v1",
            "kind": "GatewayClass",
            "metadata": {"name": CLASS_NAME},
            "spec": {"controllerName": CONTROLLER_NAME, "description": "Inferplane's Envoy"},
        },
        {
            "apiVersion": f"{GROUP}/v1",
            "kind": "Gateway",
            "metadata": {"name": DEFAULT_GATEWAY, "namespace": DEFAULT_NAMESPACE},
            "spec": {"gatewayClassName": CLASS_NAME, "listeners": [listener]},
        },
    ]


# --- CRDs -------------------------------------------------------------------------------------------------------------


def crds() -> list[JsonObject]:
    """CustomResourceDefinitions of the three kinds, as `kubectl` prints and checks them."""
    return [
        _crd("GatewayClass", "gatewayclasses", ["gc"], GatewayClassSpec, GatewayClassStatus, CLASS_COLUMNS, "Cluster"),
        _crd("Gateway", "gateways", ["gtw"], GatewaySpec, GatewayStatus, GATEWAY_COLUMNS),
        _crd("HTTPRoute", "httproutes", [], HTTPRouteSpec, HTTPRouteStatus, ROUTE_COLUMNS),
    ]


def _column(name: str, path: str, type: str = "string", priority: int = 0) -> Json:
    column: JsonObject = {"name": name, "jsonPath": path, "type": type}
    return column | {"priority": priority} if priority else column


AGE = _column("Age", ".metadata.creationTimestamp", "date")
CLASS_COLUMNS: list[Json] = [
    _column("Controller", ".spec.controllerName"),
    _column("Accepted", '.status.conditions[?(@.type=="Accepted")].status'),
    AGE,
    _column("Description", ".spec.description", priority=1),
]
GATEWAY_COLUMNS: list[Json] = [
    _column("Class", ".spec.gatewayClassName"),
    _column("Address", ".status.addresses[*].value"),
    _column("Programmed", '.status.conditions[?(@.type=="Programmed")].status'),
    AGE,
]
ROUTE_COLUMNS: list[Json] = [_column("Hostnames", ".spec.hostnames"), AGE]


def _crd(
    kind: str,
    plural: str,
    short: list[Json],
    spec: type[View],
    status: type[View],
    columns: list[Json],
    scope: str = "Namespaced",
) -> JsonObject:
    version: JsonObject = {
        "name": "v1",
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": columns,
        "schema": {"openAPIV3Schema": _object_schema(spec, status)},
    }
    names: JsonObject = {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": kind.lower()}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{plural}.{GROUP}",
            # A cluster refuses CRDs of a *.k8s.io group without this word; this is a subset of the published ones.
            "annotations": {"api-approved.kubernetes.io": "unapproved, a subset of gateway-api made by Inferplane"},
        },
        "spec": {
            "group": GROUP,
            "scope": scope,
            "names": names | {"shortNames": short, "categories": ["gateway-api"]},
            "versions": [version],
        },
    }


def _object_schema(spec: type[View], status: type[View]) -> JsonObject:
    # The package collects every kind's CRDs, these too; and who only reads objects needs no schemas.
    from inferplane.resources.crds import structural

    return {
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": structural.of(spec),
            "status": structural.of(status),
        },
    }
