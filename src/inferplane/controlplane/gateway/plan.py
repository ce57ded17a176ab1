"""Gateways, HTTPRoutes and Services → `Snapshot`: listeners, virtual hosts, clusters, and a verdict on every route.

Pure. `Planner` only remembers results by what they were made from, so that planning again after one change of a
thousand routes makes one route anew. Endpoints are apart (`assignment`): they change most and change nothing else.
`xds` hands the snapshot to Envoy, `status` turns the verdicts into conditions.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from inferplane.controlplane.gateway import hostnames
from inferplane.controlplane.gateway.rules import (
    Compiled,
    FindService,
    Problem,
    Reason,
    backends,
    compile_route,
    stand_in,
)
from inferplane.controlplane.gateway.services import Door, doors, doors_to, route_of
from inferplane.controlplane.gateway.values import Assignment, Cluster, Endpoint, Listener, VirtualHost
from inferplane.controlplane.machinery.cache import Key
from inferplane.resources import discovery
from inferplane.resources import gateway as api
from inferplane.resources.activator import IDLE_TIMEOUT
from inferplane.resources.core import Service
from inferplane.resources.discovery import EndpointSlice
from inferplane.resources.meta import ObjectMeta


def key(meta: ObjectMeta) -> Key:
    return Key(meta.namespace, meta.name)


@dataclass(frozen=True, slots=True)
class World:
    """What the plan is made from. `namespaces` gives labels by name, for listeners that select by them.

    `local` are the Services that have a listener of their own.
    """

    classes: Sequence[api.GatewayClass]
    gateways: Sequence[api.Gateway]
    routes: Sequence[api.HTTPRoute]
    service: FindService
    namespaces: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    local: Sequence[Service] = ()


@dataclass(frozen=True, slots=True)
class ListenerVerdict:
    """`problem` is a reason and a message for the listener's condition Accepted, None when it is served."""

    name: str
    port: int
    attached: int = 0
    problem: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class ParentVerdict:
    """One parentRef of a route that names a Gateway of ours. `hosts` are the virtual hosts that carry its rules."""

    ref: api.ParentReference
    hosts: tuple[str, ...] = ()
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class RouteVerdict:
    """`live` are the clusters that get a share of the requests."""

    parents: tuple[ParentVerdict, ...]
    live: tuple[str, ...] = ()
    unresolved: Problem | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    listeners: Mapping[str, Listener]
    hosts: Mapping[str, VirtualHost]
    clusters: Mapping[str, Cluster]
    routes: Mapping[Key, RouteVerdict]
    gateways: Mapping[Key, tuple[ListenerVerdict, ...]]


LOOPBACK = ("127.0.0.1", "::1")


def listener_name(port: int) -> str:
    """Listeners of one port share one Envoy listener and one route table."""
    return f"http-{port}"


@dataclass(frozen=True, slots=True)
class _Open:
    """A listener that takes routes."""

    gateway: Key
    section: str
    port: int
    hostname: str
    namespaces: api.RouteNamespaces
    takes_routes: bool


@dataclass(frozen=True, slots=True)
class _Doors:
    """All that decides where a route attaches but the route itself: our Gateways, their listeners, the namespaces."""

    gateways: frozenset[Key]
    open: tuple[_Open, ...]
    namespaces: Mapping[str, Mapping[str, str]]


class Place(NamedTuple):
    """A virtual host: its name and the host name that it is for."""

    host: str
    domain: str


@dataclass(frozen=True, slots=True)
class _Attached:
    """Where a route belongs: the verdicts on its parents, its virtual hosts, the listeners that took it."""

    parents: tuple[ParentVerdict, ...]
    places: tuple[Place, ...]
    sections: tuple[tuple[Key, str], ...]


@dataclass(slots=True)
class _Memory:
    """What a route became. It depends on the Services that it names and those that stand in for them: `named`."""

    route: api.HTTPRoute
    named: tuple[Key, ...]
    services: list[Service | None]
    compiled: Compiled
    judged: tuple[_Attached, RouteVerdict] | None = None

    def holds_for(self, route: api.HTTPRoute, service: FindService) -> bool:
        return self.route is route and all(
            service(one.namespace, one.name) is known for one, known in zip(self.named, self.services, strict=True)
        )

    def verdict(self, place: _Attached) -> RouteVerdict:
        if self.judged is None or self.judged[0] is not place:
            self.judged = (place, _verdict(place, self.compiled))
        return self.judged[1]


class Planner:
    """`plan` depends on its arguments alone; what is kept only saves time."""

    def __init__(self, addresses: tuple[str, ...] = LOOPBACK) -> None:
        self._addresses = addresses
        # How many routes depend on a Service.
        self._users: Counter[Key] = Counter()
        self._compiled: dict[Key, _Memory] = {}
        self._attached: dict[Key, tuple[api.HTTPRoute, _Attached]] = {}
        self._doors: _Doors | None = None
        self._hosts: dict[str, tuple[list[Compiled], VirtualHost]] = {}
        self._local: dict[Key, tuple[Service, tuple[Door, ...]]] = {}

    def depends_on(self, service: Key) -> bool:
        """Whether a route of the last plan names this Service, existing or not."""
        return service in self._users or service in self._local

    def plan(self, world: World) -> Snapshot:
        opened, verdicts = open_listeners(ours_among(world.classes, world.gateways))
        doors = _Doors(frozenset(verdicts), opened, world.namespaces)
        self._forget_attachments_unless(doors)
        routes: dict[Key, RouteVerdict] = {}
        parts: dict[Place, list[Compiled]] = {}
        clusters: dict[str, Cluster] = {}
        attached: dict[tuple[Key, str], int] = {}
        led = {found for one in world.local if (found := route_of(one))}
        leading: dict[Key, Compiled] = {}
        for route in world.routes:
            name = key(route.metadata)
            place = self._place(name, route, doors)
            if not place.parents:
                continue
            memory = self._compile(name, route, world.service)
            compiled = memory.compiled
            routes[name] = memory.verdict(place)
            if compiled.unsupported:
                continue
            if name in led:
                leading[name] = compiled
            for section in place.sections:
                attached[section] = attached.get(section, 0) + 1
            for spot in place.places:
                parts.setdefault(spot, []).append(compiled)
            if place.places:
                clusters.update((one.name, one) for one in compiled.clusters)
        for port in {one.port for one in opened}:
            # Envoy 1.40 keeps a listener closed until its route table has had a first virtual host, whatever it is.
            parts.setdefault(_spot(port, hostnames.domain("")), [])
        listeners = self._listeners(opened)
        for door in self._doors_of(world, leading):
            listeners[door.listener.name] = door.listener
            clusters.update((one.name, one) for one in door.clusters)
        self._forget_all_but(routes)
        return Snapshot(
            listeners=listeners,
            hosts=self._virtual_hosts(parts),
            clusters=clusters,
            routes=routes,
            gateways=_with_counts(verdicts, attached),
        )

    def _doors_of(self, world: World, routes: Mapping[Key, Compiled]) -> Iterator[Door]:
        """`routes`: those by which a Service's requests are split."""
        known, self._local = self._local, {}
        for service in world.local:
            route = route_of(service)
            if route is not None:
                if route in routes:
                    yield from doors_to(service, routes[route])
                continue
            name = key(service.metadata)
            before = known.get(name)
            if before is None or before[0] is not service:
                before = service, tuple(doors(service, world.service))
            self._local[name] = before
            yield from before[1]

    def _listeners(self, opened: Iterable[_Open]) -> dict[str, Listener]:
        ports = sorted({one.port for one in opened})
        return {listener_name(port): Listener(listener_name(port), port, self._addresses) for port in ports}

    def _compile(self, name: Key, route: api.HTTPRoute, service: FindService) -> _Memory:
        known = self._compiled.get(name)
        if known is not None and known.holds_for(route, service):
            return known
        named = _dependencies(route, service)
        services = [service(one.namespace, one.name) for one in named]
        if known is not None and _as_before(known.route, route) and _same(known.services, services):
            known.route = route
            return known
        self._forget(name)
        self._users.update(named)
        memory = self._compiled[name] = _Memory(route, named, services, compile_route(route, service))
        return memory

    def _forget(self, name: Key) -> None:
        if (known := self._compiled.pop(name, None)) is not None:
            for one in known.named:
                self._users[one] -= 1
                if not self._users[one]:
                    del self._users[one]

    def _place(self, name: Key, route: api.HTTPRoute, doors: _Doors) -> _Attached:
        known = self._attached.get(name)
        if known and _as_before(known[0], route):
            return known[1]
        place = _attach(route, doors)
        self._attached[name] = (route, place)
        return place

    def _virtual_hosts(self, parts: Mapping[Place, list[Compiled]]) -> dict[str, VirtualHost]:
        made: dict[str, tuple[list[Compiled], VirtualHost]] = {}
        for (name, domain), compiled in parts.items():
            known = self._hosts.get(name)
            if known and _same(known[0], compiled):
                made[name] = known
            else:
                made[name] = (compiled, _virtual_host(name, domain, compiled))
        self._hosts = made
        return {name: host for name, (_, host) in made.items()}

    def _forget_attachments_unless(self, doors: _Doors) -> None:
        if doors != self._doors:
            self._doors = doors
            self._attached.clear()

    def _forget_all_but(self, routes: Mapping[Key, RouteVerdict]) -> None:
        for gone in self._compiled.keys() - routes.keys():
            self._forget(gone)
        if len(self._attached) > 2 * len(routes) + 100:
            self._attached.clear()


def _dependencies(route: api.HTTPRoute, service: FindService) -> tuple[Key, ...]:
    named = [Key(*one) for one in backends(route)]
    others = [stand_in(one) for each in named if (one := service(each.namespace, each.name))]
    return (*named, *(Key(one[0], one[1]) for one in others if one is not None))


def wording(route: api.HTTPRoute) -> tuple[object, ...]:
    """All of a route that the plan is made from."""
    return route.metadata.uid, route.spec, route.metadata.annotations.get(IDLE_TIMEOUT)


def _as_before(old: api.HTTPRoute, new: api.HTTPRoute) -> bool:
    """Whether nothing but the status changed."""
    return old is new or wording(old) == wording(new)


def _same(one: Sequence[object], other: Sequence[object]) -> bool:
    return len(one) == len(other) and all(a is b for a, b in zip(one, other, strict=True))


def _verdict(place: _Attached, compiled: Compiled) -> RouteVerdict:
    parents = place.parents
    if compiled.unsupported:
        parents = tuple(ParentVerdict(one.ref, (), one.problem or compiled.unsupported) for one in parents)
    return RouteVerdict(parents, compiled.live, compiled.unresolved)


def _virtual_host(name: str, domain: str, parts: Iterable[Compiled]) -> VirtualHost:
    ranked = sorted((one for part in parts for one in part.routes), key=lambda one: one.rank)
    return VirtualHost(name, domain, tuple(one.route for one in ranked))


def _with_counts(
    verdicts: Mapping[Key, tuple[ListenerVerdict, ...]], attached: Mapping[tuple[Key, str], int]
) -> dict[Key, tuple[ListenerVerdict, ...]]:
    return {
        gateway: tuple(
            ListenerVerdict(one.name, one.port, attached.get((gateway, one.name), 0), one.problem) for one in listeners
        )
        for gateway, listeners in verdicts.items()
    }


# --- gateways and listeners -------------------------------------------------------------------------------------------


def ours_among(classes: Iterable[api.GatewayClass], gateways: Iterable[api.Gateway]) -> list[api.Gateway]:
    """Gateways whose class names this controller; all others are somebody else's."""
    ours = {one.metadata.name for one in classes if one.spec.controller_name == api.CONTROLLER_NAME}
    return [one for one in gateways if one.spec.gateway_class_name in ours]


def open_listeners(
    gateways: Iterable[api.Gateway],
) -> tuple[tuple[_Open, ...], dict[Key, tuple[ListenerVerdict, ...]]]:
    """The listeners that can be served, and for every Gateway a verdict on each of its listeners."""
    opened: list[_Open] = []
    verdicts: dict[Key, tuple[ListenerVerdict, ...]] = {}
    for gateway in gateways:
        name = key(gateway.metadata)
        found: list[ListenerVerdict] = []
        for listener in gateway.spec.listeners:
            problem = _listener_problem(listener)
            found.append(ListenerVerdict(listener.name, listener.port, problem=problem))
            if problem is None:
                opened.append(_open(name, listener))
        verdicts[name] = tuple(found)
    return tuple(opened), verdicts


def _open(gateway: Key, listener: api.Listener) -> _Open:
    kinds = listener.allowed_routes.kinds
    takes_routes = not kinds or any((one.group, one.kind) == (api.GROUP, "HTTPRoute") for one in kinds)
    hostname = listener.hostname or ""
    return _Open(gateway, listener.name, listener.port, hostname, listener.allowed_routes.namespaces, takes_routes)


def _listener_problem(listener: api.Listener) -> tuple[str, str] | None:
    if listener.protocol == "HTTP":
        return None
    return "UnsupportedProtocol", f"listener {listener.name}: expected protocol HTTP, got {listener.protocol}"


# --- where a route attaches -------------------------------------------------------------------------------------------


def _attach(route: api.HTTPRoute, doors: _Doors) -> _Attached:
    home = route.metadata.namespace
    parents: list[ParentVerdict] = []
    places: dict[Place, None] = {}
    sections: dict[tuple[Key, str], None] = {}
    for ref in route.spec.parent_refs:
        gateway = Key(ref.namespace or home, ref.name)
        if (ref.group, ref.kind) != (api.GROUP, "Gateway") or gateway not in doors.gateways:
            continue
        found = _listeners_for(ref, gateway, home, doors)
        if isinstance(found, Problem):
            parents.append(ParentVerdict(ref, problem=found))
            continue
        spots = {listener.section: _spots(route.spec.hostnames, listener) for listener in found}
        here = {spot: None for one in spots.values() for spot in one}
        parents.append(ParentVerdict(ref, tuple(name for name, _ in here), None if here else _no_host(route)))
        places.update(here)
        sections.update({(gateway, section): None for section, one in spots.items() if one})
    return _Attached(tuple(parents), tuple(places), tuple(sections))


def _spots(wanted: Sequence[str], listener: _Open) -> list[Place]:
    """One place for each host name that the listener and the route agree on."""
    agreed = (hostnames.intersect(listener.hostname, one) for one in wanted or [""])
    domains = [hostnames.domain(one) for one in agreed if one is not None]
    return [_spot(listener.port, one) for one in domains]


def _spot(port: int, domain: str) -> Place:
    return Place(f"{listener_name(port)}/{domain}", domain)


def _listeners_for(
    ref: api.ParentReference,
    gateway: Key,
    home: str,
    doors: _Doors,
) -> list[_Open] | Problem:
    named = [
        one
        for one in doors.open
        if one.gateway == gateway and ref.section_name in (None, one.section) and ref.port in (None, one.port)
    ]
    if not named:
        what = f"listener {ref.section_name or 'of any name'} on port {ref.port or 'of any number'}"
        return Problem(Reason.NO_MATCHING_PARENT, f"Gateway {gateway.namespace}/{gateway.name} serves no HTTP {what}")
    allowed = [one for one in named if one.takes_routes and _allows(one, home, doors.namespaces)]
    if not allowed:
        return Problem(
            Reason.NOT_ALLOWED,
            f"Gateway {gateway.namespace}/{gateway.name} takes no HTTPRoutes from namespace {home} (allowedRoutes)",
        )
    return allowed


def _allows(listener: _Open, home: str, namespaces: Mapping[str, Mapping[str, str]]) -> bool:
    match listener.namespaces.from_:
        case "All":
            return True
        case "Selector":
            selector = listener.namespaces.selector
            return selector is not None and selector.matches(namespaces.get(home, {}))
    return home == listener.gateway.namespace


def _no_host(route: api.HTTPRoute) -> Problem:
    hosts = ", ".join(route.spec.hostnames)
    return Problem(Reason.NO_MATCHING_HOSTNAME, f"no listener of the Gateway takes any of the hosts {hosts}")


# --- endpoints --------------------------------------------------------------------------------------------------------


def assignment(cluster: Cluster, service: Service | None, slices: Iterable[EndpointSlice]) -> Assignment:
    """Where requests for the cluster go: its Service's ready endpoints, else those that still serve while ending."""
    slices = list(slices)
    port = next((one for one in service.spec.ports if one.port == cluster.port), None) if service else None
    if port is None:
        return Assignment(cluster.name)
    ready = _endpoints(slices, port.name, ending=False)
    return Assignment(cluster.name, ready or _endpoints(slices, port.name, ending=True))


def _endpoints(slices: Iterable[EndpointSlice], port: str, *, ending: bool) -> frozenset[Endpoint]:
    return frozenset(
        Endpoint(address, number.port)
        for one in slices
        for number in one.ports
        if one.address_type != "FQDN" and number.name == port and number.port
        for endpoint in one.endpoints
        if (_ending(endpoint) if ending else endpoint.conditions.ready)
        # Kubernetes: all addresses of one endpoint are the same replica, and the first is the one to use.
        for address in endpoint.addresses[:1]
    )


def _ending(endpoint: discovery.Endpoint) -> bool:
    return endpoint.conditions.serving and endpoint.conditions.terminating
