"""Envoy's configuration over one delta ADS stream a client, on a unix socket: the shell around `delta`.

`publish` takes the plan's values; each is translated once and kept until it changes. The stream's task wakes when the
client says something or something changed, and sends what `delta` says can go out.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from hashlib import blake2b
from typing import TypeAlias

import grpc
import grpc.aio
from envoy.service.discovery.v3 import discovery_pb2
from google.protobuf import any_pb2
from google.protobuf.message import Message

from inferplane.controlplane.gateway import translate
from inferplane.controlplane.gateway.delta import Client, Held, Kind, Refusal, Resource, Wanted
from inferplane.controlplane.gateway.values import Assignment, Cluster, Listener, VirtualHost

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


def resources(value: Value) -> list[Resource]:
    """The resources that stand for a value; a listener brings its route table, or has its routes in it."""
    match value:
        case Listener(name, only=VirtualHost() as host):
            return [_resource(Kind.LISTENER, name, translate.listener(value), needs=host.clusters)]
        case Listener(name):
            table = _resource(Kind.ROUTES, name, translate.route_table(name))
            return [_resource(Kind.LISTENER, name, translate.listener(value)), table]
        case VirtualHost(name):
            return [_resource(Kind.HOST, name, translate.virtual_host(value), needs=value.clusters)]
        case Cluster(name):
            return [_resource(Kind.CLUSTER, name, translate.cluster(value))]
        case Assignment(name, endpoints):
            addresses = frozenset(f"{one.address}:{one.port}" for one in endpoints)
            return [_resource(Kind.ENDPOINTS, name, translate.assignment(value), addresses=addresses)]


def _resource(
    kind: Kind,
    name: str,
    message: Message,
    needs: frozenset[str] = frozenset(),
    addresses: frozenset[str] = frozenset(),
) -> Resource:
    body = message.SerializeToString(deterministic=True)
    version = blake2b(body, digest_size=8).hexdigest()
    wire = discovery_pb2.Resource(name=name, version=version, resource=any_pb2.Any(type_url=kind, value=body))
    return Resource(kind, name, version, wire, needs, addresses)


class XdsServer:
    """One server, any number of Envoys. Everything runs on the event loop that `start` ran on."""

    def __init__(self, on_progress: Progress) -> None:
        """`on_progress(kind, names)` is called when a client acknowledged or refused these, connected or left."""
        self._on_progress = on_progress
        self._wanted = Wanted()
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
            for resource in resources(value):
                if self._wanted.put(resource):
                    changed.setdefault(resource.kind, []).append(resource.name)
        for kind, name in removed:
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
