"""An activator on real sockets, with revisions and pods that a test makes up."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from inferplane.controlplane.activator.buffer import Buffer
from inferplane.controlplane.activator.decide import Limits
from inferplane.controlplane.activator.door import Door
from inferplane.controlplane.machinery.cache import Key
from inferplane.kernel.clock import SystemClock
from inferplane.relay.gate import Address
from inferplane.relay.listener import Listener, listening
from inferplane.resources.start_times import StartTimes
from inferplane.signals.stats import Stat

LIMIT = 30.0
"""Seconds that anything may take on a busy machine."""

IRIS = Key("ml", "iris-00001")
HEADERS = {"Knative-Serving-Revision": IRIS.name, "Knative-Serving-Namespace": IRIS.namespace}
HEAD = b"Host: iris.ml.example\r\nKnative-Serving-Revision: iris-00001\r\nKnative-Serving-Namespace: ml\r\n"


@dataclass
class Known:
    """`buffer.Revisions`."""

    all: dict[Key, Limits]
    ready: dict[Key, list[Address]] = field(default_factory=dict)
    times: StartTimes = field(default_factory=StartTimes)

    def limits(self, revision: Key) -> Limits | None:
        return self.all.get(revision)

    def pods(self, revision: Key) -> Sequence[Address]:
        return self.ready.get(revision, [])

    def start_times(self, revision: Key, pod: Address) -> StartTimes:
        return self.times


@dataclass
class Activator:
    known: Known
    buffer: Buffer
    listener: Listener
    port: int
    stats: list[Stat]
    woken: list[dict[str, float]]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def pods(self, *ports: int, of: Key = IRIS) -> None:
        """These are ready, and no others."""
        self.known.ready[of] = [Address("127.0.0.1", port) for port in ports]
        self.buffer.pods_changed(of)

    async def holds(self, calls: int) -> None:
        await until(lambda: self.buffer.calls == calls)


@asynccontextmanager
async def activator(limits: Limits | None = None, *, depth: int = 1000) -> AsyncIterator[Activator]:
    known, stats, woken = Known({IRIS: limits or Limits()}), list[Stat](), list[dict[str, float]]()
    clock = SystemClock()
    buffer = Buffer(known, stats.extend, clock, depth=depth, woken=woken.append)
    listener = Listener(Door(buffer), clock)
    with listening("127.0.0.1") as opened:
        await listener.start(opened)
        sweeping = asyncio.create_task(listener.run())
        try:
            yield Activator(known, buffer, listener, int(opened.getsockname()[1]), stats, woken)
        finally:
            sweeping.cancel()
            await asyncio.gather(sweeping, return_exceptions=True)
            await listener.stop(0.0)


async def until(claim: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT):
        while not claim():  # noqa: ASYNC110 - what is claimed has no event
            await asyncio.sleep(0.001)


async def taken(write: Callable[[bytes], Awaitable[None]], total: int) -> int:
    """How many bytes go out before there is no room for more; at most `total`."""
    sent = 0
    while sent < total:
        try:
            async with asyncio.timeout(0.5):
                await write(bytes(64 * 1024))
        except TimeoutError:
            return sent
        sent += 64 * 1024
    return sent


# --- bytes on both ends -----------------------------------------------------------------------------------------------


class Wire:
    """One end of a TCP connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def until(self, end: bytes) -> bytes:
        async with asyncio.timeout(LIMIT):
            return await self.reader.readuntil(end)

    async def head(self) -> bytes:
        return await self.until(b"\r\n\r\n")

    async def exactly(self, count: int) -> bytes:
        async with asyncio.timeout(LIMIT):
            return await self.reader.readexactly(count)

    async def rest(self) -> bytes:
        async with asyncio.timeout(LIMIT):
            return await self.reader.read()

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        async with asyncio.timeout(LIMIT):
            await self.writer.drain()

    def close(self) -> None:
        self.writer.close()

    def abort(self) -> None:
        self.writer.transport.abort()


@asynccontextmanager
async def client(port: int) -> AsyncIterator[Wire]:
    wire = Wire(*await asyncio.open_connection("127.0.0.1", port))
    try:
        yield wire
    finally:
        wire.close()


@dataclass
class Pod:
    """A server whose connections a test plays by hand: `await pod.connection()`."""

    port: int
    waiting: "asyncio.Queue[Wire]"

    async def connection(self) -> Wire:
        async with asyncio.timeout(LIMIT):
            return await self.waiting.get()


@asynccontextmanager
async def pod() -> AsyncIterator[Pod]:
    waiting, every = asyncio.Queue[Wire](), list[Wire]()

    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        every.append(wire := Wire(reader, writer))
        waiting.put_nowait(wire)

    server = await asyncio.start_server(accepted, "127.0.0.1", 0)
    try:
        yield Pod(int(server.sockets[0].getsockname()[1]), waiting)
    finally:
        server.close()
        for wire in every:
            wire.abort()
        await server.wait_closed()


Answering = Callable[[bytes], Awaitable[bytes]]


@asynccontextmanager
async def answering(answer: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") -> AsyncIterator[Pod]:
    """A pod that gives the same answer to every request, which must have no body."""

    async with pod() as made:

        async def serve(wire: Wire) -> None:
            try:
                while True:
                    await wire.head()
                    await wire.send(answer)
            except (asyncio.IncompleteReadError, ConnectionError):
                return

        async def serve_all() -> None:
            async with asyncio.TaskGroup() as tasks:
                while True:
                    tasks.create_task(serve(await made.waiting.get()))

        serving = asyncio.create_task(serve_all())
        try:
            yield made
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
