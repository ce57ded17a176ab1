"""A node with real keepers and real processes, in this process, against an API server in memory."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from tests.fakes.api import MemoryApi

from inferplane.assembly import installer
from inferplane.assembly.home import Home
from inferplane.assembly.keeper import lock_name
from inferplane.assembly.node import _machine_info, _path, _places
from inferplane.client.kubernetes import kinds
from inferplane.controlplane.node import runs
from inferplane.controlplane.node.agent import Agent
from inferplane.controlplane.node.directories import PodDirectory
from inferplane.kernel.clock import SystemClock
from inferplane.kernel.json import Json, JsonObject, list_at, object_at, text_at

NODE = "here"
PATIENCE = 30.0


class Machine:
    """What outlives a node: the home and the API server."""

    def __init__(self, root: Path, *, unprivileged: bool = False) -> None:
        self.home = Home(root)
        self.unprivileged = unprivileged
        self.home.make()
        self.api = MemoryApi(SystemClock())
        self.installer = installer.found(os.environ)

    def agent(self) -> Agent:
        return Agent(
            self.api,
            SystemClock(),
            _places(self.home),
            NODE,
            _machine_info(self.home.root),
            path=_path(),
            installer=self.installer,
            unprivileged=self.unprivileged,
        )

    @asynccontextmanager
    async def node(self) -> AsyncIterator[Agent]:
        """A node until the block ends; then its pods live on, unless the block stopped it."""
        agent = self.agent()
        ready = asyncio.Event()
        running = asyncio.create_task(agent.run(ready))
        starting = asyncio.create_task(ready.wait())
        await asyncio.wait({running, starting}, return_when=asyncio.FIRST_COMPLETED)
        starting.cancel()
        try:
            if running.done():
                running.result()
            yield agent
        finally:
            agent.leave()
            await running

    async def end(self) -> None:
        """Leaves nothing running."""
        async with self.node() as agent:
            agent.stop()

    def run(self, name: str, *containers: JsonObject, annotations: dict[str, Json] | None = None, **spec: Json) -> str:
        """Binds a pod to the node; returns its uid."""
        body: JsonObject = {
            "metadata": {"name": name, "namespace": "default", "annotations": annotations or {}},
            "spec": {"nodeName": NODE, "terminationGracePeriodSeconds": 5, "containers": [*containers], **spec},
        }
        return text_at(self.api.add(kinds.POD, body), "metadata", "uid")

    def status(self, name: str) -> JsonObject:
        return object_at(self.api.peek(kinds.POD, name) or {}, "status")

    def container(self, name: str, index: int = 0, which: str = "containerStatuses") -> JsonObject:
        found = list_at(self.status(name), which)
        one = found[index] if index < len(found) else {}
        return one if isinstance(one, dict) else {}

    def pid(self, uid: str, container: str = "main") -> int:
        """Of the latest run."""
        run = runs.history(PodDirectory(self.home.pods / uid).container(container))[-1]
        assert run.process is not None
        return run.process.pid

    def is_ready(self, name: str) -> bool:
        return _condition(self.status(name), "Ready") == "True"

    async def until(self, holds: Callable[[], bool]) -> None:
        """Waits for the API's objects; fails with what there is after a long while."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not holds():  # noqa: ASYNC110 - the API in memory has no event for it
                    await asyncio.sleep(0.005)
        except TimeoutError:
            raise AssertionError(f"it never came: {self.api.objects(kinds.POD)}") from None

    async def until_ready(self, name: str) -> None:
        await self.until(lambda: self.is_ready(name))

    def ready_statuses(self, name: str, since: int) -> list[str]:
        """The Ready conditions that were written for the pod, from write number `since` on."""
        bodies = [one.body for one in self.api.writes[since:] if one.name == name and one.subresource == "status"]
        return [_condition(object_at(body, "status"), "Ready") for body in bodies if isinstance(body, dict)]

    async def logs(self, path: str, **query: str) -> tuple[int, str]:
        """Asks the node as the API server does."""
        connector = aiohttp.UnixConnector(str(self.home.node_socket))
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.get(f"http://node/containerLogs/default/{path}", params=query) as answer,
        ):
            return answer.status, await answer.text()


def sh(script: str, **more: Json) -> JsonObject:
    return {"name": "main", "image": "any", "command": ["sh", "-c", script], **more}


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists() and Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def has_its_name(machine: Machine, name: str) -> bool:
    """Whether a keeper holds the lock of that name."""
    taken = lock_name(machine.home.run / f"keeper-{name}.sock")
    return any(line.endswith(f"@{taken}") for line in Path("/proc/net/unix").read_text().splitlines())


def keeper_pids(machine: Machine, name: str) -> list[int]:
    """Keepers whose name begins so, forks that show the keeper's command included."""
    socket = os.fsencode(machine.home.run / f"keeper-{name}")
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended since
        if any(word.startswith(socket) for word in words):
            found.append(int(path.parent.name))
    return found


def _condition(status: JsonObject, kind: str) -> str:
    found = [one for one in list_at(status, "conditions") if isinstance(one, dict) and one.get("type") == kind]
    return text_at(found[0], "status") if found else ""
