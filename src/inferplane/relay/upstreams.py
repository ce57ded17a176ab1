"""HTTP/1.1 connections to servers: kept for the next request, and never used when they may be closing.

A request whose bytes were sent is never sent twice. So a connection is only used again shortly after its last answer
(servers close idle ones, uvicorn after 5 s) and when the system says that the server has not closed it.
"""

import asyncio
import socket
from typing import Protocol, cast

from inferplane.kernel.clock import Clock
from inferplane.relay import sockets
from inferplane.relay.framing import (
    HEAD_LIMIT,
    Body,
    Malformed,
    ResponseHead,
    UntilClose,
    read_response,
)
from inferplane.relay.gate import Address

IDLE = 3.0
"""Seconds."""


class Exchange(Protocol):
    """Who asked: told what comes back."""

    method: bytes

    def extra_headers(self) -> bytes:
        """Lines to be put into the answer's head, each with its end."""

    def interim(self, data: bytes) -> None:
        """A head of 1xx; another one follows."""

    def answer(self, data: bytes, head: ResponseHead | None) -> None:
        """A part of the answer as it shall go out, `head` with the first one."""

    def tunnel(self, data: bytes) -> None:
        """The server switched protocols (101): from here on bytes are only passed on."""

    def complete(self, *, reusable: bool) -> None:
        """That was all of it."""

    def broken(self) -> None:
        """The connection ended too early, or what came is no HTTP."""

    def server_is_slow(self, slow: bool) -> None: ...


class Upstream(asyncio.Protocol):
    """One connection. It serves one exchange at a time."""

    __slots__ = ("_body", "_head", "_in", "_tunnel", "address", "exchange", "idle_since", "pool", "socket", "transport")

    def __init__(self, pool: "Pool", address: Address, connected: socket.socket) -> None:
        self.pool = pool
        self.address = address
        self.socket = connected
        self.exchange: Exchange | None = None
        self.idle_since = 0.0
        self._reset()

    def _reset(self) -> None:
        self._in = b""
        self._head: ResponseHead | None = None
        self._body: Body | None = None
        self._tunnel = False

    def begin(self, exchange: Exchange, data: bytes) -> None:
        """Sends a request, or the beginning of one."""
        self.exchange = exchange
        self.transport.write(data)

    def end(self, *, reusable: bool) -> None:
        """The exchange is over."""
        self.exchange = None
        self._reset()
        # A client that was slow may have held it up.
        self.transport.resume_reading()
        if reusable and not self.transport.is_closing():
            self.pool.give(self)
        else:
            self.transport.abort()

    # --- asyncio.Protocol -------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self.exchange is None:
            # Words without a question: whatever they mean, no request must meet them.
            self.transport.abort()
            return
        try:
            self._received(data, self.exchange)
        except Malformed:
            self.exchange.broken()

    def connection_lost(self, error: Exception | None) -> None:
        self.pool.forget(self)
        exchange = self.exchange
        if exchange is None:
            return
        if error is None and (self._tunnel or isinstance(self._body, UntilClose)):
            exchange.complete(reusable=False)
        else:
            exchange.broken()

    def pause_writing(self) -> None:
        if self.exchange is not None:
            self.exchange.server_is_slow(True)

    def resume_writing(self) -> None:
        if self.exchange is not None:
            self.exchange.server_is_slow(False)

    # --- the answer -------------------------------------------------------------------------------------------------

    def _received(self, data: bytes, exchange: Exchange) -> None:
        if self._tunnel:
            exchange.answer(data, None)
        elif self._body is not None:
            end = self._body.feed(data)
            exchange.answer(data if end == len(data) else data[:end], None)
            self._check_end(exchange, clean=end == len(data))
        else:
            self._in = self._in + data if self._in else data
            self._read_head(exchange)

    def _read_head(self, exchange: Exchange) -> None:
        while (end := self._in.find(b"\r\n\r\n")) >= 0:
            data, self._in = self._in, b""
            head = read_response(data[:end])
            if head.is_interim:
                exchange.interim(data[: end + 4])
                self._in = data[end + 4 :]
                continue
            self._begin_answer(exchange, head, data, end + 2)
            return
        if len(self._in) > HEAD_LIMIT:
            raise Malformed(f"expected a head of at most {HEAD_LIMIT} bytes")

    def _begin_answer(self, exchange: Exchange, head: ResponseHead, data: bytes, end: int) -> None:
        """`end` is behind the last header's line, before the empty one."""
        extra = exchange.extra_headers()
        if head.status == 101:
            self._tunnel = True
            exchange.tunnel(data[:end] + extra + data[end:])
            return
        self._head, self._body = head, head.body(exchange.method)
        last = self._body.feed(data, end + 2)
        exchange.answer(data[:end] + extra + data[end:last] if extra or last < len(data) else data, head)
        self._check_end(exchange, clean=last == len(data))

    def _check_end(self, exchange: Exchange, *, clean: bool) -> None:
        if self._body is not None and self._body.done:
            exchange.complete(reusable=clean and self._head is not None and self._head.keeps_alive)


class Pool:
    """The connections to all servers that nobody uses at the moment."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._idle: dict[Address, list[Upstream]] = {}

    def take(self, pod: Address) -> Upstream | None:
        """One that can be used now, the one that was used last."""
        idle = self._idle.get(pod)
        while idle:
            found = idle.pop()
            if self._clock.monotonic() - found.idle_since < IDLE and sockets.is_open(found.socket):
                return found
            found.transport.abort()
        return None

    async def connect(self, pod: Address) -> Upstream:
        """Raises OSError."""
        connected = await sockets.connect(pod)
        try:
            loop = asyncio.get_running_loop()
            _, made = await loop.create_connection(lambda: Upstream(self, pod, connected), sock=connected)
        except BaseException:
            connected.close()
            raise
        return made

    def give(self, one: Upstream) -> None:
        one.idle_since = self._clock.monotonic()
        self._idle.setdefault(one.address, []).append(one)

    def forget(self, one: Upstream) -> None:
        idle = self._idle.get(one.address)
        if idle and one in idle:
            idle.remove(one)
        if idle is not None and not idle:
            del self._idle[one.address]

    def sweep(self) -> None:
        """Closes what has been idle for too long."""
        now = self._clock.monotonic()
        for idle in list(self._idle.values()):
            for one in [one for one in idle if now - one.idle_since >= IDLE]:
                one.transport.abort()

    def close(self) -> None:
        for idle in list(self._idle.values()):
            for one in list(idle):
                one.transport.abort()
