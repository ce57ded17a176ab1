"""What every store is to the rest: a list of objects, and bytes of each from an offset.

A store's module turns its protocol and its errors into these; `transfer` and `cache` know nothing else.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from inferplane.dataplane.storage.errors import StorageError


@dataclass(frozen=True, slots=True)
class Digest:
    """What the store says of the content. `algorithm`: md5, sha256, crc32c, or git-sha1 (of a git blob)."""

    algorithm: str
    hex: str


@dataclass(frozen=True, slots=True)
class Entry:
    """An object. `path` is where it belongs below the model's directory, `key` its name in the store.

    `version` changes with the content (an ETag, a generation, a commit); "" when the store gives none, and then nothing
    is ever reused. `size` in bytes, None when unknown until the end. `archive`: tar or zip, to be unpacked; of what
    is in it only the directory `within` is wanted, when that is set.
    """

    path: str
    key: str
    size: int | None
    version: str = ""
    digest: Digest | None = None
    archive: str = ""
    within: str = ""


class Remote(Protocol):
    """All methods raise StorageError."""

    @property
    def name(self) -> str:
        """The store and the place in it, without secrets: equal names and versions mean equal content."""
        ...

    @property
    def ranges(self) -> bool:
        """Can `read` begin past the first byte?"""
        ...

    def entries(self) -> list[Entry]:
        """Everything below the URI, with content. Raises when there is nothing."""
        ...

    def digest(self, entry: Entry) -> Digest | None:
        """The content's digest, asked for one object; `entry.digest` when the list had it."""
        ...

    def read(self, entry: Entry, start: int, stop: int | None) -> Iterator[bytes]:
        """Bytes `start` to `stop` (exclusive; None: the end).

        Raises Interrupted when it may be tried again from where it stopped, Changed when the object is another one now.
        """
        ...


def safe_path(path: str, source: str) -> str:
    """A path that stays below the directory it is put in. Raises StorageError."""
    parts = path.split("/")
    if path.startswith("/") or ".." in parts or "\0" in path or not path.strip("/."):
        raise StorageError(
            f"{source}: refused: {path!r} would be written outside of the model's directory",
            fix="name the file by a relative path without '..'",
        )
    return "/".join(part for part in parts if part not in ("", "."))
