"""CPU and memory of made-up processes over made-up time."""

import asyncio
import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest
from tests.fakes.clock import FakeClock

from inferplane.controlplane.node import procfs
from inferplane.controlplane.node.procfs import Identity, Load, Memory, Stat
from inferplane.controlplane.node.usage import Running, Sampler, report
from inferplane.resources.core import Container, Pod, PodSpec
from inferplane.resources.meta import ObjectMeta

START = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
TICKS = 100  # a second; procfs reads the system's, which is 100 on all Linux machines we run on


@dataclass
class Machine:
    """`stats` by pid; `read` counts how often memory was looked into."""

    stats: dict[int, Stat] = field(default_factory=dict)
    sizes: dict[int, Memory] = field(default_factory=dict)
    busy: float = 0.0
    read: list[int] = field(default_factory=list)

    def all_processes(self) -> Iterable[tuple[int, Stat]]:
        return list(self.stats.items())

    def memory(self, pid: int) -> Memory | None:
        self.read.append(pid)
        return self.sizes.get(pid)

    def load(self) -> Load:
        return Load(self.busy, 5_000)

    def work(self, pid: int, seconds: float, *, faults: int = 0) -> None:
        one = self.stats[pid]
        self.stats[pid] = replace(one, cpu=one.cpu + round(seconds * TICKS), faults=one.faults + faults)


def run(pid: int = 10, *, container: str = "main", age: float = 3600.0) -> Running:
    return Running("ml", "iris-0", "uid-0", container, Identity(pid, pid, "boot"), START - age)


def process(pid: int, *, session: int = 0, cpu: int = 0, ticks: int | None = None, state: str = "S") -> Stat:
    return Stat(state, 1, session or pid, pid if ticks is None else ticks, faults=1, resident=1, cpu=cpu)


@pytest.fixture
def machine() -> Machine:
    return Machine({10: process(10)}, {10: Memory(1000, 3000)})


def sampler(machine: Machine, clock: FakeClock, *living: Running) -> Sampler:
    found = Sampler(lambda: living or (run(),), machine, clock, 15.0, "here")
    found.sample()
    return found


def cores(one: Sampler) -> dict[str, float]:
    return {run.container: round(used.cpu, 3) for run, used in one.pods.items()}


def test_cpu_is_what_was_used_between_two_samples(machine: Machine) -> None:
    clock = FakeClock()
    one = sampler(machine, clock)
    machine.work(10, 3.0)
    clock.advance(15.0)
    assert one.pods == {}
    one.sample()
    assert cores(one) == {"main": 0.2}
    [used] = one.pods.values()
    assert (used.window, used.memory) == (15.0, 1000)


def test_all_processes_of_the_session_count_and_those_that_have_ended_through_their_parent(machine: Machine) -> None:
    clock = FakeClock()
    machine.stats[11] = process(11, session=10)
    machine.sizes[11] = Memory(10, 500)
    one = sampler(machine, clock)
    machine.work(10, 1.0)
    machine.work(11, 2.0)
    clock.advance(10.0)
    one.sample()
    assert cores(one) == {"main": 0.3}
    # Several processes share pages among themselves: the proportional shares add up to what they take together.
    assert [used.memory for used in one.pods.values()] == [3500]
    del machine.stats[11]
    machine.work(10, 2.0)
    clock.advance(10.0)
    one.sample()
    assert cores(one) == {"main": 0.0}


def test_a_new_container_is_measured_from_its_start(machine: Machine) -> None:
    machine.work(10, 6.0)
    assert cores(sampler(machine, FakeClock(), run(age=12.0))) == {"main": 0.5}


@pytest.mark.parametrize("age", [5.0, 31.0])
def test_one_that_is_too_young_or_was_taken_over_waits_for_the_second_sample(machine: Machine, age: float) -> None:
    assert cores(sampler(machine, FakeClock(), run(age=age))) == {}


def test_a_pid_of_somebody_else_by_now_is_not_the_container(machine: Machine) -> None:
    clock = FakeClock()
    one = sampler(machine, clock)
    machine.stats[10] = process(10, ticks=999)
    clock.advance(15.0)
    one.sample()
    assert one.pods == {}


def test_a_zombie_is_no_use(machine: Machine) -> None:
    machine.stats[10] = process(10, state="Z")
    assert cores(sampler(machine, FakeClock(), run(age=12.0))) == {}


def test_the_memory_of_an_idle_process_is_read_once(machine: Machine) -> None:
    clock = FakeClock()
    one = sampler(machine, clock)
    for faults in (0, 0, 1, 0):
        machine.work(10, 0.0, faults=faults)
        clock.advance(15.0)
        one.sample()
    assert machine.read == [10, 10]


def test_the_machine_is_measured_too(machine: Machine) -> None:
    clock = FakeClock()
    one = sampler(machine, clock)
    machine.busy = 12.0
    clock.advance(8.0)
    one.sample()
    assert one.node is not None
    assert (one.node.cpu, one.node.memory) == (1.5, 5_000)


def pod(*containers: str, uid: str = "uid-0") -> Pod:
    meta = ObjectMeta(name="iris-0", namespace="ml", uid=uid, labels={"app": "iris"})
    return Pod(metadata=meta, spec=PodSpec(containers=[Container(name=one) for one in containers]))


@pytest.mark.parametrize(
    ("one", "told"),
    [
        (pod("main", "agent"), [("iris-0", ["agent", "main"])]),
        (pod("main", "agent", "late"), []),
        (pod("main", "agent", uid="a namesake"), []),
    ],
)
def test_a_pod_is_reported_once_each_container_has_a_figure(
    machine: Machine, one: Pod, told: list[tuple[str, list[str]]]
) -> None:
    machine.stats[20] = process(20)
    machine.sizes[20] = Memory(7, 7)
    found = sampler(machine, FakeClock(), run(age=12.0), run(20, container="agent", age=12.0))
    said = report(found.pods, [one], found.node, found.name)
    assert [(each.name, sorted(use.name for use in each.containers)) for each in said.pods] == told
    assert {use.at for each in said.pods for use in each.containers} <= {"2026-01-01T00:00:00.000000Z"}
    assert {label for each in said.pods for label in each.labels.items()} <= {("app", "iris")}
    assert said.node is None


class Told(FakeClock):
    """Says when somebody sleeps."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: asyncio.Queue[float] = asyncio.Queue()

    async def sleep(self, seconds: float) -> None:
        self.slept.put_nowait(seconds)
        await super().sleep(seconds)


async def test_it_samples_again_and_again(machine: Machine) -> None:
    clock = Told()
    one = Sampler(lambda: (run(age=12.0),), machine, clock, 15.0)
    task = asyncio.create_task(one.run())
    try:
        async with asyncio.timeout(60):
            windows = []
            for _ in range(3):
                assert await clock.slept.get() == 15.0
                windows += [round(used.window, 1) for used in one.pods.values()]
                await asyncio.sleep(0)
                clock.advance(15.0)
    finally:
        task.cancel()
    assert windows == [12.0, 15.0, 15.0]


def test_the_figures_of_this_very_process_are_read() -> None:
    me = procfs.stat(os.getpid())
    size = procfs.memory(os.getpid())
    assert me is not None
    assert size is not None
    assert me.cpu_seconds > 0
    assert 0 < size.private <= size.proportional <= me.resident * os.sysconf("SC_PAGE_SIZE") * 2
    assert procfs.memory(2**22 + 1) is None


def test_the_load_of_this_machine_is_read() -> None:
    found = procfs.load()
    assert found.cpu > 0
    assert found.memory > 1 << 20
