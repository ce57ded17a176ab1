"""Checks of a file's content: its SHA-256, by which the cache names it, and whatever the store says it should be."""

import hashlib
from pathlib import Path
from typing import Protocol

from inferplane.dataplane.storage.errors import NotInstalled, StorageError
from inferplane.dataplane.storage.remote import Entry, Remote

_READ = 1 << 20


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def hexdigest(self) -> str | bytes: ...


def checked(file: Path, entry: Entry, remote: Remote) -> str:
    """The SHA-256 of the file. Raises StorageError when it is not what the store has."""
    said = entry.digest or remote.digest(entry)
    sums = _sums(file, said.algorithm if said else "")
    if said is not None and sums[said.algorithm] != said.hex:
        # Asked once more: an ETag that looks like an MD5 need not be one.
        said = remote.digest(entry)
    if said is not None and sums[said.algorithm] != said.hex:
        raise StorageError(
            f"{remote.name}/{entry.path}: corrupt: expected {said.algorithm} {said.hex}, got {sums[said.algorithm]}",
            fix="nothing of it is kept; if this comes again, upload the object again",
        )
    return sums["sha256"]


def _sums(file: Path, algorithm: str) -> dict[str, str]:
    """By algorithm; SHA-256 always."""
    hashes: dict[str, _Hash] = {"sha256": hashlib.sha256()}
    if algorithm and algorithm not in hashes:
        hashes[algorithm] = _hash(algorithm, file)
    with file.open("rb") as content:
        while block := content.read(_READ):
            for one in hashes.values():
                one.update(block)
    return {name: _text(one.hexdigest()) for name, one in hashes.items()}


def _hash(algorithm: str, file: Path) -> _Hash:
    match algorithm:
        case "md5":
            return hashlib.md5(usedforsecurity=False)
        case "git-sha1":
            # What git names a blob by: its type and length go first.
            return hashlib.sha1(b"blob %d\0" % file.stat().st_size, usedforsecurity=False)
        case "crc32c":
            try:
                import google_crc32c
            except ModuleNotFoundError as error:
                raise NotInstalled("gs://", "google-crc32c", "gcs") from error
            checksum: _Hash = google_crc32c.Checksum()
            return checksum
    raise ValueError(f"no such digest: {algorithm}")


def _text(found: str | bytes) -> str:
    return found if isinstance(found, str) else found.decode()


def sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
