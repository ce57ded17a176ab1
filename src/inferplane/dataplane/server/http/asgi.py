"""A request answered by an ASGI application in this process, or by a stream of chunks."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any, Protocol, TypeAlias, cast
from urllib.parse import unquote

from inferplane.dataplane.server.answers import INTERNAL, Answer, of_error
from inferplane.dataplane.server.http import wire
from inferplane.dataplane.server.http.wire import Incoming

log = logging.getLogger("inferplane.server")

Message: TypeAlias = MutableMapping[str, Any]  # the ASGI specification's own type
AsgiApp: TypeAlias = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]


COPIED = 16 * 1024 * 1024
"""Bytes of an answer in parts that are kept for the payload log."""


class Client(Protocol):
    """The connection that the request came over."""

    transport: asyncio.Transport

    @property
    def date(self) -> bytes: ...
    def closing_time(self, request: Incoming) -> None: ...
    def copies(self, request: Incoming) -> bool: ...
    def sent(self, request: Incoming, answer: Answer, body: bytes | None) -> None: ...
    async def writable(self) -> None: ...
    def finished(self, request: Incoming) -> None: ...
    def abort(self) -> None: ...


class Exchange:
    """One request and its answer, written as it comes."""

    def __init__(self, app: AsgiApp, request: Incoming, client: Client) -> None:
        self._app = app
        self._request = request
        self._client = client
        self._received = False
        self._left = asyncio.Event()
        self._gone = False
        self._head: tuple[int, list[tuple[bytes, bytes]]] | None = None
        self._started = False
        self._chunked = False
        self._complete = False
        self._copy: bytearray | None = bytearray() if client.copies(request) else None

    def client_left(self) -> None:
        """The client sends nothing more and most likely is gone; after closing its half it still gets its answer."""
        self._left.set()

    def disconnected(self) -> None:
        self._gone = True
        self._left.set()

    async def run(self) -> None:
        """Has the application answer. It hears of a client that leaves, and may finish what it does."""
        try:
            await self._app(_scope(self._request, self._client.transport), self._receive, self._send)
        except Exception:
            log.exception("handler failed target=%s", self._request.target.decode("latin-1"))
        if self._complete:
            self._finish()
        elif self._started:
            self._client.abort()
        else:
            self._fail()

    async def stream(self, status: int, headers: list[tuple[bytes, bytes]], chunks: AsyncIterator[bytes]) -> None:
        """Writes the chunks as they come. One that fails after the first can only be told by cutting the connection."""
        self._head = (status, headers)
        try:
            async for data in chunks:
                await self._write(data, last=False)
            await self._write(b"", last=True)
        except Exception as error:
            answer = of_error(error)
            if self._started or answer.status >= 500:
                log.exception("stream failed target=%s", self._request.target.decode("latin-1"))
            if self._started:
                self._client.abort()
            else:
                self._fail(answer)
            return
        self._finish()

    def _finish(self) -> None:
        if self._copy is not None and not self._gone and self._head is not None:
            status, headers = self._head
            kind = next((value for name, value in headers if name == b"content-type"), None)
            whole = len(self._copy) <= COPIED
            self._client.sent(
                self._request, Answer(status, b"", kind, tuple(headers)), bytes(self._copy) if whole else None
            )
        self._client.finished(self._request)

    def _fail(self, answer: Answer = INTERNAL) -> None:
        if self._gone:
            return
        self._client.closing_time(self._request)
        body = cast(bytes, answer.body)
        self._client.transport.write(cast(bytes, wire.whole(answer, body, self._request, self._client.date)))
        self._client.finished(self._request)

    async def _receive(self) -> Message:
        if not self._received:
            self._received = True
            return {"type": "http.request", "body": self._request.body, "more_body": False}
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._head = (
                message["status"],
                [(bytes(name), bytes(value)) for name, value in message.get("headers", [])],
            )
        elif message["type"] == "http.response.body" and not self._complete:
            await self._write(message.get("body", b""), last=not message.get("more_body", False))

    async def _write(self, data: bytes, *, last: bool) -> None:
        if self._gone:
            self._complete = self._complete or last
            return
        out = b"" if self._started else self._begin(len(data) if last else None)
        if self._copy is not None and len(self._copy) <= COPIED:
            self._copy += data
        if self._request.method != b"HEAD":
            self._request.sent += len(data)
            out += wire.chunk(data) if self._chunked and data else data
            out += wire.LAST_CHUNK if self._chunked and last else b""
        self._complete = last
        if out:
            self._client.transport.write(out)
        await self._client.writable()

    def _begin(self, length: int | None) -> bytes:
        """The head. `length` of the body when it is known; else the body is chunked, or ends with the connection."""
        if self._head is None:
            raise RuntimeError("the application sent a body before its head")
        status, headers = self._head
        self._started = True
        self._request.status = status
        self._client.closing_time(self._request)
        has_body = status >= 200 and status not in (204, 304)
        if has_body and not any(name == b"content-length" for name, _ in headers):
            headers = headers + self._framing(length)
        return wire.head(status, headers, self._request, self._client.date)

    def _framing(self, length: int | None) -> list[tuple[bytes, bytes]]:
        if length is not None:
            return [(b"content-length", b"%d" % length)]
        if self._request.version == "1.0":
            self._request.keep_alive = False
            return []
        self._chunked = True
        return [(b"transfer-encoding", b"chunked")]


def _scope(request: Incoming, transport: asyncio.Transport) -> Message:
    path, _, query = request.target.partition(b"?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": request.version,
        "method": request.method.decode("ascii"),
        "scheme": "http",
        "path": unquote(path.decode("latin-1")),
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "headers": [*request.headers, (b"x-request-id", request.id)] if request.own_id else request.headers,
        "client": _address(transport.get_extra_info("peername")),
        "server": _address(transport.get_extra_info("sockname")),
    }


def _address(name: object) -> tuple[str, int] | None:
    return (str(name[0]), int(name[1])) if isinstance(name, tuple) else None
