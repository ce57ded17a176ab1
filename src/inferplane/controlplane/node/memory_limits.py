"""Memory limits, held by watching: a container that has more memory than its limit is killed and says OOMKilled.

There is no cgroup to hold it at its limit, and rlimits count address space, of which numpy's thread pools and mapped
models have far more than memory. So the node looks: every half second, or less often when looking takes long (with a
thousand containers, every few seconds). Between two looks a container can be over its limit.

A first walk counts resident pages, which is quick but also counts what forks share with their zygote. Only where that
is past the limit is it looked up what the container has for itself, as `usage` counts it.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from inferplane.controlplane.node.procfs import Identity, Stat
from inferplane.controlplane.node.usage import Processes
from inferplane.kernel.clock import Clock
from inferplane.resources.core import Container
from inferplane.resources.schemas.quantities import amount

_LEAST_PERIOD = 0.5
# At most one part in so many of a core is spent on looking.
_SPARING = 250


@dataclass(frozen=True, slots=True)
class Limited:
    """A running container with a limit (bytes). `exceeded` is called, with what it has, when it has more."""

    process: Identity
    limit: int
    exceeded: Callable[[int], None]


def memory_limit(container: Container) -> int | None:
    """Bytes; None without a limit."""
    found = container.resources.limits.get("memory")
    return int(amount(str(found))) if found is not None else None


@dataclass(slots=True)
class MemoryWatch:
    limited: Callable[[], Sequence[Limited]]
    processes: Processes
    clock: Clock
    page: int

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            cost = 0.0
            if living := self.limited():
                found, cost = await asyncio.to_thread(self._timed, living)
                for one, used in found:
                    one.exceeded(used)
            await self.clock.sleep(max(_LEAST_PERIOD, cost * _SPARING))

    def look(self, living: Sequence[Limited]) -> list[tuple[Limited, int]]:
        """Those that have more than their limit, each with what it has."""
        sessions: dict[int, dict[int, Stat]] = defaultdict(dict)
        wanted = {one.process.pid for one in living}
        for pid, stat in self.processes.all_processes():
            if stat.session in wanted and stat.state not in "ZX":
                sessions[stat.session][pid] = stat
        used = ((one, self._used(one, sessions[one.process.pid])) for one in living)
        return [(one, size) for one, size in used if size > one.limit]

    def _timed(self, living: Sequence[Limited]) -> tuple[list[tuple[Limited, int]], float]:
        begun = time.thread_time()
        return self.look(living), time.thread_time() - begun

    def _used(self, one: Limited, stats: Mapping[int, Stat]) -> int:
        """At least what the container has; exactly that when it is past the limit."""
        leader = stats.get(one.process.pid)
        if leader is None or leader.ticks != one.process.ticks:
            return 0  # it has ended, and its number may be another's
        resident = sum(stat.resident for stat in stats.values()) * self.page
        if resident <= one.limit:
            return resident
        sizes = [size for pid in stats if (size := self.processes.memory(pid)) is not None]
        return sizes[0].private if len(sizes) == 1 else sum(size.proportional for size in sizes)
