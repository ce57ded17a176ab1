"""Containers' logs: one file a run, written by the process itself, so that no keeper has to be there to carry them.

The file holds exactly what the process wrote. When a line came is kept beside it, to the second: `Journal.note` looks
at the sizes of living runs' logs once a second and writes down "by now it was that long" when one grew; it also
rotates. `stream` answers a kubelet's log request from both.

Rotation copies and truncates (the process keeps its descriptor, opened to append): lines written between the two steps,
some microseconds, are lost.
"""

import os
import shutil
import struct
from bisect import bisect_left, bisect_right
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from inferplane.kernel.clock import Clock, micro_timestamp

ROTATE_AT = 10 * 1024 * 1024
_FOLLOW_EVERY = 0.1
_MARK = struct.Struct("<Qd")
_BLOCK = 1 << 18


def marks_path(log: Path) -> Path:
    return log.with_suffix(".marks")


def rotated_path(log: Path) -> Path:
    return log.with_suffix(".log.1")


@dataclass(frozen=True, slots=True)
class Query:
    """A kubelet's `PodLogOptions`. `tail` (lines) and `limit` (bytes): None for all. `since`: epoch seconds or 0.0."""

    follow: bool = False
    tail: int | None = None
    timestamps: bool = False
    since: float = 0.0
    limit: int | None = None


@dataclass(slots=True)
class Journal:
    """The sizes of the logs of living runs, as last seen."""

    limit: int = ROTATE_AT
    _sizes: dict[Path, int] = field(default_factory=dict)

    def note(self, logs: Iterable[Path], now: float) -> None:
        seen: dict[Path, int] = {}
        for log in logs:
            try:
                size = os.stat(log).st_size
            except FileNotFoundError:
                continue  # the run is starting, or its pod is being removed
            if size > self._sizes.get(log, 0):
                with marks_path(log).open("ab") as marks:
                    marks.write(_MARK.pack(size, now))
            seen[log] = _rotate(log) if size > self.limit else size
        self._sizes = seen


def _rotate(log: Path) -> int:
    shutil.copyfile(log, rotated_path(log))
    os.truncate(log, 0)
    marks_path(log).unlink(missing_ok=True)
    return 0


async def stream(log: Path, query: Query, clock: Clock, ended: Callable[[], bool]) -> AsyncIterator[bytes]:
    """What the log holds; with `follow` also what is added, until the run has `ended`. Raises FileNotFoundError."""
    left = query.limit
    with log.open("rb") as file:
        reader = _Reader(log, file.fileno(), _first_offset(log, file.fileno(), query), query.timestamps)
        while True:
            # Asked before reading: what was written before the end is then read for certain.
            last = ended() or not query.follow
            while block := reader.take(partial=last):
                yield block if left is None else block[:left]
                if left is not None and (left := left - len(block)) <= 0:
                    return
            if last:
                return
            await clock.sleep(_FOLLOW_EVERY)


def last_lines(log: Path, lines: int, limit: int) -> str:
    """The end of a log for a termination message: at most `lines` lines and `limit` bytes, "" without a log."""
    try:
        with log.open("rb") as file:
            end = os.fstat(file.fileno()).st_size
            offset = max(_tail_offset(file.fileno(), lines), end - limit)
            return os.pread(file.fileno(), end - offset, offset).decode(errors="replace").strip()
    except FileNotFoundError:
        return ""


@dataclass(slots=True)
class _Reader:
    log: Path
    descriptor: int
    offset: int
    timestamps: bool

    def take(self, *, partial: bool) -> bytes:
        """The next block of whole lines (`partial`: or of what is there), b"" when there is none."""
        if os.fstat(self.descriptor).st_size < self.offset:
            self.offset = 0  # rotated
        block = os.pread(self.descriptor, _BLOCK, self.offset)
        whole = block[: block.rfind(b"\n") + 1]
        # A line longer than a block goes out in pieces.
        if whole or not (partial or len(block) == _BLOCK):
            block = whole
        start, self.offset = self.offset, self.offset + len(block)
        return self._stamped(block, start) if self.timestamps else block

    def _stamped(self, block: bytes, offset: int) -> bytes:
        times = _Times(self.log)
        stamped = bytearray()
        for line in block.splitlines(keepends=True):
            moment = datetime.fromtimestamp(times.at(offset), UTC)
            stamped += micro_timestamp(moment).encode() + b" " + line
            offset += len(line)
        return bytes(stamped)


class _Times:
    """The marks of a log: at `times[i]` it was `sizes[i]` bytes long."""

    def __init__(self, log: Path) -> None:
        try:
            data = marks_path(log).read_bytes()
        except FileNotFoundError:
            data = b""
        marks = list(_MARK.iter_unpack(data[: len(data) // _MARK.size * _MARK.size]))
        self.sizes = [size for size, _ in marks]
        self.times = [time for _, time in marks]
        self._last = log.stat().st_mtime

    def at(self, offset: int) -> float:
        """When the byte at `offset` had been written, for all we know."""
        index = bisect_right(self.sizes, offset)
        return self.times[index] if index < len(self.times) else self._last

    def offset_since(self, moment: float) -> int:
        index = bisect_left(self.times, moment)
        return self.sizes[index - 1] if index else 0


def _first_offset(log: Path, descriptor: int, query: Query) -> int:
    tail = 0 if query.tail is None else _tail_offset(descriptor, query.tail)
    if not query.since:
        return tail
    times = _Times(log)
    size = os.fstat(descriptor).st_size
    return max(tail, times.offset_since(query.since) if times.at(size) >= query.since else size)


def _tail_offset(descriptor: int, lines: int) -> int:
    """Where the last `lines` lines begin; reads the file backwards, so a long log costs no more than its end."""
    end = offset = os.fstat(descriptor).st_size
    if lines <= 0:
        return end
    if offset and os.pread(descriptor, 1, offset - 1) == b"\n":
        offset -= 1  # it ends the last line and begins none
    while offset > 0:
        start = max(0, offset - _BLOCK)
        block = os.pread(descriptor, offset - start, start)
        while (found := block.rfind(b"\n")) != -1:
            lines -= 1
            if lines == 0:
                return start + found + 1
            block = block[:found]
        offset = start
    return 0
