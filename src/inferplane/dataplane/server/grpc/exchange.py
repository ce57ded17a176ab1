"""One call on an HTTP/2 stream: messages in, messages and a status out.

A unary call is one message and its answer; a streaming one is a task that reads and writes messages at its own pace. A
client that cancels, or whose deadline passes, cancels the call here too, and a request that still waits for its turn is
dropped.
"""

import asyncio
import struct
from collections import deque
from collections.abc import Sequence
from http import HTTPStatus
from time import time
from typing import TYPE_CHECKING

from inferplane.dataplane.server.answers import Answer
from inferplane.dataplane.server.grpc.assembling import Assembler, NoMessage, TooLong
from inferplane.dataplane.server.grpc.head import CODINGS, CallHead
from inferplane.dataplane.server.grpc.http2.connection import Connection
from inferplane.dataplane.server.grpc.http2.hpack import literal
from inferplane.dataplane.server.grpc.http2.streams import Buffer
from inferplane.dataplane.server.grpc.observing import Noted
from inferplane.dataplane.server.grpc.status import Code, percent_encoded
from inferplane.dataplane.server.http.compression import Broken, TooLarge, deflated, inflated
from inferplane.dataplane.server.http.wire import address

if TYPE_CHECKING:
    from inferplane.dataplane.server.grpc.port import GrpcServer


_STATUS_200 = b"\x88"
_CONTENT_TYPE = b"\x0f\x10\x10application/grpc"
HEAD = _STATUS_200 + _CONTENT_TYPE
HEAD_GZIP = HEAD + literal(b"grpc-encoding", b"gzip")
OK = literal(b"grpc-status", b"0")
INTERNAL_ERROR = "the server failed to answer; its log says why"
_ACCEPTED = literal(b"grpc-accept-encoding", ", ".join(CODINGS).encode())

WORTH = 1024
"""Bytes. Smaller messages are not compressed."""

_ON_THREAD = 64 * 1024
"""Bytes. Larger messages are compressed and inflated where nobody waits."""


class Exchange:
    """What both kinds of calls have in common, and the whole of a call that cannot be."""

    def __init__(self, server: "GrpcServer", connection: Connection, id: int, head: CallHead) -> None:
        self.id = id
        self.tag = id.to_bytes(4, "big")
        self.ended = False
        self.window = 0
        self.credit = server.limits.window
        self.out: deque[Buffer] | None = None
        self.tail: bytes | None = None
        self.head = head
        self.noted: Noted | None = None
        self._taken: tuple[float, bytes] | None = None
        self._server = server
        self._connection = connection
        self._over = False

    @property
    def peer(self) -> str:
        return address(self._connection.transport.get_extra_info("peername"))

    def complete(self, data: bytes, start: int, stop: int) -> None:
        self.data((memoryview(data)[start:stop],))
        if not self._over:
            self.end()

    def data(self, parts: Sequence[memoryview]) -> None: ...

    def end(self) -> None: ...

    def sent(self) -> None: ...

    def overdue(self) -> None: ...

    def begin(self) -> None:
        """The head alone tells that there is nothing to be done."""
        head = self.head
        if head.status != HTTPStatus.OK:
            self._over = True
            self._connection.answer_empty(self, b"\x08\x03%d" % head.status)
        elif head.method is None:
            self.refuse(Code.UNIMPLEMENTED, f"no such call: {head.path}")
        else:
            self.refuse(Code.UNIMPLEMENTED, f"grpc-encoding {head.coding[:40]} is not known here", _ACCEPTED)

    def cancelled(self) -> None:
        """What is done here ends; there is nobody to answer any more."""
        if not self._over:
            self._over = True
            self._server.ended(self, "CANCELLED")
            self._log(None)

    def refuse(self, code: Code, message: str, *more: bytes) -> None:
        """Ends the call with a failure, before its answer has begun or in the middle of it."""
        if self._over:
            return
        tail = b"".join((status_fields(code, message), *more))
        self._over = True
        self._server.ended(self, code.name)
        self._log(None)
        if self.out is None:
            self._connection.answer_empty(self, HEAD + tail)
        else:
            self._connection.send(self, (), tail)

    # The payload log.

    def _take(self, body: bytes) -> None:
        """A request that is whole."""
        log = self._server.payload_log
        if log is not None and log.wants(b"POST", self.head.path.encode("latin-1")):
            self._taken = time(), body

    def _log(self, answer: bytes | tuple[Buffer, ...] | None) -> None:
        """The call is over, without an answer where it failed."""
        taken, self._taken = self._taken, None
        log = self._server.payload_log
        if taken is not None and log is not None:
            whole = b"".join(answer) if isinstance(answer, tuple) else answer
            log.called(self.head.path, self.head.metadata, *taken, whole)

    # Messages.

    def _assembled(self, assembler: Assembler, parts: Sequence[memoryview]) -> list[tuple[bool, bytes]]:
        try:
            return [message for part in parts if not assembler.takes(part) for message in assembler.feed(part)]
        except TooLong as error:
            limit = self._server.options.max_receive
            self.refuse(Code.RESOURCE_EXHAUSTED, f"a message of {error.length} bytes: at most {limit} bytes are read")
        except NoMessage:
            self.refuse(Code.INTERNAL, "expected a message in gRPC's frame")
        return []

    async def _inflated(self, message: bytes) -> bytes:
        """Raises Refused."""
        limit = self._server.options.max_receive
        most = limit if limit >= 0 else _UNLIMITED
        coding = self.head.coding.encode()
        if coding == b"identity":
            raise Refused(Code.INTERNAL, "a compressed message without grpc-encoding")
        try:
            if len(message) > _ON_THREAD:
                return await asyncio.to_thread(inflated, message, coding, most)
            return inflated(message, coding, most)
        except TooLarge:
            text = f"the message is larger than {limit} bytes"
            raise Refused(Code.RESOURCE_EXHAUSTED, text) from None
        except Broken as error:
            raise Refused(Code.INTERNAL, f"the message is not {self.head.coding}: {error}") from error

    async def _packed(self, body: bytes) -> tuple[bytes, bytes]:
        """(prefix, message) as they are sent. Raises Refused."""
        most = self._server.options.max_send
        if len(body) > most >= 0:
            raise Refused(Code.RESOURCE_EXHAUSTED, f"an answer of {len(body)} bytes: at most {most} bytes are sent")
        if not self._compresses or len(body) < WORTH:
            return prefix(len(body)), body
        if len(body) > _ON_THREAD:
            body = await asyncio.to_thread(deflated, body, b"gzip")
        else:
            body = deflated(body, b"gzip")
        return prefix(len(body), 1), body

    @property
    def _compresses(self) -> bool:
        return self._server.options.compress and self.head.takes_gzip

    @property
    def _answer_head(self) -> bytes:
        return HEAD_GZIP if self._compresses else HEAD


_UNLIMITED = 2**31 - 1


class Refused(Exception):
    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code


def prefix(size: int, compressed: int = 0) -> bytes:
    return _PREFIX.pack(compressed, size)


_PREFIX = struct.Struct(">BI")


def status_fields(code: Code, message: str) -> bytes:
    told = literal(b"grpc-status", b"%d" % code)
    text = percent_encoded(message)
    while len(text) > _LONGEST_MESSAGE:
        message = message[: len(message) // 2]
        text = percent_encoded(f"{message}…")
    return told + literal(b"grpc-message", text) if text else told


_LONGEST_MESSAGE = 4096
"""Bytes. grpcio's clients take 8 KiB of headers; past it they would see neither message nor status."""


def trailers(answer: Answer) -> bytes:
    """What the model put into `response_headers`."""
    own = (b"grpc-", b":")
    return b"".join(literal(name, value) for name, value in answer.headers if not name.startswith(own))
