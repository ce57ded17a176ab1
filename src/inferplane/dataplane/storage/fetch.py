"""A storage URI → files in a directory: out of the cache where nothing changed in the store, else fetched once.

The store is asked what is there and in which version; what the cache has of that is linked, the rest is fetched, and
only a model that is whole is put into its directory (`place`). Nothing else of this package decides anything.
"""

import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from inferplane.dataplane.storage import local, stores
from inferplane.dataplane.storage.archives import unpack
from inferplane.dataplane.storage.cache import Cache, Found, key_of
from inferplane.dataplane.storage.digests import sha256
from inferplane.dataplane.storage.errors import Changed, StorageError, empty, shown
from inferplane.dataplane.storage.remote import Entry, Remote, safe_path
from inferplane.dataplane.storage.settings import effective, patterns
from inferplane.dataplane.storage.transfer import Effort, Job, Meter, fetch_all
from inferplane.dataplane.storage.uris import LOCAL, archive_of, store_of

_TIMES = 3


def _nothing(words: str) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Fetcher:
    """`environ` holds the stores' variables (`settings`). `writable` gives pods files of their own, not links.

    `say` gets a line for people now and then; `meter` shows how far the present fetch is.
    """

    cache: Cache
    environ: Mapping[str, str] = field(default_factory=dict)
    effort: Effort = field(default_factory=Effort)
    writable: bool = False
    meter: Meter = field(default_factory=Meter)
    say: Callable[[str], None] = _nothing

    def fetch(self, uri: str, destination: Path) -> Path:
        """Makes what `uri` names appear in `destination`. Raises StorageError; then nothing was put there."""
        if store_of(uri) == LOCAL and not local.is_archive(uri):
            return local.fetch(uri, destination)
        environ = effective(self.environ)
        for attempt in range(_TIMES):
            try:
                return self._fetch(uri, stores.opened(uri, environ), destination)
            except Changed:
                if attempt == _TIMES - 1:
                    raise
                self.say(f"{shown(uri)} changed while it was fetched: beginning again")
        raise AssertionError("the last attempt returns or raises")

    def _fetch(self, uri: str, remote: Remote, destination: Path) -> Path:
        entries = self._wanted(uri, remote.entries())
        model = key_of(remote.name, *(f"{one.key} {one.version}" for one in entries))
        with (
            self.cache.fetching(
                model, lambda: self.say(f"waiting for another process that fetches {shown(uri)}")
            ) as partial,
            self.cache.staging() as stage,
        ):
            new = self._assemble(remote, entries, partial, stage)
            if not any(stage.iterdir()):
                raise StorageError(f"{shown(uri)}: no /{entries[0].within}/ directory in it, where the model would be")
            place(stage, destination, writable=self.writable)
        if new:
            self.cache.trim()
        return destination

    def _wanted(self, uri: str, found: Sequence[Entry]) -> list[Entry]:
        """What the patterns leave, with safe paths; a single file with the name of an archive is to be unpacked."""
        pattern = patterns(self.environ)
        entries = [replace(one, path=safe_path(one.path, shown(uri))) for one in found]
        if len(entries) > 1:
            entries = [one for one in entries if pattern.wants(one.path)]
        if not entries:
            raise empty(uri)
        if len(entries) == 1 and not entries[0].archive:
            return [replace(entries[0], archive=archive_of(entries[0].path))]
        return entries

    def _assemble(self, remote: Remote, entries: Sequence[Entry], partial: Path, stage: Path) -> bool:
        """Was anything fetched? In the order of the entries: of two that give the same file, the later one counts."""
        keys = [_key(remote, one) for one in entries]
        jobs = [Job(one, _job_id(index, key)) for index, (one, key) in enumerate(zip(entries, keys, strict=True))]
        missing = [job for job, key in zip(jobs, keys, strict=True) if not (key and self.cache.take(key, stage))]
        if not missing:
            return False
        sums = fetch_all(remote, missing, partial, self.meter, self.effort)
        for job in missing:
            found = _contents(job.entry, partial / job.id, sums[job.id], remote.name)
            self.cache.keep(_key(remote, job.entry), f"{remote.name}/{job.entry.path}", found, stage)
        if len(missing) < len(jobs) and any(job.entry.archive for job in jobs):
            for key in keys:  # again, so that the order holds
                self.cache.take(key, stage)
        return True


def _key(remote: Remote, entry: Entry) -> str:
    """ "" for what has no version, so that it is fetched each time."""
    return key_of(remote.name, entry.key, entry.version, entry.archive, entry.path) if entry.version else ""


def _job_id(index: int, key: str) -> str:
    return key or f"unversioned-{index}"


def _contents(entry: Entry, file: Path, digest: str, source: str) -> list[Found]:
    if not entry.archive:
        return [Found(entry.path, file, digest)]
    into = file.with_name(f"{file.name}.unpacked")
    shutil.rmtree(into, ignore_errors=True)  # of a process that was killed here
    unpack(file, entry.archive, into, f"{source}/{entry.path}", entry.within)
    file.unlink()
    return _tree(into / entry.within)


def _tree(root: Path) -> list[Found]:
    """Every file and link below `root`. Raises StorageError for a link that leads out of it."""
    found = []
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_symlink():
            if not path.resolve().is_relative_to(root.resolve()):
                raise StorageError(f"{name}: refused: a link to {path.readlink()}, outside of the model's directory")
            found.append(Found(name, path, "", link=str(path.readlink())))
        elif path.is_file():
            found.append(Found(name, path, sha256(path)))
    return found


def place(stage: Path, destination: Path, *, writable: bool) -> None:
    """Moves the files below `stage` to the same places below `destination`, each in one step. Raises StorageError."""
    destination.mkdir(parents=True, exist_ok=True)
    for path in sorted(stage.rglob("*")):
        target = destination / path.relative_to(stage)
        if path.is_dir() and not path.is_symlink():
            target.mkdir(exist_ok=True)
            continue
        if target.is_dir() and not target.is_symlink():
            raise StorageError(f"{target} is a directory, in the way of the model's file {path.name}", fix="remove it")
        _move(path, target, copy=writable)


def _move(path: Path, target: Path, *, copy: bool) -> None:
    if not copy or path.is_symlink():
        try:
            if target.exists() and target.samefile(path):
                return  # a rename of one link to the other would do nothing
            path.replace(target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
        else:
            return
    descriptor, draft = tempfile.mkstemp(dir=target.parent, prefix=".storage-")
    os.close(descriptor)
    shutil.copyfile(path, draft)
    Path(draft).chmod(0o755 if os.access(path, os.X_OK) else 0o644)
    Path(draft).replace(target)
