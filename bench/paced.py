"""Requests at even times, whatever becomes of those before them; latencies in which the client itself has no part.

usage: python -m bench.paced PORT PATH BODY RATE SECONDS (an empty BODY makes it a GET)

A process of its own; prints one JSON array of milliseconds. A request's time ends when the kernel took the answer in
(SO_TIMESTAMPNS), not when this process was given a processor to look at it: beside a server that keeps every core busy
that would be most of what is measured. Fails when an answer is not 200, or takes longer than a second.
"""

import json
import socket
import struct
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack

CONNECTIONS = 50
_SO_TIMESTAMPNS = 35  # the socket module has no name for it
_TIMESTAMP = struct.Struct("qq")


class Refused(Exception):
    """An answer that is not the one to time."""


class Client:
    """One connection, one request on its way at most."""

    def __init__(self, port: int, request: bytes) -> None:
        self._request = request
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._sent = 0

    def close(self) -> None:
        self._socket.close()

    def send(self) -> None:
        self._sent = time.time_ns()
        self._socket.sendall(self._request)

    def received(self) -> float | None:
        """Milliseconds of the last request; None when there was none, or the kernel noted no time."""
        if not self._sent:
            return None
        answer, notes, *_ = self._socket.recvmsg(65536, 1024)
        if not answer.startswith(b"HTTP/1.1 200 "):
            raise Refused(answer[:200].decode(errors="replace"))
        if not notes:
            return None
        seconds, nanoseconds = _TIMESTAMP.unpack(notes[0][2])
        took: float = (seconds * 10**9 + nanoseconds - self._sent) / 1e6
        self._sent = 0
        return took


def latencies(port: int, path: str, body: str, rate: float, seconds: float) -> list[float]:
    head = f"{'POST' if body else 'GET'} {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n"
    with ExitStack() as open_:
        clients = [Client(port, (head + body).encode()) for _ in range(CONNECTIONS)]
        for client in clients:
            open_.callback(client.close)
        return _paced(clients, rate, seconds)


def _paced(clients: Sequence[Client], rate: float, seconds: float) -> list[float]:
    _until_times_are_noted(clients[0])
    found: list[float | None] = []
    start = time.monotonic()
    for number in range(int(rate * seconds)):
        time.sleep(max(0.0, start + number / rate - time.monotonic()))
        client = clients[number % len(clients)]
        found.append(client.received())
        client.send()
    found.extend(client.received() for client in clients)
    return [took for took in found if took is not None]


def _until_times_are_noted(client: Client) -> None:
    """The kernel begins with it a while after it was asked to."""
    client.send()
    while client.received() is None:
        client.send()


def main(arguments: Sequence[str]) -> int:
    port, path, body, rate, seconds = arguments
    print(json.dumps(latencies(int(port), path, body, float(rate), float(seconds))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
