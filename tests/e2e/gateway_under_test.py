"""A gateway with a real Envoy: objects in an API server in memory, requests over real sockets."""

import asyncio
import json
import socket
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import aiohttp
from aiohttp import web
from tests.fakes.api import MemoryApi

from inferplane.client.kubernetes.kinds import ENDPOINT_SLICE, GATEWAY, GATEWAY_CLASS, HTTP_ROUTE, SERVICE
from inferplane.controlplane.gateway.bootstrap import BootstrapOptions, bootstrap, command, envoy_binary
from inferplane.controlplane.gateway.controllers import run_gateway
from inferplane.controlplane.gateway.values import Listener
from inferplane.controlplane.machinery.informers import Informers
from inferplane.kernel.clock import SystemClock
from inferplane.kernel.json import Json, JsonObject
from inferplane.resources.gateway import default_objects

DEADLINE = 20.0
HOST = "iris-default.localhost"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Upstream:
    """A model server that says its name, the path it was asked for and what it was told in headers."""

    name: str
    port: int = 0
    runner: web.AppRunner | None = None
    headers: list[str] = field(default_factory=list)
    """Names of the last request's, in lower case."""
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def start(self) -> "Upstream":
        app = web.Application(client_max_size=1 << 30)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self.runner = web.AppRunner(app, access_log=None)
        await self.runner.setup()
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", self.port))
            self.port = listening.getsockname()[1]
            await web.SockSite(self.runner, listening.dup()).start()
        return self

    async def stop(self) -> None:
        if self.runner:
            await self.runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        size = len(await request.read())
        if request.path == "/held":
            self.asked.set()
            await self.go_on.wait()
        told = request.headers.get("KServe-Isvc-Name", "")
        self.headers = [name.lower() for name in request.headers]
        return web.json_response({"name": self.name, "path": request.path_qs, "told": told, "size": size})


@dataclass
class Platform:
    api: MemoryApi
    home: Path
    port: int
    http: aiohttp.ClientSession
    upstreams: list[Upstream] = field(default_factory=list)
    envoy: asyncio.subprocess.Process | None = None
    control: asyncio.Task[None] | None = None
    further: Callable[[Informers], Coroutine[None, None, None]] | None = None
    """What else the control plane runs."""

    # --- processes ---

    def start_control_plane(self) -> None:
        self.control = asyncio.create_task(self._control_plane())

    async def _control_plane(self) -> None:
        clock = SystemClock()
        informers = Informers(self.api, clock)
        async with asyncio.TaskGroup() as tasks:
            if self.further is not None:
                tasks.create_task(self.further(informers))
            tasks.create_task(informers.run())
            await run_gateway(informers, clock, xds_address=str(self.home / "xds.sock"))

    async def stop_control_plane(self) -> None:
        assert self.control
        self.control.cancel()
        await asyncio.gather(self.control, return_exceptions=True)

    async def start_envoy(self, outside: Listener | None = None) -> None:
        path = self.home / "envoy.json"
        options = BootstrapOptions(
            xds=str(self.home / "xds.sock"), admin=str(self.home / "admin.sock"), outside=outside
        )
        path.write_text(json.dumps(bootstrap(options)))
        self.envoy = await asyncio.create_subprocess_exec(*command(envoy_binary(), path, workers=1))

    async def kill_envoy(self) -> None:
        if self.envoy:
            self.envoy.kill()
            await self.envoy.wait()

    # --- objects ---

    async def service(self, name: str, *ports: int, app_protocol: str = "") -> None:
        port: JsonObject = {"port": 80, "name": "http"}
        if app_protocol:
            port["appProtocol"] = app_protocol
        await self.api.apply(SERVICE, {"metadata": {"name": name}, "spec": {"ports": [port]}}, "default", manager="t")
        await self.endpoints(name, *ports)

    async def endpoints(self, name: str, *ports: int) -> None:
        """One slice for each port, as the test's replicas have one address and many ports."""
        for index in range(2):
            here = ports[index : index + 1]
            body: JsonObject = {
                "metadata": {"name": f"{name}-{index}", "labels": {"kubernetes.io/service-name": name}},
                "addressType": "IPv4",
                "ports": [{"name": "http", "port": port} for port in here],
                "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": True}} for _ in here],
            }
            await self.api.apply(ENDPOINT_SLICE, body, "default", manager="t")

    async def route(self, name: str, hosts: list[Json], *rules: JsonObject) -> None:
        spec: JsonObject = {
            "parentRefs": [{"name": "kserve-ingress-gateway", "namespace": "kserve"}],
            "hostnames": hosts,
            "rules": list(rules),
        }
        await self.api.apply(HTTP_ROUTE, {"metadata": {"name": name}, "spec": spec}, "default", manager="t")

    def condition(self, route: str, type: str) -> tuple[str, str]:
        """(status, reason), empty while there is none."""
        found = self.api.peek(HTTP_ROUTE, route)
        status = json.loads(json.dumps(found)).get("status", {}) if found else {}
        conditions = [one for parent in status.get("parents", []) for one in parent["conditions"]]
        return next(((one["status"], one["reason"]) for one in conditions if one["type"] == type), ("", ""))

    async def programmed(self, route: str, reason: str = "Programmed") -> None:
        await until(lambda: self.condition(route, "Programmed")[1] == reason)

    # --- requests ---

    async def get(self, host: str, path: str = "/", body: IO[bytes] | None = None) -> tuple[int, JsonObject]:
        url = f"http://127.0.0.1:{self.port}{path}"
        async with self.http.post(url, headers={"Host": host}, data=body) as answer:
            return answer.status, json.loads(await answer.read())

    async def answers(self, host: str) -> None:
        """Waits until Envoy listens and serves the host."""

        async def served() -> bool:
            try:
                return (await self.get(host))[0] == 200
            except aiohttp.ClientError:
                return False

        async with asyncio.timeout(DEADLINE):
            while not await served():  # noqa: ASYNC110 - another process, no event to wait for
                await asyncio.sleep(0.02)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not holds():  # noqa: ASYNC110 - depends on another process
            await asyncio.sleep(0.005)


def to(*services: str, **fields: Json) -> JsonObject:
    return {"backendRefs": [{"name": one, "port": 80} for one in services], **fields}


@asynccontextmanager
async def running(
    outside: Callable[[Platform], Listener] | None = None,
    further: Callable[[Informers], Coroutine[None, None, None]] | None = None,
) -> AsyncIterator[Platform]:
    with tempfile.TemporaryDirectory(prefix="gateway-") as home:
        async with aiohttp.ClientSession() as http:
            platform = Platform(MemoryApi(), Path(home), free_port(), http, further=further)
            for kind, body in zip((GATEWAY_CLASS, GATEWAY), default_objects(platform.port), strict=True):
                await platform.api.apply(kind, body, "kserve" if kind.namespaced else "", manager="t")
            platform.start_control_plane()
            await platform.start_envoy(None if outside is None else outside(platform))
            try:
                yield platform
            finally:
                await platform.kill_envoy()
                await platform.stop_control_plane()
                for one in platform.upstreams:
                    await one.stop()
