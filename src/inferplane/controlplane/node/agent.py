"""The node as a whole: puts its parts together and runs them. `assembly.node` gives it the machine and the API."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from aiohttp import web

from inferplane.client.kubernetes import kinds
from inferplane.client.kubernetes.api import Api
from inferplane.controlplane.machinery.events import EVENTS_WAIT, Recorder
from inferplane.controlplane.machinery.informers import Informers
from inferplane.controlplane.node import addresses, cgroups, images, procfs
from inferplane.controlplane.node.care import Tools
from inferplane.controlplane.node.config_maps import ConfigMapFiles
from inferplane.controlplane.node.confinement import Confinement
from inferplane.controlplane.node.disk_limits import DiskWatch
from inferplane.controlplane.node.environments.builder import Builder
from inferplane.controlplane.node.environments.shared import Environments
from inferplane.controlplane.node.events import COMPONENT, PodEvents
from inferplane.controlplane.node.keepers import KeeperFailed, Keepers, KeeperSpec
from inferplane.controlplane.node.launcher import Launcher
from inferplane.controlplane.node.logs import Journal
from inferplane.controlplane.node.lookups import Lookups
from inferplane.controlplane.node.memory_limits import MemoryWatch
from inferplane.controlplane.node.pods import Pods
from inferplane.controlplane.node.prewarm import Prewarm, Workload
from inferplane.controlplane.node.programs import present
from inferplane.controlplane.node.registration import Machine, Registration
from inferplane.controlplane.node.server import application
from inferplane.controlplane.node.services import ServiceAddresses
from inferplane.controlplane.node.status_writer import StatusWriter
from inferplane.controlplane.node.tokens import Tokens
from inferplane.controlplane.node.usage import Sampler
from inferplane.controlplane.node.volumes import Volumes
from inferplane.kernel.clock import Clock
from inferplane.resources.core import Pod, Service
from inferplane.resources.process_image import ProcessImage

log = logging.getLogger(__name__)

_NOTE_LOGS_EVERY = 1.0
# How often use of CPU and memory is sampled, in seconds (metrics-server's default).
METRICS_RESOLUTION = 15.0
_TIDY_EVERY = 600.0
# How long the last statuses may take to be written when the node ends; the API server may be gone already.
_LAST_WORDS = 2.0


@dataclass(frozen=True, slots=True)
class Places:
    """Directories and sockets of the platform's home."""

    root: Path
    pods: Path
    volumes: Path
    run: Path
    logs: Path
    socket: Path
    network_file: Path
    environments: Path


@dataclass(frozen=True, slots=True)
class Installer:
    """`uv`'s binary (None: there is none) and the environment variables that it gets."""

    uv: Path | None
    variables: Mapping[str, str]


class Agent:
    """`run` until `stop` (processes end too) or `leave` (they live on, for the next node) is called."""

    def __init__(
        self,
        api: Api,
        clock: Clock,
        places: Places,
        name: str,
        machine_info: Mapping[str, str],
        *,
        path: str,
        installer: Installer,
        metrics_resolution: float = METRICS_RESOLUTION,
        ours: Mapping[str, str] | None = None,
        prewarm: Sequence[str] | None = None,
        unprivileged: bool = False,
    ) -> None:
        """`ours` are variables for containers that run our own code; `prewarm` as in `images.ahead`.

        `unprivileged`: pods have users of their own.
        """
        self._clock = clock
        self._places = places
        self._api = api
        self._addresses = addresses.claim(places.network_file, places.root)
        # By the network, which no other platform of this machine has.
        groups = cgroups.found(f"inferplane-{self._addresses.host.split('.')[1]}")
        self._confinement = Confinement(groups, unprivileged)
        self._machine = _machine(name, self._addresses.host, machine_info)
        self._keepers = Keepers(places.run, places.logs, {"PATH": path, "LANG": "C.UTF-8"}, self._run_changed)
        self._path = path
        self._ours = ours or {}
        self._ahead = prewarm
        self._metrics_resolution = metrics_resolution
        builder = Builder(places.environments, installer.uv, installer.variables, clock)
        self._environments = Environments(builder, clock, path=path)
        self._tokens = Tokens(api, clock)
        self._informers = Informers(api, clock)
        self._images = self._informers.cache(kinds.PROCESS_IMAGE, ProcessImage)
        self._bound = self._informers.cache(kinds.POD, Pod, fields=f"spec.nodeName={name}")
        self._config_maps = ConfigMapFiles(self._informers, self._bound, places.pods)
        services = self._informers.cache(kinds.SERVICE, Service)
        self._services = ServiceAddresses(api, services, self._addresses)
        workloads = self._informers.cache(kinds.DEPLOYMENT, Workload)
        self._prewarm = Prewarm(workloads, self._images, self._keepers, self._environments, present(path))
        self._pods: Pods | None = None
        self._ending = asyncio.Event()
        self._with_processes = False

    def stop(self) -> None:
        """End, and end all pods' processes."""
        self._with_processes = True
        self._ending.set()

    def leave(self) -> None:
        """End at once, and leave all processes to the next node."""
        self._ending.set()

    async def run(self, ready: asyncio.Event) -> None:
        """Sets `ready` once pods are taken up and the node is registered."""
        connector = aiohttp.TCPConnector(limit=0, force_close=True)
        async with aiohttp.ClientSession(connector=connector) as session:
            recorder = Recorder(self._api, COMPONENT, self._clock, patience=EVENTS_WAIT)
            events = PodEvents(recorder, self._clock)
            pods = self._pods = self._assemble(session, events)
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._informers.run()), group.create_task(recorder.run())]
                tasks.append(group.create_task(events.run()))
                started = group.create_task(self._start(pods, group, tasks, ready))
                await self._ending.wait()
                started.cancel()
                await self._end(pods, events)
                for task in tasks:
                    task.cancel()

    def _assemble(self, session: aiohttp.ClientSession, events: PodEvents) -> Pods:
        lookups = Lookups(self._api)
        launcher = Launcher(
            images=self._images,
            lookups=lookups,
            volumes=Volumes(lookups, self._places.volumes, self._tokens),
            services=self._services,
            path=self._path,
            node=self._machine.resources(),
            environments=self._environments,
            ours=self._ours,
            confinement=self._confinement,
        )
        tools = Tools(self._keepers, launcher, events, session, self._clock)
        writer = StatusWriter(self._api, self._clock)
        return Pods(self._api, self._bound, tools, self._addresses, writer, self._places.pods)

    async def _start(
        self, pods: Pods, group: asyncio.TaskGroup, tasks: list[asyncio.Task[None]], ready: asyncio.Event
    ) -> None:
        # The keepers first: what lives must be known before anything is decided.
        await self._keepers.adopt()
        self._environments.begin()
        tasks.append(group.create_task(self._warm([images.PLAIN])))
        registration = Registration(self._api, self._clock, self._machine)
        async with asyncio.TaskGroup() as together:
            together.create_task(self._informers.synced())
            together.create_task(registration.register())
        pods.settle()
        self._services.settle()
        self._images.on_change(lambda *_: self._images_changed(pods, group, tasks))
        tasks.append(group.create_task(pods.controller.run()))
        tasks.append(group.create_task(registration.run()))
        tasks.append(group.create_task(self._note_logs(pods)))
        sampler = Sampler(pods.running, procfs, self._clock, self._metrics_resolution, self._machine.name)
        tasks.append(group.create_task(sampler.run()))
        tasks.append(group.create_task(self._serve(pods, sampler)))
        watch = MemoryWatch(pods.limited, procfs, self._clock, procfs.PAGE)
        tasks.append(group.create_task(watch.run()))
        tasks.append(group.create_task(DiskWatch(pods.bounded, self._clock).run()))
        tasks.append(group.create_task(self._tokens.run()))
        tasks.append(group.create_task(self._tidy()))
        tasks.append(group.create_task(self._prewarm.run()))
        ready.set()

    async def _end(self, pods: Pods, events: PodEvents) -> None:
        if not self._with_processes:
            pods.close()
            await self._environments.close()
            await self._keepers.leave()
        else:
            await pods.stop()
            pods.close()
            await self._environments.close()
            # Again, for a node that is told to end before it has taken up what a former one left.
            await self._keepers.adopt()
            await self._keepers.close()
            try:
                async with asyncio.timeout(_LAST_WORDS):
                    await pods.writer.flush()
                    events.hand_over()
                    await events.recorder.flush()
            except TimeoutError:
                log.warning("the API server did not take the last statuses in %.0f s", _LAST_WORDS)
            self._confinement.close()
        self._addresses.close()

    # --- what runs beside ---------------------------------------------------------------------------------------------

    def _run_changed(self, id: str) -> None:
        if self._pods is not None:
            self._pods.run_changed(id)

    def _images_changed(self, pods: Pods, group: asyncio.TaskGroup, tasks: list[asyncio.Task[None]]) -> None:
        pods.wake_all()
        tasks[:] = [task for task in tasks if not task.done()]
        table = self._images.list()
        wanted = images.zygotes(table)
        if wanted:  # an empty table means that the control plane has not written it yet
            self._keepers.retire([images.PLAIN, *wanted])
        tasks.append(group.create_task(self._warm(images.ahead(table, self._ahead))))

    async def _warm(self, specs: list[KeeperSpec]) -> None:
        """Starts keepers ahead of need. What can't be imported is said again by the pod that needs it."""
        await asyncio.gather(*(self._warm_one(spec) for spec in specs))

    async def _warm_one(self, spec: KeeperSpec) -> None:
        try:
            await self._keepers.ready(spec)
        except KeeperFailed as error:
            log.info("keeper not started name=%s error=%s", spec.name, error)

    async def _note_logs(self, pods: Pods) -> None:
        journal = Journal()
        while True:
            await self._clock.sleep(_NOTE_LOGS_EVERY)
            journal.note(pods.living_logs(), self._clock.now().timestamp())
            pods.note_said()

    async def _tidy(self) -> None:
        """Environments and their keepers go when nothing has used them for long."""
        await self._environments.builder.remove_unfinished()
        while True:
            kept = self._prewarm.kept
            in_use = {images.environment_of(name) for name in self._keepers.busy | kept} - {""}
            await self._environments.tidy(in_use)
            self._keepers.retire_unused(kept)
            await self._clock.sleep(_TIDY_EVERY)

    async def _serve(self, pods: Pods, sampler: Sampler) -> None:
        runner = web.AppRunner(application(pods, sampler, self._clock), access_log=None)
        await runner.setup()
        self._places.socket.unlink(missing_ok=True)
        try:
            await web.UnixSite(runner, str(self._places.socket)).start()
            await asyncio.Event().wait()
        finally:
            await runner.cleanup()
            self._places.socket.unlink(missing_ok=True)


def _machine(name: str, address: str, info: Mapping[str, str]) -> Machine:
    facts = dict(info)
    sizes = {name: int(facts.pop(name)) for name in ("cpus", "memory", "disk", "gpus")}
    return Machine(name=name, address=address, info=facts, **sizes)
