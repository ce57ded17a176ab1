"""What a connection asks of those who own its streams, and the limits that it keeps to."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from inferplane.dataplane.server.grpc.http2.hpack import Field

Buffer = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes, times in seconds."""

    streams: int = 1024
    """Open at once on one connection."""
    window: int = 1024 * 1024
    """What a stream may send before anybody has looked at it."""
    held: int = 256 * 1024 * 1024
    """Of all requests of a connection that are not complete, or of one that is larger."""
    frame: int = 1024 * 1024
    head: int = 64 * 1024
    """Of a stream, decoded."""
    head_frames: int = 16
    preface_timeout: float = 30.0
    body_timeout: float = 30.0
    """Without a byte from a client that has begun a request."""
    write_timeout: float = 60.0
    """For a client that does not read."""
    keep_alive: float = 7200.0
    """Of silence, before a client is asked whether it is there."""
    ping_timeout: float = 20.0
    linger: float = 2.0
    """After the last frame of a connection that is given up: time for the client to read it."""
    idle_frames: int = 1000
    """Frames that carry nothing (pings, settings, empty data …), between two sweeps."""
    resets: int = 200
    """Streams that the client may take back between two sweeps, where it takes back more than half of all."""


class Head(Protocol):
    """The fields of a stream's first block, as its owner reads them.

    `malformed`: not even HTTP. `at_once`: the stream begins with its headers, not with the end of its request.
    """

    malformed: bool
    at_once: bool


class Stream(Protocol):
    """One stream, as a connection sees it: the first group is the connection's to use."""

    id: int
    tag: bytes
    """The id as four bytes."""
    ended: bool
    """Whether the client has said its last."""
    window: int
    """What may be sent to the client, beyond what it allows each stream at first."""
    credit: int
    """What the client may still send."""
    out: "deque[Buffer] | None"
    """What waits to be sent."""
    tail: bytes | None
    """The block of the trailers that come then."""

    def begin(self) -> None: ...

    def complete(self, data: bytes, start: int, stop: int) -> None:
        """All of a request's data, in one frame."""
        ...

    def data(self, parts: Sequence[memoryview]) -> None: ...
    def end(self) -> None: ...

    def sent(self) -> None:
        """Nothing waits to be sent any more."""
        ...

    def cancelled(self) -> None:
        """By the client, or because the connection is gone."""
        ...

    def overdue(self) -> None:
        """The client has been silent in the middle of its request."""
        ...


class Owner(Protocol):
    """The server that connections belong to."""

    limits: Limits
    loop: asyncio.AbstractEventLoop
    greeting: bytes
    """The settings that a connection begins with."""

    def read_head(self, fields: list[Field]) -> Head: ...
    def open(self, connection: object, id: int, head: Head) -> Stream: ...
    def joined(self, connection: object) -> None: ...
    def lost(self, connection: object) -> None: ...
