"""Where a proxy listens: one port for HTTP/1.1 and HTTP/2, told apart by a connection's first bytes."""

import asyncio
import socket
from typing import Protocol, TypeAlias, cast

from inferplane.kernel.clock import Clock
from inferplane.relay import http1, http2
from inferplane.relay.gate import Gate
from inferplane.relay.upstreams import Pool

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_BACKLOG = 4096
_PERIOD = 1.0
# Seconds between looks at whether all is answered.
_LOOK = 0.02

Connection: TypeAlias = http1.Connection | http2.Connection


def listening(host: str, port: int = 0) -> socket.socket:
    """A socket that listens there: connections wait in it until somebody accepts. Where the port is taken, or 0, the
    system chooses another one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            made.bind((host, port))
        except OSError:
            made.bind((host, 0))
        made.listen(_BACKLOG)
        made.setblocking(False)
    except BaseException:
        made.close()
        raise
    return made


class Listener:
    def __init__(self, gate: Gate, clock: Clock) -> None:
        self._gate = gate
        self._clock = clock
        self._pool = Pool(clock)
        self._servers = http2.Servers(clock)
        self._http1: set[http1.Connection] = set()
        self._http2: set[http2.Connection] = set()
        self._server: asyncio.Server | None = None

    async def start(self, listening: socket.socket) -> None:
        """Takes connections from a socket that listens."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Unknown(self.meet), sock=listening, backlog=_BACKLOG)

    async def run(self) -> None:
        """Tidies up each second, until cancelled."""
        while True:
            await self._clock.sleep(_PERIOD)
            self._pool.sweep()
            self._servers.sweep()
            for one in [one for one in self._http1 if not one.client_is_there()]:
                one.abort()

    async def stop(self, grace: float) -> None:
        """Those who wait are sent away (503), what runs has `grace` seconds."""
        if self._server is not None:
            self._server.close()
        self._gate.close()
        until = self._clock.monotonic() + grace
        while self._gate.calls and self._clock.monotonic() < until:
            await self._clock.sleep(_LOOK)
        open_ones: list[Connection] = [*self._http1, *self._http2]
        for one in open_ones:
            one.close()
        self._pool.close()
        self._servers.close()

    def meet(self, *, speaks_http2: bool) -> Connection:
        if speaks_http2:
            return http2.Connection(self._gate, self._servers, self._http2)
        return http1.Connection(self._gate, self._pool, self._http1)


class _Unknown(asyncio.Protocol):
    """A connection that has not said enough yet to tell what it speaks."""

    def __init__(self, meet: "_Meet") -> None:
        self._meet = meet
        self._in = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._in += data
        if len(self._in) < len(_PREFACE) and _PREFACE.startswith(self._in):
            return
        connection = self._meet(speaks_http2=self._in.startswith(_PREFACE))
        self._transport.set_protocol(connection)
        connection.connection_made(self._transport)
        connection.data_received(self._in)


class _Meet(Protocol):
    def __call__(self, *, speaks_http2: bool) -> Connection: ...
