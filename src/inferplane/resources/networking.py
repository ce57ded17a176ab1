"""Views of `networking.k8s.io/v1`: Ingress."""

from inferplane.resources.meta import ObjectMeta, View


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
