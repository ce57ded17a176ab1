"""Models that are on this machine already: `file://` URIs and plain paths. Nothing is copied; entries are linked.

A single file that is an archive is unpacked, by way of the cache as if it came from a store (`LocalArchive`).
"""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from inferplane.dataplane.storage.errors import StorageError
from inferplane.dataplane.storage.remote import Digest, Entry
from inferplane.dataplane.storage.uris import archive_of

_CHUNK = 1 << 20


def fetch(uri: str, destination: Path | None = None) -> Path:
    """Makes what `uri` names appear at `destination` and returns the directory.

    Without a destination a local directory is used in place. With one, the top-level entries are symlinked into it;
    doing so again is fine, and a link that leads elsewhere is replaced.
    """
    source = _located(uri)
    if destination is None:
        return source if source.is_dir() else source.parent
    destination.mkdir(parents=True, exist_ok=True)
    for entry in sorted(source.iterdir()) if source.is_dir() else [source]:
        _link(entry.resolve(), destination / entry.name)
    return destination


def is_archive(uri: str) -> bool:
    """Is it one file that is to be unpacked? Raises StorageError when there is nothing."""
    path = _located(uri)
    return path.is_file() and bool(archive_of(path.name))


class LocalArchive:
    """A `Remote` of one file."""

    ranges = True

    def __init__(self, uri: str) -> None:
        self._path = _located(uri).resolve()

    @property
    def name(self) -> str:
        return f"file://{self._path.parent}"

    def entries(self) -> list[Entry]:
        status = self._path.stat()
        # What a file system says when a file was written or replaced.
        version = f"{status.st_ino} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"
        return [Entry(self._path.name, self._path.name, status.st_size, version)]

    def digest(self, entry: Entry) -> Digest | None:
        return None

    def read(self, entry: Entry, start: int, stop: int | None) -> Iterator[bytes]:
        with self._path.open("rb") as content:
            content.seek(start)
            left = (entry.size or 0) - start if stop is None else stop - start
            while left > 0 and (block := content.read(min(_CHUNK, left))):
                left -= len(block)
                yield block


def _located(uri: str) -> Path:
    is_uri = uri.startswith("file://")
    path = Path(unquote(urlsplit(uri).path) if is_uri else uri)
    if is_uri and urlsplit(uri).netloc not in ("", "localhost"):
        raise StorageError(f"Cannot locate source uri {uri}: file URIs name no host", fix="write file:///the/path")
    if not path.exists():
        raise StorageError(f"Cannot locate source uri {uri}", fix=f"there is no {path} on this machine")
    return path.absolute()


def _link(source: Path, target: Path) -> None:
    if target.is_symlink():
        target.unlink()
    elif target.exists():
        raise StorageError(f"{target} is in the way of the model's {source.name}", fix="remove it")
    target.symlink_to(source)
