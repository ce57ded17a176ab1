"""What the pods on this node use: CPU time and memory of their processes, sampled.

A container's run is a session, so all its processes are found by one walk over `/proc` (some 10 µs a process). CPU is
the time that they (and their children that have ended) took between two samples. Memory is what would be free again if
the container ended: the private pages of its process; of several processes, which share among themselves, the
proportional shares. Reading that costs more (the kernel walks the page tables), so it is read again only for processes
that have faulted pages in or changed in size since: idle ones cost nothing.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from inferplane.controlplane.node.procfs import Identity, Load, Memory, Stat
from inferplane.kernel.clock import Clock, micro_timestamp
from inferplane.resources.core import Pod
from inferplane.resources.usage import PodUse, Report, Use

# metrics-server: a container's first figure comes from its start when that is at least this long ago.
_FRESH = 10.0


@dataclass(frozen=True, slots=True)
class Running:
    """One run of a container, as the node knows it. `started_at`: seconds since the epoch."""

    namespace: str
    pod: str
    uid: str
    container: str
    process: Identity
    started_at: float


@dataclass(frozen=True, slots=True)
class Used:
    """`cpu` in cores, averaged over `window` seconds before `at`; `memory` in bytes."""

    cpu: float
    memory: int
    at: datetime
    window: float


class Processes(Protocol):
    """The module `procfs`, or a made-up machine."""

    def all_processes(self) -> Iterable[tuple[int, Stat]]: ...

    def memory(self, pid: int) -> Memory | None: ...

    def load(self) -> Load: ...


@dataclass(frozen=True, slots=True)
class _Point:
    """Seconds of CPU time up to a moment of the steady clock."""

    cpu: float
    at: float


_Size = tuple[int, int, int]


@dataclass(slots=True)
class Sampler:
    """`run` samples every `period` seconds; `pods` and `node` are the latest figures. `name` is the node's."""

    running: Callable[[], Sequence[Running]]
    processes: Processes
    clock: Clock
    period: float
    name: str = ""
    pods: Mapping[Running, Used] = field(default_factory=dict)
    node: Used | None = None
    _points: dict[Running, _Point] = field(default_factory=dict)
    _machine: _Point | None = None
    _sizes: dict[int, tuple[_Size, Memory]] = field(default_factory=dict)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            # Walking the processes of a full machine takes tens of milliseconds.
            await asyncio.to_thread(self.sample)
            await self.clock.sleep(self.period)

    def sample(self) -> None:
        living = self.running()
        sessions = {one.process.pid: one for one in living}
        found: dict[Running, dict[int, Stat]] = defaultdict(dict)
        for pid, stat in self.processes.all_processes():
            one = sessions.get(stat.session)
            if one is not None and stat.state not in "ZX":
                found[one][pid] = stat
        # A pid that was given to another process since is not the container's.
        mine = {one: stats for one, stats in found.items() if _is_leader(one, stats)}
        self._forget({pid for stats in mine.values() for pid in stats})
        now, moment = self.clock.monotonic(), self.clock.now()
        self.pods = {
            one: used for one, stats in mine.items() if (used := self._used(one, stats, now, moment)) is not None
        }
        self._points = {one: point for one, point in self._points.items() if one in mine}
        self._sample_machine(now, moment)

    def _used(self, one: Running, stats: Mapping[int, Stat], now: float, moment: datetime) -> Used | None:
        """None until there is something to compare with."""
        cpu = sum(stat.cpu_seconds for stat in stats.values())
        before = self._points.get(one) or _from_start(one, now, moment, self.period)
        self._points[one] = _Point(cpu, now)
        if before is None or now <= before.at:
            return None
        window = now - before.at
        return Used(max(0.0, cpu - before.cpu) / window, self._memory(stats), moment, window)

    def _memory(self, stats: Mapping[int, Stat]) -> int:
        sizes = [self._size(pid, stat) for pid, stat in stats.items()]
        return sizes[0].private if len(sizes) == 1 else sum(one.proportional for one in sizes)

    def _size(self, pid: int, stat: Stat) -> Memory:
        """Unchanged while the process has the same pages: writing to a shared one is a fault too."""
        key = (stat.ticks, stat.faults, stat.resident)
        known = self._sizes.get(pid)
        if known is not None and known[0] == key:
            return known[1]
        size = self.processes.memory(pid) or Memory(0, 0)
        self._sizes[pid] = (key, size)
        return size

    def _forget(self, living: set[int]) -> None:
        self._sizes = {pid: size for pid, size in self._sizes.items() if pid in living}

    def _sample_machine(self, now: float, moment: datetime) -> None:
        machine, before = self.processes.load(), self._machine
        self._machine = _Point(machine.cpu, now)
        if before is not None and now > before.at:
            window = now - before.at
            self.node = Used(max(0.0, machine.cpu - before.cpu) / window, machine.memory, moment, window)


def _is_leader(one: Running, stats: Mapping[int, Stat]) -> bool:
    leader = stats.get(one.process.pid)
    return leader is not None and leader.ticks == one.process.ticks


def _from_start(one: Running, now: float, moment: datetime, period: float) -> _Point | None:
    """A run that is new has used nothing when it started; of one that is adopted we don't know when it used what."""
    age = moment.timestamp() - one.started_at
    return _Point(0.0, now - age) if min(_FRESH, period) <= age <= 2 * period else None


def report(used: Mapping[Running, Used], pods: Iterable[Pod], node: Used | None, name: str) -> Report:
    """The latest figures of `pods`; one is left out until each of its containers has a figure, as in metrics-server."""
    by_pod: dict[str, dict[str, Used]] = defaultdict(dict)
    for one, figures in used.items():
        by_pod[one.uid][one.container] = figures
    listed = [
        PodUse(
            namespace=pod.metadata.namespace,
            name=pod.metadata.name,
            labels=pod.metadata.labels,
            containers=[_use(figures, container) for container, figures in found.items()],
        )
        for pod in pods
        if (found := by_pod.get(pod.metadata.uid)) and all(one.name in found for one in pod.spec.containers)
    ]
    return Report(node=_use(node, name) if node is not None else None, pods=listed)


def _use(used: Used, name: str) -> Use:
    return Use(name=name, cpu=used.cpu, memory=used.memory, at=micro_timestamp(used.at), window=used.window)
