"""Gateways and where routes attach to them: open listeners, virtual hosts, verdicts on listeners and parents. Pure.

A route attaches by its own words and by the `Frame`, which is all the rest that decides: our Gateways, their listeners,
the labels of namespaces. Source of the rules: the Gateway API v1 specification of Gateway and HTTPRoute.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from inferplane.controlplane.gateway import hostnames
from inferplane.controlplane.gateway.rules import Problem, Reason
from inferplane.controlplane.machinery.cache import Key
from inferplane.resources import gateway as api
from inferplane.resources.meta import ObjectMeta


def key(meta: ObjectMeta) -> Key:
    return Key(meta.namespace, meta.name)


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


def listener_name(port: int) -> str:
    """Listeners of one port share one Envoy listener and one route table."""
    return f"http-{port}"


@dataclass(frozen=True, slots=True)
class Open:
    """A listener that takes routes."""

    gateway: Key
    section: str
    port: int
    hostname: str
    namespaces: api.RouteNamespaces
    takes_routes: bool


class Place(NamedTuple):
    """A virtual host: its name and the host name that it is for."""

    host: str
    domain: str


def place(port: int, domain: str) -> Place:
    return Place(f"{listener_name(port)}/{domain}", domain)


def place_named(host: str) -> Place:
    """The virtual host of that name."""
    return Place(host, host.partition("/")[2])


Section = tuple[Key, str]
"""A listener: its Gateway, its name there."""


@dataclass(frozen=True, slots=True)
class Attached:
    """Where a route belongs: the verdicts on its parents, its virtual hosts, the listeners that took it."""

    parents: tuple[ParentVerdict, ...]
    places: tuple[Place, ...]
    sections: tuple[Section, ...]


@dataclass(frozen=True, slots=True)
class Frame:
    """All that decides where a route attaches but the route itself. `namespaces`: labels, where a listener asks."""

    listeners: Mapping[Key, tuple[ListenerVerdict, ...]] = field(default_factory=dict)
    open: tuple[Open, ...] = ()
    namespaces: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def ports(self) -> list[int]:
        return sorted({one.port for one in self.open})


def framed(
    classes: Iterable[api.GatewayClass],
    gateways: Iterable[api.Gateway],
    namespaces: Mapping[str, Mapping[str, str]],
) -> Frame:
    """The listeners that can be served, and for every Gateway of ours a verdict on each of its listeners."""
    opened: list[Open] = []
    verdicts: dict[Key, tuple[ListenerVerdict, ...]] = {}
    for gateway in ours_among(classes, gateways):
        name = key(gateway.metadata)
        found: list[ListenerVerdict] = []
        for listener in gateway.spec.listeners:
            problem = _listener_problem(listener)
            found.append(ListenerVerdict(listener.name, listener.port, problem=problem))
            if problem is None:
                opened.append(_open(name, listener))
        verdicts[name] = tuple(found)
    selects = any(one.namespaces.from_ == "Selector" for one in opened)
    return Frame(verdicts, tuple(opened), namespaces if selects else {})


def ours_among(classes: Iterable[api.GatewayClass], gateways: Iterable[api.Gateway]) -> list[api.Gateway]:
    """Gateways whose class names this controller; all others are somebody else's."""
    ours = {one.metadata.name for one in classes if one.spec.controller_name == api.CONTROLLER_NAME}
    return [one for one in gateways if one.spec.gateway_class_name in ours]


def _open(gateway: Key, listener: api.Listener) -> Open:
    kinds = listener.allowed_routes.kinds
    takes_routes = not kinds or any((one.group, one.kind) == (api.GROUP, "HTTPRoute") for one in kinds)
    hostname = listener.hostname or ""
    return Open(gateway, listener.name, listener.port, hostname, listener.allowed_routes.namespaces, takes_routes)


def _listener_problem(listener: api.Listener) -> tuple[str, str] | None:
    if listener.protocol == "HTTP":
        return None
    return "UnsupportedProtocol", f"listener {listener.name}: expected protocol HTTP, got {listener.protocol}"


def attach(route: api.HTTPRoute, frame: Frame) -> Attached:
    home = route.metadata.namespace
    parents: list[ParentVerdict] = []
    places: dict[Place, None] = {}
    sections: dict[Section, None] = {}
    for ref in route.spec.parent_refs:
        gateway = Key(ref.namespace or home, ref.name)
        if (ref.group, ref.kind) != (api.GROUP, "Gateway") or gateway not in frame.listeners:
            continue
        found = _listeners_for(ref, gateway, home, frame)
        if isinstance(found, Problem):
            parents.append(ParentVerdict(ref, problem=found))
            continue
        spots = {listener.section: _spots(route.spec.hostnames, listener) for listener in found}
        here = {spot: None for one in spots.values() for spot in one}
        parents.append(ParentVerdict(ref, tuple(name for name, _ in here), None if here else _no_host(route)))
        places.update(here)
        sections.update({(gateway, section): None for section, one in spots.items() if one})
    return Attached(tuple(parents), tuple(places), tuple(sections))


def _spots(wanted: Sequence[str], listener: Open) -> list[Place]:
    """One place for each host name that the listener and the route agree on."""
    agreed = (hostnames.intersect(listener.hostname, one) for one in wanted or [""])
    return [place(listener.port, hostnames.domain(one)) for one in agreed if one is not None]


def _listeners_for(ref: api.ParentReference, gateway: Key, home: str, frame: Frame) -> list[Open] | Problem:
    named = [
        one
        for one in frame.open
        if one.gateway == gateway and ref.section_name in (None, one.section) and ref.port in (None, one.port)
    ]
    if not named:
        what = f"listener {ref.section_name or 'of any name'} on port {ref.port or 'of any number'}"
        return Problem(Reason.NO_MATCHING_PARENT, f"Gateway {gateway.namespace}/{gateway.name} serves no HTTP {what}")
    allowed = [one for one in named if one.takes_routes and _allows(one, home, frame.namespaces)]
    if not allowed:
        return Problem(
            Reason.NOT_ALLOWED,
            f"Gateway {gateway.namespace}/{gateway.name} takes no HTTPRoutes from namespace {home} (allowedRoutes)",
        )
    return allowed


def _allows(listener: Open, home: str, namespaces: Mapping[str, Mapping[str, str]]) -> bool:
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
