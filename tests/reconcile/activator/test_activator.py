"""Revisions and pods in, addresses out; and the objects by which the activator is found."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from tests.fakes.api import MemoryApi, Write

from inferplane.client.kubernetes.api import NotFound
from inferplane.client.kubernetes.kinds import ENDPOINT_SLICE, KNATIVE_REVISION, POD, SERVICE
from inferplane.controlplane.activator.buffer import Call
from inferplane.controlplane.activator.controller import Activator
from inferplane.controlplane.activator.decide import Limits
from inferplane.controlplane.activator.revisions import CachedRevisions
from inferplane.controlplane.machinery.cache import Key
from inferplane.controlplane.machinery.informers import Informers
from inferplane.kernel.clock import SystemClock
from inferplane.kernel.json import Json, JsonObject, list_at, object_at
from inferplane.relay.answers import Answer
from inferplane.relay.gate import Address
from inferplane.resources.start_times import START_TIMES, StartTimes
from inferplane.signals.stats import Stat

IRIS = Key("default", "iris-00001")
LIMIT = 30.0


@dataclass
class World:
    api: MemoryApi
    revisions: CachedRevisions
    activator: Activator
    stats: list[Stat]

    async def revision(self, name: str = IRIS.name, **spec: Json) -> None:
        await self.api.apply(KNATIVE_REVISION, {"metadata": {"name": name}, "spec": spec}, "default", manager="t")

    async def pod(
        self,
        name: str,
        ip: str,
        *ports: JsonObject,
        ready: bool = True,
        revision: str = IRIS.name,
        annotations: JsonObject | None = None,
    ) -> None:
        labels: JsonObject = {"serving.knative.dev/revision": revision} if revision else {}
        meta: JsonObject = {"name": name, "labels": labels, "annotations": annotations or {}}
        container: JsonObject = {"name": "c", "ports": [*(ports or ({"containerPort": 8080},))]}
        body: JsonObject = {"metadata": meta, "spec": {"containers": [container], "nodeName": "n"}}
        await self.api.apply(POD, body, "default", manager="t")
        conditions: list[Json] = [{"type": "Ready", "status": str(ready)}]
        status: JsonObject = {"podIP": ip, "conditions": conditions}
        await self.api.apply(POD, {**body, "status": status}, "default", manager="t", subresource="status")


@asynccontextmanager
async def world(namespace_exists: bool = True) -> AsyncIterator[World]:
    api, stats = MemoryApi(), list[Stat]()
    if not namespace_exists:

        def refused(write: Write) -> None:
            if write.verb == "apply":
                raise NotFound(404, "NotFound", 'namespaces "knative-serving" not found')

        api.intercept = refused
    informers = Informers(api, SystemClock())
    revisions = CachedRevisions(informers)
    activator = Activator(informers, SystemClock(), stats.extend)
    tasks = [asyncio.create_task(informers.run()), asyncio.create_task(activator.run())]
    try:
        await informers.synced()
        yield World(api, revisions, activator, stats)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@dataclass
class Waiting:
    """`buffer.Request`."""

    went: "asyncio.Future[Address]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    refused: "asyncio.Future[Answer]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def go(self, pod: Address) -> None:
        self.went.set_result(pod)

    def refuse(self, answer: Answer) -> None:
        self.refused.set_result(answer)


async def until(revisions: CachedRevisions, expected: Sequence[Address]) -> None:
    async with asyncio.timeout(LIMIT):
        while list(revisions.pods(IRIS)) != list(expected):  # noqa: ASYNC110 - the cache follows by itself
            await asyncio.sleep(0.001)


async def arrived(one: World) -> tuple[Call, Waiting]:
    async with asyncio.timeout(LIMIT):
        while one.revisions.limits(IRIS) is None:  # noqa: ASYNC110 - the cache follows by itself
            await asyncio.sleep(0.001)
    waiting = Waiting()
    call = one.activator.buffer.arrive(IRIS, waiting)
    assert isinstance(call, Call)
    call.start()
    return call, waiting


async def test_a_pods_own_readiness_sends_those_who_wait_to_it() -> None:
    async with world() as one:
        await one.revision()
        call, waiting = await arrived(one)
        await one.pod("a", "127.1.0.2", ready=False)
        await one.pod("a", "127.1.0.2")
        assert await asyncio.wait_for(waiting.went, LIMIT) == Address("127.1.0.2", 8080)
        call.finish()
        assert one.stats == [Stat("default", "iris-00001", 1.0, 1.0)]


async def test_those_who_wait_for_a_revision_that_is_deleted_are_sent_away() -> None:
    async with world() as one:
        await one.revision()
        _, waiting = await arrived(one)
        await one.api.delete(KNATIVE_REVISION, IRIS.name, "default")
        assert (await asyncio.wait_for(waiting.refused, LIMIT)).status == 404


@pytest.mark.parametrize(
    ("ports", "port"),
    [
        ([{"containerPort": 9000}], 9000),
        ([{"containerPort": 9000}, {"name": "user-port", "containerPort": 9001}], 9001),
        ([{"containerPort": 9000}, {"containerPort": 9001}], 8080),
        ([{"containerPort": 9000, "protocol": "UDP"}, {"containerPort": 9001}], 9001),
    ],
)
async def test_the_port_is_the_one_that_knative_named_or_the_only_one(ports: list[JsonObject], port: int) -> None:
    async with world() as one:
        await one.pod("a", "127.1.0.2", *ports)
        await until(one.revisions, [Address("127.1.0.2", port)])


async def test_pods_that_are_not_ready_or_end_or_are_of_others_take_no_requests() -> None:
    async with world() as one:
        await one.pod("unready", "127.1.0.2", ready=False)
        await one.pod("other", "127.1.0.3", revision="iris-00002")
        await one.pod("nobody", "127.1.0.4", revision="")
        await one.pod("a", "127.1.0.5")
        await until(one.revisions, [Address("127.1.0.5", 8080)])
        await one.api.delete(POD, "a", "default")
        await until(one.revisions, [])


async def test_a_revisions_limits_are_read_from_its_spec_with_knatives_defaults() -> None:
    async with world() as one:
        await one.revision("a")
        await one.revision("b", containerConcurrency=3, timeoutSeconds=60, responseStartTimeoutSeconds=5)
        await one.revision("c", timeoutSeconds=60, idleTimeoutSeconds=60)
        await one.revision("d", timeoutSeconds=0, idleTimeoutSeconds=20)
        async with asyncio.timeout(LIMIT):
            while one.revisions.limits(Key("default", "d")) is None:  # noqa: ASYNC110 - the cache follows by itself
                await asyncio.sleep(0.001)
        assert [one.revisions.limits(Key("default", name)) for name in "abcde"] == [
            Limits(0, 300, 0, 0),
            Limits(3, 60, 5, 0),
            Limits(0, 60, 0, 0),
            Limits(0, 300, 0, 20),
            None,
        ]


async def test_the_times_of_a_pods_start_come_from_its_annotation() -> None:
    async with world() as one:
        await one.pod("a", "127.1.0.2", annotations={START_TIMES: '{"forked": 12.5}'})
        await until(one.revisions, [Address("127.1.0.2", 8080)])
        assert one.revisions.start_times(IRIS, Address("127.1.0.2", 8080)) == StartTimes(forked=12.5)
        assert one.revisions.start_times(IRIS, Address("127.1.0.3", 8080)) == StartTimes()


async def published(api: MemoryApi) -> JsonObject:
    async with asyncio.timeout(LIMIT):
        while (found := api.peek(ENDPOINT_SLICE, "activator-service-local", "knative-serving")) is None:  # noqa: ASYNC110 - written by a task
            await asyncio.sleep(0.001)
    return found


def port_of(found: JsonObject) -> int:
    numbers = {one["port"] for one in list_at(found, "ports") if isinstance(one, dict)}
    [number] = numbers
    assert isinstance(number, int)
    return number


async def test_its_service_has_both_ports_and_leads_to_where_it_listens() -> None:
    async with world() as one:
        port = port_of(await published(one.api))
        service = one.api.peek(SERVICE, "activator-service", "knative-serving")
        assert service is not None
        assert object_at(service, "metadata", "labels")["inferplane.dev/shared-backend"] == "true"
        ports = [(each["name"], each["port"]) for each in list_at(service, "spec", "ports") if isinstance(each, dict)]
        assert ports == [("http", 80), ("http2", 81)]
        with socket.create_connection(("127.0.0.1", port), timeout=LIMIT):
            pass


async def test_a_namespace_that_is_not_there_yet_is_waited_for() -> None:
    async with world(namespace_exists=False) as one:
        one.api.intercept = lambda _: None
        await published(one.api)


async def test_a_restart_listens_at_the_same_port() -> None:
    api = MemoryApi()
    ports: list[int] = []
    for _ in range(2):
        informers = Informers(api, SystemClock())
        activator = Activator(informers, SystemClock(), lambda _: None)
        tasks = [asyncio.create_task(informers.run()), asyncio.create_task(activator.run())]
        ports.append(port_of(await published(api)))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert ports[0] == ports[1]
