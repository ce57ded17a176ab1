"""The listening socket and what all its connections share: limits, deadlines, the date, and an orderly end."""

import asyncio
import itertools
import os
import socket
import ssl
from collections.abc import Callable
from email.utils import formatdate
from time import perf_counter
from typing import TYPE_CHECKING, Protocol

from inferplane.dataplane.server.accepting import SharedListener
from inferplane.dataplane.server.answers import Handler
from inferplane.dataplane.server.cells import Cells
from inferplane.dataplane.server.http.access_log import AccessLog
from inferplane.dataplane.server.http.asgi import AsgiApp
from inferplane.dataplane.server.http.known_heads import KnownHeads
from inferplane.dataplane.server.http.lane import Connection
from inferplane.dataplane.server.http.limits import Limits
from inferplane.dataplane.server.http.lookout import Lookout, lookout
from inferplane.dataplane.server.http.wire import Incoming
from inferplane.kernel.errors import InferplaneError

if TYPE_CHECKING:
    from inferplane.dataplane.server.payload_log import PayloadLog
    from inferplane.dataplane.server.tracing import Spans

_SWEEP = 0.5

BACKLOG = 2048
"""Connections that wait to be accepted."""


class CannotListen(InferplaneError):
    pass


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket for processes forked from this one to share; port 0 is the system's choice."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        made = socket.socket(family)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        made.listen(BACKLOG)
    except OSError as error:
        raise CannotListen(
            f"cannot listen on {host}:{port}: {error.strerror}",
            fix="stop what holds the port, or choose another with --http_port",
        ) from error
    return made


def _is_address(host: str) -> bool:
    """Of IPv4: a socket for all addresses of IPv6 may be one for those of IPv4 too, as the loop knows."""
    try:
        socket.inet_pton(socket.AF_INET, host)
    except OSError:
        return False
    return True


class Routes(Protocol):
    def find(self, method: bytes, target: bytes) -> Handler | None:
        """None for what the application is to answer."""


class Readiness(Protocol):
    """Told when the server is about to stop."""

    stopping: bool


class HttpServer:
    """Serves `routes` and `app` on one address. Made and used on one event loop."""

    def __init__(
        self,
        routes: Routes,
        app: AsgiApp,
        probes: Readiness,
        limits: Limits,
        access_log: AccessLog | None = None,
        spans: "Spans | None" = None,
    ) -> None:
        self.routes = routes
        self.app = app
        self.limits = limits
        self.loop = asyncio.get_running_loop()
        self.connections: set[Connection] = set()
        self.http2: Callable[[], asyncio.Protocol] | None = None
        """Makes the protocol of a client that begins with HTTP/2's preface."""
        self.known_heads = KnownHeads()
        self.lookout: Lookout | None = None
        self.draining = False
        self.answered = 0
        self.received_bytes = 0
        self.sent_bytes = 0
        self._access_log = access_log
        self._spans = spans
        self.observed = access_log is not None or spans is not None
        self.payload_log: PayloadLog | None = None
        self.date = b""
        # Ids are unique to the process and cheap to make: 64 random bits, then a number.
        self._id_prefix = os.urandom(8).hex().encode("ascii")
        self._ids = itertools.count(1)
        self._probes = probes
        self._listener: asyncio.Server | SharedListener | None = None
        self._shared: SharedListener | None = None
        self._sweeper: asyncio.TimerHandle | None = None
        self._idle = asyncio.Event()

    async def listen(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> int:
        """Starts to accept; port 0 is the system's choice. Returns the port."""
        self._tell_scheme(tls)
        # An address needs no look-up, for which the loop would start four threads.
        where = {"sock": listening_socket(host, port)} if _is_address(host) else {"host": host, "port": port}
        try:
            self._listener = server = await self.loop.create_server(
                lambda: Connection(self), **where, backlog=BACKLOG, reuse_address=True, ssl=tls
            )
        except OSError as error:
            raise CannotListen(
                f"cannot listen on {host}:{port}: {error.strerror}",
                fix="stop what holds the port, or choose another with --http_port",
            ) from error
        return int(server.sockets[0].getsockname()[1])

    def share(self, listening: socket.socket, counts: Cells, own: int, tls: ssl.SSLContext | None = None) -> None:
        """Starts to accept from a socket that other workers accept from too; see SharedListener."""
        self._tell_scheme(tls)
        self._listener = self._shared = SharedListener(
            listening, lambda: Connection(self), lambda: len(self.connections), counts, own, tls
        )

    def _tell_scheme(self, tls: ssl.SSLContext | None) -> None:
        if tls is not None and self._spans is not None:
            self._spans.scheme = "https"

    @property
    def in_flight(self) -> int:
        """Requests being read or answered."""
        return sum(connection.busy for connection in self.connections)

    def new_id(self) -> bytes:
        """A request's id, 32 hexadecimal digits."""
        return b"%b%016x" % (self._id_prefix, next(self._ids))

    def count(self, request: Incoming) -> None:
        """The request is answered."""
        self.answered += 1
        self.received_bytes += len(request.body)
        self.sent_bytes += request.sent
        if self._access_log is not None:
            self._access_log.write(request, perf_counter() - request.since)
        if self._spans is not None:
            self._spans.ended(request)

    def note(self, request: Incoming, client: str) -> None:
        """The request is about to be answered, where that is observed."""
        request.since = perf_counter()
        request.client = client
        if self._spans is not None:
            self._spans.began(request)

    def opened(self, connection: Connection) -> None:
        self.connections.add(connection)
        self._look_out()
        if self._sweeper is None:
            self._sweep()

    def _look_out(self) -> None:
        """For the next request of the only client, if there is only one."""
        self.lookout = None
        if len(self.connections) == 1:
            [only] = self.connections
            client = only.transport.get_extra_info("socket")
            self.lookout = None if client is None else lookout(client.fileno())

    def lost(self, connection: Connection, unanswered: Incoming | None) -> None:
        if self._spans is not None and unanswered is not None:
            self._spans.ended(unanswered)
        self.connections.discard(connection)
        self._look_out()
        if self._shared is not None:
            self._shared.counted()
        if not self.connections:
            self._idle.set()

    async def drain(self) -> None:
        """Stops without failing a request.

        First a lame duck: readiness says no, every answer asks the client to come back elsewhere, and new connections
        are still taken, because a gateway may send some until it has heard. Then idle connections are closed, and
        those with a request in progress get their grace.
        """
        self.draining = True
        self._probes.stopping = True
        await asyncio.sleep(self.limits.lame_duck)
        if self._listener is not None:
            self._listener.close()
        for connection in list(self.connections):
            connection.close_if_idle()
        if self.connections:
            self._idle.clear()
            try:
                await asyncio.wait_for(self._idle.wait(), self.limits.grace)
            except TimeoutError:
                pass  # the grace is over; `close` cuts what is left

    def close(self) -> None:
        """Cuts everything."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        if self._listener is not None:
            self._listener.close()
        for connection in list(self.connections):
            connection.abort()

    def _sweep(self) -> None:
        """One timer for all connections, and none without: cuts off those past their deadline, refreshes the date."""
        if not self.connections:
            self._sweeper = None
            return
        now = self.loop.time()
        self.date = b"date: %b\r\n" % formatdate(usegmt=True).encode("ascii")
        for connection in [c for c in self.connections if c.deadline is not None and c.deadline <= now]:
            connection.overdue()
        self._sweeper = self.loop.call_later(_SWEEP, self._sweep)
