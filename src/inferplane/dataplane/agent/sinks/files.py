"""Events to files in a directory, `file:///DIRECTORY`: what a notebook or `inferplane replay` reads.

Lines of JSON, the default, are appended to one file, which is closed and followed by another when it is large: what is
written is there at once, and a reader may follow it. In the other formats each batch is a file, named as in a bucket.
"""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from inferplane.dataplane.agent.events import Event, structured
from inferplane.dataplane.agent.records import key
from inferplane.dataplane.agent.settings import StoreSettings
from inferplane.dataplane.agent.sinks.marshalling import Marshaller
from inferplane.dataplane.agent.sinks.sink import Batch, Unavailable, WrongSink

LARGEST = 256 * 1024 * 1024
"""Bytes of a file of lines."""

_TOGETHER = 1000
_IN_PLACE = 128 * 1024


def directory(url: str) -> Path:
    """Raises WrongSink for a URL that names no absolute path of this machine."""
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
        raise WrongSink(
            f"{url}: expected file:///DIRECTORY", fix="name a directory of this machine, with three slashes"
        )
    return Path(unquote(parts.path))


class LineFiles:
    """`DIRECTORY/[store path/]events-TIME-PID-NUMBER.jsonl`. `stamp` is the name's time, `largest` bytes of a file."""

    senders = 1

    def __init__(self, url: str, store: StoreSettings, stamp: str, largest: int = LARGEST) -> None:
        self.name = url
        self.batch = Batch(store.batch_size, max(store.batch_size, _TOGETHER), store.batch_interval)
        self._directory = directory(url) / store.path.strip("/")
        self._stamp = stamp
        self._largest = largest
        self._number = 0
        self._file: int | None = None
        self._written = 0

    async def send(self, events: Sequence[Event]) -> None:
        lines = b"".join([b"%b\n" % structured(event) for event in events])
        try:
            if len(lines) <= _IN_PLACE:
                self._write(lines)
            else:
                await asyncio.to_thread(self._write, lines)
        except OSError as error:
            raise Unavailable(f"{error.strerror}: {error.filename or self._directory}") from error

    def _write(self, lines: bytes) -> None:
        if self._file is None:
            self._file = self._opened()
        start = self._written
        try:
            while lines:
                size = os.write(self._file, lines)
                self._written += size
                lines = lines[size:]
        except OSError:
            # Half a line would spoil what is appended when there is room again.
            os.ftruncate(self._file, start)
            self._written = start
            raise
        if self._written >= self._largest:
            self._end()

    def _opened(self) -> int:
        self._directory.mkdir(parents=True, exist_ok=True)
        self._number += 1
        name = f"events-{self._stamp}-{os.getpid()}-{self._number}.jsonl"
        return os.open(self._directory / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def _end(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file, self._written = None, 0

    async def close(self) -> None:
        self._end()


class DirectoryFiles:
    """A file for each batch."""

    senders = 1

    def __init__(self, url: str, store: StoreSettings, marshaller: Marshaller) -> None:
        self.name = url
        self.batch = Batch(store.batch_size, store.batch_size, store.batch_interval, apart=True)
        self._directory = directory(url)
        self._path = store.path
        self._marshaller = marshaller

    async def send(self, events: Sequence[Event]) -> None:
        content, extension, _ = await self._marshaller.file(events)
        file = self._directory / key("", self._path, events[0], extension)
        try:
            await asyncio.to_thread(_written, file, content)
        except OSError as error:
            raise Unavailable(f"{error.strerror}: {error.filename or file}") from error

    async def close(self) -> None:
        await self._marshaller.close()


def _written(file: Path, content: bytes) -> None:
    """Whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    beginning = file.with_name(f".{file.name}.{os.getpid()}")
    beginning.write_bytes(content)
    beginning.replace(file)
