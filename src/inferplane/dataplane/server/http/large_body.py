"""The rest of a large body of known length, from the socket into its place: no chunks, no joining, no copy.

While it comes the connection's transport reads into this; then the connection has its transport back. For a length that
is only claimed no more than 1 MiB, or eight times of what has arrived, is set aside.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol, cast

FROM = 64 * 1024
"""Bytes. Smaller bodies come with two or three reads, and joining those costs less than changing over."""

_FIRST = 1024 * 1024
_GROWTH = 8
"""The first read brings up to 256 kB, which is an eighth of a picture as JSON: it needs to be moved nowhere."""


class Owner(Protocol):
    """The connection."""

    def connection_lost(self, error: Exception | None) -> None: ...
    def eof_received(self) -> bool: ...
    def pause_writing(self) -> None: ...
    def resume_writing(self) -> None: ...


class LargeBody(asyncio.BufferedProtocol):
    """`arrived` is called after each piece: with the body once it is whole, with None before."""

    def __init__(
        self, owner: Owner, length: int, start: Sequence[bytes], arrived: Callable[[bytes | None], None]
    ) -> None:
        self._owner = owner
        self._length = length
        self._arrived = arrived
        arrived_so_far = sum(map(len, start))
        self._body = bytearray(min(length, max(_FIRST, _GROWTH * arrived_so_far)))
        self._filled = 0
        for piece in start:
            self._body[self._filled : self._filled + len(piece)] = piece
            self._filled += len(piece)

    def get_buffer(self, sizehint: int) -> memoryview:
        if self._filled == len(self._body):
            self._grow()
        return memoryview(self._body)[self._filled :]

    def _grow(self) -> None:
        grown = bytearray(min(self._length, len(self._body) * _GROWTH))
        grown[: self._filled] = self._body
        self._body = grown

    def buffer_updated(self, nbytes: int) -> None:
        self._filled += nbytes
        # A bytearray does all that is done to a body: it is parsed, sliced and looked at through numpy.
        self._arrived(cast(bytes, self._body) if self._filled == self._length else None)

    # The connection's life goes on meanwhile.

    def connection_lost(self, error: Exception | None) -> None:
        self._owner.connection_lost(error)

    def eof_received(self) -> bool:
        return self._owner.eof_received()

    def pause_writing(self) -> None:
        self._owner.pause_writing()

    def resume_writing(self) -> None:
        self._owner.resume_writing()
