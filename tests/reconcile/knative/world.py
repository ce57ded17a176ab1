"""Knative's serving controllers over an API server in memory, and what others say of their objects."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from tests.fakes.api import MemoryApi
from tests.fakes.clock import FakeClock
from tests.fakes.running import running
from tests.fakes.settled import settled

from inferplane.client.kubernetes.api import Resource
from inferplane.client.kubernetes.kinds import (
    CONFIG_MAP,
    DEPLOYMENT,
    EVENT,
    GATEWAY,
    HTTP_ROUTE,
    KNATIVE_REVISION,
    KNATIVE_SERVICE,
    POD,
    POD_AUTOSCALER,
)
from inferplane.controlplane.knative.controllers import controllers
from inferplane.controlplane.machinery.controller import Controller
from inferplane.controlplane.machinery.events import Recorder
from inferplane.controlplane.machinery.informers import Informers
from inferplane.kernel.json import Json, JsonObject, list_at, number_at, object_at, text_at
from inferplane.resources.gateway import default_objects
from inferplane.resources.knative.config import config_maps

NAME = "hello"
LATEST: JsonObject = {"latestRevision": True, "percent": 100}
FIRST, SECOND = "hello-00001", "hello-00002"


def service(image: str = "app:1", *traffic: JsonObject, name: str = "", **fields: Json) -> JsonObject:
    """`name` of the revision; `fields` of the template's pod, `annotations` and `labels` of the template."""
    metadata: JsonObject = {key: fields.pop(key) for key in ("annotations", "labels") if key in fields}
    if name:
        metadata["name"] = name
    pod: JsonObject = {"containers": [{"image": image}], **fields}
    spec: JsonObject = {"template": {"metadata": metadata, "spec": pod}}
    if traffic:
        spec["traffic"] = [*traffic]
    return {"metadata": {"name": NAME}, "spec": spec}


class World:
    def __init__(self, api: MemoryApi, clock: FakeClock, recorder: Recorder, running: Sequence[Controller]) -> None:
        self.api = api
        self.clock = clock
        self._recorder = recorder
        self._running = running

    async def rests(self) -> None:
        await settled(self.api, self._running)
        await self._recorder.flush()

    async def applied(self, body: JsonObject, resource: Resource = KNATIVE_SERVICE) -> None:
        await self.api.apply(resource, body, "default", manager="user")
        await self.rests()

    async def add(self, resource: Resource, body: JsonObject) -> None:
        self.api.add(resource, body)
        await self.rests()

    async def says(self, resource: Resource, name: str, status: JsonObject) -> None:
        """What another controller would write into the status of an object."""
        await self.add(resource, self.peek(resource, name) | {"status": status})

    async def is_ready(self, revision: str = FIRST) -> None:
        """Its pod runs and the autoscaler knows it."""
        await self.is_deployed(revision)
        await self.scaled(revision, "True")

    async def is_deployed(self, revision: str = FIRST, ready: int = 1) -> None:
        progressing: JsonObject = {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}
        status: JsonObject = {"readyReplicas": ready, "availableReplicas": ready, "conditions": [progressing]}
        await self.says(DEPLOYMENT, f"{revision}-deployment", status)

    async def scaled(
        self, revision: str, ready: str, reason: str = "", *, initialized: bool = True, scale: int = 1
    ) -> None:
        conditions: list[Json] = [
            {"type": "Ready", "status": ready, "reason": reason},
            {"type": "ScaleTargetInitialized", "status": "True" if initialized else "Unknown"},
        ]
        status: JsonObject = {"conditions": conditions, "serviceName": revision}
        await self.says(POD_AUTOSCALER, revision, status | {"actualScale": scale, "desiredScale": scale})

    async def is_served(self) -> None:
        """The gateway has taken all HTTPRoutes."""
        for one in self.api.objects(HTTP_ROUTE):
            generation = number_at(one, "metadata", "generation")
            conditions: list[Json] = [
                {"type": name, "status": "True", "observedGeneration": generation}
                for name in ("Accepted", "ResolvedRefs", "Programmed")
            ]
            parent: JsonObject = {"parentRef": {"name": "g"}, "controllerName": "c", "conditions": conditions}
            await self.says(HTTP_ROUTE, text_at(one, "metadata", "name"), {"parents": [parent]})

    async def serves(self, revision: str = FIRST) -> None:
        """From a new revision to answers through the gateway."""
        await self.is_ready(revision)
        await self.is_served()

    async def has_pod(self, revision: str, status: JsonObject) -> None:
        meta = object_at(self.peek(DEPLOYMENT, f"{revision}-deployment"), "spec", "template", "metadata")
        body: JsonObject = {
            "metadata": {"name": f"{revision}-pod", "labels": object_at(meta, "labels")},
            "status": status,
        }
        await self.add(POD, body)

    async def configured(self, name: str, **data: str) -> None:
        """`_` in a key stands for `-`."""
        entries: JsonObject = {key.replace("_", "-"): value for key, value in data.items()}
        await self.add(CONFIG_MAP, {"metadata": {"name": name, "namespace": "knative-serving"}, "data": entries})

    async def passes(self, seconds: float) -> None:
        self.clock.advance(seconds)
        await self.rests()

    # --- what there is ------------------------------------------------------------------------------------------------

    def peek(self, resource: Resource, name: str) -> JsonObject:
        found = self.api.peek(resource, name)
        assert found is not None, f"{resource.kind} {name} does not exist"
        return found

    def exists(self, resource: Resource, name: str) -> bool:
        return self.api.peek(resource, name) is not None

    def spec(self, resource: Resource, name: str) -> JsonObject:
        return object_at(self.peek(resource, name), "spec")

    def status(self, resource: Resource = KNATIVE_SERVICE, name: str = NAME) -> JsonObject:
        return object_at(self.peek(resource, name), "status")

    def condition(self, type: str, resource: Resource = KNATIVE_SERVICE, name: str = NAME) -> str:
        """`True`, or `False Reason`."""
        for one in list_at(self.status(resource, name), "conditions"):
            if isinstance(one, dict) and one["type"] == type:
                return f"{text_at(one, 'status')} {text_at(one, 'reason')}".strip()
        return "absent"

    def message(self, type: str, resource: Resource = KNATIVE_SERVICE, name: str = NAME) -> str:
        found = [one for one in list_at(self.status(resource, name), "conditions") if isinstance(one, dict)]
        return next((text_at(one, "message") for one in found if one["type"] == type), "")

    def conditions(self, resource: Resource = KNATIVE_SERVICE, name: str = NAME) -> dict[str, str]:
        found = [one for one in list_at(self.status(resource, name), "conditions") if isinstance(one, dict)]
        return {text_at(one, "type"): self.condition(text_at(one, "type"), resource, name) for one in found}

    def traffic(self, resource: Resource = KNATIVE_SERVICE) -> list[tuple[str, int, str]]:
        """Revision, percent, tag."""
        found = [one for one in list_at(self.status(resource), "traffic") if isinstance(one, dict)]
        return [(text_at(one, "revisionName"), number_at(one, "percent"), text_at(one, "tag")) for one in found]

    def hosts(self) -> dict[str, dict[str, int]]:
        """Name of each HTTPRoute → its backends' weights."""
        found: dict[str, dict[str, int]] = {}
        for one in self.api.objects(HTTP_ROUTE):
            (rule,) = list_at(one, "spec", "rules")
            assert isinstance(rule, dict)
            backends = [b for b in list_at(rule, "backendRefs") if isinstance(b, dict)]
            found[text_at(one, "metadata", "name")] = {text_at(b, "name"): number_at(b, "weight") for b in backends}
        return found

    def revisions(self) -> dict[str, str]:
        """Name → routing state."""
        label = "serving.knative.dev/routingState"
        return {
            text_at(one, "metadata", "name"): text_at(one, "metadata", "labels", label)
            for one in self.api.objects(KNATIVE_REVISION)
        }

    def reachability(self, revision: str) -> str:
        return text_at(self.spec(POD_AUTOSCALER, revision), "reachability")

    def events(self) -> list[str]:
        return [f"{text_at(one, 'type')} {text_at(one, 'reason')}" for one in self.api.objects(EVENT)]

    def new_changes(self) -> list[str]:
        found = [f"{one.verb} {one.resource.kind} {one.name}" for one in self.api.changes if one.resource != EVENT]
        self.api.changes.clear()
        return found


@asynccontextmanager
async def knative() -> AsyncIterator[World]:
    clock = FakeClock()
    api = MemoryApi(clock)
    for item in default_objects(8080):
        if item["kind"] == "Gateway":
            api.add(GATEWAY, item)
    for item in config_maps():
        api.add(CONFIG_MAP, item)
    informers = Informers(api, clock)
    recorder = Recorder(api, "inferplane", clock)
    started = controllers(informers, recorder, clock)
    async with running(informers, recorder, started):
        world = World(api, clock, recorder, started)
        await world.rests()
        yield world
