"""Containers' CPU and memory limits held by the kernel, where its control groups can be written (root, as a rule).

Version 2 is used where it has both controllers, else version 1 for CPU alone: past its memory limit that kills one
process and leaves the rest of the container. Each container with a limit that somebody chose gets a group of its own
below the platform's; its first process joins before it becomes the container's, so all that it starts is in there too.
Where the kernel does not hold memory it is watched (`memory_limits`); where it does not hold CPU limits, they are named
in an event.
"""

import logging
import os
from dataclasses import dataclass, field
from pathlib import Path

from inferplane.controlplane.node.memory_limits import memory_limit
from inferplane.resources.core import Container
from inferplane.resources.schemas.quantities import amount

log = logging.getLogger(__name__)

SYSTEM, OWN = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
PERIOD = 100_000
"""Microseconds in which a container may use its CPU limit's share of them (Kubernetes' own)."""
_PROCESSES = "cgroup.procs"
_CONTROLLERS = ("cpu", "memory")
_TRIAL = ".trial"
_KSERVE_S = {"cpu": 1.0, "memory": 2 * 2**30}


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one container: cores and bytes, None for no limit."""

    cpu: float | None = None
    memory: int | None = None


def limits(container: Container) -> Limits:
    """Those that somebody chose: KServe puts 1 CPU and 2Gi on every container, which nobody asked for."""
    cpu = container.resources.limits.get("cpu")
    cores, memory = (amount(str(cpu)) if cpu is not None else None), memory_limit(container)
    chosen = Limits(float(cores) if cores is not None else None, memory)
    return Limits() if (chosen.cpu, chosen.memory) == tuple(_KSERVE_S.values()) else chosen


def settings(version: int, wanted: Limits) -> dict[str, str]:
    """What is written to hold the limits: values by files."""
    found: dict[str, str] = {}
    if wanted.cpu is not None:
        quota = max(1000, int(wanted.cpu * PERIOD))  # the kernel's least is a millisecond
        one = {"cpu.cfs_period_us": str(PERIOD), "cpu.cfs_quota_us": str(quota)}
        found |= {"cpu.max": f"{quota} {PERIOD}"} if version == 2 else one
    if wanted.memory is not None and version == 2:
        # All of the container ends, not only the process that asked for too much.
        found |= {"memory.max": str(wanted.memory), "memory.oom.group": "1"}
    return found


@dataclass(slots=True)
class Cgroups:
    """`place`: the platform's own group."""

    version: int
    place: Path
    _killed: dict[str, int] = field(default_factory=dict)

    def make(self, group: str, wanted: Limits) -> list[str]:
        """The container's group, with these limits: files (one, or none) that its first process writes its pid into.

        Raises OSError when the kernel takes one of the values not.
        """
        values = settings(self.version, wanted)
        if not values:
            return []
        directory = self.place / group
        directory.mkdir(exist_ok=True)
        for name, value in values.items():
            (directory / name).write_text(value)
        self._killed[group] = self._count(group)
        return [str(directory / _PROCESSES)]

    def out_of_memory(self, group: str) -> bool:
        """Has the kernel killed a process of the group for its memory since `make`?"""
        return self._count(group) > self._killed.get(group, 0)

    def remove(self, group: str) -> None:
        """Its processes have ended."""
        self._killed.pop(group, None)
        _remove(self.place / group)

    def tidy(self, living: set[str]) -> None:
        """Removes what a former node left of pods that are gone."""
        for directory in self.place.iterdir():
            if directory.is_dir() and directory.name not in living:
                _remove(directory)

    def close(self) -> None:
        """Removes the platform's groups, once no container is left."""
        self.tidy(set())
        _remove(self.place)

    def _count(self, group: str) -> int:
        try:
            text = (self.place / group / "memory.events").read_text()
        except FileNotFoundError:
            return 0
        counts = dict(line.split()[:2] for line in text.splitlines() if line)
        return int(counts.get("oom_kill", "0"))


def found(name: str, system: Path = SYSTEM, own: Path = OWN) -> Cgroups | None:
    """The platform's control group, made now; None where it can't be made or written."""
    for version, place in ((2, _version_2(name, system)), (1, _version_1(name, system, own))):
        if place is not None and _usable(version, place):
            return Cgroups(version, place)
    return None


def _version_2(name: str, system: Path) -> Path | None:
    """Directly below the root: a group with processes of its own, such as ours, cannot hand controllers down."""
    try:
        there = (system / "cgroup.controllers").read_text().split()
    except OSError:
        return None
    return system / name if set(_CONTROLLERS) <= set(there) else None


def _version_1(name: str, system: Path, own: Path) -> Path | None:
    """Below our own."""
    try:
        lines = [line.split(":", 2) for line in own.read_text().splitlines()]
    except OSError:
        return None
    ours = next((path for _, names, path in lines if "cpu" in names.split(",")), None)
    return None if ours is None or not (system / "cpu").is_dir() else system / "cpu" / ours.lstrip("/") / name


def _usable(version: int, place: Path) -> bool:
    """Makes the group, and tries whether a limit can be set in it."""
    try:
        place.mkdir(exist_ok=True)
        if version == 2:
            for one in (place.parent, place):
                (one / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in _CONTROLLERS))
        trial = Cgroups(version, place)
        trial.make(_TRIAL, Limits(1.0, 1 << 30))
        trial.remove(_TRIAL)
    except OSError as error:
        log.debug("control groups of version %d cannot be used: %s", version, error)
        return False
    return True


def _remove(directory: Path) -> None:
    try:
        os.rmdir(directory)
    except FileNotFoundError:
        pass
    except OSError as error:
        log.debug("control group stays group=%s error=%s", directory, error)  # tidy comes again
