"""Limits of what a pod may put on the disk, held by looking every ten seconds as a kubelet does.

A pod is evicted when an emptyDir has more than its `sizeLimit`, or a container more than its limit of
`ephemeral-storage` in its own directory and logs. Only what has a limit is measured.
"""

import asyncio
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from inferplane.controlplane.node.directories import PodDirectory
from inferplane.kernel.clock import Clock
from inferplane.resources.core import Container, Pod, Volume
from inferplane.resources.schemas.quantities import amount

_LOOK_EVERY = 10.0
_BLOCK = 512  # of `st_blocks`, stat(2)


@dataclass(frozen=True, slots=True)
class Bounded:
    """A directory that may hold so many bytes; `exceeded` is called when it holds more."""

    directory: Path
    limit: int
    exceeded: Callable[[], None]


@dataclass(slots=True)
class DiskWatch:
    bounded: Callable[[], Sequence[Bounded]]
    clock: Clock

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.clock.sleep(_LOOK_EVERY)
            await self.look()

    async def look(self) -> None:
        for one in self.bounded():
            if await asyncio.to_thread(size, one.directory) > one.limit:
                one.exceeded()


def bounds(pod: Pod, directory: PodDirectory, evict: Callable[[str], None]) -> Iterator[Bounded]:
    """What is limited in a pod. `evict` is given a kubelet's words."""
    for volume in pod.spec.volumes:
        if (limit := _volume_limit(volume)) is not None:
            words = f'Usage of EmptyDir volume "{volume.name}" exceeds the limit "{_text(volume)}". '
            yield Bounded(directory.volume(volume.name), limit, _telling(evict, words))
    for container in [*pod.spec.init_containers, *pod.spec.containers]:
        text = container.resources.limits.get("ephemeral-storage")
        if text is not None:
            words = f'Container {container.name} exceeded its local ephemeral storage limit "{text}". '
            yield Bounded(directory.container(container.name), int(amount(str(text))), _telling(evict, words))


def limited(pod: Pod) -> bool:
    containers: list[Container] = [*pod.spec.init_containers, *pod.spec.containers]
    return any(_volume_limit(one) is not None for one in pod.spec.volumes) or any(
        "ephemeral-storage" in one.resources.limits for one in containers
    )


def size(directory: Path) -> int:
    """Bytes on the disk of all files below; links count as themselves. What goes away meanwhile counts nothing."""
    found = 0
    try:
        for entry in os.scandir(directory):
            try:
                found += size(Path(entry.path)) if entry.is_dir(follow_symlinks=False) else _on_disk(entry)
            except FileNotFoundError:
                continue
    except (FileNotFoundError, NotADirectoryError):
        return found
    return found


def _on_disk(entry: "os.DirEntry[str]") -> int:
    return entry.stat(follow_symlinks=False).st_blocks * _BLOCK


def _volume_limit(volume: Volume) -> int | None:
    """No limit and a limit of 0 are the same, as in the API."""
    if volume.empty_dir is None or volume.empty_dir.size_limit is None:
        return None
    return int(amount(_text(volume))) or None


def _text(volume: Volume) -> str:
    return str(volume.empty_dir.size_limit) if volume.empty_dir is not None else ""


def _telling(evict: Callable[[str], None], words: str) -> Callable[[], None]:
    return lambda: evict(words)
