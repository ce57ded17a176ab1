"""One client connection: bytes in, requests in order, bytes out.

httptools cuts the bytes into requests; a large body goes past it (`large_body`). A request for a hot route is answered
by its handler at once, often before `data_received` returns; any other goes to the ASGI application. Requests of one
connection are answered one by one and in order; those that arrive meanwhile wait, and past a number of them the socket
is not read. A client that is slow to send, slow to read or idle is cut off by the server's sweep, which looks at
`deadline`.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Coroutine
from time import time
from typing import TYPE_CHECKING, Protocol, cast

import httptools

from inferplane.dataplane.server.answers import INTERNAL, Answer, Outcome, Pieces, WhileHeard
from inferplane.dataplane.server.ending import end_sending
from inferplane.dataplane.server.http import compression, heads, large_body, refusals, wire
from inferplane.dataplane.server.http.asgi import Exchange
from inferplane.dataplane.server.http.large_body import LargeBody
from inferplane.dataplane.server.http.wire import Incoming
from inferplane.dataplane.server.reply import Reply

if TYPE_CHECKING:
    from inferplane.dataplane.server.http.listener import HttpServer

log = logging.getLogger("inferplane.server")

_HTTP2 = b"PRI"
"""How HTTP/2's preface begins; no method of HTTP/1.1 does (RFC 9113, 3.4)."""


class Parser(Protocol):
    def feed_data(self, data: bytes) -> None: ...
    def get_method(self) -> bytes: ...
    def get_http_version(self) -> str: ...
    def should_keep_alive(self) -> bool: ...
    def should_upgrade(self) -> bool: ...


class Connection(asyncio.Protocol):
    """`deadline` is on the loop's clock; None while it is the server that the client waits for."""

    def __init__(self, server: "HttpServer") -> None:
        self._server = server
        self._limits = server.limits
        self._loop = server.loop
        self.transport: asyncio.Transport = cast(
            asyncio.Transport, None
        )  # set by connection_made, before anything else
        self._parser: Parser = httptools.HttpRequestParser(self)
        self._reading: Incoming | None = None
        self._declined: Incoming | None = None
        self._complete: Incoming | None = None
        self._head_size = 0
        self._head_done = False
        self._body: list[bytes] = []
        self._body_size = 0
        self._large: LargeBody | None = None
        self._refused = False
        self._current: Incoming | None = None
        self._task: asyncio.Task[None] | None = None
        self._exchange: Exchange | None = None
        self._while_heard = False
        """Whether what is under way is given up when the client has closed its side."""
        self._expected: Reply | None = None
        self._waiting: deque[Incoming] = deque()
        self._unread = False
        self._drained: asyncio.Event | None = None
        self._closing = False
        self.deadline: float | None = None

    # Transport callbacks.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._server.opened(self)
        self.deadline = self._loop.time() + self._limits.head_timeout

    def connection_lost(self, error: Exception | None) -> None:
        self._server.lost(self, self._current)
        if self._current is not None and self._server.payload_log is not None:
            self._server.payload_log.answered(self._current, None, None)
        self._closing = True
        self._waiting.clear()
        if self._exchange is not None:
            self._exchange.disconnected()
        elif self._task is not None:
            self._task.cancel()
        elif self._expected is not None:
            self._expected.cancel()
        if self._drained is not None:
            self._drained.set()

    def eof_received(self) -> bool:
        # The client has sent all it will; it still gets its answers, but for those that are made while it listens.
        if self._current is None or self._while_heard:
            return False
        self._refused = True
        self._closing = True
        if self._exchange is not None:
            self._exchange.client_left()
        return True

    def pause_writing(self) -> None:
        self._drained = asyncio.Event()
        self.deadline = self._loop.time() + self._limits.write_timeout

    def resume_writing(self) -> None:
        if self._drained is not None:
            self._drained.set()
        self._drained = None
        self.deadline = None
        self._wait_at_most(self._limits.keep_alive)
        self._next()

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        lookout = self._server.lookout
        if lookout is not None:
            lookout.heard()
        between = self._reading is None
        if between:
            request = self._server.known_heads.read(data)
            if request is not None:
                request.id = self._server.new_id()
                self._enqueue(request)
                return
            if data[:3] == _HTTP2 and self._server.http2 is not None:
                self._change_to_http2(self._server.http2(), data)
                return
        self._complete = cast(Incoming | None, None)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._decline_upgrade(data[upgrade.args[0] :])
            return
        except httptools.HttpParserError as error:
            if not self._refused:
                self._refuse(400, f"malformed HTTP request: {error}")
            return
        if self._reading is not None and not self._refused:
            self._still_reading(self._reading, len(data))
        elif between and self._complete is not None:
            self._server.known_heads.remember(data, self._complete)

    def _change_to_http2(self, protocol: asyncio.Protocol, data: bytes) -> None:
        """The connection is the other protocol's from here on, with what has been read of it."""
        self._server.lost(self, None)
        self.transport.set_protocol(protocol)
        protocol.connection_made(self.transport)
        protocol.data_received(data)

    def _decline_upgrade(self, rest: bytes) -> None:
        """We know no other protocol. The parser has stopped after the head and now reads that without the offer."""
        declined, self._declined = self._declined, None
        self._parser = httptools.HttpRequestParser(self)
        if declined is None or declined.method == b"CONNECT":
            self._refuse(501, "this server opens no tunnels")
        else:
            self.data_received(wire.without_upgrade(declined) + rest)

    def _still_reading(self, request: Incoming, size: int) -> None:
        if self._head_done:
            self._wait_at_most(self._limits.body_timeout)
            if request.length >= large_body.FROM and not self._parser.should_upgrade():
                self._read_large(request)
            return
        self._head_size += size
        if self._head_size > self._limits.head:
            self._refuse(431, f"request head too large: the limit is {self._limits.head} bytes")

    # Parser callbacks.

    def on_message_begin(self) -> None:
        if self._refused:
            return
        self._reading = Incoming()
        self._head_size = 0
        self._head_done = False
        self._body = []
        self._body_size = 0
        self._wait_at_most(self._limits.head_timeout)

    def on_url(self, url: bytes) -> None:
        request = self._reading
        if request is None:
            return
        request.target += url
        if len(request.target) > self._limits.target:
            self._refuse(414, f"request target too long: the limit is {self._limits.target} bytes")

    def on_header(self, name: bytes, value: bytes) -> None:
        # After the head come trailers, which nothing here uses.
        if self._reading is not None and not self._head_done:
            self._reading.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        request = self._reading
        if request is None:
            return
        self._head_done = True
        request.method = self._parser.get_method()
        request.version = self._parser.get_http_version()
        fault = heads.examine(request, self._limits)
        if not request.id:
            request.id, request.own_id = self._server.new_id(), True
        if fault is not None:
            self._refuse(fault.status, fault.message)
            return
        if request.target[:1] != b"/":
            request.target = wire.origin_form(request.target)
        elif request.target == refusals.STREAM:
            # Its body ends when the client has heard enough, and it will hear nothing here.
            self._refuse(501, refusals.NO_STREAMS)
            return
        if request.expects_continue:
            self._invite()

    def on_body(self, body: bytes) -> None:
        self._body_size += len(body)
        if self._body_size > self._limits.body:
            self._refuse_body()
        elif self._reading is not None:
            self._body.append(body)

    def _invite(self) -> None:
        """Asks for the body of a client that waits to be asked, once nothing comes before it."""
        request = self._reading
        if request is None or not (request.expects_continue and self._head_done) or self._current or self._waiting:
            return
        request.expects_continue = False
        self.transport.write(wire.CONTINUE)

    def on_message_complete(self) -> None:
        request, self._reading = self._reading, None
        if request is None:
            return
        if self._parser.should_upgrade():
            self._declined = request
            return
        self._complete = request
        request.body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        request.keep_alive = self._parser.should_keep_alive()
        self._body = []
        self._enqueue(request)

    # A large body, past the parser.

    def _read_large(self, request: Incoming) -> None:
        request.keep_alive = self._parser.should_keep_alive()
        self._large = LargeBody(self, request.length, self._body, self._large_arrived)
        self._body = []
        self._parser = httptools.HttpRequestParser(self)
        self.transport.set_protocol(self._large)

    def _large_arrived(self, body: bytes | None) -> None:
        request = self._reading
        if body is None or request is None:
            self._wait_at_most(self._limits.body_timeout)
            return
        self._leave_large()
        self._reading = None
        request.body = body
        self._enqueue(request)

    def _leave_large(self) -> None:
        if self._large is not None:
            self._large = None
            self.transport.set_protocol(self)

    # Requests in order.

    def _refuse_body(self) -> None:
        self._refuse(413, f"request body too large: the limit is {self._limits.body} bytes")

    def _refuse(self, status: int, message: str) -> None:
        """Answers this once everything before it is answered, and reads nothing more."""
        if self._refused:
            return
        self._refused = True
        self._leave_large()
        request = self._reading or Incoming()
        request.id = request.id or self._server.new_id()
        request.keep_alive = False
        request.refusal = refusals.of(request.target, status, message)
        self._reading = None
        self._body = []
        self._enqueue(request)

    def _enqueue(self, request: Incoming) -> None:
        if self._current is not None or self._drained is not None or self._waiting:
            self._waiting.append(request)
            if len(self._waiting) >= self._limits.pipelined and not self._unread:
                self._unread = True
                self.transport.pause_reading()
            return
        self._serve(request)

    def _next(self) -> None:
        while self._waiting and self._current is None and self._drained is None and not self.transport.is_closing():
            self._serve(self._waiting.popleft())
        if self._unread and len(self._waiting) < self._limits.pipelined and not self.transport.is_closing():
            self._unread = False
            self.transport.resume_reading()

    def _serve(self, request: Incoming) -> None:
        self._current = request
        self.deadline = None
        if self._server.observed:
            self._server.note(request, wire.address(self.transport.get_extra_info("peername")))
        if self._server.payload_log is not None:
            request.began = time()
        if request.coding:
            self._start(self._inflate(request))
        else:
            self._answer(request)

    async def _inflate(self, request: Incoming) -> None:
        refusal = await compression.inflate(request, self._limits.body)
        if refusal is not None:
            self._finish(refusal, cast(bytes, refusal.body))
        else:
            self._answer(request)

    def _answer(self, request: Incoming) -> None:
        outcome = self._outcome(request)
        if type(outcome) is Answer and (type(outcome.body) is bytes or type(outcome.body) is tuple):
            self._finish(outcome, outcome.body)
        elif outcome is None:
            self._exchange = Exchange(self._server.app, request, self)
            self._start(self._exchange.run())
        elif type(outcome) is Reply:
            self._expected = outcome
            outcome.then(self._arrived)
        else:
            self._while_heard = type(outcome) is WhileHeard
            self._start(self._settle(outcome))

    def _outcome(self, request: Incoming) -> Outcome | None:
        """None for what the ASGI application is to answer."""
        if request.refusal is not None:
            return request.refusal
        handler = self._server.routes.find(request.method, request.target)
        if handler is None:
            return None
        try:
            return handler(request.body, request.header_map())
        except Exception:
            log.exception("handler failed target=%s", request.target.decode("latin-1"))
            return INTERNAL

    def _arrived(self, answer: Answer) -> None:
        self._expected = None
        if type(answer.body) is bytes or type(answer.body) is tuple:
            self._finish(answer, answer.body)
        else:
            self._start(self._settle(answer))

    def _start(self, work: Coroutine[None, None, None]) -> None:
        self._task = self._loop.create_task(work)

    async def _settle(self, outcome: Outcome) -> None:
        try:
            answer = outcome if isinstance(outcome, Answer) else await outcome
        except Exception:
            log.exception("handler failed")
            answer = INTERNAL
        if isinstance(answer.body, bytes | tuple):
            self._finish(answer, answer.body)
        else:
            await self._stream(answer, answer.body)

    def _finish(self, answer: Answer, body: bytes | Pieces) -> None:
        request = cast(Incoming, self._current)
        self.closing_time(request)
        coded, data = compression.as_accepted(answer, body, request.accepts) if request.accepts else (answer, body)
        out = wire.whole(coded, data, request, self._server.date)
        if isinstance(out, bytes):
            self.transport.write(out)
        else:
            self.transport.writelines(out)
        if self._server.payload_log is not None:
            self._server.payload_log.answered(request, answer, body)
        self.finished(request)

    async def _stream(self, answer: Answer, chunks: AsyncIterator[bytes]) -> None:
        request = cast(Incoming, self._current)
        self._while_heard = True
        exchange = Exchange(self._server.app, request, self)
        headers = [(b"content-type", answer.content_type)] if answer.content_type is not None else []
        await exchange.stream(answer.status, [*headers, *answer.headers], chunks)

    # What an exchange calls.

    @property
    def date(self) -> bytes:
        return self._server.date

    def closing_time(self, request: Incoming) -> None:
        """Decides, right before the head is written, whether this is the connection's last answer."""
        if self._server.draining or (self._closing and not self._waiting):
            request.keep_alive = False

    def copies(self, request: Incoming) -> bool:
        """Whether what is sent is to be kept for `sent`."""
        log = self._server.payload_log
        return log is not None and log.wants(request.method, request.target)

    def sent(self, request: Incoming, answer: Answer, body: bytes | None) -> None:
        """All of an answer has gone out; `body` None where it was too large to keep."""
        if self._server.payload_log is not None:
            self._server.payload_log.answered(request, answer, body)

    async def writable(self) -> None:
        """Returns when the client has read enough of what was written."""
        if self._drained is not None:
            await self._drained.wait()

    def finished(self, request: Incoming) -> None:
        """The answer to the current request is written."""
        self._current = None
        self._task = None
        self._exchange = None
        self._while_heard = False
        self._server.count(request)
        if not request.keep_alive:
            self._close(lingering=request.refusal is not None)
            return
        self._wait_at_most(self._limits.keep_alive)
        if self._waiting or self._unread or self._reading is not None:
            self._next()
            self._invite()
        elif (lookout := self._server.lookout) is not None:
            lookout.answered()

    def abort(self) -> None:
        """The answer cannot be completed; a cut connection is the only way left to say so."""
        self.transport.abort()

    # Ends.

    @property
    def busy(self) -> bool:
        return self._current is not None or self._reading is not None or bool(self._waiting)

    def overdue(self) -> None:
        """The deadline has passed."""
        if self._reading is not None and self._current is None and not self._refused:
            self._refuse(408, "the request did not arrive in time")
        elif self._drained is not None:
            self.transport.abort()
        else:
            self.transport.close()

    def close_if_idle(self) -> None:
        if not self.busy:
            self.transport.close()

    def _close(self, *, lingering: bool) -> None:
        """Ends the connection. One whose request was refused half-way stays readable for a while: closing a socket
        with unread bytes in it resets it, and the client would never see why it was refused."""
        self._refused = True
        self._waiting.clear()
        if not lingering or self._closing or self.transport.is_closing():
            self.transport.close()
            return
        self.deadline = self._loop.time() + self._limits.linger
        end_sending(self.transport)

    def _wait_at_most(self, seconds: float) -> None:
        if self._current is None and self._drained is None:
            self.deadline = self._loop.time() + seconds
