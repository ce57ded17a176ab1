"""The way in for HTTP/2 without TLS, gRPC above all: many streams on a client's connection, each to its server.

A stream waits with its headers and what its window lets in (64 KiB), then it becomes a stream on a connection to its
server; from then on each side's data, trailers and resets go to the other.
"""

import asyncio
from functools import partial

from h2.errors import ErrorCodes

from inferplane.kernel.clock import Clock
from inferplane.relay import sockets
from inferplane.relay.answers import BROKEN, Answer, as_http2
from inferplane.relay.gate import Address, Asked, Gate, Passage, Tap
from inferplane.relay.http1 import GATHERED, tell_own
from inferplane.relay.upstreams import IDLE
from inferplane.relay.wire import Headers, Wire

# Seconds until the first frame of a server that accepted a connection.
_SETTINGS_TIMEOUT = 2.0


class ServerConnection(Wire):
    """A connection to a server, shared by streams."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(client=True)
        self._clock = clock
        self.used = clock.monotonic()
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def settled(self) -> None:
        if not self.ready.done():
            self.ready.set_result(None)

    def closed(self) -> None:
        self.settled()

    @property
    def takes_more(self) -> bool:
        fresh = bool(self.parties) or self._clock.monotonic() - self.used < IDLE
        return fresh and self.has_room and sockets.peer_is_there(self.transport)

    def let_go(self, stream: int) -> None:
        self.forget(stream)
        self.used = self._clock.monotonic()


class Servers:
    """Connections to all servers."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._open: dict[Address, list[ServerConnection]] = {}
        self._opening: dict[Address, asyncio.Task[ServerConnection]] = {}

    def take(self, server: Address) -> ServerConnection | None:
        """One that takes another stream now."""
        return next((one for one in self._open.get(server, ()) if one.takes_more), None)

    async def connect(self, server: Address) -> ServerConnection:
        """One for all who ask at the same moment. Raises OSError."""
        task = self._opening.get(server)
        if task is None:
            task = self._opening[server] = asyncio.get_running_loop().create_task(self._connect(server))
            task.add_done_callback(lambda _: self._opening.pop(server, None))
        # One who gives up must not take the connection away from the others.
        return await asyncio.shield(task)

    async def _connect(self, server: Address) -> ServerConnection:
        connected = await sockets.connect(server)
        try:
            loop = asyncio.get_running_loop()
            _, made = await loop.create_connection(lambda: ServerConnection(self._clock), sock=connected)
        except BaseException:
            connected.close()
            raise
        try:
            # How many streams it takes is in its settings: more would be refused.
            async with asyncio.timeout(_SETTINGS_TIMEOUT):
                await made.ready
        except BaseException:
            made.transport.abort()
            raise
        if made.leaving:
            raise ConnectionResetError(f"{server.host}:{server.port} closed the connection before it said anything")
        self._open.setdefault(server, []).append(made)
        return made

    def sweep(self) -> None:
        """Closes what has been idle for too long, and forgets what is closed."""
        now = self._clock.monotonic()
        for server, found in list(self._open.items()):
            for one in found:
                if not one.parties and now - one.used >= IDLE:
                    one.transport.close()
            self._open[server] = [one for one in found if not one.transport.is_closing()]
            if not self._open[server]:
                del self._open[server]

    def close(self) -> None:
        for task in self._opening.values():
            task.cancel()
        for found in self._open.values():
            for one in found:
                one.transport.abort()


class Connection(Wire):
    """A client's connection."""

    def __init__(self, gate: Gate, servers: Servers, everybody: "set[Connection]") -> None:
        super().__init__(client=False)
        self.gate = gate
        self.servers = servers
        self._everybody = everybody

    @property
    def is_idle(self) -> bool:
        return not self.parties

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._everybody.add(self)
        super().connection_made(transport)

    def closed(self) -> None:
        self._everybody.discard(self)

    def opened(self, stream: int, headers: Headers, *, ended: bool) -> None:
        party = self.parties[stream] = Stream(self, stream, headers, ended=ended)
        party.arrive()


class Stream:
    """A client's stream: the request of `gate`, and the client's `wire.Party`; `_Reply` is the server's."""

    def __init__(self, client: Connection, number: int, headers: Headers, *, ended: bool) -> None:
        self.client = client
        self.number = number
        self.answered = False
        self.call: Passage | None = None
        self.tap: Tap | None = None
        self._gathered: list[bytes] | None = None
        self._headers = headers
        self._names = dict(headers)
        self._held: list[tuple[bytes, int]] = []
        self._trailers: Headers | None = None
        self._ended = ended
        self._server: ServerConnection | None = None
        self._server_stream = 0
        self._connecting: asyncio.Task[None] | None = None

    def arrive(self) -> None:
        refused = self._ask()
        if refused is not None:
            self._answer(refused)
        elif self.call is not None:
            self.call.start()
            if self.call is not None and self.call.gathers and self._server is None:
                self._gathered = []
                self._gather(b"")

    def _ask(self) -> Answer | None:
        names, plain = self._names, {name: value for name, value in self._headers if name[:1] != b":"}
        method, path, host = (names.get(name, b"") for name in (b":method", b":path", b":authority"))
        found = self.client.gate.admit(Asked(method, path, host, plain, speaks_http2=True), self)
        if isinstance(found, Answer):
            return found
        self.call, self.tap = found, found.tap
        return None

    def _gather(self, data: bytes) -> None:
        """For a gate that wants the body before it says where to: what has come is read, so that more may come."""
        gathered = self._gathered
        if gathered is None:
            return
        gathered.append(data)
        for index, (held, taken) in enumerate(self._held):
            self.client.consumed(self.number, taken)
            self._held[index] = held, 0
        if sum(map(len, gathered)) > GATHERED:
            self._gathered = None
            self.refuse(Answer(413, f"expected a body of at most {GATHERED} bytes"))
        elif self._ended and self.call is not None:
            self._gathered = None
            self.call.whole(b"".join(gathered))

    # --- wire.Party: what the client says ---------------------------------------------------------------------------

    def headers(self, headers: Headers, *, ended: bool) -> None:
        """A client's stream has them from the beginning."""

    def interim(self, headers: Headers) -> None:
        """Only servers send these."""

    def data(self, data: bytes, taken: int, *, ended: bool) -> None:
        self._ended = self._ended or ended
        if self.tap is not None:
            self.tap.request(data)
        if self._server is None:
            self._held.append((data, taken))
            self._gather(data)
        else:
            self._pass(self._server, data, taken, end=ended)

    def trailers(self, headers: Headers) -> None:
        self._ended, self._trailers = True, headers
        if self._server is not None:
            self._server.end(self._server_stream, headers)
        self._gather(b"")

    def reset(self, code: int) -> None:
        """The client has gone."""
        self._throw_away()
        self._leave_server()
        self.finish()

    # --- gate.Request -----------------------------------------------------------------------------------------------

    def go(self, to: Address) -> None:
        if (found := self.client.servers.take(to)) is not None:
            self._attach(found)
        else:
            self._connecting = asyncio.get_running_loop().create_task(self._connect(to))

    def refuse(self, answer: Answer) -> None:
        self._leave_server()
        if self.tap is not None and not self.answered:
            tell_own(self.tap, answer)
        self.finish()
        if self.answered:
            self.client.reset(self.number, ErrorCodes.CANCEL)
        else:
            self._answer(answer)

    async def _connect(self, server: Address) -> None:
        try:
            found = await self.client.servers.connect(server)
            while not found.has_room:
                found = await self.client.servers.connect(server)
        except OSError:
            self._connecting = None
            if self.call is not None:
                self.call.refused()
            return
        self._connecting = None
        self._attach(found)

    def _attach(self, server: ServerConnection) -> None:
        if self.call is not None:
            self.call.accepted()
        self._server = server
        hidden = self.client.gate.hidden
        headers = [one for one in self._headers if one[0] not in hidden]
        alone = self._ended and not self._held and self._trailers is None
        self._server_stream = server.open(_Reply(self), headers, end=alone)
        held, self._held = self._held, []
        for index, (data, taken) in enumerate(held):
            self._pass(server, data, taken, end=self._ended and self._trailers is None and index == len(held) - 1)
        if self._trailers is not None:
            server.end(self._server_stream, self._trailers)

    def _pass(self, server: ServerConnection, data: bytes, taken: int, *, end: bool) -> None:
        server.send(self._server_stream, data, partial(self.client.consumed, self.number, taken), end=end)

    # --- what the server says ---------------------------------------------------------------------------------------

    def completed(self) -> None:
        """The answer's end is on its way to the client."""
        server, self._server = self._server, None
        if server is not None:
            if self._ended:
                server.let_go(self._server_stream)
            else:
                server.reset(self._server_stream, ErrorCodes.CANCEL)
        self._hang_up()
        if self.tap is not None:
            self.tap.complete()
        self.finish()

    def _hang_up(self) -> None:
        if self._ended:
            self.client.forget(self.number)
        else:
            self.client.stop(self.number)

    def broken(self, code: int) -> None:
        """The server gave it up. Where nothing came back the client is told what it means, else that it is over."""
        self._server = None
        if self.tap is not None and not self.answered:
            tell_own(self.tap, BROKEN)
        self.finish()
        if self.answered or code == ErrorCodes.REFUSED_STREAM:
            self.client.reset(self.number, code)
        else:
            self._answer(BROKEN)

    def answer(self, data: bytes, taken: int, *, ended: bool) -> None:
        assert self._server is not None, "what a server says has a server"
        self.client.send(self.number, data, partial(self._server.consumed, self._server_stream, taken), end=ended)

    # --- ends -------------------------------------------------------------------------------------------------------

    def _answer(self, answer: Answer) -> None:
        grpc = self._names.get(b"content-type", b"").startswith(b"application/grpc")
        headers, body = as_http2(answer, grpc=grpc)
        if self._names.get(b":method") == b"HEAD":
            body = b""
        self.client.send_headers(self.number, headers, end=not body)
        if body:
            self.client.send(self.number, body, _nothing, end=True)
        self._throw_away()
        self._hang_up()

    def _throw_away(self) -> None:
        held, self._held = self._held, []
        for _, taken in held:
            self.client.consumed(self.number, taken)

    def _leave_server(self) -> None:
        if self._connecting is not None:
            self._connecting.cancel()
            self._connecting = None
        server, self._server = self._server, None
        if server is not None:
            server.reset(self._server_stream, ErrorCodes.CANCEL)

    def finish(self) -> None:
        call, self.call = self.call, None
        if call is not None:
            call.finish()


class _Reply:
    """What the server says, on its way to the client."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def headers(self, headers: Headers, *, ended: bool) -> None:
        stream = self._stream
        stream.answered = True
        if stream.tap is not None:
            stream.tap.answer(*_status(headers))
        if stream.call is not None:
            stream.call.wrote()
            if stream.call.server_timing:
                headers = [*headers, (b"server-timing", stream.call.server_timing)]
        stream.client.send_headers(stream.number, headers, end=ended)
        if ended:
            stream.completed()

    def interim(self, headers: Headers) -> None:
        self._stream.client.send_headers(self._stream.number, headers, end=False)

    def data(self, data: bytes, taken: int, *, ended: bool) -> None:
        stream = self._stream
        if stream.call is not None:
            stream.call.wrote()
        if stream.tap is not None:
            stream.tap.response(data)
        stream.answer(data, taken, ended=ended)
        if ended:
            stream.completed()

    def trailers(self, headers: Headers) -> None:
        if self._stream.tap is not None:
            self._stream.tap.trailers(dict(headers))
        self._stream.client.end(self._stream.number, headers)
        self._stream.completed()

    def reset(self, code: int) -> None:
        self._stream.broken(code)


def _nothing() -> None:
    """Nobody waits for it."""


def _status(headers: Headers) -> tuple[int, dict[bytes, bytes]]:
    names = dict(headers)
    return int(names.pop(b":status", b"0")), names
