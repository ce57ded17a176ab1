"""The serving controllers over an API server in memory, and the words that the tests use."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from copy import deepcopy

from tests.fakes.api import MemoryApi
from tests.fakes.clock import FakeClock
from tests.fakes.running import running
from tests.fakes.settled import settled

from inferplane.client.kubernetes import kinds
from inferplane.client.kubernetes.api import Resource
from inferplane.controlplane.machinery.controller import Controller
from inferplane.controlplane.machinery.events import Recorder
from inferplane.controlplane.machinery.informers import Informers
from inferplane.controlplane.serving.controllers import controllers
from inferplane.kernel.json import Json, JsonObject, list_at, object_at, text_at
from inferplane.resources.gateway import default_objects
from inferplane.resources.networking import default_classes

RUNTIME_SPEC: JsonObject = {
    "supportedModelFormats": [{"name": "tensorflow", "version": "1", "autoSelect": True}],
    "containers": [
        {
            "name": "kserve-container",
            "image": "tensorflow/serving:1.14.0",
            "command": ["/usr/bin/tensorflow_model_server"],
            "args": ["--port=9000", "--rest_api_port=8080"],
            "resources": {"requests": {"cpu": "1", "memory": "2Gi"}, "limits": {"cpu": "1", "memory": "2Gi"}},
        }
    ],
}


def runtime(name: str = "tf-serving-raw", **spec: Json) -> JsonObject:
    return {"metadata": {"name": name}, "spec": deepcopy(RUNTIME_SPEC) | spec}


def isvc(
    name: str = "raw-foo",
    predictor: JsonObject | None = None,
    *,
    labels: dict[str, str] | None = None,
    **annotations: str,
) -> JsonObject:
    """Tensorflow from S3 unless `predictor` says more; annotations are named without their prefix, `-` as `_`."""
    model: JsonObject = {"tensorflow": {"storageUri": "s3://test/mnist/export", "runtimeVersion": "1.14.0"}}
    found: JsonObject = {f"serving.kserve.io/{key.replace('_', '-')}": value for key, value in annotations.items()}
    return {
        "metadata": {"name": name, "annotations": found, "labels": {**(labels or {})}},
        "spec": {"predictor": model | (predictor or {})},
    }


def config(**sections: str) -> JsonObject:
    """Values are the JSON of each key; `ingress` has the domain of KServe's own tests unless given."""
    data: JsonObject = {"ingress": '{"ingressDomain": "example.com", "pathTemplate": ""}', **sections}
    return {"metadata": {"name": "inferenceservice-config", "namespace": "kserve"}, "data": data}


class World:
    def __init__(self, api: MemoryApi, clock: FakeClock, recorder: Recorder, running: Sequence[Controller]) -> None:
        self.api = api
        self.clock = clock
        self._recorder = recorder
        self._running = running

    async def rests(self) -> None:
        await settled(self.api, self._running)
        await self._recorder.flush()

    async def add(self, resource: Resource, body: JsonObject, namespace: str = "") -> None:
        self.api.add(resource, body, namespace)
        await self.rests()

    async def applied(self, body: JsonObject) -> None:
        """As a user would: a change keeps the status."""
        before = self.api.peek(kinds.INFERENCE_SERVICE, text_at(body, "metadata", "name"))
        status = object_at(before, "status") if before else {}
        await self.add(kinds.INFERENCE_SERVICE, body | {"status": status} if status else body)

    def peek(self, resource: Resource, name: str) -> JsonObject:
        found = self.api.peek(resource, name)
        assert found is not None, f"{resource.kind} {name} does not exist"
        return found

    def exists(self, resource: Resource, name: str) -> bool:
        return self.api.peek(resource, name) is not None

    async def says(self, resource: Resource, name: str, status: JsonObject) -> None:
        """What another controller would write into the status of an object."""
        await self.add(resource, self.peek(resource, name) | {"status": status})

    async def available(self, deployment: str = "raw-foo-predictor") -> None:
        conditions: list[Json] = [{"type": "Available", "status": "True"}]
        await self.says(kinds.DEPLOYMENT, deployment, {"conditions": conditions})

    async def accepted(self, *routes: str) -> None:
        for name in routes or ("raw-foo-predictor", "raw-foo"):
            await self.says(kinds.HTTP_ROUTE, name, route_status("True"))

    def status(self, name: str = "raw-foo") -> JsonObject:
        return object_at(self.peek(kinds.INFERENCE_SERVICE, name), "status")

    def condition(self, type: str, name: str = "raw-foo") -> JsonObject:
        found = [one for one in list_at(self.status(name), "conditions") if isinstance(one, dict)]
        return next((one for one in found if one["type"] == type), {})

    def conditions(self, name: str = "raw-foo") -> dict[str, Json]:
        return {
            str(one["type"]): one["status"] for one in list_at(self.status(name), "conditions") if isinstance(one, dict)
        }

    def events(self) -> list[str]:
        return [f"{text_at(one, 'type')} {text_at(one, 'reason')}" for one in self.api.objects(kinds.EVENT)]


def route_status(status: str, reason: str = "", message: str = "", type: str = "Accepted") -> JsonObject:
    condition: JsonObject = {"type": type, "status": status, "reason": reason, "message": message}
    parent: JsonObject = {"parentRef": {"name": "g"}, "controllerName": "c", "conditions": [condition]}
    return {"parents": [parent]}


@asynccontextmanager
async def serving(
    *, config_map: JsonObject | None = None, port: int = 80, api: MemoryApi | None = None
) -> AsyncIterator[World]:
    """`api` is one that exists already, else a new one with the runtime `tf-serving-raw`, the Gateway on `port` and,
    unless given, the configuration of KServe's own tests."""
    clock = FakeClock()
    api = api or _furnished(MemoryApi(clock), config_map or config(), port)
    informers = Informers(api, clock)
    recorder = Recorder(api, "inferplane", clock)
    started = controllers(informers.api, informers, recorder, clock)
    async with running(informers, recorder, started):
        world = World(api, clock, recorder, started)
        await world.rests()
        yield world


def _furnished(api: MemoryApi, config_map: JsonObject, port: int) -> MemoryApi:
    api.add(kinds.CONFIG_MAP, config_map)
    api.add(kinds.SERVING_RUNTIME, runtime())
    for item in default_classes():
        api.add(kinds.INGRESS_CLASS, item)
    for item in default_objects(port):
        api.add(kinds.GATEWAY if item["kind"] == "Gateway" else kinds.GATEWAY_CLASS, item)
    return api
