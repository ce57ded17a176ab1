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
    """Fields 3, 4, 6 and 22 of `/proc/PID/stat`."""

    state: str
    parent: int
    session: int
    ticks: int


def stat(pid: int) -> Stat | None:
    """None when there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name in parentheses may hold spaces and parentheses itself.
    fields = text[text.rindex(b")") + 2 :].split()
    return Stat(fields[0].decode(), int(fields[1]), int(fields[3]), int(fields[19]))


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
        return [pid for pid, one in _all() if one.parent == parent]


def session_members(session: int) -> list[int]:
    """All processes of a session, its leader included. Reads all of `/proc`: some 10 µs a process."""
    return [pid for pid, one in _all() if one.session == session and one.state not in "ZX"]


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


def _all() -> Iterator[tuple[int, Stat]]:
    for entry in os.scandir("/proc"):
        if entry.name.isdecimal() and (one := stat(int(entry.name))) is not None:
            yield int(entry.name), one
