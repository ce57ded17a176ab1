"""A call of one message and its answer, from the queue of its model or at once.

Nearly all requests come whole in one frame, and nearly all answers go out in one piece: neither takes a task.
"""

import asyncio
import logging
from collections.abc import Sequence

from inferplane.dataplane.server.answers import INTERNAL, Answer
from inferplane.dataplane.server.grpc import status
from inferplane.dataplane.server.grpc.assembling import PREFIX_SIZE, Assembler
from inferplane.dataplane.server.grpc.exchange import (
    HEAD,
    HEAD_GZIP,
    INTERNAL_ERROR,
    OK,
    WORTH,
    Exchange,
    Refused,
    prefix,
    trailers,
)
from inferplane.dataplane.server.grpc.http2.frames import ErrorCode, StreamBroken
from inferplane.dataplane.server.grpc.http2.streams import Buffer
from inferplane.dataplane.server.grpc.status import Code, Refusal
from inferplane.dataplane.server.reply import Reply

log = logging.getLogger("inferplane.server")


class UnaryExchange(Exchange):
    """One message in, one out."""

    _assembler: Assembler | None = None
    _message: bytes | None = None
    _compressed = False
    _length = 0
    _is_released = False
    _pending: Reply | asyncio.Future[Answer] | asyncio.Task[None] | None = None

    def complete(self, data: bytes, start: int, stop: int) -> None:
        size = stop - start
        # Nearly all requests: one message, plain, in one frame.
        if (
            self._assembler is None
            and size >= PREFIX_SIZE
            and data[start : start + PREFIX_SIZE] == prefix(size - PREFIX_SIZE)
            and (self.head.length is None or self.head.length == size)
            and size <= self._server.most
        ):
            self._start(data[start + PREFIX_SIZE : stop])
        else:
            super().complete(data, start, stop)

    def data(self, parts: Sequence[memoryview]) -> None:
        if self._over:
            return
        if self._assembler is None:
            self._assembler = Assembler(self._server.options.max_receive)
        size = sum(map(len, parts))
        self._length += size
        self._connection.held += size
        if self._length < self._connection.held > self._server.limits.held:
            self.refuse(Code.RESOURCE_EXHAUSTED, "too many large requests are under way on this connection")
            return
        for compressed, message in self._assembled(self._assembler, parts):
            if self._message is not None:
                self.refuse(Code.INVALID_ARGUMENT, "expected one message, got several")
                return
            self._message, self._compressed = message, compressed
        # What has come lies in the message, so its sender may go on; one that will be done within its window need not
        # be told, which would be a call of the system.
        window = self._server.limits.window
        if not self._over and not self.ended and self.credit < min(window // 2, self._assembler.missing):
            self._connection.give_credit(self, window - self.credit)

    def end(self) -> None:
        if self._over:
            return
        self._release()
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
        except Refused as refused:
            self.refuse(refused.code, str(refused))
            return
        self._pending = None
        self._start(body)

    def _start(self, body: bytes) -> None:
        head = self.head
        headers = head.metadata.copy()
        if self._server.observed:
            self._server.began(self, headers, body)
        if self._server.payload_log is not None:
            self._take(body)
        try:
            outcome = head.method.unary(body, headers, head.timeout)  # type: ignore[union-attr,misc]  # a unary method
        except Exception:
            log.exception("call failed path=%s", head.path)
            self.refuse(Code.INTERNAL, INTERNAL_ERROR)
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
            self.refuse(Code.INTERNAL, INTERNAL_ERROR)

    def _answer(self, answer: Answer) -> None:
        if self._over:
            return
        body = answer.body
        if isinstance(answer, Refusal):
            self.refuse(answer.code, answer.message)
        elif answer is INTERNAL:
            self.refuse(Code.INTERNAL, INTERNAL_ERROR)
        elif type(body) is bytes and len(body) <= self._server.most_sent and not self._compresses:
            self._over = True
            if self._server.observed:
                self._server.ended(self, "OK", len(body))
            tail = OK + trailers(answer) if answer.headers else OK
            self._connection.answer(self, HEAD, prefix(len(body)), body, tail)
            if self._taken is not None:
                self._log(body)
        elif isinstance(body, bytes | tuple):
            self._answer_large(answer, body)
        else:
            refusal = status.of_failure(NotImplementedError("the model answers with a stream: call ModelStreamInfer"))
            self.refuse(refusal.code, refusal.message)

    def _answer_large(self, answer: Answer, body: bytes | tuple[Buffer, ...]) -> None:
        """Or one to be compressed."""
        pieces = (body,) if isinstance(body, bytes) else body
        size = sum(map(len, pieces))
        if self._compresses and size >= WORTH:
            self._pending = self._server.loop.create_task(self._answer_packed(answer, b"".join(pieces)))
            return
        most = self._server.options.max_send
        if size > most >= 0:
            self.refuse(Code.RESOURCE_EXHAUSTED, f"an answer of {size} bytes: at most {most} bytes are sent")
            return
        self._over = True
        self._server.ended(self, "OK", size)
        self._log(pieces)
        self._connection.begin(self, HEAD)
        self._connection.send(self, (prefix(size), *pieces), OK + trailers(answer))

    async def _answer_packed(self, answer: Answer, body: bytes) -> None:
        try:
            packed = await self._packed(body)
        except Refused as refused:
            self.refuse(refused.code, str(refused))
            return
        if not self._over:
            self._over = True
            self._server.ended(self, "OK", len(body))
            self._log(body)
            self._connection.begin(self, HEAD_GZIP)
            self._connection.send(self, packed, OK + trailers(answer))

    def _release(self) -> None:
        """The request is complete, or nobody waits for the rest."""
        if not self._is_released:
            self._is_released = True
            self._connection.held -= self._length

    def refuse(self, code: Code, message: str, *more: bytes) -> None:
        self._release()
        super().refuse(code, message, *more)

    def cancelled(self) -> None:
        self._release()
        super().cancelled()
        if self._pending is not None:
            self._pending.cancel()

    def overdue(self) -> None:
        if not self.ended:
            self.refuse(Code.DEADLINE_EXCEEDED, "the request did not arrive in time")
        elif self.out:
            self._connection.break_stream(StreamBroken(ErrorCode.CANCEL, self.id))
