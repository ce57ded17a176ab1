"""The workload controllers over an API server in memory, with a kubelet that does as it is told."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.fakes.api import MemoryApi, Write
from tests.fakes.clock import FakeClock
from tests.fakes.settled import settled

from inferplane.client.kubernetes.api import Resource
from inferplane.client.kubernetes.kinds import DEPLOYMENT, EVENT, NODE, POD, REPLICA_SET
from inferplane.controlplane.machinery.controller import Controller
from inferplane.controlplane.machinery.events import Recorder
from inferplane.controlplane.machinery.informers import Informers
from inferplane.controlplane.workloads.controllers import controllers
from inferplane.kernel.clock import timestamp
from inferplane.kernel.json import Json, JsonObject, list_at, number_at, object_at, text_at


@dataclass
class Platform:
    api: MemoryApi
    clock: FakeClock
    controllers: Sequence[Controller]
    recorder: Recorder

    async def settle(self) -> None:
        await settled(self.api, self.controllers)
        await self.recorder.flush()

    async def applied(self, resource: Resource, body: JsonObject, namespace: str = "default") -> JsonObject:
        """Applied as a user would, and everything that follows from it has happened."""
        stored = await self.api.apply(resource, body, namespace, manager="user")
        await self.settle()
        return stored

    async def changed(self, resource: Resource, name: str, patch: Json, namespace: str = "default") -> None:
        await self.api.patch(resource, name, patch, namespace)
        await self.settle()

    async def started(self, *names: str) -> None:
        """All bound pods (or these) run and are ready."""
        for pod in self.pods():
            if text_at(pod, "spec", "nodeName") and (not names or text_at(pod, "metadata", "name") in names):
                self.has_status(pod, ready=True)
        await self.settle()

    def has_status(self, pod: JsonObject, *, ready: bool) -> None:
        name = text_at(pod, "metadata", "name")
        condition: JsonObject = {
            "type": "Ready",
            "status": "True" if ready else "False",
            "lastTransitionTime": timestamp(self.clock.now()),
        }
        number = sum(ord(letter) for letter in name) % 250 + 1
        self.api.add(
            POD,
            pod | {"status": {"phase": "Running", "podIP": f"127.1.0.{number}", "conditions": [condition]}},
            text_at(pod, "metadata", "namespace"),
        )

    async def ended(self) -> None:
        """All pods that are ending have ended."""
        for pod in self.pods():
            if "deletionTimestamp" in object_at(pod, "metadata"):
                self.api.remove(POD, text_at(pod, "metadata", "name"), text_at(pod, "metadata", "namespace"))
        await self.settle()

    def pods(self) -> Sequence[JsonObject]:
        return self.api.objects(POD)

    def status(self, resource: Resource, name: str) -> JsonObject:
        return object_at(self.api.peek(resource, name) or {}, "status")

    def condition(self, name: str, type: str, resource: Resource = DEPLOYMENT) -> tuple[str, str, str] | None:
        """Status, reason and message."""
        for one in list_at(self.status(resource, name), "conditions"):
            if isinstance(one, dict) and one["type"] == type:
                return text_at(one, "status"), text_at(one, "reason"), text_at(one, "message")
        return None

    def sizes(self) -> dict[str, int]:
        """Wanted replicas of each ReplicaSet, by its revision."""
        revision = "deployment.kubernetes.io/revision"
        return {
            str(object_at(one, "metadata", "annotations").get(revision)): number_at(one, "spec", "replicas")
            for one in self.api.objects(REPLICA_SET)
        }

    def events(self) -> Sequence[tuple[str, str]]:
        return [(text_at(one, "reason"), text_at(one, "message")) for one in self.api.objects(EVENT)]

    def new_changes(self) -> Sequence[Write]:
        """What changed since this was last asked, events left out."""
        found = [one for one in self.api.changes if one.resource != EVENT]
        self.api.changes.clear()
        return found


def ready_node(name: str = "local") -> JsonObject:
    return {"metadata": {"name": name}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}


@asynccontextmanager
async def running(
    api: MemoryApi | None = None, clock: FakeClock | None = None, *, scaled_objects: bool = False
) -> AsyncIterator[Platform]:
    clock = clock or FakeClock()
    api = api or MemoryApi(clock)
    api.add(NODE, ready_node())
    informers = Informers(api, clock)
    recorder = Recorder(api, "controllers", clock)
    actors = controllers(informers, api, clock, recorder, ca="CA", scaled_objects=scaled_objects)
    platform = Platform(api, clock, actors, recorder)
    tasks = [asyncio.create_task(informers.run()), asyncio.create_task(recorder.run())]
    await informers.synced()
    tasks += [asyncio.create_task(one.run()) for one in actors]
    try:
        await platform.settle()
        yield platform
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def deployment(replicas: int = 1, version: str = "1", name: str = "web", **spec: Json) -> JsonObject:
    return {
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "main", "image": f"app:{version}"}]},
            },
            **spec,
        },
    }


def rolling(surge: Json, unavailable: Json) -> JsonObject:
    return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}
