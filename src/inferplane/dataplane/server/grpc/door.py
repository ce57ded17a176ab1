"""The gRPC port of a server that nobody may ever call over gRPC: a listening socket, until the first client comes.

grpcio and protobuf cost 0.1 s, 10 MB and eight threads; most pods are called over HTTP, and gRPC calls through the
gateway come over the HTTP lane. So the door only listens. Its first clients wait while the real server starts on the
same port. They have connected already, so their bytes go to the server over a private socket, where no connection
grows old: after `AGE` seconds gRPC asks a client to connect again, which it does without losing a call, and finds the
real server on the port. When the last has moved (a stream may take its time), nothing of the door is left.

TLS passes through: the private socket speaks it too.
"""

import asyncio
import logging
import os
import socket
import sys
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from inferplane.dataplane.server.grpc.retiring import SETTLE, take_nobody_new
from inferplane.dataplane.server.grpc.splice import splice
from inferplane.dataplane.server.http.listener import CannotListen

log = logging.getLogger("inferplane.server")

AGE = 2.0
"""Seconds after which a client that connected to the door is asked to connect again."""


class Behind(Protocol):
    """The real server, which shares the port. Its private address is a Unix socket's, abstract after a zero byte."""

    async def listen(self, host: str, port: int) -> int: ...
    async def listen_privately(self, address: str, age: float) -> None: ...
    async def close_private(self) -> None: ...
    async def drain(self, grace: float) -> None: ...


class Door:
    """Listens on one address for gRPC. `make` makes the server behind it, once. `shared`: others listen there too.

    `gone` is set when all clients talk to the real server without the door.
    """

    def __init__(self, make: Callable[[], Awaitable[Behind]], *, shared: bool = False) -> None:
        self.gone = asyncio.Event()
        self._shared = shared
        self._make = make
        self._behind: Behind | None = None
        self._socket: socket.socket | None = None
        self._opening: asyncio.Task[None] | None = None
        self._moving: asyncio.Task[None] | None = None
        self._waiting: list[socket.socket] = []
        self._splices: set[asyncio.Task[None]] = set()
        self._address = ("", 0)
        self._private = ""
        self._directory = ExitStack()

    async def listen(self, host: str, port: int) -> int:
        """Starts to listen; port 0 is the system's choice. Returns the port."""
        listening = reserved(host, port, shared=self._shared)
        listening.listen(socket.SOMAXCONN)
        listening.setblocking(False)
        self._socket = listening
        self._address = (host, int(listening.getsockname()[1]))
        asyncio.get_running_loop().add_reader(listening, self._accept)
        return self._address[1]

    async def drain(self, grace: float) -> None:
        """Takes no more calls and waits for those under way, `grace` seconds at most."""
        self._accept()
        self._close()
        if self._opening is not None:
            await self._opening
        if self._behind is not None:
            await self._behind.drain(grace)
        left = [*self._splices, *([] if self._moving is None else [self._moving])]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        self._directory.close()

    def _accept(self) -> None:
        while self._socket is not None:
            try:
                client, _ = self._socket.accept()
            except BlockingIOError:
                return
            client.setblocking(False)
            self._admit(client)

    def _admit(self, client: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        if self._private:
            task = loop.create_task(splice(client, self._private))
            self._splices.add(task)
            task.add_done_callback(self._splices.discard)
            return
        self._waiting.append(client)
        if self._opening is None:
            self._opening = loop.create_task(self._open())

    async def _open(self) -> None:
        """A server that cannot be made is tried again for the next client."""
        behind: Behind | None = None
        try:
            behind = await self._make()
            await self._start(behind)
        except Exception:
            log.exception("cannot serve gRPC port=%d", self._address[1])
            self._opening = None
            for client in self._waiting:
                client.close()
            self._waiting.clear()
            if behind is not None:
                await behind.drain(0)

    async def _start(self, behind: Behind) -> None:
        private = _private_address(self._directory)
        await behind.listen_privately(private, AGE)
        if self._socket is not None:  # unless it drains
            await behind.listen(*self._address)
            take_nobody_new(self._socket, shared=self._shared)
        log.info("first gRPC client port=%d", self._address[1])
        self._behind, self._private = behind, private
        for client in self._waiting:
            self._admit(client)
        self._waiting.clear()
        self._moving = asyncio.get_running_loop().create_task(self._move(behind))

    async def _move(self, behind: Behind) -> None:
        await asyncio.sleep(SETTLE)
        self._accept()
        self._close()
        while self._splices:
            await asyncio.wait(self._splices)
        await behind.close_private()
        self._directory.close()
        self.gone.set()

    def _close(self) -> None:
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None


def _private_address(until: ExitStack) -> str:
    if sys.platform != "linux":
        return str(Path(until.enter_context(TemporaryDirectory()), "grpc"))
    return f"\0inferplane-{os.urandom(16).hex()}"  # no file: a pod's file system may be read-only


def reserved(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """A port for gRPC that only processes of this user which ask for a share can have too; 0 is the system's choice.

    Raises CannotListen for a port that is taken, when `shared` only where its holder does not share it.
    """
    try:
        if not shared:
            _refuse_a_taken(host, port)
        return _bound(host, port, shared=True)
    except OSError as error:
        raise CannotListen(
            f"cannot listen for gRPC on {host}:{port}: {error.strerror}",
            fix="stop what holds the port, or choose another with --grpc_port",
        ) from error


def _refuse_a_taken(host: str, port: int) -> None:
    """A shared port could be another server's too: the system would deal its clients out among both."""
    if port:
        _bound(host, port, shared=False).close()


def _bound(host: str, port: int, *, shared: bool) -> socket.socket:
    # As gRPC, which takes any address to mean those of IPv6 too. Sockets of the two kinds would not share the port.
    everywhere = host in ("", "0.0.0.0", "::") and socket.has_dualstack_ipv6()  # the operator's choice
    host = "::" if everywhere else host
    found = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if everywhere:
            found.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        if shared:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        found.bind((host, port))
    except OSError:
        found.close()
        raise
    return found
