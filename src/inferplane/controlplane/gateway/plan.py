"""Gateways, HTTPRoutes and Services → `Snapshot`: listeners, virtual hosts, clusters, and a verdict on every route.

Pure. `Planner` holds the plan of what it was told: everything (`plan`), or what may be different (`update`), which
costs what depends on it and not what there is. Both say what is then different for Envoy (`Change`). Endpoints are
apart (`assignment`): they change most and change nothing else. `xds` hands the changes to Envoy, `status` turns the
verdicts into conditions.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b

import msgspec

from inferplane.controlplane.gateway import hostnames
from inferplane.controlplane.gateway.attachment import (
    Attached,
    Frame,
    ListenerVerdict,
    ParentVerdict,
    Section,
    attach,
    framed,
    key,
    listener_name,
    place,
    place_named,
)
from inferplane.controlplane.gateway.rules import (
    GRPC_ON_HTTP,
    Compiled,
    FindService,
    Problem,
    backends,
    compile_route,
    stand_in,
)
from inferplane.controlplane.gateway.services import Door, address_of, doors, doors_to, route_of
from inferplane.controlplane.gateway.tables import Clusters, Dependents, Hosts, Table, Taken
from inferplane.controlplane.gateway.values import Assignment, Cluster, Endpoint, Listener, VirtualHost
from inferplane.controlplane.machinery.cache import Key
from inferplane.controlplane.machinery.packing import Packed, Packer
from inferplane.resources import discovery
from inferplane.resources import gateway as api
from inferplane.resources.activator import IDLE_TIMEOUT, SHARED_BACKEND
from inferplane.resources.core import Service
from inferplane.resources.discovery import EndpointSlice

LOOPBACK = ("127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class World:
    """All that the plan is made from. `namespaces` gives labels by name, for listeners that select by them.

    `local` are the Services that have a listener of their own.
    """

    classes: Sequence[api.GatewayClass]
    gateways: Sequence[api.Gateway]
    routes: Sequence[api.HTTPRoute]
    service: FindService
    namespaces: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    local: Sequence[Service] = ()


@dataclass(frozen=True, slots=True)
class News:
    """What may be different from the last plan: routes as they are now (None: gone), Services by name."""

    routes: Mapping[Key, api.HTTPRoute | None]
    services: Iterable[Key]
    service: FindService


@dataclass(frozen=True, slots=True)
class RouteVerdict:
    """`live` are the clusters that get a share of the requests."""

    parents: tuple[ParentVerdict, ...]
    live: tuple[str, ...] = ()
    unresolved: Problem | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The plan as it stands: it goes along with the planner."""

    listeners: Mapping[str, Listener]
    hosts: Mapping[str, VirtualHost]
    clusters: Mapping[str, Cluster]
    routes: Mapping[Key, RouteVerdict]
    gateways: Mapping[Key, tuple[ListenerVerdict, ...]]


@dataclass(frozen=True, slots=True)
class Change:
    """From one plan to the next. `routes` have another verdict, or none any more; `gateways`: some listener's verdict
    is another."""

    listeners: Taken[str, Listener]
    hosts: Taken[str, VirtualHost]
    clusters: Taken[str, Cluster]
    routes: Sequence[Key]
    gateways: bool


@dataclass(frozen=True, slots=True)
class _Planned:
    """What a route became in `frame`. It depends on the Services that it names and those that stand in for them.

    There are thousands: the route is packed, and what it and the Services said is kept as digests.
    """

    route: Packed
    said: bytes
    frame: Frame
    place: Attached
    named: tuple[Key, ...]
    services: bytes
    compiled: Compiled
    verdict: RouteVerdict

    @property
    def is_ours(self) -> bool:
        return bool(self.place.parents)

    def holds_for(self, said: bytes, frame: Frame, service: FindService) -> bool:
        return self.said == said and self.frame is frame and self.services == _said_by(self.named, service)

    def stands_with(self, other: "_Planned") -> bool:
        """Nothing that was made of the one is different in the other."""
        return self.place is other.place and self.compiled is other.compiled and self.named == other.named


@dataclass(frozen=True, slots=True)
class _Opened:
    """The listeners of a Service. They depend on it, on `named`, and on the route that splits its requests."""

    doors: tuple[Door, ...]
    named: tuple[Key, ...]
    split_by: tuple[Key, ...]


class Planner:
    """What is kept between plans only saves time: the plan depends on what was told alone."""

    def __init__(self, addresses: tuple[str, ...] = LOOPBACK) -> None:
        self._addresses = addresses
        self._frame = Frame()
        self._routes: dict[Key, _Planned] = {}
        self._packer = Packer(api.HTTPRoute)
        self._opened: dict[Key, _Opened] = {}
        self._listeners = Table[str, Listener]()
        self._hosts = Hosts()
        self._clusters = Clusters()
        self._verdicts = Table[Key, RouteVerdict]()
        self._gateways: dict[Key, tuple[ListenerVerdict, ...]] = {}
        self._attached: Counter[Section] = Counter()
        self._users = Dependents[Key]()
        self._opened_by = Dependents[Key]()
        self._split_by = Dependents[Key]()
        self._live = Dependents[str]()

    @property
    def now(self) -> Snapshot:
        return Snapshot(
            self._listeners.values, self._hosts.values, self._clusters.values, self._verdicts.values, self._gateways
        )

    def depends_on(self, service: Key) -> bool:
        """Whether the plan depends on this Service, existing or not."""
        return service in self._users or service in self._opened or service in self._opened_by

    def clusters_of(self, service: Key) -> Sequence[Cluster]:
        return self._clusters.of(service)

    def carried_by(self, host: str) -> Collection[Key]:
        """The routes that are on a virtual host."""
        return self._hosts.carried(place_named(host))

    def sharing(self, cluster: str) -> Collection[Key]:
        """The routes of which the cluster gets requests."""
        return self._live.of(cluster)

    def ways_to(self, service: Key) -> tuple[set[str], set[str]]:
        """Names of the virtual hosts and of the listeners by which requests come to the Service."""
        routes = [*self._users.of(service)]
        hosts = {host for one in routes for parent in self._routes[one].verdict.parents for host in parent.hosts}
        local = {service, *(door for one in routes for door in self._split_by.of(one))}
        opened = (door for one in local if one in self._opened for door in self._opened[one].doors)
        return hosts, {door.listener.name for door in opened}

    def plan(self, world: World) -> Change:
        frame = framed(world.classes, world.gateways, world.namespaces)
        if frame != self._frame:
            self._reframe(frame)
        routes: dict[Key, api.HTTPRoute | None] = dict.fromkeys(self._routes)
        routes.update((key(one.metadata), one) for one in world.routes)
        services = [*self._opened, *(key(one.metadata) for one in world.local)]
        return self._change(News(routes, services, world.service), routes)

    def update(self, news: News) -> Change:
        """To be called when Gateways, their classes and namespaces are as they were."""
        routes = dict(news.routes)
        for service in news.services:
            routes.update((one, self._known(one)) for one in self._users.of(service) if one not in routes)
        return self._change(news, routes)

    def _known(self, route: Key) -> api.HTTPRoute:
        return self._packer.unpack(self._routes[route].route)

    def _change(self, news: News, routes: Mapping[Key, api.HTTPRoute | None]) -> Change:
        for name, route in routes.items():
            self._set_route(name, route, news.service)
        for service in self._to_open(news.services):
            self._set_doors(service, news.service)
        return self._settled()

    def _to_open(self, services: Iterable[Key]) -> Iterable[Key]:
        """Services whose listeners may be different: they, what stands in for them, or the route that splits them."""
        found = dict.fromkeys(services)
        for one in [*found]:
            found.update(dict.fromkeys(self._opened_by.of(one)))
        for route in self._verdicts.touched():
            found.update(dict.fromkeys(self._split_by.of(route)))
        return found

    def _settled(self) -> Change:
        verdicts = self._verdicts.taken()
        gateways, self._gateways = self._gateways, _with_counts(self._frame.listeners, self._attached)
        return Change(
            self._listeners.taken(),
            self._hosts.taken(),
            self._clusters.taken(),
            [*verdicts.changed, *verdicts.gone],
            gateways != self._gateways,
        )

    def _reframe(self, frame: Frame) -> None:
        for port in self._frame.ports:
            self._listeners.drop(listener_name(port))
        self._frame = frame
        for port in frame.ports:
            self._listeners.put(listener_name(port), Listener(listener_name(port), port, self._addresses))
        # Envoy 1.40 keeps a listener closed until its route table has had a first virtual host, whatever it is.
        self._hosts.keep(frozenset(place(port, hostnames.domain("")) for port in frame.ports))

    # --- routes -------------------------------------------------------------------------------------------------------

    def _set_route(self, name: Key, route: api.HTTPRoute | None, service: FindService) -> None:
        before = self._routes.get(name)
        said = b"" if route is None else _digest(wording(route))
        if before is not None and before.holds_for(said, self._frame, service):
            return
        after = None if route is None else self._planned(route, said, before, service)
        if before is not None and after is not None and before.stands_with(after):
            self._routes[name] = after
            return
        if before is not None:
            self._take_out(name, before)
            del self._routes[name]
        if after is not None:
            self._routes[name] = after
            self._put_in(name, after)

    def _planned(self, route: api.HTTPRoute, said: bytes, before: _Planned | None, service: FindService) -> _Planned:
        known = before if before is not None and before.said == said else None
        packed = known.route if known else self._packer.pack(msgspec.structs.replace(route, status=_NO_STATUS))
        where = known.place if known and known.frame is self._frame else attach(route, self._frame)
        if not where.parents:
            return _Planned(packed, said, self._frame, where, (), _said_by((), service), _NOTHING, RouteVerdict(()))
        named = _dependencies(route, service)
        services = _said_by(named, service)
        if known and known.is_ours and known.named == named and known.services == services:
            named, compiled = known.named, known.compiled
        else:
            compiled = compile_route(route, service)
        return _Planned(packed, said, self._frame, where, named, services, compiled, _verdict(where, compiled))

    def _put_in(self, name: Key, planned: _Planned) -> None:
        if not planned.is_ours:
            return
        self._verdicts.put(name, planned.verdict)
        self._users.add(name, planned.named)
        self._live.add(name, planned.verdict.live)
        if planned.compiled.unsupported:
            return
        self._attached.update(planned.place.sections)
        for one in planned.place.places:
            self._hosts.add(one, name, planned.compiled)
        if planned.place.places:
            self._clusters.add(planned.compiled.clusters)

    def _take_out(self, name: Key, planned: _Planned) -> None:
        if not planned.is_ours:
            return
        self._verdicts.drop(name)
        self._users.remove(name, planned.named)
        self._live.remove(name, planned.verdict.live)
        if planned.compiled.unsupported:
            return
        self._attached.subtract(planned.place.sections)
        for one in planned.place.places:
            self._hosts.remove(one, name)
        if planned.place.places:
            self._clusters.remove(planned.compiled.clusters)

    # --- listeners of Services ----------------------------------------------------------------------------------------

    def _set_doors(self, name: Key, find: FindService) -> None:
        service = find(name.namespace, name.name)
        before = self._opened.pop(name, None)
        after = self._doors(service, find) if service is not None and address_of(service) else None
        if before is not None:
            self._opened_by.remove(name, before.named)
            self._split_by.remove(name, before.split_by)
            for door in before.doors:
                self._listeners.drop(door.listener.name)
                self._clusters.remove(door.clusters)
        if after is not None:
            self._opened[name] = after
            self._opened_by.add(name, after.named)
            self._split_by.add(name, after.split_by)
            for door in after.doors:
                self._listeners.put(door.listener.name, door.listener)
                self._clusters.add(door.clusters)

    def _doors(self, service: Service, find: FindService) -> _Opened:
        route = route_of(service)
        if route is None:
            other = stand_in(service)
            return _Opened(tuple(doors(service, find)), (Key(*other[:2]),) if other else (), ())
        planned = self._routes.get(route)
        leads = planned is not None and planned.is_ours and not planned.compiled.unsupported
        return _Opened(tuple(doors_to(service, planned.compiled)) if planned and leads else (), (), (route,))


_NOTHING = Compiled()
_NO_STATUS = api.HTTPRoute().status


def _dependencies(route: api.HTTPRoute, service: FindService) -> tuple[Key, ...]:
    named = [Key(*one) for one in dict.fromkeys(backends(route))]
    others = [stand_in(one) for each in named if (one := service(each.namespace, each.name))]
    return (*named, *(_stand_in(one[0], one[1]) for one in dict.fromkeys(others) if one is not None))


@lru_cache(maxsize=64)
def _stand_in(namespace: str, name: str) -> Key:
    """The one that is there already: one Service stands in for thousands."""
    return Key(namespace, name)


def _digest(value: object) -> bytes:
    return blake2b(msgspec.msgpack.encode(value), digest_size=16).digest()


def _said_by(named: Iterable[Key], find: FindService) -> bytes:
    """A digest of what these Services say, and of which are there."""
    found = (find(one.namespace, one.name) for one in named)
    return _digest([one and leads_to(one) for one in found])


def leads_to(service: Service) -> tuple[object, ...]:
    """All of a Service that routes to it depend on, but its endpoints."""
    meta = service.metadata
    return service.spec, stand_in(service), meta.labels.get(SHARED_BACKEND), meta.annotations.get(GRPC_ON_HTTP)


def wording(route: api.HTTPRoute) -> tuple[object, ...]:
    """All of a route that the plan is made from."""
    annotations = route.metadata.annotations
    return route.metadata.uid, route.spec, annotations.get(IDLE_TIMEOUT), annotations.get(api.MIRROR_HOST)


def _verdict(where: Attached, compiled: Compiled) -> RouteVerdict:
    parents = where.parents
    if compiled.unsupported:
        parents = tuple(ParentVerdict(one.ref, (), one.problem or compiled.unsupported) for one in parents)
    return RouteVerdict(parents, compiled.live, compiled.unresolved)


def _with_counts(
    verdicts: Mapping[Key, tuple[ListenerVerdict, ...]], attached: Mapping[Section, int]
) -> dict[Key, tuple[ListenerVerdict, ...]]:
    return {
        gateway: tuple(
            ListenerVerdict(one.name, one.port, attached.get((gateway, one.name), 0), one.problem) for one in listeners
        )
        for gateway, listeners in verdicts.items()
    }


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
