"""HPACK (RFC 7541): header blocks → fields, with the table that the peer fills; and fields as bytes, without a table.

Names and values are bytes. A decoder belongs to one connection and sees each of its blocks once, in order.
"""

from typing import TypeAlias

from inferplane.dataplane.server.grpc.http2 import huffman
from inferplane.dataplane.server.grpc.http2.frames import ConnectionBroken, ErrorCode

Field: TypeAlias = tuple[bytes, bytes]

TABLE_SIZE = 4096
"""Bytes of a decoder's table: the protocol's default, which we leave as it is."""

_OVERHEAD = 32
"""What a field counts beside its bytes, in the table and in a list's size."""

_STATIC_TEXT = """
:authority|:method GET|:method POST|:path /|:path /index.html|:scheme http|:scheme https|:status 200|:status 204
:status 206|:status 304|:status 400|:status 404|:status 500|accept-charset|accept-encoding gzip, deflate
accept-language|accept-ranges|accept|access-control-allow-origin|age|allow|authorization|cache-control
content-disposition|content-encoding|content-language|content-length|content-location|content-range|content-type|cookie
date|etag|expect|expires|from|host|if-match|if-modified-since|if-none-match|if-range|if-unmodified-since|last-modified
link|location|max-forwards|proxy-authenticate|proxy-authorization|range|referer|refresh|retry-after|server|set-cookie
strict-transport-security|transfer-encoding|user-agent|vary|via|www-authenticate
"""
STATIC: tuple[Field, ...] = tuple(
    (name.encode(), value.encode())
    for name, _, value in (entry.partition(" ") for entry in _STATIC_TEXT.strip().replace("\n", "|").split("|"))
)
"""Appendix A, whose numbers begin at 1."""

_FIRST_DYNAMIC = len(STATIC) + 1
_REMEMBERED, _LONGEST_REMEMBERED = 512, 128


class Decoder:
    """`limit` is the size of a list of fields. `changes` grows with each change of the table."""

    def __init__(self, limit: int) -> None:
        self.changes = 0
        self._limit = limit
        self._entries: list[Field] = []  # the newest last
        self._size = 0
        self._most = TABLE_SIZE
        self._texts: dict[bytes, bytes] = {}

    def decode(self, block: bytes) -> list[Field]:
        """ConnectionBroken for what is no block; the table is of no use then."""
        try:
            return self._decoded(block)
        except (IndexError, huffman.NotHuffman) as error:
            raise _broken("a header block that breaks off or names what is not there") from error

    def _decoded(self, block: bytes) -> list[Field]:
        fields: list[Field] = []
        at, end, size = self._resized(block), len(block), 0
        while at < end:
            first = block[at]
            if first & 0x80:
                number, at = (first & 0x7F, at + 1) if first != 0xFF else integer(block, at, 7)
                field = self._field(number)
            elif first & 0x40:
                field, at = self._literal(block, at, 6)
                self._insert(field)
            elif first & 0x20:
                raise _broken("a change of the table's size after a field")
            else:
                field, at = self._literal(block, at, 4)
            size += len(field[0]) + len(field[1]) + _OVERHEAD
            if size > self._limit:
                raise ConnectionBroken(ErrorCode.ENHANCE_YOUR_CALM, f"headers of more than {self._limit} bytes")
            fields.append(field)
        return fields

    def _resized(self, block: bytes) -> int:
        """Follows the changes of the table's size, which come first; where the fields begin."""
        at = 0
        while block[at : at + 1] and block[at] & 0xE0 == 0x20:
            most, at = integer(block, at, 5)
            if most > TABLE_SIZE:
                raise _broken(f"a table of {most} bytes, past the {TABLE_SIZE} allowed")
            self.changes += 1
            self._most = most
            self._evict(0)
        return at

    def _field(self, number: int) -> Field:
        if number < _FIRST_DYNAMIC:
            if not number:
                raise IndexError
            return STATIC[number - 1]
        # Counted from the newest; beyond the oldest there is none, and a negative index must not wrap around.
        at = len(self._entries) - 1 - (number - _FIRST_DYNAMIC)
        if at < 0:
            raise IndexError
        return self._entries[at]

    def _literal(self, block: bytes, at: int, bits: int) -> tuple[Field, int]:
        number, at = integer(block, at, bits)
        if number:
            name = self._field(number)[0]
        else:
            name, at = self._text(block, at)
        value, at = self._text(block, at)
        return (name, value), at

    def _text(self, block: bytes, at: int) -> tuple[bytes, int]:
        coded = block[at] & 0x80
        size, at = integer(block, at, 7)
        text = block[at : at + size]
        if len(text) < size:
            raise IndexError
        return self._decoded_text(text) if coded else text, at + size

    def _decoded_text(self, text: bytes) -> bytes:
        found = self._texts.get(text)
        if found is None:
            found = huffman.decoded(text)
            if len(text) <= _LONGEST_REMEMBERED:
                if len(self._texts) >= _REMEMBERED:
                    self._texts.clear()
                self._texts[text] = found
        return found

    def _insert(self, field: Field) -> None:
        self.changes += 1
        size = len(field[0]) + len(field[1]) + _OVERHEAD
        self._evict(size)
        if size <= self._most:  # one that is larger than the table empties it, and that is all
            self._entries.append(field)
            self._size += size

    def _evict(self, coming: int) -> None:
        """The oldest leave until there is room for so many bytes more."""
        gone = 0
        while gone < len(self._entries) and self._size + coming > self._most:
            name, value = self._entries[gone]
            self._size -= len(name) + len(value) + _OVERHEAD
            gone += 1
        if gone:
            del self._entries[:gone]


_LONGEST_INTEGER = 4
"""Bytes after the prefix: more than any number here needs."""


def integer(block: bytes, at: int, bits: int) -> tuple[int, int]:
    """A number whose first bits are the last `bits` of the byte at `at` (5.1), and where it ends."""
    most = (1 << bits) - 1
    number = block[at] & most
    at += 1
    if number < most:
        return number, at
    for shift in range(0, 7 * _LONGEST_INTEGER, 7):
        byte = block[at]
        at += 1
        number += (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
    raise IndexError


def _broken(message: str) -> ConnectionBroken:
    return ConnectionBroken(ErrorCode.COMPRESSION_ERROR, message)


def literal(name: bytes, value: bytes) -> bytes:
    """A field as it is, for no table."""
    return b"\0" + _sized(name) + _sized(value)


def _sized(text: bytes) -> bytes:
    size = len(text)
    if size < 0x7F:
        return b"%c%b" % (size, text)
    out = bytearray(b"\x7f")
    size -= 0x7F
    while size > 0x7F:
        out.append(size & 0x7F | 0x80)
        size >>= 7
    out.append(size)
    return bytes(out) + text
