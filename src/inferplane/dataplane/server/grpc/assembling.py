"""gRPC's frames: a byte that says whether the message is compressed, its length in four, the message.

A message is put together where it will lie: data is copied once, whatever the pieces it comes in.
"""

from collections.abc import Iterator

PREFIX_SIZE = 5
_FIRST = 1024 * 1024
_GROWTH = 4
_SMALL = 32 * 1024


class TooLong(Exception):
    def __init__(self, length: int) -> None:
        super().__init__(length)
        self.length = length


class NoMessage(Exception):
    """The first byte is neither 0 nor 1."""


class Assembler:
    """Of one stream. `limit` is the largest message's size. A length that is only claimed sets little memory aside."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._prefix = bytearray()
        self._body: bytearray | None = None
        self._filled = 0
        self._length = 0

    @property
    def is_between(self) -> bool:
        """Whether no message has begun without being complete."""
        return not self._prefix

    @property
    def missing(self) -> int:
        """Bytes until the message that has begun is complete, as far as that is known."""
        return PREFIX_SIZE if self._body is None else self._length - self._filled

    def takes(self, part: memoryview) -> bool:
        """Whether the part was the next of a message that goes on behind it, and lies there now."""
        end = self._filled + len(part)
        if self._body is None or end >= self._length or end > len(self._body):
            return False
        self._body[self._filled : end] = part
        self._filled = end
        return True

    def feed(self, part: memoryview) -> Iterator[tuple[bool, bytes]]:
        """(whether it is compressed, message) for each that is complete now. TooLong, NoMessage."""
        while True:
            if self._body is None:
                part = self._read_prefix(part)
                if len(self._prefix) < PREFIX_SIZE:
                    return
                self._begin()
            part = self._fill(part)
            if self._filled < self._length:
                return
            yield self._complete()

    def _read_prefix(self, part: memoryview) -> memoryview:
        """What follows."""
        taken = PREFIX_SIZE - len(self._prefix)
        self._prefix += part[:taken]
        return part[taken:]

    def _begin(self) -> None:
        if self._prefix[0] > 1:
            raise NoMessage
        self._length = int.from_bytes(self._prefix[1:], "big")
        if self._length > self._limit >= 0:
            raise TooLong(self._length)
        self._body = bytearray(min(self._length, _FIRST))
        self._filled = 0

    def _fill(self, part: memoryview) -> memoryview:
        """What follows."""
        body = self._body
        assert body is not None
        taken = part[: self._length - self._filled]
        end = self._filled + len(taken)
        if end > len(body):
            body.extend(bytes(max(end, min(self._length, _GROWTH * len(body))) - len(body)))
        body[self._filled : end] = taken
        self._filled = end
        return part[len(taken) :]

    def _complete(self) -> tuple[bool, bytes]:
        body, self._body = self._body, None
        assert body is not None
        compressed = bool(self._prefix[0])
        self._prefix.clear()
        # A bytearray does all that is done to a large message; protobuf itself wants bytes.
        return compressed, bytes(body) if self._length < _SMALL else body  # type: ignore[return-value]
