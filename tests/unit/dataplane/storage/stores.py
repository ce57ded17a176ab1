"""A store in memory that does what a test needs to go wrong."""

import hashlib
import io
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field

from inferplane.dataplane.storage.errors import Changed, Interrupted
from inferplane.dataplane.storage.remote import Digest, Entry


def md5(content: bytes) -> Digest:
    return Digest("md5", hashlib.md5(content).hexdigest())


@dataclass
class MemoryStore:
    """`breaks_after` ends a connection after so many bytes, `breaks` times. `reads` counts the bytes handed
    out. `replaced` are said to be changed once, `broken` can't be read."""

    objects: dict[str, bytes]
    ranges: bool = True
    versioned: bool = True
    digests: dict[str, Digest] = field(default_factory=dict)
    breaks_after: int = 0
    breaks: int = 0
    chunk: int = 4
    reads: int = 0
    name: str = "memory://bucket"
    replaced: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)

    def entries(self) -> list[Entry]:
        return [
            Entry(path, path, len(content), hashlib.sha256(content).hexdigest() if self.versioned else "",
                  self.digests.get(path))
            for path, content in self.objects.items()
        ]  # fmt: skip

    def digest(self, entry: Entry) -> Digest | None:
        return entry.digest

    def read(self, entry: Entry, start: int, stop: int | None) -> Iterator[bytes]:
        if entry.key in self.replaced:
            self.replaced.discard(entry.key)
            raise Changed(f"{entry.key}: changed")
        if entry.key in self.broken:
            raise Interrupted(f"{entry.key}: the connection was reset")
        content, sent = self.objects[entry.key][start:stop], 0
        for at in range(0, len(content), self.chunk):
            if self.breaks and sent >= self.breaks_after:
                self.breaks -= 1
                raise Interrupted(f"{entry.key}: the connection was reset")
            block = content[at : at + self.chunk]
            sent += len(block)
            self.reads += len(block)
            yield block


def tar(files: dict[str, bytes], *, links: dict[str, str] | None = None, mode: str = "w:gz") -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as archive:  # type: ignore[call-overload]  # any mode
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for name, target in (links or {}).items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            archive.addfile(member)
    return packed.getvalue()


def zipped(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()
