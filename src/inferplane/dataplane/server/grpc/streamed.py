"""A call with any number of messages in and out: a task that reads and writes them at its own pace."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from itertools import count
from typing import TYPE_CHECKING, cast
from uuid import uuid4

from inferplane.dataplane.server.grpc.assembling import Assembler
from inferplane.dataplane.server.grpc.exchange import HEAD, INTERNAL_ERROR, OK, Exchange, Refused
from inferplane.dataplane.server.grpc.head import CallHead
from inferplane.dataplane.server.grpc.http2.connection import Connection
from inferplane.dataplane.server.grpc.status import Code

if TYPE_CHECKING:
    from inferplane.dataplane.server.grpc.port import GrpcServer

log = logging.getLogger("inferplane.server")


class StreamingExchange(Exchange):
    """Any number of messages in and out."""

    def __init__(self, server: "GrpcServer", connection: Connection, id: int, head: CallHead) -> None:
        super().__init__(server, connection, id, head)
        self._assembler = Assembler(server.options.max_receive)
        self._messages: deque[tuple[bool, bytes]] = deque()
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._log_id = ""
        self._numbers = {"in": count(1), "out": count(1)}

    def begin(self) -> None:
        """The call runs from its headers on."""
        self._task = self._server.loop.create_task(self._run())

    def data(self, parts: Sequence[memoryview]) -> None:
        if self._over:
            return
        self._messages.extend(self._assembled(self._assembler, parts))
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
                message = await self._inflated(message) if compressed else message
                if self._log_id:
                    self._note(got=message)
                yield message
            if self.ended:
                if not self._assembler.is_between:
                    raise Refused(Code.INTERNAL, "the stream ended in the middle of a message")
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
        self._log_id = self._wanted_id()
        answers = self.head.method.streaming(self._incoming(), headers)  # type: ignore[union-attr,misc]  # a streaming one
        async with aclosing(cast(AsyncGenerator[bytes, None], answers)):
            async for message in answers:
                await self._send(message)
        self._over = True
        self._server.ended(self, "OK")
        if self.out is None:
            self._connection.answer_empty(self, HEAD + OK)
        else:
            self._connection.send(self, (), OK)

    def _wanted_id(self) -> str:
        """Of the stream in the payload log, empty where it is not logged."""
        log = self._server.payload_log
        if log is None or not log.wants(b"POST", self.head.path.encode("latin-1")):
            return ""
        return self.head.metadata.get("ce-id") or str(uuid4())

    def _note(self, *, got: bytes | None = None, sent: bytes | None = None) -> None:
        log = self._server.payload_log
        if log is not None:
            number = self._numbers["in" if got is not None else "out"]
            log.message(self.head.path, self.head.metadata, self._log_id, next(number), got=got, sent=sent)

    async def _send(self, message: bytes) -> None:
        if self._log_id:
            self._note(sent=message)
        packed = await self._packed(message)
        if self.out is None:
            self._connection.begin(self, self._answer_head)
        self._room.clear()
        self._connection.send(self, packed)
        if self.out:
            await self._room.wait()

    def _failed(self, error: BaseException) -> None:
        if isinstance(error, Refused):
            self.refuse(error.code, str(error))
        else:
            log.error("call failed path=%s", self.head.path, exc_info=error)
            self.refuse(Code.INTERNAL, INTERNAL_ERROR)


def _first(error: BaseException) -> BaseException:
    """Of those that tasks of a group failed with."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
