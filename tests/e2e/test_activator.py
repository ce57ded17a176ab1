"""The activator behind a real Envoy: cold starts, and services that come and go while requests run."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import grpc
import grpc.aio
import msgspec
import pytest
from aiohttp import web
from tests.e2e.gateway_under_test import Platform, Upstream, running, until

from inferplane.client.kubernetes.kinds import ENDPOINT_SLICE, KNATIVE_REVISION, POD, SERVICE
from inferplane.controlplane.activator.controller import Activator
from inferplane.controlplane.machinery.informers import Informers
from inferplane.kernel.clock import SystemClock
from inferplane.kernel.json import Json, JsonObject
from inferplane.resources.activator import BACKEND, backend
from inferplane.resources.discovery import EndpointSlice
from inferplane.signals.stats import Stat

pytestmark = pytest.mark.e2e

REVISION = "iris-00001"
HOST = "iris.default.localhost"
TOLD = "Knative-Serving-Revision"
SWITCHES = 20


@dataclass
class Sleeper:
    """A revision whose pod a test starts and stops, as the autoscaler and the node do."""

    grpc: bool = False
    platform: Platform = field(init=False)
    stats: list[Stat] = field(default_factory=list)
    poked: asyncio.Event = field(default_factory=asyncio.Event)
    activator: Activator | None = None

    async def run_activator(self, informers: Informers) -> None:
        self.activator = Activator(informers, SystemClock(), self._report)
        await self.activator.run()

    def _report(self, stats: Sequence[Stat]) -> None:
        self.stats.extend(stats)
        self.poked.set()

    async def exists(self, **limits: int) -> None:
        api = self.platform.api
        body: JsonObject = {"metadata": {"name": REVISION}, "spec": {**limits}}
        await api.apply(KNATIVE_REVISION, body, "default", manager="t")
        await self.goes_to_sleep()
        headers: list[Json] = [
            {"name": TOLD, "value": REVISION},
            {"name": "Knative-Serving-Namespace", "value": "default"},
        ]
        edit: JsonObject = {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": headers}}
        ref: JsonObject = {"name": REVISION, "port": 81 if self.grpc else 80, "filters": [edit]}
        await self.platform.route("iris", [HOST], {"backendRefs": [ref]})
        await self.platform.programmed("iris")

    async def pod(self, port: int, *, ready: bool = True) -> None:
        labels: JsonObject = {"serving.knative.dev/revision": REVISION}
        container: JsonObject = {"name": "user-container", "ports": [{"name": "user-port", "containerPort": port}]}
        body: JsonObject = {
            "metadata": {"name": REVISION, "labels": labels},
            "spec": {"containers": [container], "nodeName": "n"},
        }
        await self.platform.api.apply(POD, body, "default", manager="t")
        condition: JsonObject = {"type": "Ready", "status": str(ready)}
        status: JsonObject = {"podIP": "127.0.0.1", "conditions": [condition]}
        await self.platform.api.apply(POD, {**body, "status": status}, "default", manager="t", subresource="status")

    async def goes_to_sleep(self) -> None:
        """Mode Proxy."""
        port = 81 if self.grpc else 80
        await self._service({BACKEND: backend(port)})
        assert self.activator is not None
        await self._leads_to(await self._listening())

    async def wakes_up(self, port: int) -> None:
        """Mode Serve."""
        await self._leads_to(port)
        await self._service({})

    async def _listening(self) -> int:
        """The activator's port."""
        place = (ENDPOINT_SLICE, "activator-service-local", "knative-serving")
        await until(lambda: self.platform.api.peek(*place) is not None)
        found = self.platform.api.peek(*place)
        assert found is not None
        return msgspec.convert(found, EndpointSlice).ports[0].port or 0

    async def _service(self, annotations: JsonObject) -> None:
        port: JsonObject = {"name": "http", "port": 80}
        if self.grpc:
            port = {"name": "http2", "port": 81, "appProtocol": "kubernetes.io/h2c"}
        body: JsonObject = {"metadata": {"name": REVISION, "annotations": annotations}, "spec": {"ports": [port]}}
        await self.platform.api.apply(SERVICE, body, "default", manager="t")

    async def _leads_to(self, port: int) -> None:
        name = "http2" if self.grpc else "http"
        body: JsonObject = {
            "metadata": {"name": REVISION, "labels": {"kubernetes.io/service-name": REVISION}},
            "addressType": "IPv4",
            "ports": [{"name": name, "port": port}],
            "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": True}}],
        }
        await self.platform.api.apply(ENDPOINT_SLICE, body, "default", manager="t")


@asynccontextmanager
async def sleeper(*, grpc: bool = False) -> AsyncIterator[Sleeper]:
    one = Sleeper(grpc)
    async with running(further=one.run_activator) as one.platform:
        await until(lambda: one.activator is not None)
        yield one


async def test_a_request_wakes_its_service_and_is_answered_by_the_new_pod() -> None:
    async with sleeper() as one:
        await one.exists()
        asking = asyncio.create_task(one.platform.get(HOST, "/v1"))
        await asyncio.wait_for(one.poked.wait(), 60)
        assert one.stats[0] == Stat("default", REVISION, 1.0, 1.0)
        one.platform.upstreams.append(upstream := await Upstream("pod").start())
        await one.pod(upstream.port, ready=False)
        await one.pod(upstream.port)
        assert (await asking)[1] == {"name": "pod", "path": "/v1", "told": "", "size": 0}
        assert TOLD.lower() not in upstream.headers


async def test_a_call_of_grpc_wakes_its_service() -> None:
    async def echo(request: bytes, context: object) -> bytes:
        return request

    server = grpc.aio.server()
    handler = grpc.unary_unary_rpc_method_handler(echo)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("iris.Echo", {"Echo": handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with sleeper(grpc=True) as one:
        await one.exists()
        options = [("grpc.default_authority", HOST)]
        async with grpc.aio.insecure_channel(f"127.0.0.1:{one.platform.port}", options=options) as channel:
            call = channel.unary_unary("/iris.Echo/Echo")(b"hello")
            await asyncio.wait_for(one.poked.wait(), 60)
            await one.pod(port)
            assert await call == b"hello"
            said = dict(await call.initial_metadata())
            assert str(said["server-timing"]).startswith("queue;dur=")
    await server.stop(None)


async def test_a_websocket_wakes_its_service() -> None:
    async def talk(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str(message.data.upper())
        return socket

    app = web.Application()
    app.router.add_get("/ws", talk)
    runner = web.AppRunner(app)
    await runner.setup()
    await (site := web.TCPSite(runner, "127.0.0.1", 0)).start()
    async with sleeper() as one:
        await one.exists()
        url = f"http://127.0.0.1:{one.platform.port}/ws"
        opening = asyncio.create_task(one.platform.http.ws_connect(url, headers={"Host": HOST}))
        await asyncio.wait_for(one.poked.wait(), 60)
        await one.pod(int(site.name.rpartition(":")[2]))
        async with await opening as socket:
            await socket.send_str("hello")
            assert await socket.receive_str() == "HELLO"
    await runner.cleanup()


async def test_requests_that_wait_when_the_control_plane_ends_get_503_and_those_after_it_are_answered() -> None:
    async with sleeper() as one:
        await one.exists()
        asking = asyncio.create_task(one.platform.get(HOST))
        await asyncio.wait_for(one.poked.wait(), 60)
        await one.platform.stop_control_plane()
        status, body = await asking
        assert (status, body["error"]) == (503, "the control plane is shutting down")
        port = await one._listening()
        one.platform.upstreams.append(upstream := await Upstream("pod").start())
        await one.pod(upstream.port)
        one.platform.start_control_plane()
        await one.platform.answers(HOST)
        assert await one._listening() == port


class Load:
    """Requests without a pause over some connections."""

    def __init__(self, platform: Platform, connections: int) -> None:
        self.failures: list[str] = []
        self.answered = 0
        self._platform = platform
        self._tasks = [asyncio.create_task(self._ask()) for _ in range(connections)]

    async def _ask(self) -> None:
        while True:
            try:
                status, body = await self._platform.get(HOST)
            except (aiohttp.ClientError, ValueError) as error:
                self.failures.append(repr(error))
            else:
                self.answered += 1
                if status != 200:
                    self.failures.append(f"{status} {body}")

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def test_no_request_fails_when_a_service_changes_between_its_own_cluster_and_the_activators() -> None:
    async with sleeper() as one:
        one.platform.upstreams.append(upstream := await Upstream("pod").start())
        await one.pod(upstream.port)
        await one.exists()
        load = Load(one.platform, 8)
        # The activator takes off what says whom a request is for, so the pod sees by which way it came.
        for _ in range(SWITCHES):
            await one.wakes_up(upstream.port)
            await until(lambda: TOLD.lower() in upstream.headers)
            await one.goes_to_sleep()
            await until(lambda: TOLD.lower() not in upstream.headers)
        await load.end()
        assert load.failures == []
        assert load.answered >= 2 * SWITCHES
