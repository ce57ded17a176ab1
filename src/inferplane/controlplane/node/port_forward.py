"""`kubectl port-forward`: connections to a pod's address, many of them over one WebSocket.

kubectl speaks SPDY in the messages (`spdy`): for each connection a stream for errors and one for data. Other clients
speak the channel protocol in version 4: one connection a port, opened at once, channel 2n for its data and 2n+1 for its
errors (`resources.channels`).
"""

import asyncio
import contextlib
import os
import struct
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from inferplane.controlplane.node import spdy
from inferplane.controlplane.node.conversations import Peer
from inferplane.resources import channels

_BLOCK = 1 << 15
# Blocks of a connection that wait for the pod to take them; then all of its client's connections wait.
_WAITING = 64
_TYPE, _PORT, _REQUEST = "streamtype", "port", "requestid"

_SendData = Callable[[bytes, bool], Awaitable[None]]
"""A block, and whether it is the last."""
_SendError = Callable[[str], Awaitable[None]]


@dataclass(slots=True)
class Connection:
    """One TCP connection to the pod. `put` takes the client's blocks, b"" for its end."""

    address: str
    port: int
    send: _SendData
    fail: _SendError
    _blocks: asyncio.Queue[bytes] = field(default_factory=lambda: asyncio.Queue(_WAITING))

    async def put(self, block: bytes) -> None:
        await self._blocks.put(block)

    async def run(self) -> None:
        """Until both sides have ended, or the pod's has broken."""
        try:
            reader, writer = await asyncio.open_connection(self.address, self.port)
        except OSError as error:
            why = os.strerror(error.errno) if error.errno else str(error)
            await self._failed(f"failed to connect to {self.address}:{self.port} inside pod: {why}")
            return
        feeding = asyncio.create_task(self._feed(writer))
        try:
            while block := await reader.read(_BLOCK):
                await self.send(block, False)
            await self.fail("")
            await self.send(b"", True)
        except OSError as error:
            await self._failed(f"lost connection to {self.address}:{self.port} inside pod: {error}")
        finally:
            feeding.cancel()
            writer.close()
            await asyncio.gather(feeding, return_exceptions=True)

    async def _failed(self, why: str) -> None:
        with contextlib.suppress(OSError):  # the client has left
            await self.fail(why)
            await self.send(b"", True)

    async def _feed(self, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):  # what reads from the pod says so too
            while block := await self._blocks.get():
                writer.write(block)
                await writer.drain()
            writer.write_eof()
        while True:
            await self._blocks.get()  # a client that goes on must not wait for ever


@dataclass(slots=True)
class _Request:
    """A connection's two streams, until both are there."""

    error: int = 0
    data: int = 0
    port: int = 0


@dataclass(slots=True)
class SpdyForwarding:
    """A WebSocket of kubectl's."""

    peer: Peer
    address: str
    _session: spdy.Session = field(default_factory=spdy.Session)
    _requests: dict[str, _Request] = field(default_factory=dict)
    _connections: dict[int, Connection] = field(default_factory=dict)
    _tasks: dict[int, asyncio.Task[None]] = field(default_factory=dict)

    async def run(self) -> None:
        """Until the client has left. Raises spdy.ProtocolError."""
        try:
            with contextlib.suppress(ConnectionError):
                async for message in self.peer.receive():
                    for frame in self._session.receive(message):
                        await self._obey(frame)
        finally:
            tasks = list(self._tasks.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _obey(self, frame: spdy.Frame) -> None:
        match frame:
            case spdy.Opened(stream=stream, headers=headers):
                await self.peer.send(self._session.reply(stream))
                self._open(stream, headers)
            case spdy.Data(stream=stream, data=data, fin=fin) if stream in self._connections:
                if data:
                    await self._connections[stream].put(data)
                if fin:
                    await self._connections[stream].put(b"")
            case spdy.Reset(stream=stream) if stream in self._tasks:
                self._tasks[stream].cancel()
            case spdy.Ping():
                await self.peer.send(self._session.pong(frame))

    def _open(self, stream: int, headers: dict[str, str]) -> None:
        """Connects once both streams of a request are there."""
        name = headers.get(_REQUEST, "")
        request = self._requests.setdefault(name, _Request())
        if headers.get(_TYPE) == "error":
            request.error = stream
        else:
            request.data = stream
            request.port = int(headers.get(_PORT, "0")) if headers.get(_PORT, "").isdecimal() else 0
        if request.error and request.data:
            self._connect(self._requests.pop(name))

    def _connect(self, request: _Request) -> None:
        stream = request.data

        async def send(block: bytes, last: bool) -> None:
            await self.peer.send(self._session.data(stream, block, fin=last))

        async def fail(why: str) -> None:
            await self.peer.send(self._session.data(request.error, why.encode(), fin=True))

        self._connections[stream] = connection = Connection(self.address, request.port, send, fail)
        task = self._tasks[stream] = asyncio.create_task(connection.run(), name=f"port-forward {request.port}")
        task.add_done_callback(lambda _: self._forget(stream))

    def _forget(self, stream: int) -> None:
        del self._connections[stream], self._tasks[stream]


@dataclass(slots=True)
class ChannelForwarding:
    """A WebSocket of the channel protocol, version 4: a connection for each of `ports`, from the beginning."""

    peer: Peer
    address: str
    ports: Sequence[int]

    async def run(self) -> None:
        """Until the client has left, or all connections have ended."""
        connections = [self._connection(number, port) for number, port in enumerate(self.ports)]
        with contextlib.suppress(ConnectionError):
            for channel, port in enumerate(port for port in self.ports for _ in range(2)):
                await self.peer.send(channels.message(channel, struct.pack("<H", port)))
            listening = asyncio.create_task(self._listen(connections))
            working = asyncio.create_task(_all(connections))
            try:
                await asyncio.wait({listening, working}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                listening.cancel()
                working.cancel()
                await asyncio.gather(listening, working, return_exceptions=True)

    def _connection(self, number: int, port: int) -> Connection:
        async def send(block: bytes, last: bool) -> None:
            if block:
                await self.peer.send(channels.message(2 * number, block))

        async def fail(why: str) -> None:
            if why:
                await self.peer.send(channels.message(2 * number + 1, why.encode()))

        return Connection(self.address, port, send, fail)

    async def _listen(self, connections: Sequence[Connection]) -> None:
        async for message in self.peer.receive():
            # An empty message would be the end to a connection, which this protocol cannot tell.
            if len(message) > 1 and not message[0] % 2 and message[0] // 2 < len(connections):
                await connections[message[0] // 2].put(message[1:])


async def _all(connections: Sequence[Connection]) -> None:
    async with asyncio.TaskGroup() as group:
        for one in connections:
            group.create_task(one.run())
