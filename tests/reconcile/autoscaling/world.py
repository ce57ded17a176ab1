"""The autoscaler and its controllers over an API server in memory and made-up time; pods start and end as told.

Load goes the way that a gateway would send it: to the activator where the public Service says so, else to the pods.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.fakes.api import MemoryApi
from tests.fakes.clock import FakeClock
from tests.fakes.settled import settled

from inferplane.client.kubernetes.api import Resource
from inferplane.client.kubernetes.kinds import (
    CONFIG_MAP,
    DEPLOYMENT,
    ENDPOINT_SLICE,
    EVENT,
    POD,
    POD_AUTOSCALER,
    SERVICE,
)
from inferplane.controlplane.autoscaling.podautoscaler import PodAutoscalerController, Told
from inferplane.controlplane.autoscaling.serverlessservice import ServerlessServiceController
from inferplane.controlplane.machinery.cache import Key
from inferplane.controlplane.machinery.controller import Controller
from inferplane.controlplane.machinery.events import Recorder
from inferplane.controlplane.machinery.informers import Informers
from inferplane.controlplane.workloads.endpoints.controller import EndpointSliceController
from inferplane.kernel.json import Json, JsonObject, list_at, number_at, object_at, text_at
from inferplane.resources.activator import BACKEND
from inferplane.signals.stats import Stat

REV = "iris-00001"
KEY = Key("default", REV)
LABELS: JsonObject = {"serving.knative.dev/revision": REV, "serving.knative.dev/revisionUID": "u-1", "app": REV}


@dataclass
class World:
    api: MemoryApi
    clock: FakeClock
    pas: PodAutoscalerController
    running: list[Controller]
    recorder: Recorder
    startup: float = 0.0
    scales: list[int] = field(default_factory=list)
    """The Deployment's replicas, one entry a change."""
    _due: dict[str, float] = field(default_factory=dict)
    _elapsed: int = 0

    async def rests(self) -> None:
        """Until nothing happens without the clock, pods included."""
        while True:
            await settled(self.api, self.running)
            replicas = self.replicas
            if not self.scales or self.scales[-1] != replicas:
                self.scales.append(replicas)
            if not self._follow(replicas):
                break
        await self.recorder.flush()

    def _follow(self, replicas: int) -> bool:
        """What the Deployment's controller and the node would do. True when something changed."""
        now, pods = self.clock.monotonic(), [text_at(one, "metadata", "name") for one in self.api.objects(POD)]
        for name in pods[replicas:]:
            self.api.remove(POD, name)
            self._due.pop(name, None)
        for number in range(len(pods), replicas):
            name = f"pod-{number}"
            self._due[name] = now + self.startup
            self._pod(name, ready=False)
        ready = [name for name, due in self._due.items() if due <= now]
        for name in ready:
            del self._due[name]
            self._pod(name, ready=True)
        return len(pods) != replicas or bool(ready)

    def _pod(self, name: str, *, ready: bool) -> None:
        port: JsonObject = {"name": "user-port", "containerPort": 8080}
        status: JsonObject = {
            "phase": "Running",
            "podIP": f"127.0.1.{int(name.removeprefix('pod-')) + 1}",
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
        }
        spec: JsonObject = {"nodeName": "n", "containers": [{"name": "c", "ports": [port]}]}
        self.api.add(POD, {"metadata": {"name": name, "labels": LABELS}, "spec": spec, "status": status})

    # --- what happens -------------------------------------------------------------------------------------------------

    async def configured(self, **data: str) -> None:
        """`config-autoscaler`; `_` stands for `-`."""
        entries: JsonObject = {key.replace("_", "-"): text for key, text in data.items()}
        meta: JsonObject = {"name": "config-autoscaler", "namespace": "knative-serving"}
        self.api.add(CONFIG_MAP, {"metadata": meta, "data": entries})
        await self.rests()

    async def revision(self, replicas: int = 1, concurrency: int = 0, /, **annotations: str) -> None:
        """Deployment and PodAutoscaler, as the revision's controller makes them. `_` stands for `-`."""
        marks: JsonObject = {f"autoscaling.knative.dev/{k.replace('_', '-')}": text for k, text in annotations.items()}
        spec: JsonObject = {
            "replicas": replicas,
            "selector": {"matchLabels": {"serving.knative.dev/revisionUID": "u-1"}},
            "progressDeadlineSeconds": 120,
        }
        self.api.add(DEPLOYMENT, {"metadata": {"name": f"{REV}-deployment"}, "spec": spec})
        target: JsonObject = {"apiVersion": "apps/v1", "kind": "Deployment", "name": f"{REV}-deployment"}
        pa: JsonObject = {
            "scaleTargetRef": target,
            "protocolType": "http1",
            "containerConcurrency": concurrency,
            "reachability": "Reachable",
        }
        meta: JsonObject = {"name": REV, "labels": LABELS, "annotations": marks}
        self.api.add(POD_AUTOSCALER, {"metadata": meta, "spec": pa})
        await self.rests()

    async def asks(self, concurrency: float = 1.0) -> None:
        """The first request of a revision at zero: the activator reports it at once."""
        self.pas.autoscaler.record([Stat("default", REV, concurrency, 1.0)])
        await self.rests()

    async def passes(self, seconds: int, load: float = 0.0) -> None:
        """With `load` requests in flight all the time."""
        for _ in range(seconds):
            self.clock.advance(1)
            self._elapsed += 1
            await self.rests()
            autoscaler, stat = self.pas.autoscaler, Stat("default", REV, load, load)
            through = self.leads_to == "activator"
            autoscaler.observe([stat] if load and not through else [])
            if load and through:
                autoscaler.record([stat])
            if self._elapsed % 2 == 0:
                await autoscaler.tick()
            await self.rests()

    # --- what there is ------------------------------------------------------------------------------------------------

    def peek(self, resource: Resource, name: str = REV) -> JsonObject:
        found = self.api.peek(resource, name)
        assert found is not None, f"{resource.kind} {name} does not exist"
        return found

    @property
    def replicas(self) -> int:
        found = self.api.peek(DEPLOYMENT, f"{REV}-deployment")
        return number_at(found, "spec", "replicas") if found else 0

    @property
    def leads_to(self) -> str:
        """Where our gateway sends requests for the revision: `activator`, `pods` or nowhere."""
        if BACKEND in object_at(self.peek(SERVICE), "metadata", "annotations"):
            return "activator"
        return "pods" if self.addresses else ""

    @property
    def addresses(self) -> list[str]:
        """Behind the public Service."""
        return sorted(
            str(address)
            for one in self.api.objects(ENDPOINT_SLICE)
            if text_at(one, "metadata", "labels", "kubernetes.io/service-name") == REV
            for endpoint in list_at(one, "endpoints")
            if isinstance(endpoint, dict)
            for address in list_at(endpoint, "addresses")
        )

    def condition(self, type: str, resource: Resource = POD_AUTOSCALER) -> str:
        """`True`, or `False Reason`."""
        for one in list_at(self.peek(resource), "status", "conditions"):
            if isinstance(one, dict) and one["type"] == type:
                return f"{text_at(one, 'status')} {text_at(one, 'reason')}".strip()
        return "absent"

    def status(self, resource: Resource = POD_AUTOSCALER) -> JsonObject:
        return object_at(self.peek(resource), "status")

    def events(self) -> list[str]:
        return [text_at(one, "reason") for one in self.api.objects(EVENT)]


def activator_slice() -> JsonObject:
    labels: Json = {"kubernetes.io/service-name": "activator-service"}
    return {
        "metadata": {"name": "activator-service-local", "namespace": "knative-serving", "labels": labels},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": True}}],
        "ports": [{"name": "http", "port": 9000}, {"name": "http2", "port": 9000}],
    }


@asynccontextmanager
async def world(*, activator: bool = True, told: Told = lambda _: None) -> AsyncIterator[World]:
    clock = FakeClock()
    api = MemoryApi(clock)
    if activator:
        api.add(ENDPOINT_SLICE, activator_slice())
    informers = Informers(api, clock)
    recorder = Recorder(api, "inferplane", clock)
    pas = PodAutoscalerController(informers, clock, recorder, told=told)
    running = [
        pas.controller,
        ServerlessServiceController(informers, clock).controller,
        EndpointSliceController(informers.api, informers, clock).controller,
    ]
    tasks = [asyncio.create_task(informers.run())]
    try:
        await informers.synced()
        tasks += [asyncio.create_task(recorder.run()), *(asyncio.create_task(one.run()) for one in running)]
        yield World(api, clock, pas, running, recorder)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
