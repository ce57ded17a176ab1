"""What this process takes of the machine's memory, and giving freed memory back."""

import ctypes
import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, cast

_PAGE = os.sysconf("SC_PAGE_SIZE")
_STATM = Path("/proc/self/statm")


class Memory(Protocol):
    def used(self) -> int:
        """Bytes that the process has for itself."""
        ...

    def release(self) -> None:
        """Gives memory that is free in the process back to the system."""
        ...


class ProcessMemory:
    """By `/proc`: resident pages that are not backed by a file. Pages shared with a zygote count too, so the figure is
    never too small (20 µs)."""

    def __init__(self) -> None:
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        self._trim = cast("Callable[[int], int] | None", trim)

    def used(self) -> int:
        _, resident, shared, *_ = _STATM.read_text().split()
        return (int(resident) - int(shared)) * _PAGE

    def release(self) -> None:
        if self._trim is not None:
            self._trim(0)


def size_on_disk(directory: Path) -> int:
    """Bytes of the files below it, links followed."""
    found = (Path(where, name) for where, _, names in os.walk(directory, followlinks=True) for name in names)
    return sum(path.stat().st_size for path in found if path.is_file())
