"""The readiness pipe: one line of JSON from a process to whoever started it (docs/architecture.md).

The starter makes a pipe, hands the writing end down with its number in `INFERPLANE_READY_FD`, and reads one event:
`ready`, `failed` with a message, or nothing at all when the process ended before it could say anything.
"""

import asyncio
import os
from collections.abc import Mapping, MutableMapping

import msgspec

VARIABLE = "INFERPLANE_READY_FD"


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`event` is `ready` or `failed`. `notes` are sentences for the user, such as which port was taken."""

    event: str
    reason: str = ""
    message: str = ""
    notes: list[str] = []


READY = Event(event="ready")


def announce(environ: Mapping[str, str], event: Event) -> None:
    """Tells the starter, if there is one that listens. Closes the pipe, so it can be done once: the variable goes from
    an environment that can be changed, since the number may be another file's later."""
    number = environ.get(VARIABLE)
    if not number:
        return
    if isinstance(environ, MutableMapping):
        del environ[VARIABLE]
    descriptor = int(number)
    try:
        os.write(descriptor, msgspec.json.encode(event) + b"\n")
    except BrokenPipeError:
        return  # the starter is gone; there is nobody to tell
    finally:
        os.close(descriptor)


class Pipe:
    """The starter's side. Hand `descriptor` down with `pass_fds`, then `wait`."""

    def __init__(self) -> None:
        self._reading, self.descriptor = os.pipe()

    @property
    def environ(self) -> dict[str, str]:
        return {VARIABLE: str(self.descriptor)}

    def handed_down(self) -> None:
        """Closes our copy of the writing end; without it the end of the process would go unnoticed."""
        os.close(self.descriptor)

    async def wait(self) -> Event | None:
        """The event, or None when the process ended (or closed the pipe) without one."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(self._reading, "rb", buffering=0)
        )
        try:
            line = await reader.readline()
        finally:
            transport.close()
        return msgspec.json.decode(line, type=Event) if line else None
