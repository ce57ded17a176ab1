"""The gRPC server: a port of its own, and what HTTP/2 comes to the HTTP port.

Nothing of protobuf is imported, and no thread runs, until the first call; a port that nobody calls costs a socket.
"""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import cast

from inferplane.dataplane.server.calls import Headers
from inferplane.dataplane.server.dispatch import Dispatch
from inferplane.dataplane.server.grpc import head as heads
from inferplane.dataplane.server.grpc.calls import Method, methods
from inferplane.dataplane.server.grpc.exchange import Exchange
from inferplane.dataplane.server.grpc.head import CallHead
from inferplane.dataplane.server.grpc.http2 import frames
from inferplane.dataplane.server.grpc.http2.connection import Connection
from inferplane.dataplane.server.grpc.http2.frames import ErrorCode, Setting
from inferplane.dataplane.server.grpc.http2.hpack import Field
from inferplane.dataplane.server.grpc.http2.streams import Limits
from inferplane.dataplane.server.grpc.observing import Observer
from inferplane.dataplane.server.grpc.reserving import bound, cannot_listen
from inferplane.dataplane.server.grpc.streamed import StreamingExchange
from inferplane.dataplane.server.grpc.unary import UnaryExchange
from inferplane.dataplane.server.http.listener import BACKLOG
from inferplane.dataplane.server.http.probes import Probes
from inferplane.dataplane.server.payload_log import PayloadLog

_SWEEP = 0.5


@dataclass(frozen=True, slots=True)
class Tls:
    """Files in PEM. With `ca`, clients must show a certificate that it signed."""

    certificate: Path
    key: Path
    ca: Path | None = None

    def context(self) -> ssl.SSLContext:
        made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=self.ca)
        made.load_cert_chain(self.certificate, self.key)
        made.set_alpn_protocols(["h2"])
        if self.ca is not None:
            made.verify_mode = ssl.CERT_REQUIRED
        return made


@dataclass(frozen=True, slots=True)
class PortOptions:
    """Sizes in bytes, -1 for no limit. Defaults are KServe's."""

    max_send: int = 8 * 1024 * 1024
    max_receive: int = 8 * 1024 * 1024
    compress: bool = False
    """Whether answers to clients that take gzip are sent in it."""
    tls: Tls | None = None
    shared: bool = False
    """Whether other processes listen on the same port."""
    limits: Limits = field(default_factory=Limits)


class GrpcServer:
    """Answers calls of the models of a dispatch. Made and used on one event loop."""

    def __init__(
        self, dispatch: Dispatch, probes: Probes, options: PortOptions | None = None, observer: Observer | None = None
    ) -> None:
        self.options = options or PortOptions()
        self.limits = self.options.limits
        self.loop = asyncio.get_running_loop()
        self.greeting = _greeting(self.limits)
        self.observer = observer
        self.observed = observer is not None
        self.payload_log: PayloadLog | None = None
        self.most, self.most_sent = (
            limit if limit >= 0 else frames.LARGEST_WINDOW
            for limit in (self.options.max_receive, self.options.max_send)
        )
        self._dispatch = dispatch
        self._probes = probes
        self._methods: Mapping[str, Method] = {}
        self._connections: set[Connection] = set()
        self._listener: asyncio.Server | None = None
        self._sweeper: asyncio.TimerHandle | None = None
        self._idle = asyncio.Event()

    # The port.

    async def listen(self, host: str, port: int) -> int:
        """Starts to accept; port 0 is the system's choice. Returns the port. CannotListen."""
        try:
            tls = None if self.options.tls is None else self.options.tls.context()
            listening = bound(host, port, shared=self.options.shared)
            self._listener = await self.loop.create_server(self.connection, sock=listening, backlog=BACKLOG, ssl=tls)
        except OSError as error:  # an SSLError is one
            raise cannot_listen(host, port, error) from error
        return int(listening.getsockname()[1])

    def connection(self) -> Connection:
        """A protocol for one client."""
        return Connection(self)

    async def drain(self, grace: float) -> None:
        """Takes no more calls and waits for those under way, `grace` seconds at most."""
        if self._listener is not None:
            self._listener.close()
        for connection in list(self._connections):
            connection.leave()
        try:
            async with asyncio.timeout(grace):
                while self._connections:
                    self._idle.clear()
                    await self._idle.wait()
        except TimeoutError:
            pass  # the grace is over
        for connection in list(self._connections):
            connection.give_up(ErrorCode.NO_ERROR)
            connection.transport.abort()
        if self._sweeper is not None:
            self._sweeper.cancel()

    # What connections ask.

    def read_head(self, fields: list[Field]) -> CallHead:
        return heads.read(fields, self._method)

    def open(self, connection: object, id: int, head: object) -> Exchange:
        head, connection = cast(CallHead, head), cast(Connection, connection)
        if not head.at_once:
            return UnaryExchange(self, connection, id, head)
        known = head.method is not None and head.coding in heads.CODINGS
        return (StreamingExchange if known else Exchange)(self, connection, id, head)

    def joined(self, connection: object) -> None:
        self._connections.add(cast(Connection, connection))
        if self._sweeper is None:
            self._sweeper = self.loop.call_later(_SWEEP, self._sweep)

    def lost(self, connection: object) -> None:
        self._connections.discard(cast(Connection, connection))
        if not self._connections:
            self._idle.set()

    def began(self, call: Exchange, headers: Headers, body: bytes) -> None:
        """A call whose request is there, where that is observed."""
        if self.observer is not None:
            call.noted = self.observer.began(call.head, headers, body, call.peer, perf_counter())

    def ended(self, call: Exchange, code: str, size: int = 0) -> None:
        if self.observer is not None and call.noted is not None:
            self.observer.ended(call.noted, code, size, perf_counter())
            call.noted = None

    def _method(self, path: str) -> Method | None:
        if not self._methods:
            self._methods = methods(self._dispatch, self._probes)
        return self._methods.get(path)

    def _sweep(self) -> None:
        """One timer for all connections, as long as there are any."""
        now = self.loop.time()
        for connection in list(self._connections):
            connection.sweep(now)
        self._sweeper = self.loop.call_later(_SWEEP, self._sweep) if self._connections else None


def _greeting(limits: Limits) -> bytes:
    return frames.settings(
        {
            Setting.MAX_CONCURRENT_STREAMS: limits.streams,
            Setting.INITIAL_WINDOW_SIZE: limits.window,
            Setting.MAX_FRAME_SIZE: limits.frame,
            Setting.MAX_HEADER_LIST_SIZE: limits.head,
        }
    )
