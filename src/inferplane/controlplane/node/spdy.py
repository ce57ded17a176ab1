"""As much of SPDY/3.1 as `kubectl port-forward` speaks inside of its WebSocket: frames to values and back (no I/O).

    session = Session()
    for frame in session.receive(data): …   # Opened, Data, Reset or Ping
    data = session.reply(stream) + session.data(stream, b"…", fin=True)

Neither side does flow control (spdystream has none); SETTINGS, WINDOW_UPDATE and HEADERS are passed over. Header blocks
are one zlib stream a direction for the life of the connection, with the dictionary of the specification
(draft-mbelshe-httpbis-spdy-00, 2.6.10.1).
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TypeAlias

from inferplane.kernel.errors import InferplaneError

_VERSION = 3
_CONTROL, _FIN = 0x80000000, 0x01
_LARGEST_HEADERS = 1 << 16
_HEAD = struct.Struct("!II")
_WORD = struct.Struct("!I")


class _Type(IntEnum):
    SYN_STREAM = 1
    SYN_REPLY = 2
    RST_STREAM = 3
    PING = 6
    GOAWAY = 7
    HEADERS = 8


class ProtocolError(InferplaneError):
    """What came is not SPDY/3.1."""


_DICTIONARY_NAMES = (
    "options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow "
    "authorization cache-control connection content-base content-encoding content-language content-length "
    "content-location content-md5 content-range content-type date etag expect expires from host if-match "
    "if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma "
    "proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade "
    "user-agent vary via warning www-authenticate method get status"
)
_DICTIONARY_LAST_NAMES = ("200 OK", "version", "HTTP/1.1", "url", "public", "set-cookie", "keep-alive", "origin")
_DICTIONARY_REST = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden"
    "404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable"
    "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT"
    "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,"
    "publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)
DICTIONARY = (
    b"".join(_WORD.pack(len(name)) + name.encode() for name in (*_DICTIONARY_NAMES.split(), *_DICTIONARY_LAST_NAMES))
    + _DICTIONARY_REST.encode()
)


@dataclass(frozen=True, slots=True)
class Opened:
    """SYN_STREAM. `fin`: the client will send nothing on it."""

    stream: int
    headers: dict[str, str]
    fin: bool = False


@dataclass(frozen=True, slots=True)
class Data:
    """`fin`: nothing more comes on the stream."""

    stream: int
    data: bytes
    fin: bool = False


@dataclass(frozen=True, slots=True)
class Reset:
    """RST_STREAM: the client wants nothing more of the stream."""

    stream: int


@dataclass(frozen=True, slots=True)
class Ping:
    """To be sent back as it came."""

    id: int


@dataclass(frozen=True, slots=True)
class GoAway:
    """The client opens no more streams."""


Frame: TypeAlias = Opened | Data | Reset | Ping | GoAway


@dataclass(slots=True)
class Session:
    """One connection's state: what has not been a whole frame yet, and the two header streams."""

    _buffer: bytearray = field(default_factory=bytearray)
    _inflate: "zlib._Decompress" = field(default_factory=lambda: zlib.decompressobj(zdict=DICTIONARY))
    _deflate: "zlib._Compress" = field(default_factory=lambda: zlib.compressobj(zdict=DICTIONARY))

    def receive(self, data: bytes) -> Iterator[Frame]:
        """The frames that `data` completes. Raises ProtocolError."""
        self._buffer += data
        while len(self._buffer) >= _HEAD.size:
            first, second = _HEAD.unpack_from(self._buffer)
            size = _HEAD.size + (second & 0xFFFFFF)
            if len(self._buffer) < size:
                return
            body = bytes(self._buffer[_HEAD.size : size])
            del self._buffer[:size]
            frame = self._frame(first, second >> 24, body)
            if frame is not None:
                yield frame

    def _frame(self, first: int, flags: int, body: bytes) -> Frame | None:
        fin = bool(flags & _FIN)
        if not first & _CONTROL:
            return Data(first, body, fin)
        version, kind = (first >> 16) & 0x7FFF, first & 0xFFFF
        if version != _VERSION:
            raise ProtocolError(f"SPDY version: expected {_VERSION}, got {version}")
        try:
            return self._control(kind, body, fin)
        except (struct.error, zlib.error, IndexError, UnicodeDecodeError) as error:
            raise ProtocolError(f"SPDY frame of type {kind}: {error}") from error

    def _control(self, kind: int, body: bytes, fin: bool) -> Frame | None:
        match kind:
            case _Type.SYN_STREAM:
                # The stream, the one it belongs to, priority and slot; then its headers.
                return Opened(_first(body), _headers(self._inflate.decompress(body[10:], _LARGEST_HEADERS)), fin)
            case _Type.RST_STREAM:
                return Reset(_first(body))
            case _Type.PING:
                return Ping(_first(body))
            case _Type.GOAWAY:
                return GoAway()
            case _Type.HEADERS:
                # Nothing is asked for by them, but they are part of the header stream.
                self._inflate.decompress(body[4:], _LARGEST_HEADERS)
        return None

    def reply(self, stream: int) -> bytes:
        """SYN_REPLY, without headers: the stream is open."""
        block = self._deflate.compress(_WORD.pack(0)) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
        return _control_frame(_Type.SYN_REPLY, _WORD.pack(stream) + block)

    def data(self, stream: int, data: bytes, *, fin: bool = False) -> bytes:
        return _HEAD.pack(stream, (_FIN if fin else 0) << 24 | len(data)) + data

    def pong(self, ping: Ping) -> bytes:
        return _control_frame(_Type.PING, _WORD.pack(ping.id))


def _control_frame(kind: int, body: bytes) -> bytes:
    return _HEAD.pack(_CONTROL | _VERSION << 16 | kind, len(body)) + body


def _first(body: bytes) -> int:
    word: int = _WORD.unpack_from(body)[0]
    return word & 0x7FFFFFFF


def _headers(block: bytes) -> dict[str, str]:
    """A number of pairs, each half with its length before it."""
    words: list[str] = []
    (count,) = _WORD.unpack_from(block)
    at = _WORD.size
    for _ in range(2 * count):
        (size,) = _WORD.unpack_from(block, at)
        words.append(block[at + _WORD.size : at + _WORD.size + size].decode("latin-1"))
        at += _WORD.size + size
    return dict(zip(words[::2], words[1::2], strict=True))
