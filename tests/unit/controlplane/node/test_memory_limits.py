"""Which containers have more memory than their limit, on a made-up machine; then killed on this one (tests/e2e)."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from inferplane.controlplane.node.memory_limits import Limited, MemoryWatch, memory_limit
from inferplane.controlplane.node.procfs import Identity, Load, Memory, Stat
from inferplane.kernel.clock import SystemClock
from inferplane.resources.core import Container, ResourceRequirements

PAGE = 4096


@dataclass
class Machine:
    """`read` has the processes whose memory was looked into."""

    stats: dict[int, Stat]
    sizes: dict[int, Memory] = field(default_factory=dict)
    read: list[int] = field(default_factory=list)

    def all_processes(self) -> Iterable[tuple[int, Stat]]:
        return self.stats.items()

    def memory(self, pid: int) -> Memory | None:
        self.read.append(pid)
        return self.sizes.get(pid)

    def load(self) -> Load:
        raise AssertionError("nobody asks for it")


def process(pid: int, pages: int, *, session: int = 0) -> Stat:
    return Stat("S", 1, session or pid, ticks=pid, resident=pages)


def over(machine: Machine, *limits: tuple[int, int]) -> list[tuple[int, int]]:
    """(pid, what it has) of those past their limit. `limits`: pid and pages."""
    living = [Limited(Identity(pid, pid, "boot"), pages * PAGE, lambda _: None) for pid, pages in limits]
    watch = MemoryWatch(lambda: living, machine, SystemClock(), PAGE)
    return [(one.process.pid, used) for one, used in watch.look(living)]


def test_who_has_fewer_pages_than_its_limit_is_not_looked_into() -> None:
    machine = Machine({7: process(7, 100)})
    assert over(machine, (7, 100)) == []
    assert machine.read == []


def test_pages_shared_with_the_zygote_do_not_count() -> None:
    machine = Machine({7: process(7, 100)}, {7: Memory(private=30 * PAGE, proportional=60 * PAGE)})
    assert over(machine, (7, 40)) == []
    assert over(machine, (7, 20)) == [(7, 30 * PAGE)]


def test_several_processes_have_their_shares_of_what_they_share() -> None:
    stats = {7: process(7, 60), 8: process(8, 60, session=7), 9: process(9, 10_000)}
    machine = Machine(stats, {7: Memory(10 * PAGE, 30 * PAGE), 8: Memory(10 * PAGE, 30 * PAGE)})
    assert over(machine, (7, 60)) == []
    assert over(machine, (7, 59)) == [(7, 60 * PAGE)]


def test_a_number_that_another_process_has_by_now_is_nobody() -> None:
    assert over(Machine({7: Stat("S", 1, 7, ticks=99, resident=100)}, {7: Memory(10**9, 10**9)}), (7, 1)) == []


def test_limits_are_quantities() -> None:
    assert memory_limit(Container(name="c", resources=ResourceRequirements(limits={"memory": "1.5Gi"}))) == 3 * 2**29
    assert memory_limit(Container(name="c")) is None
