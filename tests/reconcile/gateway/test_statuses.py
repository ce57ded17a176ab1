"""Objects in, statuses out; Envoy is a client of the xDS server that acknowledges what it is told to."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc.aio
import pytest
from envoy.service.discovery.v3 import discovery_pb2
from tests.fakes.api import MemoryApi
from tests.fakes.clock import FakeClock

from inferplane.client.kubernetes.api import Resource
from inferplane.client.kubernetes.kinds import ENDPOINT_SLICE, GATEWAY, GATEWAY_CLASS, HTTP_ROUTE, SERVICE
from inferplane.controlplane.gateway.controller import LOYALTY, PATIENCE, STARTING, GatewayController
from inferplane.controlplane.gateway.delta import Kind
from inferplane.controlplane.machinery.informers import Informers
from inferplane.kernel.json import Json, JsonObject
from inferplane.resources.gateway import default_objects

DEADLINE = 10.0
METHOD = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"


@dataclass
class Envoy:
    """Subscribes as Envoy does and accepts everything, but what it is told to refuse."""

    address: str
    refuses: str = ""
    has: dict[Kind, dict[str, str]] = field(default_factory=lambda: {kind: {} for kind in Kind})

    async def run(self) -> None:
        async with grpc.aio.insecure_channel(f"unix:{self.address}") as channel:
            call = channel.stream_stream(
                METHOD,
                request_serializer=discovery_pb2.DeltaDiscoveryRequest.SerializeToString,
                response_deserializer=discovery_pb2.DeltaDiscoveryResponse.FromString,
            )()
            for kind in (Kind.CLUSTER, Kind.LISTENER):
                await call.write(discovery_pb2.DeltaDiscoveryRequest(type_url=kind))
            async for response in call:
                for request in self._replies(response):
                    await call.write(request)

    def _replies(self, response: discovery_pb2.DeltaDiscoveryResponse) -> list[discovery_pb2.DeltaDiscoveryRequest]:
        kind = Kind(response.type_url)
        answer = discovery_pb2.DeltaDiscoveryRequest(type_url=kind, response_nonce=response.nonce)
        names = [one.name for one in response.resources]
        if self.refuses and self.refuses in names:
            answer.error_detail.message = f"no {self.refuses}"
            return [answer]
        new = [name for name in names if name not in self.has[kind]]
        self.has[kind].update((one.name, one.version) for one in response.resources)
        for name in response.removed_resources:
            self.has[kind].pop(name, None)
        follows = {Kind.CLUSTER: [Kind.ENDPOINTS], Kind.LISTENER: [Kind.ROUTES, Kind.HOST]}.get(kind, [])
        more = [discovery_pb2.DeltaDiscoveryRequest(type_url=one, resource_names_subscribe=new) for one in follows]
        return [answer, *(more if new else [])]


@dataclass
class World:
    api: MemoryApi
    clock: FakeClock
    gateway: GatewayController
    address: str
    tasks: asyncio.TaskGroup
    running: list[asyncio.Task[None]] = field(default_factory=list)

    def envoy(self, refuses: str = "") -> asyncio.Task[None]:
        task = self.tasks.create_task(Envoy(self.address, refuses).run())
        self.running.append(task)
        return task

    async def applied(self, resource: Resource, name: str, **fields: Json) -> None:
        body: JsonObject = {"metadata": {"name": name}, **fields}
        await self.api.apply(resource, body, "default", manager="user")

    async def service(self, *addresses: str) -> None:
        await self.applied(SERVICE, "iris", spec={"ports": [{"port": 80, "name": "http"}]})
        body: JsonObject = {
            "metadata": {"name": "iris-1", "labels": {"kubernetes.io/service-name": "iris"}},
            "addressType": "IPv4",
            "ports": [{"name": "http", "port": 8080}],
            "endpoints": [{"addresses": [one], "conditions": {"ready": True}} for one in addresses],
        }
        await self.api.apply(ENDPOINT_SLICE, body, "default", manager="user")

    async def route(self, **changes: Json) -> None:
        spec: JsonObject = {
            "parentRefs": [{"name": "kserve-ingress-gateway", "namespace": "kserve"}],
            "hostnames": ["iris.localhost"],
            "rules": [{"backendRefs": [{"name": "iris", "port": 80}]}],
        }
        await self.applied(HTTP_ROUTE, "iris", spec=spec | changes)

    def conditions(
        self, resource: Resource = HTTP_ROUTE, name: str = "iris", namespace: str = "default"
    ) -> dict[str, str]:
        """Type → reason, with ! in front of those that are not True."""
        status = json.loads(json.dumps(self.api.peek(resource, name, namespace) or {})).get("status", {})
        found = [*status.get("conditions", []), *(one for p in status.get("parents", []) for one in p["conditions"])]
        return {one["type"]: ("" if one["status"] == "True" else "!") + one["reason"] for one in found}

    async def programmed(self, reason: str) -> None:
        async with asyncio.timeout(DEADLINE):
            while self.conditions().get("Programmed") != reason:  # noqa: ASYNC110 - gRPC's own thread takes part
                await asyncio.sleep(0.001)

    async def passes(self, seconds: float) -> None:
        """Time passes once everybody waits for it."""
        async with asyncio.timeout(DEADLINE):
            while not self.clock.sleepers:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.001)
        self.clock.advance(seconds)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running(tmp_path) as one:
        yield one


@asynccontextmanager
async def running(home: Path) -> AsyncIterator[World]:
    api, clock, address = MemoryApi(), FakeClock(), str(home / "xds.sock")
    for kind, body in zip((GATEWAY_CLASS, GATEWAY), default_objects(8080), strict=True):
        await api.apply(kind, body, "kserve" if kind.namespaced else "", manager="user")
    informers = Informers(api, clock)
    gateway = GatewayController(informers, clock)
    async with asyncio.TaskGroup() as tasks:
        background = [tasks.create_task(informers.run())]
        await informers.synced()
        background.append(tasks.create_task(gateway.run(address)))
        world = World(api, clock, gateway, address, tasks)
        try:
            yield world
        finally:
            for one in (*world.running, *background):
                one.cancel()


async def test_a_route_is_programmed_when_envoy_has_it_and_a_replica_is_ready(world: World) -> None:
    world.envoy()
    await world.service("127.1.0.1")
    await world.route()
    await world.programmed("Programmed")
    assert world.conditions() == {"Accepted": "Accepted", "ResolvedRefs": "ResolvedRefs", "Programmed": "Programmed"}


async def test_a_new_route_whose_service_has_no_replica_says_so_in_a_moment_and_names_it(world: World) -> None:
    world.envoy()
    await world.service()
    await world.route()
    await world.passes(STARTING)
    await world.programmed("!NoReadyEndpoints")
    assert "Service default/iris has no ready endpoint" in json.dumps(world.api.peek(HTTP_ROUTE, "iris"))
    await world.service("127.1.0.1")
    await world.programmed("Programmed")


async def test_without_an_envoy_a_route_is_pending_and_says_why(world: World) -> None:
    await world.service("127.1.0.1")
    await world.route()
    await world.passes(PATIENCE)
    await world.programmed("!Pending")
    assert "Envoy is not connected" in json.dumps(world.api.peek(HTTP_ROUTE, "iris"))
    world.envoy()
    await world.programmed("Programmed")


async def test_what_envoy_refuses_is_invalid_with_its_words(world: World) -> None:
    world.envoy(refuses="http-8080/iris.localhost")
    await world.service("127.1.0.1")
    await world.route()
    await world.programmed("!Invalid")
    assert "no http-8080/iris.localhost" in json.dumps(world.api.peek(HTTP_ROUTE, "iris"))


async def test_a_missing_service_is_not_resolved(world: World) -> None:
    world.envoy()
    await world.route()
    await world.programmed("Programmed")
    assert world.conditions()["ResolvedRefs"] == "!BackendNotFound"
    await world.service("127.1.0.1")
    async with asyncio.timeout(DEADLINE):
        while world.conditions()["ResolvedRefs"] != "ResolvedRefs":  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.001)


async def test_a_programmed_route_stays_so_while_envoy_is_started_again(world: World) -> None:
    first = world.envoy()
    await world.service("127.1.0.1")
    await world.route()
    await world.programmed("Programmed")
    before = world.api.peek(HTTP_ROUTE, "iris")
    first.cancel()
    world.envoy()
    await world.service("127.1.0.1", "127.1.0.2")
    await world.passes(LOYALTY / 2)
    assert world.api.peek(HTTP_ROUTE, "iris") == before


async def test_statuses_carry_the_generation_and_keep_their_times(world: World) -> None:
    world.envoy()
    await world.service("127.1.0.1")
    await world.route()
    await world.programmed("Programmed")
    world.clock.advance(3600)
    await world.route(hostnames=["other.localhost"])

    def conditions() -> list[JsonObject]:
        status = json.loads(json.dumps(world.api.peek(HTTP_ROUTE, "iris")))["status"]
        return list(status["parents"][0]["conditions"])

    async with asyncio.timeout(DEADLINE):
        while {one["observedGeneration"] for one in conditions()} != {2}:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.001)
    assert {one["lastTransitionTime"] for one in conditions()} == {"2026-01-01T00:00:00Z"}


async def test_class_and_gateway_are_accepted_and_the_listener_counts_its_routes(world: World) -> None:
    world.envoy()
    await world.service("127.1.0.1")
    await world.route()
    await world.programmed("Programmed")

    def listeners() -> list[JsonObject]:
        found = world.api.peek(GATEWAY, "kserve-ingress-gateway", "kserve")
        return list(json.loads(json.dumps(found)).get("status", {}).get("listeners", []))

    async with asyncio.timeout(DEADLINE):
        while [one["attachedRoutes"] for one in listeners()] != [1]:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.001)
    assert world.conditions(GATEWAY_CLASS, "inferplane", "") == {"Accepted": "Accepted"}
    assert world.conditions(GATEWAY, "kserve-ingress-gateway", "kserve") == {
        "Accepted": "Accepted",
        "Programmed": "Programmed",
    }


async def test_another_controllers_parent_status_is_left_alone(world: World) -> None:
    world.envoy()
    await world.service("127.1.0.1")
    await world.route()
    await world.programmed("Programmed")
    found = json.loads(json.dumps(world.api.peek(HTTP_ROUTE, "iris")))
    theirs: JsonObject = {"parentRef": {"name": "istio"}, "controllerName": "istio.io/gateway", "conditions": []}
    parents: list[Json] = [theirs, *found["status"]["parents"]]
    await world.api.patch(HTTP_ROUTE, "iris", {"status": {"parents": parents}}, "default", subresource="status")
    await world.service()
    await world.programmed("!NoReadyEndpoints")
    assert "istio.io/gateway" in json.dumps(world.api.peek(HTTP_ROUTE, "iris"))
