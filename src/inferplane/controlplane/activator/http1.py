"""The way in for HTTP/1.1: one connection of a client, request after request, each to the pod that it is given.

    HEAD ─▶ HELD ─▶ PASSING ─▶ HEAD     a request is read, waits for its pod, and goes through while its answer comes
                       └─────▶ TUNNEL   both sides agreed on another protocol (websocket)
    any ─▶ CLOSING                       answered before all of it was read: the rest is thrown away until it closes

Heads and bodies are passed on as they came, less the headers that name the revision. While a request waits no more than
`HOLD` bytes of its body are read; later the slower side sets the pace.
"""

import asyncio
from enum import IntEnum
from typing import cast

from inferplane.controlplane.activator import sockets
from inferplane.controlplane.activator.answers import (
    BROKEN,
    NAMESPACE,
    REVISION,
    Answer,
    as_http1,
    probed,
    revision_named,
    unknown,
)
from inferplane.controlplane.activator.buffer import Buffer, Call
from inferplane.controlplane.activator.decide import Address
from inferplane.controlplane.activator.framing import (
    HEAD_LIMIT,
    Body,
    Length,
    Malformed,
    RequestHead,
    ResponseHead,
    read_request,
)
from inferplane.controlplane.activator.pods import Pool, Upstream

HOLD = 64 * 1024

_OURS = (REVISION + b":", NAMESPACE + b":")

# Seconds that a client gets to read an answer that came before the request's end.
_LINGER = 1.0


class Stage(IntEnum):
    HEAD = 0
    HELD = 1
    PASSING = 2
    TUNNEL = 3
    CLOSING = 4


class Connection(asyncio.Protocol):
    """One client's connection; it is the exchange of `pods` and the request of `buffer`, as it has one at a time."""

    __slots__ = (
        "_answered",
        "_body",
        "_call",
        "_client_is_slow",
        "_connecting",
        "_head",
        "_held",
        "_held_size",
        "_in",
        "_pod_is_slow",
        "_reading",
        "_stage",
        "_transport",
        "_upstream",
        "buffer",
        "everybody",
        "method",
        "pool",
    )

    def __init__(self, buffer: Buffer, pool: Pool, everybody: "set[Connection]") -> None:
        self.buffer = buffer
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
        self._call: Call | None = None
        self._head: RequestHead | None = None
        self._body: Body = Length(0)
        self._held: list[bytes] = []
        self._held_size = 0
        self._answered = False
        self._pod_is_slow = False
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
        self._leave_pod()
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
        refused = probed(head.names) or self._ask(head)
        if rest and not self._read_body(rest):
            return
        if refused is not None:
            self._answer(refused)
        elif self._call is not None:
            self._call.start()

    def _ask(self, head: RequestHead) -> Answer | None:
        """Lets the request in, or says why not."""
        if head.method == b"CONNECT":
            return Answer(501, "CONNECT is not for the activator")
        revision = revision_named(head.names, head.names.get(b"host", b""))
        if revision is None:
            return unknown(None)
        found = self.buffer.arrive(revision, self)
        if isinstance(found, Answer):
            return found
        self._stage, self._call = Stage.HELD, found
        return None

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
            if self._stage is Stage.PASSING and self._upstream is not None:
                self._upstream.transport.write(data)
            else:
                self._held.append(data)
                self._held_size += len(data)
        self._set_pace()
        return True

    def _set_pace(self) -> None:
        """Reads on only as far as there is somewhere to put it."""
        wait = self._pod_is_slow or len(self._in) > HOLD or (self._stage is Stage.HELD and self._held_size > HOLD)
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

    # --- buffer.Request ---------------------------------------------------------------------------------------------

    def go(self, pod: Address) -> None:
        if (upstream := self.pool.take(pod)) is not None:
            self._attach(upstream)
        else:
            self._connecting = asyncio.get_running_loop().create_task(self._connect(pod))

    def refuse(self, answer: Answer) -> None:
        self._give_up(answer)

    async def _connect(self, pod: Address) -> None:
        try:
            upstream = await self.pool.connect(pod)
        except OSError:
            self._connecting = None
            if self._call is not None:
                self._call.refused()
            return
        self._connecting = None
        self._attach(upstream)

    def _attach(self, upstream: Upstream) -> None:
        assert self._head is not None, "only a request that was read goes to a pod"
        if self._call is not None:
            self._call.accepted()
        self._upstream, self._stage = upstream, Stage.PASSING
        held, self._held, self._held_size = self._held, [], 0
        upstream.begin(self, b"".join((self._head.without(_OURS), *held)))
        if self._client_is_slow:
            upstream.transport.pause_reading()
        self._set_pace()

    # --- pods.Exchange ----------------------------------------------------------------------------------------------

    def extra_headers(self) -> bytes:
        timing = self._call.server_timing if self._call is not None else b""
        return b"server-timing: %s\r\n" % timing if timing else b""

    def interim(self, data: bytes) -> None:
        self._transport.write(data)

    def answer(self, data: bytes, head: ResponseHead | None) -> None:
        self._answered = True
        if self._call is not None:
            self._call.wrote()
        self._transport.write(data)

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
        if upstream is not None:
            upstream.end(reusable=reusable and self._body.done)
        self._finish_call()
        keep = reusable and self._head is not None and self._head.keeps_alive
        if not self._body.done:
            self._linger()
        elif keep:
            self._next()
        else:
            self._stage = Stage.CLOSING
            self._transport.close()

    def broken(self) -> None:
        self._finish_call()
        self._give_up(BROKEN)

    def pod_is_slow(self, slow: bool) -> None:
        self._pod_is_slow = slow
        self._set_pace()

    # --- ends -------------------------------------------------------------------------------------------------------

    def _give_up(self, answer: Answer) -> None:
        """Our own answer; where the pod's has begun the connection ends, so that nobody takes it for whole."""
        self._leave_pod()
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
        self._pod_is_slow = False
        self._set_pace()
        asyncio.get_running_loop().call_later(_LINGER, self._transport.close)

    def _leave_pod(self) -> None:
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
