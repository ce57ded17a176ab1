"""The node's heart: for each pod bound to it, see, decide (`decide`), act, and report (`status`).

Keys come in when a pod's object changes, when a keeper reports about a run and when a probe has a verdict. Nothing
here waits for a process or for a write: starts are tasks of their container (`care`), statuses go out through
`StatusWriter`.
"""

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import msgspec

from inferplane.client.kubernetes import kinds
from inferplane.client.kubernetes.api import Api, Conflict, NotFound
from inferplane.controlplane.machinery.cache import Cache, Key
from inferplane.controlplane.machinery.controller import Controller, Result
from inferplane.controlplane.node import disk_limits, runs
from inferplane.controlplane.node.addresses import Addresses
from inferplane.controlplane.node.care import Care, Tools
from inferplane.controlplane.node.decide import Action, Decision, Kill, Remove, Start, Terminate, decide
from inferplane.controlplane.node.directories import Lodging, PodDirectory, all_pods
from inferplane.controlplane.node.disk_limits import Bounded, bounds
from inferplane.controlplane.node.inapplicable import inapplicable, sentence
from inferplane.controlplane.node.memory_limits import Limited
from inferplane.controlplane.node.observed import Seen
from inferplane.controlplane.node.protocol import RunId
from inferplane.controlplane.node.start_times import start_times
from inferplane.controlplane.node.status import EVICTED, Place, is_news, render
from inferplane.controlplane.node.status_writer import StatusWriter
from inferplane.controlplane.node.usage import Running
from inferplane.kernel.json import JsonObject
from inferplane.resources.core import Pod
from inferplane.resources.start_times import START_TIMES

log = logging.getLogger(__name__)


@dataclass(slots=True)
class House:
    """A pod on this node, from the first time that it is seen until its directory is gone."""

    pod: Pod
    directory: PodDirectory
    place: Place
    cares: dict[str, Care]
    status: JsonObject
    backing_off: frozenset[str] = frozenset()
    evicted: str = ""
    """Why it was evicted: it ends for good, and its object stays to tell."""
    times: str = ""
    """Of its start, as the annotation says them."""

    @property
    def uid(self) -> str:
        return self.pod.metadata.uid

    @property
    def seen(self) -> dict[str, Seen]:
        return {name: care.seen for name, care in self.cares.items()}

    @property
    def living(self) -> list[Care]:
        return [care for care in self.cares.values() if care.seen.running or care.seen.launching]


@dataclass(slots=True)
class Pods:
    """`cache` has the pods bound to this node. Run `controller` when the caches are synced and `settle` was called."""

    api: Api
    cache: Cache[Pod]
    tools: Tools
    addresses: Addresses
    writer: StatusWriter
    directory: Path
    controller: Controller = field(init=False)
    stopping: bool = False
    _houses: dict[str, House] = field(default_factory=dict)
    _emptied: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.controller = Controller("node", self.reconcile, clock=self.tools.clock)

    # --- in and out ---------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Takes up the pods that a former node left; those that were deleted meanwhile are killed and cleaned up."""
        wanted = {pod.metadata.uid for pod in self.cache.list()}
        for directory in all_pods(self.directory):
            lodging = directory.read()
            if lodging is None or lodging.uid not in wanted:
                log.info("cleaning up a pod that was deleted while the node was away uid=%s", directory.root.name)
                directory.kill_all()
                directory.remove()
            else:
                self.addresses.reserve(lodging.address)
        known = [directory for directory in all_pods(self.directory) if directory.read() is not None]
        self.tools.launcher.confinement.keep((one.root.name, name) for one in known for name in one.container_names())
        self.cache.on_change(self._pod_changed)

    def run_changed(self, id: RunId) -> None:
        """A keeper reported about a run."""
        uid, name, _ = id.rsplit("/", 2)
        house = self._houses.get(uid)
        if house is not None and (care := house.cares.get(name)) is not None:
            care.run_changed()

    def wake_all(self) -> None:
        """The image table changed: what could not be started may start now."""
        for house in self._houses.values():
            for care in house.cares.values():
                care.retry()
            self.controller.enqueue(_key(house.pod))

    async def stop(self) -> None:
        """Ends all processes, gracefully; objects and directories stay for the next node. Returns when all ended."""
        self.stopping = True
        for house in self._houses.values():
            self.controller.enqueue(_key(house.pod))
        while any(house.living for house in self._houses.values()):
            self._emptied.clear()
            await self._emptied.wait()

    def close(self) -> None:
        """Ends all tasks; processes are left alone."""
        for house in self._houses.values():
            for care in house.cares.values():
                care.close()

    def find(self, key: Key) -> House | None:
        """The pod of that name; the newer one while an older one of the same name is still ending."""
        found = [house for house in self._houses.values() if _key(house.pod) == key]
        pod = self.cache.get(key)
        current = [house for house in found if pod is not None and house.uid == pod.metadata.uid]
        return next(iter(current or found), None)

    def living_logs(self) -> Iterator[Path]:
        for house in self._houses.values():
            for care in house.cares.values():
                if care.seen.running and care.seen.run is not None:
                    yield runs.log_path(house.directory.container(care.container.name), care.seen.run.attempt)

    def note_said(self) -> None:
        """Looks how far init containers have come."""
        for house in self._houses.values():
            for container in house.pod.spec.init_containers:
                if (care := house.cares.get(container.name)) is not None:
                    care.note_said()

    def running(self) -> list[Running]:
        """Every container that runs now."""
        return [
            Running(
                house.pod.metadata.namespace,
                house.pod.metadata.name,
                house.uid,
                care.container.name,
                care.seen.run.process,
                care.seen.run.started_at,
            )
            for house in self._houses.values()
            for care in house.cares.values()
            if care.seen.running and care.seen.run is not None and care.seen.run.process is not None
        ]

    def limited(self) -> list[Limited]:
        """The running containers with a memory limit."""
        cares = (care for house in self._houses.values() for care in house.cares.values())
        return [one for care in cares if (one := care.limited()) is not None]

    def bounded(self) -> list[Bounded]:
        """What pods may put on the disk, of those that have a limit and still run."""
        found: list[Bounded] = []
        for house in self._houses.values():
            if disk_limits.limited(house.pod) and not house.evicted:
                found += bounds(house.pod, house.directory, partial(self._expel, house))
        return found

    # --- reconcile ----------------------------------------------------------------------------------------------------

    async def reconcile(self, key: Key) -> Result | None:
        pod = self.cache.get(key)
        for house in [one for one in self._houses.values() if _key(one.pod) == key]:
            if pod is None or house.uid != pod.metadata.uid:
                await self._evict(house)
        if pod is None:
            return None
        house = self._houses.get(pod.metadata.uid) or self._welcome(pod)
        house.pod = pod
        return await self._step(house)

    def _welcome(self, pod: Pod) -> House:
        """Takes the pod in and says, once in its life, which of its fields have no effect."""
        known = (self.directory / pod.metadata.uid).exists()
        house = self._move_in(pod)
        if not known and (fields := inapplicable(pod, self.tools.launcher.confinement.held)):
            self.tools.events.normal(pod, "FieldsNotApplied", sentence(fields))
        return house

    def _move_in(self, pod: Pod) -> House:
        directory = PodDirectory(self.directory / pod.metadata.uid)
        lodging = directory.read()
        if lodging is None:
            meta, address = pod.metadata, self.addresses.take()
            lodging = Lodging(
                namespace=meta.namespace, name=meta.name, uid=meta.uid, address=address, since=self.tools.now()
            )
            directory.write(lodging)
        place = Place(lodging.address, self.addresses.host, lodging.since)
        status = msgspec.to_builtins(pod.status)
        evicted = pod.status.message if pod.status.reason == EVICTED else ""
        house = self._houses[pod.metadata.uid] = House(
            pod, directory, place, {}, status, evicted=evicted, times=pod.metadata.annotations.get(START_TIMES, "")
        )
        said = {one.name: one for one in [*pod.status.init_container_statuses, *pod.status.container_statuses]}
        for container in [*pod.spec.init_containers, *pod.spec.containers]:
            care = Care(
                self.tools,
                pod,
                container,
                directory,
                place,
                changed=lambda: self._changed(house),
                stopping=lambda: self.stopping,
            )
            house.cares[container.name] = care
            care.adopt(said.get(container.name))
        return house

    async def _step(self, house: House) -> Result | None:
        now = self.tools.now()
        if self.stopping or house.evicted or house.pod.metadata.deleting:
            for care in house.cares.values():
                care.give_up_launch()
        decision = decide(house.pod, house.seen, now, stopping=self.stopping or bool(house.evicted))
        for action in decision.actions:
            if isinstance(action, Remove):
                await self._remove(house)
                return None
            self._act(house, action)
        self._report(house, decision, now)
        return None if decision.wake_at is None else Result(requeue_after=decision.wake_at - now)

    def _act(self, house: House, action: Action) -> None:
        match action:
            case Start(container=container):
                house.cares[container.name].start(action)
            case Terminate(container=container, reason=reason):
                house.cares[container.name].terminate(reason)
            case Kill(container=container):
                house.cares[container.name].kill()
            case Remove():
                raise AssertionError("handled by _step")

    def _report(self, house: House, decision: Decision, now: float) -> None:
        before = house.status
        house.status = render(house.pod, house.seen, decision, house.place, before, now, evicted=house.evicted)
        house.times = start_times(house.pod, house.seen, since=house.place.since, now=now, before=house.times)
        told = {START_TIMES: house.times} if house.times else None
        self.writer.put(house.pod, house.status, urgent=is_news(house.status, before), annotations=told)
        for name in decision.backing_off.keys() - house.backing_off:
            text = f"Back-off restarting failed container {name} in pod {house.pod.metadata.name}"
            self.tools.events.warning(house.pod, "BackOff", text, name)
        house.backing_off = frozenset(decision.backing_off)

    async def _remove(self, house: House) -> None:
        """All processes have ended: because the node ends, or because the pod is deleted or evicted."""
        self._emptied.set()
        if (self.stopping or house.evicted) and not house.pod.metadata.deleting:
            self._report(house, Decision(), self.tools.now())
            if house.evicted:
                await asyncio.to_thread(house.directory.remove_volumes)
            return
        await self._clean(house)
        meta = house.pod.metadata
        try:
            await self.api.delete(kinds.POD, meta.name, meta.namespace, uid=meta.uid, grace_seconds=0)
        except (NotFound, Conflict):
            pass  # somebody deleted it by force, and its name may belong to another pod by now

    def _expel(self, house: House, message: str) -> None:
        """The pod took more of the disk than it may: no grace, and no other run."""
        if house.evicted or house.pod.metadata.deleting:
            return
        house.evicted = message
        self.tools.events.warning(house.pod, "Evicted", message)
        _kill_all(house)
        self._changed(house)

    async def _evict(self, house: House) -> None:
        """The object is gone (deleted by force): no grace."""
        _kill_all(house)
        if not house.living:
            await self._clean(house)

    async def _clean(self, house: House) -> None:
        for care in house.cares.values():
            care.close()
        self.tools.launcher.confinement.forget(house.pod, house.cares)
        self.writer.forget(house.uid)
        await asyncio.to_thread(house.directory.remove)
        self.addresses.release(house.place.pod_ip)
        self._houses.pop(house.uid, None)

    # --- what happens -------------------------------------------------------------------------------------------------

    def _changed(self, house: House) -> None:
        self.controller.enqueue(_key(house.pod))
        self._emptied.set()

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        """Our own status writes come back as changes; there is nothing to do about them."""
        pod = new or old
        if pod is not None and (old is None or new is None or _asks_for(old) != _asks_for(new)):
            self.controller.enqueue(_key(pod))


def _kill_all(house: House) -> None:
    for care in house.living:
        care.give_up_launch()
        if care.seen.running and not care.seen.killed:
            care.kill()


def _key(pod: Pod) -> Key:
    return Key(pod.metadata.namespace, pod.metadata.name)


def _asks_for(pod: Pod) -> tuple[object, ...]:
    meta = pod.metadata
    gates = [one for one in pod.status.conditions if one.type not in _OURS]
    return (meta.uid, pod.spec, meta.deletion_timestamp, meta.deletion_grace_period_seconds, gates)


_OURS = frozenset({"Initialized", "ContainersReady", "Ready", "PodScheduled"})
