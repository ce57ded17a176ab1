"""Bodies that are compressed on the way: requests that come so, answers to clients that ask for it."""

import asyncio
import zlib

import msgspec

from inferplane.dataplane.server.answers import Answer, Pieces, failed
from inferplane.dataplane.server.http.wire import Incoming, size_of

CODINGS = (b"gzip", b"deflate")
_WINDOW = {b"gzip": zlib.MAX_WBITS | 16, b"deflate": zlib.MAX_WBITS}
_ALIASES = {b"x-gzip": b"gzip"}
_LEVEL = 1
"""Tensors compress little; the higher levels cost several times as much for a few per cent."""


_WORTH = 1024
"""Bytes. Smaller answers stay as they are."""

_ON_THREAD = 64 * 1024
"""Bytes. Larger bodies are inflated where nobody waits."""


class UnknownCoding(Exception):
    pass


class TooLarge(Exception):
    pass


class Broken(Exception):
    pass


def inflated(body: bytes, coding: bytes, limit: int) -> bytes:
    """The body as it was before it was compressed. Stops as soon as it is more than `limit` bytes."""
    coding = coding.strip().lower()
    coding = _ALIASES.get(coding, coding)
    if coding in (b"", b"identity"):
        return body
    if coding not in _WINDOW:
        raise UnknownCoding
    out = bytearray()
    rest = body
    while rest or not out:
        stream = zlib.decompressobj(_WINDOW[coding])
        try:
            out += stream.decompress(rest, limit + 1 - len(out))
        except zlib.error as error:
            raise Broken(str(error)) from error
        if len(out) > limit:
            raise TooLarge
        if not stream.eof:
            raise Broken("the compressed data is cut off")
        rest = stream.unused_data  # a gzip file may have several members
        if not rest:
            break
    return bytes(out)


def wanted(accepts: bytes) -> bytes | None:
    """The coding of an answer to a client that accepts these, None for an answer as it is.

    Most HTTP clients say by default what they could decode (`gzip, deflate, br`), on loopback too, where compressing
    takes longer than sending. One that names a single coding means it.
    """
    named = [entry.partition(b";")[0].strip().lower() for entry in accepts.split(b",") if not _refused(entry)]
    codings = [name for name in named if name != b"identity"]
    return codings[0] if len(codings) == 1 and codings[0] in CODINGS else None


def _refused(entry: bytes) -> bool:
    return entry.replace(b" ", b"").lower().endswith((b";q=0", b";q=0.0"))


def deflated(body: bytes | Pieces, coding: bytes) -> bytes:
    stream = zlib.compressobj(_LEVEL, wbits=_WINDOW[coding])
    pieces = (body,) if isinstance(body, bytes) else body
    return b"".join([*(stream.compress(piece) for piece in pieces), stream.flush()])


async def inflate(request: Incoming, limit: int) -> Answer | None:
    """Puts the body that was compressed into the request; the refusal if that cannot be done."""
    try:
        if len(request.body) > _ON_THREAD:
            request.body = await asyncio.to_thread(inflated, request.body, request.coding, limit)
        else:
            request.body = inflated(request.body, request.coding, limit)
    except UnknownCoding:
        refusal = failed(415, f"Content-Encoding {request.coding.decode('latin-1')} is not known: use gzip or deflate")
        return msgspec.structs.replace(refusal, headers=((b"accept-encoding", b"gzip, deflate"),))
    except TooLarge:
        return failed(413, f"request body too large: the limit is {limit} bytes after decompression")
    except Broken as error:
        return failed(400, f"the body is not {request.coding.decode('latin-1')}: {error}")
    request.coding = b""
    request.headers = [
        header for header in request.headers if header[0] not in (b"content-encoding", b"content-length")
    ]
    request.headers.append((b"content-length", b"%d" % len(request.body)))
    return None


def as_accepted(answer: Answer, body: bytes | Pieces, accepts: bytes) -> tuple[Answer, bytes | Pieces]:
    """The answer in the coding that the client asks for, or as it is."""
    coding = wanted(accepts) if size_of(body) >= _WORTH else None
    if coding is None:
        return answer, body
    headers = (*answer.headers, (b"content-encoding", coding), (b"vary", b"accept-encoding"))
    return msgspec.structs.replace(answer, headers=headers), deflated(body, coding)
