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

    def feed(self, data: bytes, start: int, stop: int) -> Iterator[tuple[bool, bytes]]:
        """(whether it is compressed, message) for each that is complete now. TooLong, NoMessage."""
        view = memoryview(data)
        while True:
            if self._body is None:
                start = self._read_prefix(view, start, stop)
                if len(self._prefix) < PREFIX_SIZE:
                    return
                self._begin()
            start = self._fill(view, start, stop)
            if self._filled < self._length:
                return
            yield self._complete()

    def _read_prefix(self, view: memoryview, start: int, stop: int) -> int:
        taken = min(stop, start + PREFIX_SIZE - len(self._prefix))
        self._prefix += view[start:taken]
        return taken

    def _begin(self) -> None:
        if self._prefix[0] > 1:
            raise NoMessage
        self._length = int.from_bytes(self._prefix[1:], "big")
        if self._length > self._limit >= 0:
            raise TooLong(self._length)
        self._body = bytearray(min(self._length, _FIRST))
        self._filled = 0

    def _fill(self, view: memoryview, start: int, stop: int) -> int:
        body = self._body
        assert body is not None
        taken = min(stop, start + self._length - self._filled)
        end = self._filled + taken - start
        if end > len(body):
            body.extend(bytes(max(end, min(self._length, _GROWTH * len(body))) - len(body)))
        body[self._filled : end] = view[start:taken]
        self._filled = end
        return taken

    def _complete(self) -> tuple[bool, bytes]:
        body, self._body = self._body, None
        assert body is not None
        compressed = bool(self._prefix[0])
        self._prefix.clear()
        # A bytearray does all that is done to a large message; protobuf itself wants bytes.
        return compressed, bytes(body) if self._length < _SMALL else body  # type: ignore[return-value]
