"""Connections over one WebSocket, against a real server on loopback."""

import asyncio
import struct
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.unit.controlplane.node.test_spdy import Client

from inferplane.controlplane.node.port_forward import ChannelForwarding, SpdyForwarding
from inferplane.controlplane.node.spdy import DICTIONARY, Data, Session

HERE = "127.0.0.1"


class Peer:
    """A client: what is `put` is received, what is sent is in `sent`."""

    def __init__(self) -> None:
        self._messages: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.sent: asyncio.Queue[bytes] = asyncio.Queue()

    def put(self, message: bytes | None) -> None:
        """None: it leaves."""
        self._messages.put_nowait(message)

    async def receive(self) -> AsyncIterator[bytes]:
        while (message := await self._messages.get()) is not None:
            yield message

    async def send(self, message: bytes) -> None:
        self.sent.put_nowait(message)


@asynccontextmanager
async def shouting() -> AsyncIterator[int]:
    """A server that answers what it got up to "!" in capitals; its port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.readuntil(b"!")).upper())
        writer.close()

    server = await asyncio.start_server(answer, HERE, 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def closed_port() -> int:
    async with shouting() as port:
        return port


def opened(client: Client, first: int, port: int, request: str) -> bytes:
    """The two streams of one connection; no more comes on the first."""
    common = {"port": str(port), "requestid": request}
    error = client.open(first, {"streamtype": "error", **common}, flags=1)
    return error + client.open(first + 2, {"streamtype": "data", **common})


async def frames(peer: Peer, last: int) -> list[Data]:
    """What came on streams, until stream `last` has ended."""
    session, found = Session(), []
    session._inflate = zlib.decompressobj(zdict=DICTIONARY)
    while True:
        for frame in session.receive(await peer.sent.get()):
            if isinstance(frame, Data):
                found.append(frame)
                if frame.stream == last and frame.fin:
                    return found


async def test_each_request_of_kubectl_s_is_a_connection_of_its_own() -> None:
    peer, client, writer = Peer(), Client(), Session()
    async with shouting() as port:
        forwarding = asyncio.create_task(SpdyForwarding(peer, HERE).run())
        peer.put(opened(client, 1, port, "0") + opened(client, 5, port, "1"))
        peer.put(writer.data(7, b"second!", fin=True))
        assert await frames(peer, 7) == [Data(7, b"SECOND!"), Data(5, b"", fin=True), Data(7, b"", fin=True)]
        peer.put(writer.data(3, b"first!", fin=True))
        assert await frames(peer, 3) == [Data(3, b"FIRST!"), Data(1, b"", fin=True), Data(3, b"", fin=True)]
        peer.put(None)
        await forwarding


async def test_a_port_where_nobody_listens_is_told_on_the_error_stream() -> None:
    port = await closed_port()
    peer = Peer()
    forwarding = asyncio.create_task(SpdyForwarding(peer, HERE).run())
    peer.put(opened(Client(), 1, port, "0"))
    error, end = await frames(peer, 3)
    assert error.data.decode() == f"failed to connect to {HERE}:{port} inside pod: Connection refused"
    assert end == Data(3, b"", fin=True)
    peer.put(None)
    await forwarding


async def test_the_channel_protocol_names_each_port_first() -> None:
    peer, refused = Peer(), await closed_port()
    async with shouting() as port:
        forwarding = asyncio.create_task(ChannelForwarding(peer, HERE, [port, refused]).run())
        greeting = [await peer.sent.get() for _ in range(4)]
        assert greeting == [bytes((n,)) + struct.pack("<H", p) for n, p in enumerate((port, port, refused, refused))]
        why = await peer.sent.get()
        assert why[0] == 3
        assert b"Connection refused" in why
        peer.put(b"\x00hello!")
        assert await peer.sent.get() == b"\x00HELLO!"
        await forwarding
