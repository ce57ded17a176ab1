"""Where an HTTP/1.1 message begins and ends (RFC 9112). Pure: bytes come in as they arrive.

A message is passed on as it is, chunks, extensions and trailers included. So nothing is decoded here: heads are cut
into lines, and of a body only its end is looked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

HEAD_LIMIT = 128 * 1024
"""Bytes. Envoy's own limit is 60 KiB."""

_CHUNK_LINE = 16 * 1024
_DIGITS = frozenset(b"0123456789")
_HEX = frozenset(b"0123456789abcdefABCDEF")


class Malformed(Exception):
    """Not HTTP/1.1. The text is for whoever sent it."""


class Body(Protocol):
    """What of the bytes that follow a head belongs to its message."""

    done: bool

    def feed(self, data: bytes, start: int = 0) -> int:
        """The index behind the last byte of `data[start:]` that is part of the body; `done` when it is complete."""


class Length:
    """A body whose length the head says, or no body at all."""

    __slots__ = ("_left", "done")

    def __init__(self, length: int) -> None:
        self._left = length
        self.done = length == 0

    def feed(self, data: bytes, start: int = 0) -> int:
        end = min(len(data), start + self._left)
        self._left -= end - start
        self.done = self._left == 0
        return end


class UntilClose:
    """A body that ends with the connection."""

    __slots__ = ("done",)

    def __init__(self) -> None:
        self.done = False

    def feed(self, data: bytes, start: int = 0) -> int:
        return len(data)


class Chunked:
    """A chunked body with its trailers. Raises Malformed where no chunk size stands."""

    __slots__ = ("_left", "_line", "_trailers", "done")

    def __init__(self) -> None:
        self.done = False
        self._left = 0
        self._line = b""
        self._trailers = False

    def feed(self, data: bytes, start: int = 0) -> int:
        while start < len(data) and not self.done:
            if self._left:
                step = min(self._left, len(data) - start)
                self._left -= step
                start += step
            else:
                start = self._read_line(data, start)
        return start

    def _read_line(self, data: bytes, start: int) -> int:
        end = data.find(b"\n", start)
        if end < 0:
            self._line += data[start:]
            if len(self._line) > _CHUNK_LINE:
                raise Malformed(f"expected a line of at most {_CHUNK_LINE} bytes before a chunk")
            return len(data)
        line, self._line = (self._line + data[start:end]).rstrip(b"\r"), b""
        if self._trailers:
            self.done = not line
        else:
            self._begin_chunk(line)
        return end + 1

    def _begin_chunk(self, line: bytes) -> None:
        size = line.partition(b";")[0].strip()
        if not size or len(size) > 16 or not _HEX.issuperset(size):
            raise Malformed(f"expected the size of a chunk, got {line[:40]!r}")
        length = int(size, 16)
        self._trailers = length == 0
        # The line break behind the chunk belongs to it.
        self._left = length + 2 if length else 0


class Payload:
    """What a body says, without the framing of chunks: its bytes go in, as `body` takes them."""

    __slots__ = ("_chunked", "_left", "_line")

    def __init__(self, body: Body) -> None:
        self._chunked = isinstance(body, Chunked)
        self._left = 0
        self._line = b""

    def feed(self, data: bytes) -> bytes:
        """Only for what `body` has accepted."""
        if not self._chunked:
            return data
        parts: list[bytes] = []
        start = 0
        while start < len(data):
            if self._left > 0:
                end = min(len(data), start + self._left)
                parts.append(data[start:end])
                self._left -= end - start
                start = end
                continue
            end = data.find(b"\n", start)
            if end < 0:
                self._line += data[start:]
                break
            line, self._line = (self._line + data[start:end]).rstrip(b"\r"), b""
            start = end + 1
            # What is not a size is the end of a chunk's line, or a trailer behind the last one.
            size = line.partition(b";")[0].strip()
            self._left = int(size, 16) if size and _HEX.issuperset(size) else 0
        return b"".join(parts)


Header = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class RequestHead:
    """`names` are lower-case names → values (of a repeated name the last); `lines` are as they came."""

    method: bytes
    target: bytes
    version: bytes
    lines: Sequence[bytes]
    names: dict[bytes, bytes]

    @property
    def keeps_alive(self) -> bool:
        return _keeps_alive(self.version, self.names)

    @property
    def upgrades(self) -> bool:
        return b"upgrade" in self.names and b"upgrade" in _words(self.names.get(b"connection", b""))

    def body(self) -> Body:
        """Raises Malformed. A request without a length has no body."""
        return _framing(self.names) or Length(0)

    def without(self, names: frozenset[bytes]) -> bytes:
        """The head as bytes, less these headers (lower-case names)."""
        kept = [line for line in self.lines if line.partition(b":")[0].lower() not in names]
        return b"\r\n".join([b"%s %s %s" % (self.method, self.target, self.version), *kept, b"", b""])


@dataclass(frozen=True, slots=True)
class ResponseHead:
    version: bytes
    status: int
    names: dict[bytes, bytes]

    @property
    def keeps_alive(self) -> bool:
        return _keeps_alive(self.version, self.names)

    @property
    def is_interim(self) -> bool:
        """Another head follows."""
        return 100 <= self.status < 200 and self.status != 101

    def body(self, method: bytes) -> Body:
        """RFC 9112, 6.3. Raises Malformed."""
        if method == b"HEAD" or self.status in (204, 304):
            return Length(0)
        return _framing(self.names) or UntilClose()


def read_request(head: bytes) -> RequestHead:
    """`head` without the empty line that ends it. Raises Malformed."""
    first, *lines = head.split(b"\r\n")
    parts = first.split(b" ")
    if len(parts) != 3 or not parts[0] or not parts[1] or not parts[2].startswith(b"HTTP/1."):
        raise Malformed(f"expected a request line, got {first[:80]!r}")
    return RequestHead(parts[0], parts[1], parts[2], lines, _headers(lines))


def read_response(head: bytes) -> ResponseHead:
    """`head` without the empty line that ends it. Raises Malformed."""
    first, *lines = head.split(b"\r\n")
    parts = first.split(b" ", 2)
    if len(parts) < 2 or not parts[0].startswith(b"HTTP/1.") or len(parts[1]) != 3 or not _DIGITS.issuperset(parts[1]):
        raise Malformed(f"expected a status line, got {first[:80]!r}")
    return ResponseHead(parts[0], int(parts[1]), _headers(lines))


def _headers(lines: Sequence[bytes]) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        # A space before the colon, or a folded line: two readers could see different messages.
        if not colon or not name or name != name.strip():
            raise Malformed(f"expected a header, got {line[:80]!r}")
        name, value = name.lower(), value.strip()
        if name in _ONCE and found.get(name, value) != value:
            raise Malformed(f"expected one {name.decode()}, got several that differ")
        found[name] = value
    return found


_ONCE = frozenset((b"content-length", b"transfer-encoding"))


def _framing(names: dict[bytes, bytes]) -> Body | None:
    """None: the head doesn't say."""
    if (coding := names.get(b"transfer-encoding")) is not None:
        if b"content-length" in names:
            raise Malformed("expected a length or a transfer encoding, got both")
        if coding.lower().rpartition(b",")[2].strip() != b"chunked":
            raise Malformed(f"expected the transfer encoding chunked, got {coding[:40]!r}")
        return Chunked()
    if (length := names.get(b"content-length")) is None:
        return None
    if not length or not _DIGITS.issuperset(length) or len(length) > 18:
        raise Malformed(f"expected a length, got {length[:40]!r}")
    return Length(int(length))


def _keeps_alive(version: bytes, names: dict[bytes, bytes]) -> bool:
    words = _words(names.get(b"connection", b""))
    return b"close" not in words if version != b"HTTP/1.0" else b"keep-alive" in words


def _words(value: bytes) -> frozenset[bytes]:
    return frozenset(one.strip() for one in value.lower().split(b",")) if value else frozenset()
