"""The gRPC port of a server that nobody may ever call over gRPC: a listening socket, until the first client comes.

grpcio and protobuf cost 0.1 s, 10 MB and eight threads; most pods are called over HTTP, and gRPC calls through the
gateway come over the HTTP lane. So the door only listens. Its first client waits while the real server starts on the
same port, and is then told, in HTTP/2's own words, to connect again: GOAWAY with no stream processed, upon which gRPC
clients send the calls of that connection anew by themselves.
"""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from typing import Protocol

from inferplane.dataplane.server.http.listener import CannotListen

log = logging.getLogger("inferplane.server")

COME_AGAIN = bytes.fromhex(
    "000000 04 00 00000000"  # SETTINGS, empty: the server's half of the connection preface
    "000008 07 00 00000000 00000000 00000000"  # GOAWAY: no stream was processed, no error
)
_LINGER = 5.0
"""Seconds that a client has to leave after it was told."""


class Behind(Protocol):
    """The real server, which shares the port."""

    async def listen(self, host: str, port: int) -> int: ...
    async def drain(self, grace: float) -> None: ...


class Door:
    """Listens on one address for gRPC. `make` makes the server behind it, once. `shared`: others listen there too."""

    def __init__(self, make: Callable[[], Awaitable[Behind]], *, shared: bool = False) -> None:
        self._shared = shared
        self._make = make
        self._behind: Behind | None = None
        self._socket: socket.socket | None = None
        self._opening: asyncio.Task[None] | None = None
        self._first: list[socket.socket] = []
        self._address = ("", 0)

    async def listen(self, host: str, port: int) -> int:
        """Starts to listen; port 0 is the system's choice. Returns the port."""
        try:
            if not self._shared:
                _refuse_a_taken(host, port)
            listening = _bound(host, port, shared=True)
        except OSError as error:
            raise CannotListen(
                f"cannot listen for gRPC on {host}:{port}: {error.strerror}",
                fix="stop what holds the port, or choose another with --grpc_port",
            ) from error
        listening.listen(128)
        listening.setblocking(False)
        self._socket = listening
        self._address = (host, int(listening.getsockname()[1]))
        asyncio.get_running_loop().add_reader(listening, self._knocked)
        return self._address[1]

    async def drain(self, grace: float) -> None:
        """Takes no more calls and waits for those under way, `grace` seconds at most."""
        self._close()
        if self._opening is not None and self._behind is None:
            self._opening.cancel()
            await asyncio.gather(self._opening, return_exceptions=True)
        if self._behind is not None:
            await self._behind.drain(grace)
        for client in self._first:
            client.close()

    def _knocked(self) -> None:
        self._accept()
        if self._opening is None and self._first:
            self._opening = asyncio.get_running_loop().create_task(self._open())

    def _accept(self) -> None:
        while self._socket is not None:
            try:
                client, _ = self._socket.accept()
            except BlockingIOError:
                return
            client.setblocking(False)
            self._first.append(client)

    async def _open(self) -> None:
        try:
            self._behind = await self._make()
            await self._behind.listen(*self._address)
        except Exception:
            log.exception("cannot serve gRPC port=%d", self._address[1])
        # Those that were accepted here are told, and the last of them leave the queue before it is closed.
        self._accept()
        self._close()
        log.info("first gRPC client port=%d", self._address[1])
        for client in self._first:
            _send_away(client)

    def _close(self) -> None:
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None


def _send_away(client: socket.socket) -> None:
    try:
        client.send(COME_AGAIN)
        client.shutdown(socket.SHUT_WR)
    except OSError:
        client.close()  # it has left already
        return
    # Closing now, with its bytes unread, would reset the connection, maybe before it has read what it was told.
    asyncio.get_running_loop().call_later(_LINGER, client.close)


def _refuse_a_taken(host: str, port: int) -> None:
    """A shared port could be another server's too: the system would deal its clients out among both."""
    if port:
        _bound(host, port, shared=False).close()


def _bound(host: str, port: int, *, shared: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        found.bind((host, port))
    except OSError:
        found.close()
        raise
    return found
