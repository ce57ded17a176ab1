"""The server's half of the delta xDS protocol, without I/O: `Wanted` is what Envoys shall have, `Client` is one Envoy.

In come requests and names that changed, out come responses. Rules held here:

- one response of a kind is in flight at a time, so changes that come meanwhile travel together in the next;
- make before break: a virtual host is sent when its clusters and their endpoints are acknowledged, a cluster is taken
  away when no virtual host that the client may still have needs it;
- versions are digests of the content: a client that comes back says what it has (`initial_resource_versions`), also
  to another server process, and is sent the differences alone;
- a refused batch is halved until the offender is alone; that version of it is not sent again.

https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol#incremental-xds
"""

import logging
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from envoy.service.discovery.v3 import discovery_pb2
from google.protobuf import any_pb2

log = logging.getLogger(__name__)

_PREFIX = "type.googleapis.com/"


class Kind(StrEnum):
    """Values are type URLs. The order is the order of sending."""

    CLUSTER = _PREFIX + "envoy.config.cluster.v3.Cluster"
    ENDPOINTS = _PREFIX + "envoy.config.endpoint.v3.ClusterLoadAssignment"
    LISTENER = _PREFIX + "envoy.config.listener.v3.Listener"
    ROUTES = _PREFIX + "envoy.config.route.v3.RouteConfiguration"
    HOST = _PREFIX + "envoy.config.route.v3.VirtualHost"

    @property
    def taken_away(self) -> bool:
        """Of the others the client lets go by itself, when nothing refers to them any more."""
        return self in (Kind.CLUSTER, Kind.LISTENER, Kind.HOST)


@dataclass(frozen=True, slots=True)
class Resource:
    """`needs` names the clusters of a virtual host; `addresses` are those of an assignment (`IP:port`).

    There are thousands, and most are sent once: `body` is what `unpack` makes the message of.
    """

    kind: Kind
    name: str
    version: str
    body: bytes
    needs: frozenset[str] = frozenset()
    addresses: frozenset[str] = frozenset()
    unpack: Callable[[bytes], bytes] = bytes

    @property
    def message(self) -> discovery_pb2.Resource:
        """A new one each time."""
        value = any_pb2.Any(type_url=self.kind, value=self.unpack(self.body))
        return discovery_pb2.Resource(name=self.name, version=self.version, resource=value)


class Wanted:
    """The resources that every client shall have. Until `ready` nothing is known: no client is told anything."""

    def __init__(self) -> None:
        self.ready = False
        self._resources: dict[Kind, dict[str, Resource]] = {kind: {} for kind in Kind}

    def of(self, kind: Kind) -> Mapping[str, Resource]:
        return self._resources[kind]

    def put(self, resource: Resource) -> bool:
        """Whether it is a change."""
        known = self._resources[resource.kind].get(resource.name)
        if known and known.version == resource.version:
            return False
        self._resources[resource.kind][resource.name] = resource
        return True

    def drop(self, kind: Kind, name: str) -> bool:
        return self._resources[kind].pop(name, None) is not None


@dataclass(frozen=True, slots=True)
class Held:
    """What a client has acknowledged. `resource` is None for a version that only an earlier server process knew."""

    version: str
    resource: Resource | None


@dataclass(frozen=True, slots=True)
class Refusal:
    version: str
    message: str


@dataclass(slots=True)
class _Flight:
    """A response that is not answered yet."""

    nonce: str
    resources: dict[str, Resource]
    removed: tuple[str, ...]


@dataclass(slots=True)
class _Subscription:
    """One kind on one stream. `open` names may differ from what is wanted, `asked` must be answered in any case.

    Of what is `held`, `needs` counts the clusters and `foreign` what only an earlier server process knew.
    """

    started: bool = False
    wildcard: bool = False
    names: set[str] = field(default_factory=set)
    held: dict[str, Held] = field(default_factory=dict)
    refused: dict[str, Refusal] = field(default_factory=dict)
    open: dict[str, None] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)
    greet: bool = False
    flight: _Flight | None = None
    halves: deque[list[str]] = field(default_factory=deque)
    needs: Counter[str] = field(default_factory=Counter)
    foreign: int = 0

    def hold(self, name: str, held: Held) -> None:
        self.let_go(name)
        self.held[name] = held
        if held.resource is None:
            self.foreign += 1
        else:
            self.needs.update(held.resource.needs)

    def let_go(self, name: str) -> None:
        held = self.held.pop(name, None)
        if held is None:
            return
        if held.resource is None:
            self.foreign -= 1
            return
        for cluster in held.resource.needs:
            self.needs[cluster] -= 1
            if not self.needs[cluster]:
                del self.needs[cluster]


class Client:
    """One stream of one Envoy."""

    def __init__(self, wanted: Wanted, name: str = "") -> None:
        self.name = name
        self._wanted = wanted
        self._kinds = {kind: _Subscription() for kind in Kind}
        self._nonce = 0

    # --- what it has ----------------------------------------------------------------------------------------------

    def held(self, kind: Kind, name: str) -> Held | None:
        return self._kinds[kind].held.get(name)

    def refusal(self, kind: Kind, name: str) -> Refusal | None:
        return self._kinds[kind].refused.get(name)

    # --- in -------------------------------------------------------------------------------------------------------

    def changed(self, kind: Kind, names: Iterable[str]) -> None:
        """These differ from before in what is wanted."""
        self._kinds[kind].open.update(dict.fromkeys(names))

    def receive(self, request: discovery_pb2.DeltaDiscoveryRequest) -> dict[Kind, set[str]]:
        """Takes a request; returns the names of which it tells more: acknowledged, refused, or there from before."""
        try:
            kind = Kind(request.type_url)
        except ValueError:
            log.warning("subscription to an unknown kind client=%s type=%s", self.name, request.type_url)
            return {}
        state = self._kinds[kind]
        settled = self._settle(kind, state, request) if request.response_nonce else set()
        for name in request.resource_names_unsubscribe:
            state.names.discard(name)
            _forget(kind, state, name)
        if not state.started:
            self._start(kind, state, request)
            settled |= state.held.keys()
        elif request.resource_names_subscribe:
            self._subscribe(kind, state, request.resource_names_subscribe)
        return {kind: settled} if settled else {}

    def _start(self, kind: Kind, state: _Subscription, request: discovery_pb2.DeltaDiscoveryRequest) -> None:
        state.started = True
        names = set(request.resource_names_subscribe)
        state.wildcard = not names or "*" in names
        state.names = names - {"*"}
        wanted = self._wanted.of(kind)
        for name, version in request.initial_resource_versions.items():
            now = wanted.get(name)
            state.hold(name, Held(version, now if now and now.version == version else None))
        state.open.update(dict.fromkeys([*state.held, *wanted]))
        # The first request is answered even with nothing, or the client would wait for ever.
        state.greet = not state.held
        if kind is not Kind.HOST:
            state.asked = state.names - state.held.keys()
            state.open.update(dict.fromkeys(state.asked))

    def _subscribe(self, kind: Kind, state: _Subscription, names: Iterable[str]) -> None:
        """An explicit subscription is answered though we sent it before: the client may have forgotten it."""
        for name in names:
            state.names.add(name)
            _forget(kind, state, name)
            state.asked.add(name)
            state.open[name] = None
        if kind is Kind.HOST:
            state.asked.clear()
            state.greet = True
            state.open.update(dict.fromkeys(self._wanted.of(kind)))

    def _settle(self, kind: Kind, state: _Subscription, request: discovery_pb2.DeltaDiscoveryRequest) -> set[str]:
        flight = state.flight
        if flight is None or flight.nonce != request.response_nonce:
            return set()
        state.flight = None
        if request.HasField("error_detail"):
            return self._refuse(kind, state, flight, request.error_detail.message)
        for name, resource in flight.resources.items():
            state.hold(name, Held(resource.version, resource))
            state.refused.pop(name, None)
        for name in flight.removed:
            state.let_go(name)
            state.refused.pop(name, None)
            if kind is Kind.CLUSTER:
                # They went with it, whatever the client says of its subscription later.
                self._kinds[Kind.ENDPOINTS].let_go(name)
                self._kinds[Kind.ENDPOINTS].open[name] = None
        return {*flight.resources, *flight.removed}

    def _refuse(self, kind: Kind, state: _Subscription, flight: _Flight, message: str) -> set[str]:
        names = list(flight.resources)
        state.open.update(dict.fromkeys([*names, *flight.removed]))
        if len(names) > 1:
            middle = len(names) // 2
            state.halves.extendleft((names[middle:], names[:middle]))
            return set()
        log.error("resource refused client=%s kind=%s names=%s error=%s", self.name, kind.name, names, message)
        for name in names:
            state.refused[name] = Refusal(flight.resources[name].version, message)
        return set(names)

    # --- out ------------------------------------------------------------------------------------------------------

    def responses(self) -> Iterator[discovery_pb2.DeltaDiscoveryResponse]:
        """All that can be sent now. To be asked again after every request and every change."""
        if not self._wanted.ready:
            return
        for kind, state in self._kinds.items():
            if state.started and state.flight is None and (response := self._next(kind, state)):
                yield response

    def _next(self, kind: Kind, state: _Subscription) -> discovery_pb2.DeltaDiscoveryResponse | None:
        while True:
            names = state.halves.popleft() if state.halves else list(state.open)
            send, unwanted = self._sort(kind, state, names)
            remove = self._removable(kind, state, unwanted)
            if send or remove or state.greet:
                return self._response(kind, state, send, remove)
            if not state.halves:
                return None

    def _sort(self, kind: Kind, state: _Subscription, names: Iterable[str]) -> tuple[dict[str, Resource], list[str]]:
        """What to send, and what the client has that it shall not have. What needs nothing is open no more."""
        send: dict[str, Resource] = {}
        unwanted: list[str] = []
        for name in names:
            resource = self._wanted.of(kind).get(name) if self._subscribed(kind, state, name) else None
            if resource is None and (name in state.asked or (name in state.held and kind.taken_away)):
                unwanted.append(name)
            elif resource is None or _settled(state, resource):
                state.open.pop(name, None)
            elif self._complete(resource):
                send[name] = resource
        return send, unwanted

    def _removable(self, kind: Kind, state: _Subscription, unwanted: list[str]) -> list[str]:
        if kind is not Kind.CLUSTER or not unwanted:
            return unwanted
        if not self._hosts_are_known():
            return []
        return [name for name in unwanted if not self._is_needed(name)]

    def _response(
        self, kind: Kind, state: _Subscription, send: dict[str, Resource], remove: list[str]
    ) -> discovery_pb2.DeltaDiscoveryResponse:
        self._nonce += 1
        state.flight = _Flight(str(self._nonce), send, tuple(remove))
        state.greet = False
        for name in (*send, *remove):
            state.open.pop(name, None)
            state.asked.discard(name)
        if kind is Kind.CLUSTER:
            self._resend_endpoints(name for name in send if name in state.held)
        return discovery_pb2.DeltaDiscoveryResponse(
            type_url=kind,
            nonce=state.flight.nonce,
            resources=[one.message for one in send.values()],
            removed_resources=remove,
        )

    def _resend_endpoints(self, clusters: Iterable[str]) -> None:
        """Envoy 1.40 warms a changed cluster anew: it acknowledges nothing until it has its endpoints once more, and
        does not ask for them."""
        endpoints = self._kinds[Kind.ENDPOINTS]
        for name in clusters:
            endpoints.let_go(name)
            endpoints.open[name] = None

    def _subscribed(self, kind: Kind, state: _Subscription, name: str) -> bool:
        # A client subscribes to all virtual hosts of a route table by the table's name.
        return state.wildcard or (name.partition("/")[0] if kind is Kind.HOST else name) in state.names

    def _complete(self, resource: Resource) -> bool:
        """Whether the client has all that the resource refers to, so that it can serve it at once."""
        clusters, endpoints = self._kinds[Kind.CLUSTER], self._kinds[Kind.ENDPOINTS].held
        # Wanted again while it is being taken away: it still counts as held, and is about to be gone.
        leaving = clusters.flight.removed if clusters.flight else ()
        return all(name in clusters.held and name in endpoints and name not in leaving for name in resource.needs)

    def _hosts_are_known(self) -> bool:
        """After a reconnect a client tells what it has kind by kind; before the last we can't tell what is needed."""
        listeners, tables, hosts = (self._kinds[kind] for kind in (Kind.LISTENER, Kind.ROUTES, Kind.HOST))
        told = listeners.started and (tables.started or not listeners.held) and (hosts.started or not tables.held)
        return told and not hosts.foreign

    def _is_needed(self, cluster: str) -> bool:
        """By what the client has or is being sent."""
        for kind in (Kind.HOST, Kind.LISTENER):
            state = self._kinds[kind]
            sent = state.flight.resources.values() if state.flight else ()
            if cluster in state.needs or any(cluster in one.needs for one in sent):
                return True
        return False


def _settled(state: _Subscription, resource: Resource) -> bool:
    held, refused = state.held.get(resource.name), state.refused.get(resource.name)
    return (held is not None and held.version == resource.version) or (
        refused is not None and refused.version == resource.version
    )


def _forget(kind: Kind, state: _Subscription, name: str) -> None:
    """The client has it no more; with a route table go all its virtual hosts."""
    names = [one for one in state.held if one.partition("/")[0] == name] if kind is Kind.HOST else [name]
    for one in names:
        state.let_go(one)
