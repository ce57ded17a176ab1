"""`models.json` of a ConfigMap: which models a server should have, read whenever it changes.

Format of KServe: `[{"modelName": …, "modelSpec": {"storageUri": …, "framework": …, "memory": …}}]`. A file that cannot
be read (cut in half, say) changes nothing: the last good one stays in force, and why is said once.
"""

import hashlib
import logging
import re
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

from inferplane.kernel.clock import Clock
from inferplane.kernel.errors import InferplaneError

log = logging.getLogger("inferplane.puller")

FILE = "models.json"
LOOK_EVERY = 0.25
"""Seconds between looks at the file: one `stat`, some 5 µs."""

# A directory has this name, and a path of V2's repository API.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class InvalidConfig(InferplaneError):
    """The file does not say which models there should be."""


class ModelSpec(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """As KServe has it. `memory` is a quantity; it is the controller's business."""

    storage_uri: str
    framework: str = ""
    memory: str = ""

    @property
    def digest(self) -> str:
        """Names this version of the model on disk."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()


class _Entry(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    model_name: str
    model_spec: ModelSpec


def parse(data: bytes) -> dict[str, ModelSpec]:
    """Models by name. An empty file is an empty list, as KServe reads it. Raises InvalidConfig."""
    if not data.strip():
        return {}
    try:
        entries = msgspec.json.decode(data, type=list[_Entry])
    except msgspec.DecodeError as error:
        raise InvalidConfig(f"{error} (of {len(data)} bytes)") from error
    found: dict[str, ModelSpec] = {}
    for entry in entries:
        name = entry.model_name
        if not _NAME.fullmatch(name):
            raise InvalidConfig(f"modelName {name!r}: expected letters, digits, '-', '_' and '.'")
        if name in found:
            raise InvalidConfig(f"modelName {name!r} is there twice")
        found[name] = entry.model_spec
    return found


class ConfigFile:
    """The file, watched. ConfigMap volumes swap a link (`..data`), editors replace or rewrite it: all are noticed."""

    def __init__(self, directory: Path, clock: Clock, every: float = LOOK_EVERY) -> None:
        self._path = directory / FILE
        self._clock = clock
        self._every = every
        self.problem = ""
        """Why the file as it is now is not in force; empty when it is."""

    async def versions(self) -> AsyncIterator[dict[str, ModelSpec]]:
        """What the file lists: now, and after each change that can be read. The first waits until there is one."""
        before: tuple[int, ...] | None = None
        known: dict[str, ModelSpec] | None = None
        while True:
            seen = self._signature()
            if seen != before:
                before, found = seen, self._read()
                if found is not None and found != known:
                    known = found
                    yield found
            await self._clock.sleep(self._every)

    def _signature(self) -> tuple[int, ...] | None:
        """Differs whenever the file may: through links, so that another target is another file."""
        try:
            status = self._path.stat()
        except OSError:
            return ()
        return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns

    def _read(self) -> dict[str, ModelSpec] | None:
        try:
            found = parse(self._path.read_bytes())
        except (InvalidConfig, OSError) as error:
            words = error.strerror if isinstance(error, OSError) else str(error)
            self.problem = f"{self._path.name} cannot be used: {words}; the last good one stays in force"
            log.warning("%s", self.problem)
            return None
        if self.problem:
            log.info("%s can be used again", self._path.name)
        self.problem = ""
        return found
