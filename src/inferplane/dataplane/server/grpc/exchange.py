"""One call on an HTTP/2 stream: messages in, messages and a status out.

A unary call is one message and its answer; a streaming one is a task that reads and writes messages at its own pace. A
client that cancels, or whose deadline passes, cancels the call here too, and a request that still waits for its turn is
dropped.
"""

import asyncio
import logging
import struct
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from http import HTTPStatus
from typing import TYPE_CHECKING, cast

from inferplane.dataplane.server.answers import INTERNAL, Answer
from inferplane.dataplane.server.grpc import status
from inferplane.dataplane.server.grpc.assembling import PREFIX_SIZE, Assembler, NoMessage, TooLong
from inferplane.dataplane.server.grpc.head import CODINGS, CallHead
from inferplane.dataplane.server.grpc.http2.connection import Connection
from inferplane.dataplane.server.grpc.http2.frames import ErrorCode, StreamBroken
from inferplane.dataplane.server.grpc.http2.hpack import literal
from inferplane.dataplane.server.grpc.http2.streams import Buffer
from inferplane.dataplane.server.grpc.observing import Noted
from inferplane.dataplane.server.grpc.status import Code, Refusal, percent_encoded
from inferplane.dataplane.server.http.compression import Broken, TooLarge, deflated, inflated
from inferplane.dataplane.server.http.wire import address
from inferplane.dataplane.server.reply import Reply

if TYPE_CHECKING:
    from inferplane.dataplane.server.grpc.port import GrpcServer

log = logging.getLogger("inferplane.server")

_STATUS_200 = b"\x88"
_CONTENT_TYPE = b"\x0f\x10\x10application/grpc"
_HEAD = _STATUS_200 + _CONTENT_TYPE
_HEAD_GZIP = _HEAD + literal(b"grpc-encoding", b"gzip")
_OK = literal(b"grpc-status", b"0")
_ACCEPTED = literal(b"grpc-accept-encoding", ", ".join(CODINGS).encode())

_WORTH = 1024
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
        self._server = server
        self._connection = connection
        self._over = False

    @property
    def peer(self) -> str:
        return address(self._connection.transport.get_extra_info("peername"))

    def complete(self, data: bytes, start: int, stop: int) -> None:
        self.data(data, start, stop)
        if not self._over:
            self.end()

    def data(self, data: bytes, start: int, stop: int) -> None: ...

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

    def refuse(self, code: Code, message: str, *more: bytes) -> None:
        """Ends the call with a failure, before its answer has begun or in the middle of it."""
        if self._over:
            return
        tail = b"".join((_status(code, message), *more))
        self._over = True
        self._server.ended(self, code.name)
        if self.out is None:
            self._connection.answer_empty(self, _HEAD + tail)
        else:
            self._connection.send(self, (), tail)

    # Messages.

    def _assembled(self, assembler: Assembler, data: bytes, start: int, stop: int) -> list[tuple[bool, bytes]]:
        try:
            return list(assembler.feed(data, start, stop))
        except TooLong as error:
            limit = self._server.options.max_receive
            self.refuse(Code.RESOURCE_EXHAUSTED, f"a message of {error.length} bytes: at most {limit} bytes are read")
        except NoMessage:
            self.refuse(Code.INTERNAL, "expected a message in gRPC's frame")
        return []

    async def _inflated(self, message: bytes) -> bytes:
        """Raises _Refused."""
        limit = self._server.options.max_receive
        most = limit if limit >= 0 else _UNLIMITED
        coding = self.head.coding.encode()
        if coding == b"identity":
            raise _Refused(Code.INTERNAL, "a compressed message without grpc-encoding")
        try:
            if len(message) > _ON_THREAD:
                return await asyncio.to_thread(inflated, message, coding, most)
            return inflated(message, coding, most)
        except TooLarge:
            text = f"the message is larger than {limit} bytes"
            raise _Refused(Code.RESOURCE_EXHAUSTED, text) from None
        except Broken as error:
            raise _Refused(Code.INTERNAL, f"the message is not {self.head.coding}: {error}") from error

    async def _packed(self, body: bytes) -> tuple[bytes, bytes]:
        """(prefix, message) as they are sent. Raises _Refused."""
        most = self._server.options.max_send
        if len(body) > most >= 0:
            raise _Refused(Code.RESOURCE_EXHAUSTED, f"an answer of {len(body)} bytes: at most {most} bytes are sent")
        if not self._compresses or len(body) < _WORTH:
            return _prefix(len(body)), body
        if len(body) > _ON_THREAD:
            body = await asyncio.to_thread(deflated, body, b"gzip")
        else:
            body = deflated(body, b"gzip")
        return _prefix(len(body), 1), body

    @property
    def _compresses(self) -> bool:
        return self._server.options.compress and self.head.takes_gzip

    @property
    def _answer_head(self) -> bytes:
        return _HEAD_GZIP if self._compresses else _HEAD


_UNLIMITED = 2**31 - 1


class _Refused(Exception):
    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code


class UnaryExchange(Exchange):
    """One message in, one out."""

    _assembler: Assembler | None = None
    _message: bytes | None = None
    _compressed = False
    _length = 0
    _begun = 0
    _pending: Reply | asyncio.Future[Answer] | asyncio.Task[None] | None = None

    def complete(self, data: bytes, start: int, stop: int) -> None:
        size = stop - start
        # Nearly all requests: one message, plain, in one frame.
        if (
            self._assembler is None
            and size >= PREFIX_SIZE
            and data[start : start + PREFIX_SIZE] == _prefix(size - PREFIX_SIZE)
            and (self.head.length is None or self.head.length == size)
            and size <= self._server.most
        ):
            self._start(data[start + PREFIX_SIZE : stop])
        else:
            super().complete(data, start, stop)

    def data(self, data: bytes, start: int, stop: int) -> None:
        if self._over:
            return
        if self._assembler is None:
            self._assembler = Assembler(self._server.options.max_receive)
        self._length += stop - start
        for compressed, message in self._assembled(self._assembler, data, start, stop):
            if self._message is not None:
                self.refuse(Code.INVALID_ARGUMENT, "expected one message, got several")
                return
            self._message, self._compressed = message, compressed
        # What has come lies in the message; its sender may go on.
        if not self._over and not self.ended and self.credit < self._server.limits.window // 2:
            self._connection.give_credit(self, self._server.limits.window - self.credit)

    def end(self) -> None:
        if self._over:
            return
        if self.head.length not in (None, self._length):
            self._connection.break_stream(StreamBroken(ErrorCode.PROTOCOL_ERROR, self.id))
        elif self._message is None or self._assembler is None or not self._assembler.is_between:
            self.refuse(Code.INTERNAL, "expected a message, and the request ended")
        elif self._compressed:
            self._pending = self._server.loop.create_task(self._start_inflated(self._message))
        else:
            self._start(self._message)

    async def _start_inflated(self, message: bytes) -> None:
        try:
            body = await self._inflated(message)
        except _Refused as refused:
            self.refuse(refused.code, str(refused))
            return
        self._pending = None
        self._start(body)

    def _start(self, body: bytes) -> None:
        head = self.head
        headers = head.metadata.copy()
        if self._server.observed:
            self._server.began(self, headers, body)
        try:
            outcome = head.method.unary(body, headers, head.timeout)  # type: ignore[union-attr,misc]  # a unary method
        except Exception:
            log.exception("call failed path=%s", head.path)
            self.refuse(Code.INTERNAL, _INTERNAL)
            return
        if isinstance(outcome, Answer):
            self._answer(outcome)
        elif type(outcome) is Reply:
            self._pending = outcome
            outcome.then(self._answer)
        else:
            # Not from a coroutine around it: one that is cancelled before it runs would leave this one unawaited.
            self._pending = task = asyncio.ensure_future(outcome)
            task.add_done_callback(self._settle)

    def _settle(self, outcome: "asyncio.Future[Answer]") -> None:
        if outcome.cancelled():
            return
        error = outcome.exception()
        if error is None:
            self._answer(outcome.result())
        elif isinstance(error, TimeoutError):
            self.refuse(Code.DEADLINE_EXCEEDED, "the deadline has passed")
        else:
            log.error("call failed path=%s", self.head.path, exc_info=error)
            self.refuse(Code.INTERNAL, _INTERNAL)

    def _answer(self, answer: Answer) -> None:
        if self._over:
            return
        body = answer.body
        if isinstance(answer, Refusal):
            self.refuse(answer.code, answer.message)
        elif answer is INTERNAL:
            self.refuse(Code.INTERNAL, _INTERNAL)
        elif type(body) is bytes and len(body) <= self._server.most_sent and not self._compresses:
            self._over = True
            if self._server.observed:
                self._server.ended(self, "OK", len(body))
            tail = _OK + _trailers(answer) if answer.headers else _OK
            self._connection.answer(self, _HEAD, _prefix(len(body)), body, tail)
        elif isinstance(body, bytes | tuple):
            self._answer_large(answer, body)
        else:
            refusal = status.of_failure(NotImplementedError("the model answers with a stream: call ModelStreamInfer"))
            self.refuse(refusal.code, refusal.message)

    def _answer_large(self, answer: Answer, body: bytes | tuple[Buffer, ...]) -> None:
        """Or one to be compressed."""
        pieces = (body,) if isinstance(body, bytes) else body
        size = sum(map(len, pieces))
        if self._compresses and size >= _WORTH:
            self._pending = self._server.loop.create_task(self._answer_packed(answer, b"".join(pieces)))
            return
        most = self._server.options.max_send
        if size > most >= 0:
            self.refuse(Code.RESOURCE_EXHAUSTED, f"an answer of {size} bytes: at most {most} bytes are sent")
            return
        self._over = True
        self._server.ended(self, "OK", size)
        self._connection.begin(self, _HEAD)
        self._connection.send(self, (_prefix(size), *pieces), _OK + _trailers(answer))

    async def _answer_packed(self, answer: Answer, body: bytes) -> None:
        try:
            packed = await self._packed(body)
        except _Refused as refused:
            self.refuse(refused.code, str(refused))
            return
        if not self._over:
            self._over = True
            self._server.ended(self, "OK", len(body))
            self._connection.begin(self, _HEAD_GZIP)
            self._connection.send(self, packed, _OK + _trailers(answer))

    def cancelled(self) -> None:
        super().cancelled()
        if self._pending is not None:
            self._pending.cancel()

    def overdue(self) -> None:
        if not self.ended:
            self.refuse(Code.DEADLINE_EXCEEDED, "the request did not arrive in time")
        elif self.out:
            self._connection.break_stream(StreamBroken(ErrorCode.CANCEL, self.id))


_INTERNAL = "the server failed to answer; its log says why"


class StreamingExchange(Exchange):
    """Any number of messages in and out."""

    def __init__(self, server: "GrpcServer", connection: Connection, id: int, head: CallHead) -> None:
        super().__init__(server, connection, id, head)
        self._assembler = Assembler(server.options.max_receive)
        self._messages: deque[tuple[bool, bytes]] = deque()
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """The call runs from its headers on."""
        self._task = self._server.loop.create_task(self._run())

    def data(self, data: bytes, start: int, stop: int) -> None:
        if self._over:
            return
        self._messages.extend(self._assembled(self._assembler, data, start, stop))
        self._news.set()
        self._credit_what_is_read()

    def end(self) -> None:
        self._news.set()

    def sent(self) -> None:
        self._room.set()

    def cancelled(self) -> None:
        super().cancelled()
        if self._task is not None:
            self._task.cancel()

    def _credit_what_is_read(self) -> None:
        """The client may go on as far as nothing waits to be read; a message that has begun must be able to end."""
        window = self._server.limits.window
        waiting = sum(len(message) for _, message in self._messages)
        if not self._over and not self.ended and self.credit + waiting <= window // 2:
            self._connection.give_credit(self, window - self.credit - waiting)

    async def _incoming(self) -> AsyncIterator[bytes]:
        while True:
            while self._messages:
                compressed, message = self._messages.popleft()
                self._credit_what_is_read()
                yield await self._inflated(message) if compressed else message
            if self.ended:
                if not self._assembler.is_between:
                    raise _Refused(Code.INTERNAL, "the stream ended in the middle of a message")
                return
            self._news.clear()
            await self._news.wait()

    async def _run(self) -> None:
        try:
            async with asyncio.timeout(self.head.timeout):
                await self._answer_messages()
        except TimeoutError:
            self.refuse(Code.DEADLINE_EXCEEDED, "the deadline has passed")
        except Exception as error:
            self._failed(_first(error))

    async def _answer_messages(self) -> None:
        headers = self.head.metadata.copy()
        if self._server.observed:
            self._server.began(self, headers, b"")
        answers = self.head.method.streaming(self._incoming(), headers)  # type: ignore[union-attr,misc]  # a streaming one
        async with aclosing(cast(AsyncGenerator[bytes, None], answers)):
            async for message in answers:
                await self._send(message)
        self._over = True
        self._server.ended(self, "OK")
        if self.out is None:
            self._connection.answer_empty(self, _HEAD + _OK)
        else:
            self._connection.send(self, (), _OK)

    async def _send(self, message: bytes) -> None:
        packed = await self._packed(message)
        if self.out is None:
            self._connection.begin(self, self._answer_head)
        self._room.clear()
        self._connection.send(self, packed)
        if self.out:
            await self._room.wait()

    def _failed(self, error: BaseException) -> None:
        if isinstance(error, _Refused):
            self.refuse(error.code, str(error))
        else:
            log.error("call failed path=%s", self.head.path, exc_info=error)
            self.refuse(Code.INTERNAL, _INTERNAL)


def _first(error: BaseException) -> BaseException:
    """Of those that tasks of a group failed with."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _prefix(size: int, compressed: int = 0) -> bytes:
    return _PREFIX.pack(compressed, size)


_PREFIX = struct.Struct(">BI")


def _status(code: Code, message: str) -> bytes:
    told = literal(b"grpc-status", b"%d" % code)
    return told + literal(b"grpc-message", percent_encoded(message)) if message else told


def _trailers(answer: Answer) -> bytes:
    """What the model put into `response_headers`."""
    return b"".join(literal(name, value) for name, value in answer.headers)
