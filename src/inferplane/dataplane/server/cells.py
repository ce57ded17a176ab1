"""Numbers that are counted in one process and may be read in others: 64-bit floats in named groups of a memory region.

A region belongs to one writer, and each group once made stays where it is: counting is one addition in memory, and
reading another process's numbers asks it nothing. A region in shared memory outlives its writer; whoever takes the
writer's place goes on from there, so a sum over regions never goes back.

Layout: 8 bytes say how many are used. Then, group after group: 4 bytes length of the name, 4 bytes number of cells, the
name padded to a multiple of 8, the cells.
"""

import logging
import mmap
import struct
from collections.abc import Iterator
from typing import TypeAlias

log = logging.getLogger("inferplane.server")

Cells: TypeAlias = "memoryview[float]"
Region: TypeAlias = bytearray | mmap.mmap

SIZE = 1024 * 1024
"""Bytes of a region; pages that nothing is counted in take no memory."""

_USED = struct.Struct("=Q")
_GROUP = struct.Struct("=II")


def private() -> mmap.mmap:
    """A region of this process alone."""
    return mmap.mmap(-1, SIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)


def shared() -> mmap.mmap:
    """A region that processes forked from this one share."""
    return mmap.mmap(-1, SIZE)


class CellWriter:
    """The one writer of a region."""

    def __init__(self, region: Region) -> None:
        self._view = memoryview(region)
        self._used = max(_USED.size, _USED.unpack_from(self._view)[0])
        self._groups: dict[str, Cells] = dict(groups(region))
        self._full = False

    def group(self, name: str, count: int) -> Cells:
        """The cells of that name, zero at first."""
        found = self._groups.get(name)
        if found is None:
            found = self._groups[name] = self._made(name, count)
        return found

    def _made(self, name: str, count: int) -> Cells:
        text = name.encode()
        start = self._used + _GROUP.size + _padded(len(text))
        end = start + 8 * count
        if end > len(self._view):
            return self._private(count)
        self._view[self._used + _GROUP.size : self._used + _GROUP.size + len(text)] = text
        _GROUP.pack_into(self._view, self._used, len(text), count)
        self._used = end
        # Last, so that readers see the group whole or not at all.
        _USED.pack_into(self._view, 0, end)
        return self._view[start:end].cast("d")

    def _private(self, count: int) -> Cells:
        if not self._full:
            self._full = True
            log.warning("metrics: no room for more series; new ones are missing in /metrics")
        return memoryview(bytearray(8 * count)).cast("d")


def groups(region: Region) -> Iterator[tuple[str, Cells]]:
    """(name, cells) of a region, which may be another process's."""
    view = memoryview(region)
    (used,) = _USED.unpack_from(view)
    at = _USED.size
    while at < used:
        length, count = _GROUP.unpack_from(view, at)
        name = bytes(view[at + _GROUP.size : at + _GROUP.size + length]).decode()
        start = at + _GROUP.size + _padded(length)
        at = start + 8 * count
        yield name, view[start:at].cast("d")


def _padded(length: int) -> int:
    return (length + 7) // 8 * 8
