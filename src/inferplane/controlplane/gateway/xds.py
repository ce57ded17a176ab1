"""Envoy's configuration over one delta ADS stream a client, on a unix socket: the shell around `delta`.

`publish` takes the plan's values; each is translated once and kept until it changes. The stream's task wakes when the
client says something or something changed, and sends what `delta` says can go out.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import replace
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple, TypeAlias

import grpc
import grpc.aio
from envoy.service.discovery.v3 import discovery_pb2
from google.protobuf.message import Message

from inferplane.controlplane.gateway import translate
from inferplane.controlplane.gateway.delta import Client, Held, Kind, Refusal, Resource, Wanted
from inferplane.controlplane.gateway.tables import MANY
from inferplane.controlplane.gateway.values import Assignment, Cluster, Listener, Route, VirtualHost
from inferplane.controlplane.machinery.packing import Squeezer

log = logging.getLogger(__name__)

Value: TypeAlias = Listener | VirtualHost | Cluster | Assignment
Progress: TypeAlias = Callable[[Kind, Iterable[str]], None]

_SERVICE = "envoy.service.discovery.v3.AggregatedDiscoveryService"
_OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # Envoy's keep-alive pings on an idle stream are wanted, not abuse.
    ("grpc.http2.max_ping_strikes", 0),
    ("grpc.keepalive_permit_without_calls", 1),
)


class Resources:
    """Values → resources, whose bodies are packed."""

    def __init__(self) -> None:
        self._squeezers = {kind: Squeezer() for kind in Kind}
        self._parts: dict[str, dict[int, _Part]] = {}

    def of(self, value: Value) -> list[Resource]:
        """Those that stand for a value; a listener brings its route table, or has its routes in it."""
        match value:
            case Listener(name, only=VirtualHost() as host):
                return [self._made(Kind.LISTENER, name, translate.listener(value), needs=host.clusters)]
            case Listener(name):
                table = self._made(Kind.ROUTES, name, translate.route_table(name))
                return [self._made(Kind.LISTENER, name, translate.listener(value)), table]
            case VirtualHost(name, routes=routes) if len(routes) > MANY:
                return [self._large(value)]
            case VirtualHost(name):
                self._parts.pop(name, None)
                return [self._made(Kind.HOST, name, translate.virtual_host(value), needs=value.clusters)]
            case Cluster(name):
                return [self._made(Kind.CLUSTER, name, translate.cluster(value))]
            case Assignment(name, endpoints):
                addresses = frozenset(f"{one.address}:{one.port}" for one in endpoints)
                return [self._made(Kind.ENDPOINTS, name, translate.assignment(value), addresses=addresses)]

    def _made(
        self,
        kind: Kind,
        name: str,
        message: Message,
        needs: frozenset[str] = frozenset(),
        addresses: frozenset[str] = frozenset(),
    ) -> Resource:
        return self._of_body(kind, name, message.SerializeToString(deterministic=True), needs, addresses)

    def forget(self, host: str) -> None:
        self._parts.pop(host, None)

    def _large(self, host: VirtualHost) -> Resource:
        """One that very many services share: of each route the bytes are kept, as one changes and all others stay."""
        known = self._parts.get(host.name, {})
        parts = [known.get(id(one)) or _part(one) for one in host.routes]
        self._parts[host.name] = {id(one.route): one for one in parts}
        head = translate.virtual_host(replace(host, routes=()))
        body = b"".join((head.SerializeToString(deterministic=True), *(one.body for one in parts)))
        needs = frozenset().union(*{one.needs for one in parts})
        return self._of_body(Kind.HOST, host.name, body, needs)

    def _of_body(
        self,
        kind: Kind,
        name: str,
        body: bytes,
        needs: frozenset[str] = frozenset(),
        addresses: frozenset[str] = frozenset(),
    ) -> Resource:
        version = blake2b(body, digest_size=8).hexdigest()
        squeezer = self._squeezers[kind]
        return Resource(kind, name, version, squeezer.pack(body), _shared(needs), addresses, squeezer.unpack)


class _Part(NamedTuple):
    """A route of a large virtual host, as bytes. While it is held, the number that stands for it is no other's."""

    route: Route
    body: bytes
    needs: frozenset[str]


def _part(route: Route) -> _Part:
    needs = VirtualHost("", "", (route,)).clusters
    return _Part(route, translate.part(route).SerializeToString(deterministic=True), _shared(needs))


@lru_cache(maxsize=256)
def _shared(needs: frozenset[str]) -> frozenset[str]:
    """The one that is there already: thousands of virtual hosts need the activator alone."""
    return needs


class XdsServer:
    """One server, any number of Envoys. Everything runs on the event loop that `start` ran on."""

    def __init__(self, on_progress: Progress) -> None:
        """`on_progress(kind, names)` is called when a client acknowledged or refused these, connected or left."""
        self._on_progress = on_progress
        self._wanted = Wanted()
        self._resources = Resources()
        self._streams: dict[Client, asyncio.Event] = {}
        self._last: Client | None = None
        self._server: grpc.aio.Server | None = None

    async def start(self, address: str) -> None:
        """`address` is a socket's path (it begins with /) or host:port."""
        self._server = grpc.aio.server(options=_OPTIONS)
        handler = grpc.stream_stream_rpc_method_handler(
            self._stream,
            request_deserializer=discovery_pb2.DeltaDiscoveryRequest.FromString,
            response_serializer=discovery_pb2.DeltaDiscoveryResponse.SerializeToString,
        )
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(_SERVICE, {"DeltaAggregatedResources": handler}),)
        )
        self._server.add_insecure_port(f"unix:{address}" if address.startswith("/") else address)
        await self._server.start()

    async def stop(self) -> None:
        if self._server:
            await self._server.stop(grace=None)

    # --- what Envoys shall have -------------------------------------------------------------------------------------

    def publish(self, values: Iterable[Value] = (), removed: Iterable[tuple[Kind, str]] = ()) -> None:
        """Adds or changes these values and takes away those names. Nothing goes out before `open` was called."""
        changed: dict[Kind, list[str]] = {}
        for value in values:
            for resource in self._resources.of(value):
                if self._wanted.put(resource):
                    changed.setdefault(resource.kind, []).append(resource.name)
        for kind, name in removed:
            if kind is Kind.HOST:
                self._resources.forget(name)
            if self._wanted.drop(kind, name):
                changed.setdefault(kind, []).append(name)
        for client, wake in self._streams.items():
            for kind, names in changed.items():
                client.changed(kind, names)
            wake.set()

    def open(self) -> None:
        """From now on what was published is the whole truth. Before, a restarted control plane would empty Envoy."""
        self._wanted.ready = True
        for wake in self._streams.values():
            wake.set()

    # --- what they have ---------------------------------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        return bool(self._streams)

    def holds(self, kind: Kind, name: str) -> bool:
        """Whether every Envoy has acknowledged the current version. One that has gone keeps what it had."""
        wanted = self._wanted.of(kind).get(name)
        return wanted is not None and all(one.version == wanted.version for one in self._held(kind, name))

    def reaches(self, cluster: str) -> bool:
        """Whether every Envoy knows the cluster and at least one address in it that is current."""
        if (
            not all(self._held(Kind.CLUSTER, cluster))
            or (wanted := self._wanted.of(Kind.ENDPOINTS).get(cluster)) is None
        ):
            return False
        return all(
            one.version == wanted.version or bool(one.resource and one.resource.addresses & wanted.addresses)
            for one in self._held(Kind.ENDPOINTS, cluster)
        )

    def refusal(self, kind: Kind, name: str) -> Refusal | None:
        found = (client.refusal(kind, name) for client in self._clients())
        wanted = self._wanted.of(kind).get(name)
        return next((one for one in found if one and wanted and one.version == wanted.version), None)

    def _clients(self) -> list[Client]:
        return list(self._streams) or ([self._last] if self._last else [])

    def _held(self, kind: Kind, name: str) -> list[Held]:
        """One for each client; where it has nothing, and for no client at all, one with an empty version."""
        nothing = Held("", None)
        return [client.held(kind, name) or nothing for client in self._clients()] or [nothing]

    # --- streams ----------------------------------------------------------------------------------------------------

    async def _stream(
        self, requests: AsyncIterator[discovery_pb2.DeltaDiscoveryRequest], context: grpc.aio.ServicerContext
    ) -> None:
        client, wake = Client(self._wanted, context.peer()), asyncio.Event()
        self._streams[client] = wake
        log.info("envoy connected peer=%s", client.name)
        reading = asyncio.create_task(self._read(client, wake, requests))
        try:
            while not reading.done():
                for response in client.responses():
                    await context.write(response)
                await wake.wait()
                wake.clear()
            await reading
        finally:
            reading.cancel()
            del self._streams[client]
            self._last = client
            log.info("envoy disconnected peer=%s", client.name)

    async def _read(
        self, client: Client, wake: asyncio.Event, requests: AsyncIterator[discovery_pb2.DeltaDiscoveryRequest]
    ) -> None:
        try:
            async for request in requests:
                settled = client.receive(request)
                wake.set()
                for kind, names in settled.items():
                    self._on_progress(kind, names)
        finally:
            wake.set()
