"""The same controllers over the real API server: HTTPS, SQLite, defaulting and validation included."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

from tests.fakes.server import real_api
from tests.reconcile.workloads.platform import deployment, ready_node

from inferplane.client.kubernetes.api import Api, Propagation, Resource
from inferplane.client.kubernetes.http import HttpApi
from inferplane.client.kubernetes.kinds import (
    CONFIG_MAP,
    DEPLOYMENT,
    ENDPOINT_SLICE,
    NAMESPACE,
    NODE,
    POD,
    REPLICA_SET,
    SERVICE,
)
from inferplane.controlplane.machinery.events import Recorder
from inferplane.controlplane.machinery.informers import Informers
from inferplane.controlplane.workloads.controllers import controllers
from inferplane.kernel.clock import SystemClock
from inferplane.kernel.json import JsonObject, list_at, number_at, text_at

NS = "default"


@asynccontextmanager
async def platform(directory: Path) -> AsyncIterator[HttpApi]:
    clock = SystemClock()
    async with real_api(directory) as api:
        informers, recorder = Informers(api, clock), Recorder(api, "controllers", clock)
        actors = controllers(informers, api, clock, recorder, ca="CA")
        tasks = [asyncio.create_task(informers.run()), asyncio.create_task(recorder.run())]
        await informers.synced()
        tasks += [asyncio.create_task(one.run()) for one in actors]
        await api.create(NODE, {"metadata": {"name": "local"}})
        await api.patch(NODE, "local", {"status": ready_node()["status"]}, subresource="status")
        try:
            yield api
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def until(api: Api, resource: Resource, holds: Callable[[list[JsonObject]], bool]) -> list[JsonObject]:
    """The kind's objects once they are as wanted; looks again at each change and gives up after 20 s."""
    async with asyncio.timeout(20):
        found = await api.list(resource, NS)
        while not holds(found.items):
            async with aclosing(api.watch(resource, NS, since=found.resource_version)) as stream:
                await anext(stream)
            found = await api.list(resource, NS)
        return found.items


async def start(api: Api, pods: list[JsonObject]) -> None:
    for number, pod in enumerate(pods):
        status: JsonObject = {
            "phase": "Running",
            "podIP": f"127.1.0.{number + 1}",
            "podIPs": [{"ip": f"127.1.0.{number + 1}"}],
            "conditions": [{"type": "Ready", "status": "True"}],
        }
        name = text_at(pod, "metadata", "name")
        await api.patch(POD, name, {"status": status}, NS, subresource="status")


def bound(count: int) -> Callable[[list[JsonObject]], bool]:
    return lambda pods: len(pods) == count and all(text_at(pod, "spec", "nodeName") for pod in pods)


def ready_endpoints(slices: list[JsonObject]) -> int:
    return sum(len(list_at(one, "endpoints")) for one in slices)


async def test_a_deployment_and_its_service_become_ready_and_go_without_a_trace(tmp_path: Path) -> None:
    async with platform(tmp_path) as api:
        service: JsonObject = {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]}
        await api.apply(SERVICE, {"metadata": {"name": "web"}, "spec": service}, NS, manager="user")
        await until(api, ENDPOINT_SLICE, lambda slices: len(slices) == 1)
        await api.apply(DEPLOYMENT, deployment(2), NS, manager="user")
        await start(api, await until(api, POD, bound(2)))
        await until(api, DEPLOYMENT, lambda found: number_at(found[0], "status", "availableReplicas") == 2)
        slices = await until(api, ENDPOINT_SLICE, lambda slices: ready_endpoints(slices) == 2)
        assert len(slices) == 1
        await api.delete(DEPLOYMENT, "web", NS, propagation=Propagation.FOREGROUND)
        await api.delete(SERVICE, "web", NS)
        ending = await until(api, POD, lambda pods: all("deletionTimestamp" in str(pod) for pod in pods))
        for pod in ending:
            await api.delete(POD, text_at(pod, "metadata", "name"), NS, grace_seconds=0)
        for kind in (DEPLOYMENT, REPLICA_SET, POD, ENDPOINT_SLICE):
            await until(api, kind, lambda found: not found)


async def test_a_rollout_ends_with_the_new_revision(tmp_path: Path) -> None:
    async with platform(tmp_path) as api:
        await api.apply(DEPLOYMENT, deployment(1), NS, manager="user")
        await start(api, await until(api, POD, bound(1)))
        await until(api, DEPLOYMENT, lambda found: number_at(found[0], "status", "availableReplicas") == 1)
        await api.apply(DEPLOYMENT, deployment(1, "2"), NS, manager="user")
        await start(api, await until(api, POD, bound(2)))
        sets = await until(
            api, REPLICA_SET, lambda found: sorted(number_at(one, "spec", "replicas") for one in found) == [0, 1]
        )
        newest = max(sets, key=lambda one: text_at(one, "metadata", "annotations", "deployment.kubernetes.io/revision"))
        assert number_at(newest, "spec", "replicas") == 1


async def test_a_namespace_is_furnished_and_ends_with_its_content(tmp_path: Path) -> None:
    async with platform(tmp_path) as api:
        await until(api, CONFIG_MAP, lambda found: [text_at(one, "data", "ca.crt") for one in found] == ["CA"])
        await api.create(NAMESPACE, {"metadata": {"name": "models"}})
        await api.create(CONFIG_MAP, {"metadata": {"name": "a"}}, "models")
        await api.delete(NAMESPACE, "models")
        await until(api, NAMESPACE, lambda found: all(text_at(one, "metadata", "name") != "models" for one in found))
        assert (await api.list(CONFIG_MAP, "models")).items == []
