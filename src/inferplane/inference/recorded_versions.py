"""Which library version wrote a model, from the file's bytes alone: nothing is unpickled, so nothing is run.

scikit-learn puts `_sklearn_version` into the state of each estimator. joblib writes arrays raw between a pickle's
opcodes, so the file as a whole can't be read as opcodes; the key is looked for, and what follows it is read as such.
"""

import bz2
import io
import lzma
import pickletools
import re
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Protocol

SEARCHED = 64 * 1024 * 1024
"""Bytes (unpacked) that are looked through at most. The first estimator of a large forest is near the beginning."""

_CHUNK = 1024 * 1024
# Small, because packed bytes may unpack to many thousand times as many.
_PACKED_PIECE = 1024
# As a string of its own: after the opcodes SHORT_BINUNICODE, BINUNICODE (protocols 2 to 5) or UNICODE (0 and 1).
_KEY = re.compile(rb"(?:\x8c\x10|X\x10\0\0\0|V)_sklearn_version")
# The value, with marks of the pickle's memo before and after it.
_LONGEST_ENTRY = 96
_VERSION = re.compile(r"\d[\w.+-]{0,30}")


class _Unpacker(Protocol):
    def decompress(self, data: bytes, /) -> bytes: ...


_PACKED: tuple[tuple[bytes, Callable[[], _Unpacker]], ...] = (
    (b"\x78", zlib.decompressobj),
    (b"\x1f\x8b", lambda: zlib.decompressobj(wbits=31)),
    (b"BZh", bz2.BZ2Decompressor),
    (b"\xfd7zXZ", lzma.LZMADecompressor),
    (b"\x5d\x00", lzma.LZMADecompressor),
)


def sklearn_version(stream: IO[bytes]) -> str | None:
    """The scikit-learn version of the first estimator in a pickle or joblib file; None when none is found."""
    kept = b""
    try:
        for chunk in _unpacked(stream):
            found = _find(kept + chunk)
            if found is not None:
                return found
            kept = (kept + chunk)[-2 * _LONGEST_ENTRY :]
    except (EOFError, OSError, ValueError, zlib.error, lzma.LZMAError):
        return None  # not what its first bytes promise, or cut off: loading it tells more
    return None


def unpacked_head(head: bytes, size: int) -> bytes:
    """The first `size` bytes of what the first bytes of a file hold, unpacked where they are packed."""
    found = b""
    try:
        for piece in _unpacked(io.BytesIO(head)):
            found += piece
            if len(found) >= size:
                break
    except (EOFError, OSError, ValueError, zlib.error, lzma.LZMAError):
        pass  # what was unpacked before it went wrong may tell enough
    return found[:size]


def _unpacked(stream: IO[bytes]) -> Iterator[bytes]:
    """The bytes, unpacked, in pieces; no more than `SEARCHED` in all."""
    chunk = stream.read(_CHUNK)
    unpack = next((made().decompress for magic, made in _PACKED if chunk.startswith(magic)), None)
    size = 0
    while chunk and size < SEARCHED:
        for start in range(0, len(chunk), _CHUNK if unpack is None else _PACKED_PIECE):
            piece = chunk if unpack is None else unpack(chunk[start : start + _PACKED_PIECE])
            size += len(piece)
            yield piece
            if size >= SEARCHED:
                return
        chunk = stream.read(_CHUNK)


def _find(data: bytes) -> str | None:
    for key in _KEY.finditer(data):
        version = _value(data[key.end() : key.end() + _LONGEST_ENTRY])
        if version is not None:
            return version
    return None


def _value(after: bytes) -> str | None:
    """The text that the next opcode pushes, marks of the memo aside. `after` is what follows the key."""
    # The key of protocol 0 is a line of its own.
    after = after.removeprefix(b"\n")
    try:
        for opcode, argument, _ in pickletools.genops(after):
            if isinstance(argument, str) and "UNICODE" in opcode.name:
                return argument if _VERSION.fullmatch(argument) else None
            if opcode.name not in ("MEMOIZE", "BINPUT", "LONG_BINPUT", "PUT"):
                return None
    except (ValueError, IndexError):
        return None
    return None
