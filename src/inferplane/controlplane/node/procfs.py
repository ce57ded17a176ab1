"""Processes as Linux shows them in `/proc`: who they are for certain, who belongs to whom (proc(5)).

A pid alone may be given to another process later. A pid with its start time is unique until the next boot, and after a
boot the start times begin again, so the identity carries the boot's id too.
"""

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import msgspec


class Identity(msgspec.Struct, frozen=True):
    """`ticks`: clock ticks from boot to the start of the process. `boot`: the kernel's boot id."""

    pid: int
    ticks: int
    boot: str


@dataclass(frozen=True, slots=True)
class Stat:
    """Fields 3, 4, 6, 22, 10, 24 and the sum of 14 to 17 of `/proc/PID/stat`.

    `faults`: pages that came without reading from a disk; `resident`: pages in memory; `cpu`: clock ticks of it
    and of its children that have ended.
    """

    state: str
    parent: int
    session: int
    ticks: int
    faults: int = 0
    resident: int = 0
    cpu: int = 0

    @property
    def cpu_seconds(self) -> float:
        return self.cpu / _TICKS_A_SECOND


_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
"""Bytes of one of `Stat.resident`."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes: `private` pages belong to the process alone; of shared ones `proportional` counts its share too."""

    private: int
    proportional: int


@dataclass(frozen=True, slots=True)
class Load:
    """Of the whole machine. `cpu`: seconds in which cores were busy since boot; `memory`: bytes in use."""

    cpu: float
    memory: int


def stat(pid: int) -> Stat | None:
    """None when there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name in parentheses may hold spaces and parentheses itself.
    fields = text[text.rindex(b")") + 2 :].split()
    cpu = int(fields[11]) + int(fields[12]) + int(fields[13]) + int(fields[14])
    return Stat(
        fields[0].decode(), int(fields[1]), int(fields[3]), int(fields[19]), int(fields[7]), int(fields[21]), cpu
    )


@cache
def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def identity(pid: int) -> Identity | None:
    """None when there is no such process."""
    found = stat(pid)
    return None if found is None else Identity(pid, found.ticks, boot_id())


def alive(who: Identity) -> bool:
    """Is it still that very process, and not yet a zombie?"""
    found = stat(who.pid)
    return found is not None and found.ticks == who.ticks and found.state not in "ZX" and who.boot == boot_id()


def children(parent: int) -> list[int]:
    """Direct children of a single-threaded process (or of the main thread of another)."""
    try:
        return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        # Gone, or a kernel without CONFIG_PROC_CHILDREN: then every process is asked for its parent.
        return [pid for pid, one in all_processes() if one.parent == parent]


def session_members(session: int) -> list[int]:
    """All processes of a session, its leader included. Reads all of `/proc`: some 10 µs a process."""
    return [pid for pid, one in all_processes() if one.session == session and one.state not in "ZX"]


def kill_session(leader: Identity) -> None:
    """SIGKILL to everything in the session of `leader`. Does nothing when the session's id is somebody else's."""
    if leader.boot != boot_id():
        return
    current = stat(leader.pid)
    if current is not None and current.ticks != leader.ticks:
        return
    for pid in session_members(leader.pid):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # it ended meanwhile, which is what we want


def all_processes() -> Iterator[tuple[int, Stat]]:
    """Of everybody, as far as they may be seen."""
    for entry in os.scandir("/proc"):
        if entry.name.isdecimal() and (one := stat(int(entry.name))) is not None:
            yield int(entry.name), one


def memory(pid: int) -> Memory | None:
    """None when there is no such process (or it is not ours to look into)."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    kibibytes = {
        name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in text.splitlines()[1:])
    }
    private = kibibytes["Private_Clean"] + kibibytes["Private_Dirty"] + kibibytes["Private_Hugetlb"]
    return Memory(private * 1024, kibibytes["Pss"] * 1024)


def load() -> Load:
    """As `top` reckons it: cores are idle while they wait for a disk; memory in use is what is not available."""
    times = [int(one) for one in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    idle = times[3] + times[4]
    sizes = {name: int(rest.split()[0]) for name, _, rest in _lines("/proc/meminfo")}
    return Load((sum(times) - idle) / _TICKS_A_SECOND, (sizes["MemTotal"] - sizes["MemAvailable"]) * 1024)


def _lines(path: str) -> Iterator[tuple[str, str, str]]:
    return (line.partition(":") for line in Path(path).read_text().splitlines())
