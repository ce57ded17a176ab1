"""Two connections made one: what comes in on either goes out on the other, at the pace of the slower."""

import asyncio
import contextlib
import socket

_SIZE = 256 * 1024
_LINGER = 5.0
"""Seconds that a client has to leave after the server has."""
_FULL = 0.01
"""Seconds between two tries at a Unix socket whose queue is full: the system tells nobody when there is room."""


async def splice(client: socket.socket, address: str) -> None:
    """Joins `client` to the Unix socket at `address` until both have said their last. Closes `client`."""
    with client, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.setblocking(False)
        await _connect(server, address)
        up = asyncio.get_running_loop().create_task(_pass(client, server))
        try:
            await _pass(server, client)
            await asyncio.wait([up], timeout=_LINGER)
        finally:
            up.cancel()
            await asyncio.gather(up, return_exceptions=True)


async def _connect(to: socket.socket, address: str) -> None:
    while True:
        try:
            return to.connect(address)
        except BlockingIOError:
            await asyncio.sleep(_FULL)


async def _pass(source: socket.socket, sink: socket.socket) -> None:
    """Until `source` ends or one of them is gone; then `sink` is told that no more comes."""
    loop = asyncio.get_running_loop()
    try:
        while data := await loop.sock_recv(source, _SIZE):
            await loop.sock_sendall(sink, data)
    except OSError:
        pass  # a peer that is gone is an end like any other: the other side learns of it here
    finally:
        with contextlib.suppress(OSError):  # not connected any more
            sink.shutdown(socket.SHUT_WR)
