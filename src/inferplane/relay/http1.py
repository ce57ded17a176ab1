"""The way in for HTTP/1.1: one connection of a client, request after request, each to the server that it is given.

    HEAD ─▶ HELD ─▶ PASSING ─▶ HEAD     a request is read, waits for its server, and goes through while its answer comes
                       └─────▶ TUNNEL   both sides agreed on another protocol (websocket)
    any ─▶ CLOSING                       answered before all of it was read: the rest is thrown away until it closes

Heads and bodies are passed on as they came, less the headers that the gate hides. While a request waits no more than
`HOLD` bytes of its body are read, unless the gate wants all of it (`GATHERED`); later the slower side sets the pace.
"""

import asyncio
from enum import IntEnum
from typing import cast

from inferplane.relay import sockets
from inferplane.relay.answers import BROKEN, Answer, as_http1
from inferplane.relay.framing import (
    HEAD_LIMIT,
    Body,
    Length,
    Malformed,
    Payload,
    RequestHead,
    ResponseHead,
    read_request,
)
from inferplane.relay.gate import Address, Asked, Gate, Passage, Tap
from inferplane.relay.upstreams import Pool, Upstream

HOLD = 64 * 1024

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

GATHERED = 64 * 1024 * 1024
"""Bytes of a body that a gate wants whole, at most."""

# Seconds that a client gets to read an answer that came before the request's end.
_LINGER = 1.0


class Stage(IntEnum):
    HEAD = 0
    HELD = 1
    PASSING = 2
    TUNNEL = 3
    CLOSING = 4


class Connection(asyncio.Protocol):
    """One client's connection; it is the exchange of `upstreams` and the request of `gate`, as it has one at a
    time."""

    __slots__ = (
        "_answered",
        "_body",
        "_call",
        "_client_is_slow",
        "_connecting",
        "_gathers",
        "_head",
        "_held",
        "_held_size",
        "_in",
        "_payload",
        "_reading",
        "_reply",
        "_server_is_slow",
        "_stage",
        "_tap",
        "_transport",
        "_upstream",
        "everybody",
        "gate",
        "method",
        "pool",
    )

    def __init__(self, gate: Gate, pool: Pool, everybody: "set[Connection]") -> None:
        self.gate = gate
        self.pool = pool
        self.everybody = everybody
        self._in = b""
        self._reading = True
        self._client_is_slow = False
        self._stage = Stage.HEAD
        self._connecting: asyncio.Task[None] | None = None
        self._upstream: Upstream | None = None
        self._begin()

    def _begin(self) -> None:
        self._call: Passage | None = None
        self._tap: Tap | None = None
        self._payload: Payload | None = None
        self._reply: Payload | None = None
        self._gathers = False
        self._head: RequestHead | None = None
        self._body: Body = Length(0)
        self._held: list[bytes] = []
        self._held_size = 0
        self._answered = False
        self._server_is_slow = False
        self.method = b""

    @property
    def is_idle(self) -> bool:
        return self._stage is Stage.HEAD and not self._in

    # --- asyncio.Protocol -------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.everybody.add(self)

    def data_received(self, data: bytes) -> None:
        if self._stage is Stage.HEAD:
            self._in = self._in + data if self._in else data
            self._read_head()
        elif self._stage is Stage.TUNNEL:
            if self._upstream is not None:
                self._upstream.transport.write(data)
        elif self._stage is not Stage.CLOSING:
            self._read_body(data)

    def connection_lost(self, error: Exception | None) -> None:
        self.everybody.discard(self)
        self._leave_server()
        self._stage = Stage.CLOSING
        self._finish_call()

    def pause_writing(self) -> None:
        self._client_is_slow = True
        if self._upstream is not None:
            self._upstream.transport.pause_reading()

    def resume_writing(self) -> None:
        self._client_is_slow = False
        if self._upstream is not None:
            self._upstream.transport.resume_reading()

    # --- the request ------------------------------------------------------------------------------------------------

    def _read_head(self) -> None:
        data = self._in.lstrip(b"\r\n") if self._in[:1] in b"\r\n" else self._in
        end = data.find(b"\r\n\r\n")
        if end < 0:
            self._in = data
            if len(data) > HEAD_LIMIT:
                self._answer(Answer(431, f"expected a head of at most {HEAD_LIMIT} bytes"), close=True)
            return
        self._in = b""
        try:
            head = read_request(data[:end])
            self._head, self._body, self.method = head, head.body(), head.method
        except Malformed as error:
            self._answer(Answer(400, str(error)), close=True)
            return
        self._admit(head, data[end + 4 :])

    def _admit(self, head: RequestHead, rest: bytes) -> None:
        refused = self._ask(head)
        if rest and not self._read_body(rest):
            return
        if refused is not None:
            self._answer(refused)
        elif self._call is not None:
            self._call.start()
            self._gather(head)

    def _ask(self, head: RequestHead) -> Answer | None:
        """Lets the request in, or says why not."""
        if head.method == b"CONNECT":
            return Answer(501, "CONNECT is not taken here")
        asked = Asked(head.method, head.target, head.names.get(b"host", b""), head.names, speaks_http2=False)
        found = self.gate.admit(asked, self)
        if isinstance(found, Answer):
            return found
        self._stage, self._call, self._tap = Stage.HELD, found, found.tap
        if found.tap is not None:
            self._payload = Payload(self._body)
        return None

    def _gather(self, head: RequestHead) -> None:
        """For a gate that wants the body before it says where to."""
        if self._call is None or self._stage is not Stage.HELD or not self._call.gathers:
            return
        self._gathers = True
        if self._body.done:
            self._gathered()
        elif head.names.get(b"expect", b"").lower() == b"100-continue":
            self._transport.write(_CONTINUE)

    def _gathered(self) -> None:
        self._gathers = False
        if self._call is not None and self._head is not None:
            self._call.whole(Payload(self._head.body()).feed(b"".join(self._held)))

    def _read_body(self, data: bytes) -> bool:
        """False: it was no body, and that was answered."""
        if self._body.done:
            self._in += data
        else:
            try:
                end = self._body.feed(data)
            except Malformed as error:
                self._give_up(Answer(400, str(error)))
                return False
            if end < len(data):
                data, self._in = data[:end], data[end:]
            if self._tap is not None and self._payload is not None:
                self._tap.request(self._payload.feed(data))
            if self._stage is Stage.PASSING and self._upstream is not None:
                self._upstream.transport.write(data)
            elif not self._hold(data):
                return False
        self._set_pace()
        return True

    def _hold(self, data: bytes) -> bool:
        self._held.append(data)
        self._held_size += len(data)
        if self._gathers and self._held_size > GATHERED:
            self._give_up(Answer(413, f"expected a body of at most {GATHERED} bytes"))
            return False
        if self._gathers and self._body.done:
            self._gathered()
        return True

    def _set_pace(self) -> None:
        """Reads on only as far as there is somewhere to put it."""
        is_full = self._stage is Stage.HELD and self._held_size > (GATHERED if self._gathers else HOLD)
        wait = self._server_is_slow or len(self._in) > HOLD or is_full
        if wait == self._reading and not self._transport.is_closing():
            self._reading = not wait
            (self._transport.pause_reading if wait else self._transport.resume_reading)()

    def client_is_there(self) -> bool:
        """Asked now and then: a connection that is not read does not tell that its client has gone."""
        return self._reading or self._stage is not Stage.HELD or sockets.peer_is_there(self._transport)

    def abort(self) -> None:
        self._transport.abort()

    def close(self) -> None:
        """What was written still goes out."""
        self._transport.close()

    # --- gate.Request -----------------------------------------------------------------------------------------------

    def go(self, to: Address) -> None:
        if (upstream := self.pool.take(to)) is not None:
            self._attach(upstream)
        else:
            self._connecting = asyncio.get_running_loop().create_task(self._connect(to))

    def refuse(self, answer: Answer) -> None:
        self._give_up(answer)

    async def _connect(self, to: Address) -> None:
        try:
            upstream = await self.pool.connect(to)
        except OSError:
            self._connecting = None
            if self._call is not None:
                self._call.refused()
            return
        self._connecting = None
        self._attach(upstream)

    def _attach(self, upstream: Upstream) -> None:
        assert self._head is not None, "only a request that was read goes to a server"
        if self._call is not None:
            self._call.accepted()
        self._upstream, self._stage = upstream, Stage.PASSING
        held, self._held, self._held_size = self._held, [], 0
        upstream.begin(self, b"".join((self._head.without(self.gate.hidden), *held)))
        if self._client_is_slow:
            upstream.transport.pause_reading()
        self._set_pace()

    # --- upstreams.Exchange -----------------------------------------------------------------------------------------

    def extra_headers(self) -> bytes:
        timing = self._call.server_timing if self._call is not None else b""
        return b"server-timing: %s\r\n" % timing if timing else b""

    def interim(self, data: bytes) -> None:
        self._transport.write(data)

    def answer(self, data: bytes, head: ResponseHead | None) -> None:
        self._answered = True
        if self._call is not None:
            self._call.wrote()
        if self._tap is not None:
            self._tell(self._tap, data, head)
        self._transport.write(data)

    def _tell(self, tap: Tap, data: bytes, head: ResponseHead | None) -> None:
        if head is not None:
            tap.answer(head.status, head.names)
            self._reply = Payload(head.body(self.method))
            data = data[data.index(b"\r\n\r\n") + 4 :]
        if data and self._reply is not None:
            tap.response(self._reply.feed(data))

    def tunnel(self, data: bytes) -> None:
        self._answered, self._stage = True, Stage.TUNNEL
        if self._call is not None:
            self._call.is_a_tunnel()
        self._transport.write(data)
        early, self._in = self._in, b""
        if early and self._upstream is not None:
            self._upstream.transport.write(early)
        self._set_pace()

    def complete(self, *, reusable: bool) -> None:
        upstream, self._upstream = self._upstream, None
        # A request that asks for the connection's end asks the server too, which need not say that it heard.
        keep = reusable and self._head is not None and self._head.keeps_alive
        if upstream is not None:
            upstream.end(reusable=keep and self._body.done)
        if self._tap is not None:
            self._tap.complete()
        self._finish_call()
        if not self._body.done:
            self._linger()
        elif keep:
            self._next()
        else:
            self._stage = Stage.CLOSING
            self._transport.close()

    def broken(self) -> None:
        self._give_up(BROKEN)

    def server_is_slow(self, slow: bool) -> None:
        self._server_is_slow = slow
        self._set_pace()

    # --- ends -------------------------------------------------------------------------------------------------------

    def _give_up(self, answer: Answer) -> None:
        """Our own answer; where the server's has begun the connection ends, so that nobody takes it for whole."""
        self._leave_server()
        if self._tap is not None and not self._answered:
            tell_own(self._tap, answer)
        self._finish_call()
        if self._answered:
            self._stage = Stage.CLOSING
            self._transport.abort()
        else:
            self._answer(answer)

    def _answer(self, answer: Answer, *, close: bool = False) -> None:
        keep = not close and self._body.done and self._head is not None and self._head.keeps_alive
        self._transport.write(as_http1(answer, head_only=self.method == b"HEAD", close=not keep))
        if keep:
            self._next()
        elif close or not self._body.done:
            self._linger()
        else:
            self._stage = Stage.CLOSING
            self._transport.close()

    def _next(self) -> None:
        self._stage = Stage.HEAD
        self._begin()
        self._set_pace()
        if self._in:
            # Not at once: of requests that came together, each would be answered from within the one before.
            asyncio.get_running_loop().call_soon(self._read_on)

    def _read_on(self) -> None:
        if self._stage is Stage.HEAD and self._in:
            self._read_head()

    def _linger(self) -> None:
        """Closing at once would take the answer away from a client that is still sending."""
        self._stage, self._in, self._held = Stage.CLOSING, b"", []
        self._server_is_slow = False
        self._set_pace()
        asyncio.get_running_loop().call_later(_LINGER, self._transport.close)

    def _leave_server(self) -> None:
        if self._connecting is not None:
            self._connecting.cancel()
            self._connecting = None
        upstream, self._upstream = self._upstream, None
        if upstream is not None:
            upstream.end(reusable=False)

    def _finish_call(self) -> None:
        call, self._call = self._call, None
        if call is not None:
            call.finish()


def tell_own(tap: Tap, answer: Answer) -> None:
    """An answer of the proxy's own, whole."""
    kind, body = answer.body
    tap.answer(answer.status, {b"content-type": kind})
    tap.response(body)
    tap.complete()
