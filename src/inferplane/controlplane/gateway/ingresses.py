"""Ingresses as routes: each is taken for the HTTPRoutes that say the same, attached to every Gateway of ours.

Only those of a class of ours are served (`resources.networking.whose`); TLS is the Gateway's. An Ingress has no
conditions: its status names the address once requests are served, and nothing before. Pure.
"""

from collections.abc import Iterable, Sequence

from inferplane.controlplane.gateway.rules import FindService
from inferplane.controlplane.machinery.cache import Key
from inferplane.resources import gateway as api
from inferplane.resources.meta import ObjectMeta
from inferplane.resources.networking import (
    HTTPIngressPath,
    Ingress,
    IngressBackend,
    IngressLoadBalancerIngress,
    IngressLoadBalancerStatus,
    IngressPortStatus,
    IngressStatus,
)

# Names of routes have no slash, so these never meet.
_PREFIX = "ingress/"


def ingress_of(route: Key) -> Key | None:
    """The Ingress that the route stands for, None for a route of its own."""
    if not route.name.startswith(_PREFIX):
        return None
    return Key(route.namespace, route.name.removeprefix(_PREFIX).partition("/")[0])


def as_routes(ingress: Ingress, gateways: Iterable[Key], service: FindService) -> list[api.HTTPRoute]:
    """One for each host, in the order of the rules; rules of one host are one route."""
    namespace = ingress.metadata.namespace
    by_host: dict[str, list[api.HTTPRouteRule]] = {}
    for rule in ingress.spec.rules:
        paths = rule.http.paths if rule.http else []
        by_host.setdefault(rule.host, []).extend(_rule(one, namespace, service) for one in paths)
    if ingress.spec.default_backend is not None:
        fallback = HTTPIngressPath(backend=ingress.spec.default_backend)
        by_host.setdefault("", []).append(_rule(fallback, namespace, service))
    parents = [api.ParentReference(namespace=one.namespace, name=one.name) for one in gateways]
    return [_route(ingress.metadata, host, rules, parents) for host, rules in by_host.items() if rules]


def _route(
    meta: ObjectMeta, host: str, rules: list[api.HTTPRouteRule], parents: list[api.ParentReference]
) -> api.HTTPRoute:
    made = ObjectMeta(
        name=f"{_PREFIX}{meta.name}/{host}",
        namespace=meta.namespace,
        uid=f"{meta.uid}/{host}",
        creation_timestamp=meta.creation_timestamp,
        generation=meta.generation,
    )
    return api.HTTPRoute(
        metadata=made, spec=api.HTTPRouteSpec(parent_refs=parents, hostnames=[host] if host else [], rules=rules)
    )


def _rule(path: HTTPIngressPath, namespace: str, service: FindService) -> api.HTTPRouteRule:
    kind = "Exact" if path.path_type == "Exact" else "PathPrefix"
    match = api.HTTPRouteMatch(path=api.HTTPPathMatch(type=kind, value=path.path or "/"))
    return api.HTTPRouteRule(matches=[match], backend_refs=_backends(path.backend, namespace, service))


def _backends(backend: IngressBackend, namespace: str, service: FindService) -> list[api.HTTPBackendRef]:
    if backend.service is None:
        return []
    name, port = backend.service.name, backend.service.port
    number = port.number
    if number is None and (found := service(namespace, name)) is not None:
        number = next((one.port for one in found.spec.ports if one.name == port.name), None)
    return [api.HTTPBackendRef(name=name, port=number)]


def status(served: bool, addresses: Sequence[str], ports: Iterable[int]) -> IngressStatus:
    """`ports` are those of the Gateways' listeners."""
    if not served:
        return IngressStatus()
    numbers = [IngressPortStatus(port=one, protocol="TCP") for one in sorted(set(ports))]
    places = [IngressLoadBalancerIngress(ip=one, ports=numbers) for one in addresses]
    return IngressStatus(load_balancer=IngressLoadBalancerStatus(ingress=places))
