"""What a proxy asks about each request, and what it tells of it. Protocols only.

admit ─▶ Passage ─start─▶ Request.go(address) ─▶ accepted ─▶ wrote … ─▶ finish
              └───────────▶ Request.refuse(answer)
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from inferplane.relay.answers import Answer


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """Where a server takes requests."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Asked:
    """The head of a request. `names` are in lower case, of a repeated one the last value; those of HTTP/2 that begin
    with a colon are left out."""

    method: bytes
    target: bytes
    host: bytes
    names: Mapping[bytes, bytes]
    speaks_http2: bool


class Request(Protocol):
    """One request on its way in."""

    def go(self, to: Address) -> None:
        """It is its turn: to be sent there. May come again after `Passage.refused`."""

    def refuse(self, answer: Answer) -> None:
        """It is over; the client gets this answer, or the connection's end where another one has begun."""


class Tap(Protocol):
    """Hears what passes: bodies without the framing of HTTP/1.1's chunks, content codings as they are."""

    def request(self, data: bytes) -> None: ...

    def answer(self, status: int, names: Mapping[bytes, bytes]) -> None: ...

    def response(self, data: bytes) -> None: ...

    def trailers(self, names: Mapping[bytes, bytes]) -> None:
        """Of an answer over HTTP/2, behind its body."""

    def complete(self) -> None:
        """The answer has gone out whole."""


class Passage(Protocol):
    """A request that was let in. `start` it, then it is said what becomes of it; every one ends with `finish`."""

    server_timing: bytes
    """The header's value for the answer; empty for none."""
    tap: Tap | None
    gathers: bool
    """Whether it wants the whole body (`whole`) before it says where to go."""

    def start(self) -> None:
        """Once, when `go` may come: it may come at once."""

    def whole(self, body: bytes) -> None:
        """All of the body, of one that `gathers`."""

    def accepted(self) -> None:
        """The server took the connection."""

    def refused(self) -> None:
        """The server took no connection and nothing was sent."""

    def wrote(self) -> None:
        """A part of the answer went out."""

    def is_a_tunnel(self) -> None:
        """From here on nobody knows what a request is (an upgraded connection)."""

    def finish(self) -> None:
        """Answered, or given up by either side. Said twice it is as said once."""


class Gate(Protocol):
    """`hidden` are headers that are not passed on, names in lower case."""

    hidden: frozenset[bytes]

    @property
    def calls(self) -> int:
        """Let in and not finished."""

    def admit(self, asked: Asked, request: Request) -> Passage | Answer:
        """A passage to be started, or the answer why not."""

    def close(self) -> None:
        """Nobody is let in any more, and those who wait are sent away; what runs goes on."""
