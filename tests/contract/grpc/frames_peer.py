"""A client that speaks HTTP/2 frame by frame to a server's connection, without a socket between them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeAlias, cast

import hpack
from tests.contract.grpc.serving import Echo

from inferplane import ModelRepository
from inferplane.dataplane.server.dispatch import Dispatch
from inferplane.dataplane.server.grpc.http2 import frames
from inferplane.dataplane.server.grpc.http2.frames import PREFACE, frame
from inferplane.dataplane.server.grpc.http2.streams import Limits
from inferplane.dataplane.server.grpc.port import GrpcServer, PortOptions
from inferplane.dataplane.server.http.probes import Probes
from inferplane.dataplane.server.metrics import Metrics

INFER = "/inference.GRPCInferenceService/ModelInfer"
LIVE = "/inference.GRPCInferenceService/ServerLive"
Fields: TypeAlias = Mapping[str, str | None]

CALL: Fields = {
    ":method": "POST",
    ":scheme": "http",
    ":path": LIVE,
    "content-type": "application/grpc",
    "te": "trailers",
}


@dataclass(frozen=True)
class Frame:
    kind: int
    flags: int
    stream: int
    payload: bytes

    @property
    def code(self) -> int:
        """Of a GOAWAY or RST_STREAM."""
        return int.from_bytes(self.payload[-4:] if self.kind == frames.RST_STREAM else self.payload[4:8], "big")


class Transport:
    """Keeps what is written; `full` is what pauses the writer."""

    def __init__(self) -> None:
        self.written = bytearray()
        self.ended = self.aborted = False

    def write(self, data: bytes) -> None:
        assert not self.ended, "written after the end"
        self.written += data

    def writelines(self, pieces: list[bytes]) -> None:
        for piece in pieces:
            self.write(piece)

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.ended = True

    def close(self) -> None:
        self.ended = True

    def abort(self) -> None:
        self.ended = self.aborted = True

    def set_write_buffer_limits(self, high: int) -> None: ...

    def get_extra_info(self, name: str) -> object:
        return ("127.0.0.1", 1) if name == "peername" else None


class Peer:
    """`told` are all frames that came, in order."""

    def __init__(self, server: GrpcServer) -> None:
        self.transport = Transport()
        self.connection = server.connection()
        self.told: list[Frame] = []
        self.encoder = hpack.Encoder()
        self.decoder = hpack.Decoder()
        self.connection.connection_made(cast(asyncio.Transport, self.transport))

    def greet(self, *settings: tuple[int, int]) -> None:
        payload = b"".join(name.to_bytes(2, "big") + value.to_bytes(4, "big") for name, value in settings)
        self.send(PREFACE + frame(frames.SETTINGS, 0, 0, payload))

    def send(self, data: bytes) -> None:
        self.connection.data_received(data)
        self.read()

    def headers(self, stream: int, changed: Fields | None = None, flags: int = frames.END_HEADERS) -> bytes:
        """A HEADERS frame of a call, with changed or further fields; None leaves one out."""
        fields = {**CALL, **(changed or {})}
        block = self.encoder.encode([(name, value) for name, value in fields.items() if value is not None])
        return frame(frames.HEADERS, flags, stream, block)

    def read(self) -> list[Frame]:
        """Frames that came since the last time."""
        written, new = self.transport.written, []
        while len(written) >= 9 and len(written) >= 9 + int.from_bytes(written[:3], "big"):
            size = int.from_bytes(written[:3], "big")
            id = int.from_bytes(written[5:9], "big")  # noqa: A001  # the field's name
            new.append(Frame(written[3], written[4], id, bytes(written[9 : 9 + size])))
            del written[: 9 + size]
        self.told += new
        return new

    def of(self, kind: int, stream: int | None = None) -> list[Frame]:
        self.read()
        return [one for one in self.told if one.kind == kind and stream in (None, one.stream)]

    def fields(self, stream: int) -> list[dict[str, str]]:
        """The headers and trailers of an answer. To be called once for a stream, in their order."""
        blocks = [self.decoder.decode(one.payload) for one in self.of(frames.HEADERS, stream)]
        return [{str(name): str(value) for name, value in block} for block in blocks]

    def data(self, stream: int) -> bytes:
        return b"".join(one.payload for one in self.of(frames.DATA, stream))

    async def until(self, there: Callable[[], object]) -> None:
        async with asyncio.timeout(20):
            while not there():
                await asyncio.sleep(0)
                self.read()

    async def ended(self, stream: int) -> None:
        def is_over() -> bool:
            mine = [one for one in self.told if one.stream == stream]
            return any(one.kind == frames.RST_STREAM or one.flags & frames.END_STREAM for one in mine if one.kind < 4)

        await self.until(is_over)


@asynccontextmanager
async def peering(model: Echo | None = None, limits: Limits | None = None) -> AsyncIterator[Peer]:
    repository = ModelRepository()
    repository.update(model or Echo())
    dispatch = Dispatch(repository, Metrics())
    server = GrpcServer(dispatch, Probes(dispatch), PortOptions(limits=limits or Limits()))
    peer = Peer(server)
    try:
        yield peer
    finally:
        peer.connection.connection_lost(None)
        await server.drain(0)
        dispatch.close()
