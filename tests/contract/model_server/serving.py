"""A model server on a port of its own in the test's event loop, and a client that sends bytes as they are."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self

from inferplane import Model, ModelRepository
from inferplane.dataplane.server.dispatch import Dispatch
from inferplane.dataplane.server.http.access_log import AccessLog
from inferplane.dataplane.server.http.app import build
from inferplane.dataplane.server.http.asgi import AsgiApp
from inferplane.dataplane.server.http.limits import Limits
from inferplane.dataplane.server.http.listener import HttpServer
from inferplane.dataplane.server.http.probes import Probes
from inferplane.dataplane.server.http.routes import HotRoutes
from inferplane.dataplane.server.metrics import Metrics
from inferplane.inference import cloudevents


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


class Client:
    """One connection. `send` takes raw bytes; `answer` reads one answer off the wire."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def head(self) -> tuple[int, dict[str, str]]:
        lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines[1:] if line)
        return int(lines[0].split()[1]), headers

    async def answer(self, *, to_head: bool = False) -> Answer:
        status, headers = await self.head()
        if to_head:
            return Answer(status, headers, b"")
        if headers.get("transfer-encoding") == "chunked":
            return Answer(status, headers, b"".join([piece async for piece in self.chunks()]))
        return Answer(status, headers, await self.reader.readexactly(int(headers["content-length"])))

    async def chunks(self) -> AsyncIterator[bytes]:
        while size := int(await self.reader.readline(), 16):
            yield (await self.reader.readexactly(size + 2))[:-2]
        await self.reader.readline()

    async def closed(self) -> bool:
        """Waits for the server's end of the connection; true when nothing more came."""
        return await self.reader.read() == b""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()


class Serving:
    def __init__(self, server: HttpServer, port: int) -> None:
        self.server = server
        self.port = port

    async def client(self) -> Client:
        return Client(*await asyncio.open_connection("127.0.0.1", self.port))

    async def exchange(self, data: bytes) -> Answer:
        async with await self.client() as client:
            client.send(data)
            return await client.answer(to_head=data.startswith(b"HEAD"))


@asynccontextmanager
async def serving(
    *models: Model,
    limits: Limits | None = None,
    app: AsgiApp | None = None,
    access_log: AccessLog | None = None,
    events: cloudevents.Settings | None = None,
    docs: bool = False,
) -> AsyncIterator[Serving]:
    repository = ModelRepository()
    for model in models:
        repository.update(model)
    dispatch = Dispatch(repository, Metrics(), events=events)
    probes = Probes(dispatch)
    app = app or build(dispatch, probes, "1.2.3", docs=docs)
    server = HttpServer(HotRoutes(dispatch, probes), app, probes, limits or Limits(lame_duck=0.01), access_log)
    port = await server.listen("127.0.0.1", 0)
    try:
        yield Serving(server, port)
    finally:
        server.close()
        dispatch.close()


def post(path: str, body: bytes, *headers: str) -> bytes:
    return request("POST", path, f"Content-Length: {len(body)}", *headers) + body


def get(path: str, *headers: str) -> bytes:
    return request("GET", path, *headers)


def request(method: str, path: str, *headers: str) -> bytes:
    lines: Sequence[str] = [f"{method} {path} HTTP/1.1", "Host: models.test", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
