"""Views of `networking.k8s.io/v1`: Ingress, and IngressClass, which says whose it is."""

from collections.abc import Iterable
from enum import StrEnum

from inferplane.kernel.json import JsonObject
from inferplane.resources.gateway import CLASS_NAME, CONTROLLER_NAME
from inferplane.resources.meta import ObjectMeta, View

IS_DEFAULT = "ingressclass.kubernetes.io/is-default-class"
NAMED_BY = "kubernetes.io/ingress.class"


class ServiceBackendPort(View, frozen=True, kw_only=True):
    name: str = ""
    number: int | None = None


class IngressServiceBackend(View, frozen=True, kw_only=True):
    name: str
    port: ServiceBackendPort = ServiceBackendPort()


class IngressBackend(View, frozen=True, kw_only=True):
    service: IngressServiceBackend | None = None


class HTTPIngressPath(View, frozen=True, kw_only=True):
    """`path_type`: Exact, Prefix, or ImplementationSpecific, which is a prefix here."""

    path: str = "/"
    path_type: str = "ImplementationSpecific"
    backend: IngressBackend = IngressBackend()


class HTTPIngressRule(View, frozen=True, kw_only=True):
    paths: list[HTTPIngressPath] = []


class IngressRule(View, frozen=True, kw_only=True):
    host: str = ""
    http: HTTPIngressRule | None = None


class IngressSpec(View, frozen=True, kw_only=True):
    ingress_class_name: str = ""
    default_backend: IngressBackend | None = None
    rules: list[IngressRule] = []


class IngressPortStatus(View, frozen=True, kw_only=True):
    port: int
    protocol: str


class IngressLoadBalancerIngress(View, frozen=True, kw_only=True):
    ip: str = ""
    hostname: str = ""
    ports: list[IngressPortStatus] = []


class IngressLoadBalancerStatus(View, frozen=True, kw_only=True):
    ingress: list[IngressLoadBalancerIngress] = []


class IngressStatus(View, frozen=True, kw_only=True):
    load_balancer: IngressLoadBalancerStatus = IngressLoadBalancerStatus()


class Ingress(View, frozen=True, kw_only=True):
    """`status` tells where it is served, and nothing before it is."""

    metadata: ObjectMeta = ObjectMeta()
    spec: IngressSpec = IngressSpec()
    status: IngressStatus = IngressStatus()


class IngressClassSpec(View, frozen=True, kw_only=True):
    controller: str = ""


class IngressClass(View, frozen=True, kw_only=True):
    metadata: ObjectMeta = ObjectMeta()
    spec: IngressClassSpec = IngressClassSpec()


class Whose(StrEnum):
    """Who serves an Ingress: our gateway, another controller, or, as far as one can tell, nobody."""

    OURS = "ours"
    ANOTHERS = "another's"
    NOBODYS = "nobody's"


def class_of(ingress: Ingress) -> str:
    """The name of its class, empty when it names none; the annotation is how it was named before there was a field."""
    return ingress.spec.ingress_class_name or ingress.metadata.annotations.get(NAMED_BY, "")


def whose(ingress: Ingress, classes: Iterable[IngressClass]) -> Whose:
    """An Ingress that names no class is of the default one; of several defaults the newest counts, as in Kubernetes."""
    named = class_of(ingress)
    if named:
        found = [one for one in classes if one.metadata.name == named]
    else:
        found = [one for one in classes if one.metadata.annotations.get(IS_DEFAULT) == "true"]
        found.sort(key=lambda one: (one.metadata.creation_timestamp or "", one.metadata.name))
    if not found:
        return Whose.NOBODYS
    return Whose.OURS if found[-1].spec.controller == CONTROLLER_NAME else Whose.ANOTHERS


def default_classes() -> list[JsonObject]:
    """On one machine, where there is no other controller: our own class, for Ingresses that name none, too, and the one
    that KServe's ConfigMap names."""
    return [_class(CLASS_NAME, {IS_DEFAULT: "true"}), _class("istio", {})]


def _class(name: str, annotations: dict[str, str]) -> JsonObject:
    metadata: JsonObject = {"name": name, **({"annotations": {**annotations}} if annotations else {})}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IngressClass",
        "metadata": metadata,
        "spec": {"controller": CONTROLLER_NAME},
    }
