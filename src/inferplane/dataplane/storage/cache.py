"""The models that were fetched to this machine: content once, whoever asked for it, bounded in size.

    blobs/AA/SHA256        a file, read-only; pods have hard links to it
    entries/AA/KEY.json    an object of a store at one version → the files it became
    partial/MODEL/         what is on its way; a killed fetch goes on from it
    staging/ID/            a model being put together; its lock is held by the process that does it
    locks/MODEL            held by whoever fetches, so that ten pods fetch once

What is in use is known from the file system alone: a blob that a pod uses has a second link, which goes with the pod's
directory. So nothing has to be told, and nothing can be forgotten, when a pod or this machine dies. A blob whose size
or time of change is not as recorded was written to by somebody, and is fetched again.
"""

import fcntl
import hashlib
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from inferplane.dataplane.storage.errors import StorageError

_ABANDONED = 24 * 3600 * 10**9
_BLOBS = "blobs.lock"


class KeptFile(msgspec.Struct, frozen=True, kw_only=True):
    """`link` is the target of a symbolic link, and then the rest is empty. Times in nanoseconds."""

    path: str
    sha256: str = ""
    size: int = 0
    changed: int = 0
    executable: bool = False
    link: str = ""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What an object became. `source` is for people who look."""

    source: str
    files: list[KeptFile]


@dataclass(frozen=True, slots=True)
class Found:
    """A file that was fetched, to be kept: where it is now, and where it belongs below the model's directory."""

    path: str
    file: Path
    sha256: str
    link: str = ""


@dataclass(frozen=True, slots=True)
class Cache:
    """`limit` in bytes, `now` in nanoseconds."""

    root: Path
    limit: int
    now: Callable[[], int] = time.time_ns

    # --- locks --------------------------------------------------------------------------------------------------------

    @contextmanager
    def fetching(self, model: str, waiting: Callable[[], None]) -> Iterator[Path]:
        """One process at a time per model; yields the directory for what is on its way. `waiting` is called once when
        another process is at it."""
        lock = self._made("locks") / model
        with lock.open("w") as held:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waiting()
                fcntl.flock(held, fcntl.LOCK_EX)
            partial = self.root / "partial" / model
            yield partial
            # Only after success: what a failed fetch brought is what the next one goes on from.
            shutil.rmtree(partial, ignore_errors=True)

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """An empty directory, removed afterwards; what it links to is not evicted meanwhile."""
        directory = self._made("staging") / uuid.uuid4().hex
        with self._blobs(fcntl.LOCK_SH):  # or it might be taken for one that a dead process left
            directory.mkdir()
            descriptor = os.open(directory, os.O_RDONLY)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            yield directory
        finally:
            shutil.rmtree(directory, ignore_errors=True)
            os.close(descriptor)

    @contextmanager
    def _blobs(self, how: int) -> Iterator[None]:
        """Shared while blobs are added and linked, exclusive while some are removed."""
        with (self._made("locks") / _BLOBS).open("w") as held:
            fcntl.flock(held, how)
            yield

    # --- use ----------------------------------------------------------------------------------------------------------

    def take(self, key: str, into: Path) -> bool:
        """Links what `key` became below `into`. False when it is not here, or not as it was."""
        record = self._record(key)
        try:
            kept = msgspec.json.decode(record.read_bytes(), type=Kept)
        except (FileNotFoundError, msgspec.DecodeError):
            return False
        with self._blobs(fcntl.LOCK_SH):
            if not all(one.link or self._intact(one) for one in kept.files):
                record.unlink(missing_ok=True)
                return False
            for one in kept.files:
                self._link(one, into)
        return True

    def keep(self, key: str, source: str, found: Sequence[Found], into: Path) -> None:
        """Moves files into the cache, and links them below `into`. Without a key nothing will find them again."""
        with self._blobs(fcntl.LOCK_SH):
            files = [self._adopt(one) for one in found]
            for one in files:
                self._link(one, into)
        if key:
            record = self._record(key)
            record.parent.mkdir(parents=True, exist_ok=True)
            draft = record.with_name(f".{uuid.uuid4().hex}")
            draft.write_bytes(msgspec.json.encode(Kept(source=source, files=files)))
            draft.replace(record)

    def _adopt(self, found: Found) -> KeptFile:
        if found.link:
            return KeptFile(path=found.path, link=found.link)
        status = found.file.stat()
        executable = bool(status.st_mode & 0o100)
        blob = self._blob(found.sha256, executable)
        blob.parent.mkdir(parents=True, exist_ok=True)
        if blob.exists() and blob.stat().st_size == status.st_size:
            found.file.unlink()
        else:
            # Nobody should write through a link into what others serve from.
            found.file.chmod(0o555 if executable else 0o444)
            found.file.replace(blob)
        kept = blob.stat()
        return KeptFile(
            path=found.path,
            sha256=found.sha256,
            size=kept.st_size,
            changed=kept.st_mtime_ns,
            executable=executable,
        )

    def _intact(self, one: KeptFile) -> bool:
        blob = self._blob(one.sha256, one.executable)
        try:
            status = blob.stat()
        except FileNotFoundError:
            return False
        if (status.st_size, status.st_mtime_ns) == (one.size, one.changed):
            return True
        blob.unlink(missing_ok=True)
        return False

    def _link(self, one: KeptFile, into: Path) -> None:
        target = into / one.path
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
            if one.link:
                target.symlink_to(one.link)
                return
            blob = self._blob(one.sha256, one.executable)
            os.utime(blob, ns=(self.now(), one.changed))
            os.link(blob, target)
        except (NotADirectoryError, IsADirectoryError, FileExistsError) as error:
            raise StorageError(
                f"{one.path}: an object is in the way of another one below it: {error.strerror}",
                fix="a name can't be both a file and a directory: rename one of them in the store",
            ) from error

    # --- eviction -----------------------------------------------------------------------------------------------------

    def size(self) -> int:
        """Bytes of all blobs."""
        return sum(blob.stat().st_size for blob in self._all_blobs())

    def trim(self) -> int:
        """Removes what was used longest ago until the limit is kept, never what a pod uses; returns the bytes freed.

        What killed processes left is removed, too.
        """
        with self._blobs(fcntl.LOCK_EX):
            self._tidy()
            removed = self._evict()
        if removed:
            self._forget(set(removed))
        return sum(removed.values())

    def _evict(self) -> dict[str, int]:
        blobs = [(blob, blob.stat()) for blob in self._all_blobs()]
        excess = sum(status.st_size for _, status in blobs) - self.limit
        removed: dict[str, int] = {}
        for blob, status in sorted(blobs, key=lambda one: one[1].st_atime_ns):
            if excess <= 0:
                break
            if status.st_nlink == 1:
                blob.unlink()
                excess -= status.st_size
                removed[blob.name] = status.st_size
        return removed

    def _forget(self, blobs: set[str]) -> None:
        """Drops the records of what is gone; `take` would, too, but only when somebody asks."""
        for record in (self.root / "entries").glob("*/*.json"):
            try:
                kept = msgspec.json.decode(record.read_bytes(), type=Kept)
            except (FileNotFoundError, msgspec.DecodeError):
                continue  # another process was faster
            if any(_blob_name(one.sha256, one.executable) in blobs for one in kept.files):
                record.unlink(missing_ok=True)

    def _tidy(self) -> None:
        for directory in self._made("staging").iterdir():
            if not _is_held(directory):
                shutil.rmtree(directory, ignore_errors=True)
        for directory in self._made("partial").iterdir():
            old = self.now() - directory.stat().st_mtime_ns > _ABANDONED
            if old and not _is_held(self.root / "locks" / directory.name):
                shutil.rmtree(directory, ignore_errors=True)

    # --- places -------------------------------------------------------------------------------------------------------

    def _made(self, name: str) -> Path:
        directory = self.root / name
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        return directory

    def _blob(self, sha256: str, executable: bool) -> Path:
        return self.root / "blobs" / sha256[:2] / _blob_name(sha256, executable)

    def _all_blobs(self) -> list[Path]:
        return list((self.root / "blobs").glob("*/*"))

    def _record(self, key: str) -> Path:
        return self.root / "entries" / key[:2] / f"{key}.json"


def key_of(*words: str) -> str:
    """A name for files, of words that together are unique."""
    return hashlib.sha256("\0".join(words).encode()).hexdigest()


def _blob_name(sha256: str, executable: bool) -> str:
    return f"{sha256}.x" if executable else sha256


def _is_held(path: Path) -> bool:
    """Does a living process have the lock of this file or directory?"""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
