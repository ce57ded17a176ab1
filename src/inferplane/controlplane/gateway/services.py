"""Services that processes of this machine reach by name: each port of one is a listener that leads to its replicas.

The node records a Service's address in an annotation (`resources.local_services`). What comes out is what any route
has: routes with ranks, clusters, and a listener, so that retries, balancing and gRPC work as on the way in. Pure.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from inferplane.controlplane.gateway.rules import Compiled, FindService, compile_route
from inferplane.controlplane.gateway.values import Cluster, Listener, VirtualHost
from inferplane.controlplane.machinery.cache import Key
from inferplane.resources.core import Service
from inferplane.resources.gateway import HTTPBackendRef, HTTPRoute, HTTPRouteRule, HTTPRouteSpec
from inferplane.resources.local_services import LOCAL_ADDRESS, LOCAL_ROUTE, local_port
from inferplane.resources.meta import ObjectMeta


@dataclass(frozen=True, slots=True)
class Door:
    """One port of a Service."""

    listener: Listener
    clusters: tuple[Cluster, ...]


def address_of(service: Service) -> str:
    """Empty for a Service that no process has asked for."""
    return service.metadata.annotations.get(LOCAL_ADDRESS, "")


def doors(service: Service, find: FindService) -> Iterator[Door]:
    """`find` knows the Service too."""
    for number, served in _opened(service):
        yield _door(service, number, compile_route(_to(service, served), find))


def route_of(service: Service) -> Key | None:
    """The HTTPRoute that splits the requests to a Service without pods of its own."""
    name = service.metadata.annotations.get(LOCAL_ROUTE)
    return Key(service.metadata.namespace, name) if name else None


def doors_to(service: Service, route: Compiled) -> Iterator[Door]:
    """Those of a Service whose requests are split by `route`, whatever host they name."""
    for number, _ in _opened(service):
        yield _door(service, number, route)


def _door(service: Service, number: int, compiled: Compiled) -> Door:
    address = address_of(service)
    host = VirtualHost(f"{service.metadata.namespace}/{service.metadata.name}", "*", compiled.in_order)
    return Door(Listener(f"service-{address}:{number}", number, (address,), host), compiled.clusters)


def _opened(service: Service) -> Iterator[tuple[int, int]]:
    """(port of the listener, port of the Service)."""
    opened = set[int]()
    if not address_of(service) or service.spec.type == "ExternalName":
        return
    for port, served in _ports(service):
        number = local_port(port)
        if number not in opened:
            opened.add(number)
            yield number, served


def _ports(service: Service) -> Iterator[tuple[int, int]]:
    """(port that is asked for, port of the Service). Behind a headless Service clients know the containers' ports."""
    yield from ((one.port, one.port) for one in service.spec.ports)
    if service.spec.headless:
        for one in service.spec.ports:
            if isinstance(one.target_port, int):
                yield one.target_port, one.port


def _to(service: Service, port: int) -> HTTPRoute:
    meta = service.metadata
    rule = HTTPRouteRule(backend_refs=[HTTPBackendRef(name=meta.name, port=port)])
    return HTTPRoute(metadata=ObjectMeta(name=meta.name, namespace=meta.namespace), spec=HTTPRouteSpec(rules=[rule]))
