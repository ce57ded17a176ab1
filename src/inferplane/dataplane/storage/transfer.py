"""Objects of a store into files: in parts, several at once, resumed where they stopped, checked against the digest.

`fetch_all` gets entries and a directory; each entry becomes the file `directory/ID`. A killed process leaves `ID.part`
and `ID.done` (the numbers of the parts that are complete), from which the next goes on. What is called `ID` is whole.
"""

import errno
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from inferplane.dataplane.storage.digests import checked
from inferplane.dataplane.storage.errors import Changed, Interrupted, StorageError
from inferplane.dataplane.storage.remote import Entry, Remote
from inferplane.kernel.backoff import Backoff

PART = 32 << 20
_BACKOFF = Backoff(first=0.5, limit=10.0)


@dataclass(frozen=True, slots=True)
class Effort:
    """How hard to try: connections at once, tries in a row that bring nothing, how to wait between them (seconds)."""

    connections: int = 8
    tries: int = 5
    sleep: Callable[[float], None] = time.sleep


@dataclass(slots=True)
class Meter:
    """How far a fetch is, for whoever looks. `total` is 0 while a size is unknown."""

    files: int = 0
    total: int = 0
    done: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, count: int) -> None:
        with self._lock:
            self.done += count


@dataclass(frozen=True, slots=True)
class Job:
    """An entry and the name of its file."""

    entry: Entry
    id: str


def fetch_all(remote: Remote, jobs: Sequence[Job], directory: Path, meter: Meter, effort: Effort) -> dict[str, str]:
    """Brings every job's file; returns the SHA-256 of each by the job's id.

    Raises StorageError, Changed among them, once all connections have ended.
    """
    directory.mkdir(parents=True, exist_ok=True)
    sizes = [job.entry.size for job in jobs]
    meter.files, meter.total = len(jobs), sum(size or 0 for size in sizes) if None not in sizes else 0
    with _disk_errors(directory, meter.total), ThreadPoolExecutor(effort.connections, "storage") as pool:
        _check_space(directory, meter.total)
        files = [_File(remote, job, directory, meter, effort) for job in jobs]
        _all_of([pool.submit(file.fetch, part) for file in files for part in file.missing()], files)
        return dict(pool.map(_File.finish, files))


def _all_of(pieces: "list[Future[None]]", files: "list[_File]") -> None:
    """The first failure stops the rest."""
    done, _ = wait(pieces, return_when=FIRST_EXCEPTION)
    failures = [error for piece in done if (error := piece.exception()) is not None]
    if not failures:
        return
    for piece in pieces:
        piece.cancel()
    for file in files:
        file.stopping.set()
    raise failures[0]


@contextmanager
def _disk_errors(directory: Path, wanted: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise full(directory, wanted) from error
        raise


def full(directory: Path, wanted: int) -> StorageError:
    return StorageError(
        f"no space left on the disk of {directory}: expected room for {wanted} bytes, got {_free(directory)}",
        fix="free some, or put INFERPLANE_HOME on a larger disk",
    )


def _free(directory: Path) -> int:
    return shutil.disk_usage(directory).free


def _check_space(directory: Path, wanted: int) -> None:
    if wanted > _free(directory):
        raise full(directory, wanted)


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes `start` to `stop`; None is the end, wherever that is."""

    number: int
    start: int
    stop: int | None


def parts_of(size: int | None, *, ranges: bool) -> list[Part]:
    """One part where a store can't begin in the middle, or the length is unknown."""
    if size is None or not ranges or size <= PART:
        return [Part(0, 0, size)]
    return [Part(number, start, min(start + PART, size)) for number, start in enumerate(range(0, size, PART))]


def _write(descriptor: int, chunk: bytes, at: int) -> None:
    """All of it: a disk that is nearly full takes a part first, and then says that it is full."""
    left = memoryview(chunk)
    while left:
        written = os.pwrite(descriptor, left, at)
        left, at = left[written:], at + written


@dataclass(slots=True)
class _File:
    """One object on its way to the disk."""

    remote: Remote
    job: Job
    directory: Path
    meter: Meter
    effort: Effort
    stopping: threading.Event = field(default_factory=threading.Event)
    _journaling: threading.Lock = field(default_factory=threading.Lock)

    @property
    def _partial(self) -> Path:
        return self.directory / f"{self.job.id}.part"

    @property
    def _journal(self) -> Path:
        return self.directory / f"{self.job.id}.done"

    def missing(self) -> list[Part]:
        """The parts that a former process did not complete; all of them, when it can't be known what they were of."""
        parts = parts_of(self.job.entry.size, ranges=self.remote.ranges)
        have = self._complete(parts) if self.job.entry.version else set()
        if not have:
            self._partial.write_bytes(b"")
            self._journal.write_text("")
        for part in parts:
            if str(part.number) in have and part.stop is not None:
                self.meter.add(part.stop - part.start)
        return [part for part in parts if str(part.number) not in have]

    def _complete(self, parts: Sequence[Part]) -> set[str]:
        """Numbers of the parts that are there."""
        whole = self.directory / self.job.id
        if whole.exists():  # that process was killed while it checked the last files
            whole.replace(self._partial)
            return {str(part.number) for part in parts}
        if not (self._journal.exists() and self._partial.exists()):
            return set()
        return set(self._journal.read_text().split())

    def fetch(self, part: Part) -> None:
        descriptor = os.open(self._partial, os.O_WRONLY)
        try:
            end = self._fetch(part, descriptor)
            if part.stop is None:
                os.ftruncate(descriptor, end)
        finally:
            os.close(descriptor)
        with self._journaling, self._journal.open("a") as journal:
            journal.write(f"{part.number}\n")

    def _fetch(self, part: Part, descriptor: int) -> int:
        """Where the part ended. What one connection leaves undone the next one goes on with."""
        at, tries = part.start, 0
        while at != part.stop:
            before = at
            try:
                for chunk in self.remote.read(self.job.entry, at, part.stop):
                    _write(descriptor, chunk, at)
                    at += len(chunk)
                    self.meter.add(len(chunk))
                    if self.stopping.is_set():
                        raise Interrupted(f"{self.remote.name}: given up: another object failed")
                if part.stop is None or at == part.stop:
                    return at
                failure: StorageError = self._wrong_length(at, part.stop)
            except Interrupted as error:
                failure = error
            tries = 1 if self.remote.ranges and at > before else tries + 1
            if tries >= self.effort.tries or self.stopping.is_set():
                raise self._gave_up(failure, at, tries) from failure
            if not self.remote.ranges:
                self.meter.add(part.start - at)
                at = part.start
            self.effort.sleep(_BACKOFF.delay(tries))
        return at

    def _wrong_length(self, at: int, stop: int) -> StorageError:
        name = f"{self.remote.name}: {self.job.entry.path}"
        if at > stop:
            raise Changed(f"{name}: longer than listed: expected {stop} bytes, got {at}", fix="it is fetched again")
        return Interrupted(f"{name}: expected {stop} bytes, got {at}")

    def _gave_up(self, failure: StorageError, at: int, tries: int) -> StorageError:
        size = self.job.entry.size
        of = f" of {size}" if size is not None else ""
        return StorageError(
            f"{failure.message} (file {self.job.entry.path}: {at}{of} bytes fetched, {tries} tries in a row)",
            fix="what was fetched is kept, the next try goes on from there" if self.remote.ranges else failure.fix,
        )

    def finish(self) -> tuple[str, str]:
        """Checks the whole file and gives it its name."""
        try:
            digest = checked(self._partial, self.job.entry, self.remote)
        except StorageError:
            self._partial.unlink()
            raise
        finally:
            self._journal.unlink(missing_ok=True)
        self._partial.replace(self.directory / self.job.id)
        return self.job.id, digest
