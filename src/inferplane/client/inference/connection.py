"""One connection of HTTP/1.1 to a server, for one exchange after the other: bytes out, status, headers and body in.

What a general client does beyond that (redirects, cookies, proxies, codings) servers of models do not need, and it
takes longer than a small model computes: httpx takes 1 ms of a processor for an exchange with a server in the same
loop, this 0.03.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias, cast

import httptools

Pieces: TypeAlias = Sequence[bytes | bytearray | memoryview]

_NO_BODY = frozenset({204, 304})
_HINTS = range(100, 200)


@dataclass(frozen=True, slots=True)
class Received:
    """A whole answer; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class Broken(Exception):
    """The connection ended before the answer was complete. `unheard`: before its first byte."""

    def __init__(self, words: str, *, unheard: bool) -> None:
        super().__init__(words)
        self.unheard = unheard


class NotHttp(Exception):
    """What came is no answer in HTTP/1.1."""


class Expired(Exception):
    """The answer was not complete in time."""


class _Parser(Protocol):
    def feed_data(self, data: bytes) -> None: ...
    def get_status_code(self) -> int: ...
    def should_keep_alive(self) -> bool: ...


class Connection(asyncio.Protocol):
    """`usable` says whether another exchange may follow."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._transport: asyncio.Transport = cast(
            asyncio.Transport, None
        )  # set by connection_made, before anything else
        self._parser: _Parser = httptools.HttpResponseParser(self)
        self._waiter: asyncio.Future[Received] | None = None
        self._heard = False
        self._headers: dict[str, str] = {}
        self._head_done = False
        self._body: list[bytes] = []
        self.usable = False

    async def exchange(self, request: Pieces, timeout: float | None = None) -> Received:
        """The answer. Raises Broken, NotHttp or Expired; one that is cancelled ends the connection."""
        waiter: asyncio.Future[Received] = self._loop.create_future()
        self._waiter = waiter
        timer = None if timeout is None else self._loop.call_later(timeout, self._expire)
        self._heard = False
        if len(request) == 1:
            self._transport.write(request[0])
        else:
            self._transport.writelines(request)
        try:
            return await waiter
        except asyncio.CancelledError:
            self.abort()
            raise
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()

    def close(self) -> None:
        """Of one that nobody waits for."""
        self.usable = False
        self._transport.close()

    def abort(self) -> None:
        self.usable = False
        self._transport.abort()

    # Transport callbacks.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.usable = True

    def data_received(self, data: bytes) -> None:
        if self._waiter is None or self._waiter.done():
            self.abort()  # nobody asked for more
            return
        self._heard = True
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(NotHttp(f"the answer is not HTTP/1.1: {error}"))
            self.abort()

    def eof_received(self) -> bool:
        self.usable = False
        if self._is_open_ended():
            self._answer()
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self.usable = False
        words = f" ({error})" if error else ""
        self._fail(Broken(f"the connection ended before the answer was complete{words}", unheard=not self._heard))

    # Parser callbacks.

    def on_message_begin(self) -> None:
        if self._waiter is None or self._waiter.done():
            self.abort()  # two answers to one request: the next would get what is not its own
        self._headers = {}
        self._body = []
        self._head_done = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._head_done:
            self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self._head_done = True

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() not in _HINTS:
            self._answer()

    def _answer(self) -> None:
        if self._waiter is None or self._waiter.done():
            return
        if not self._parser.should_keep_alive():
            self.usable = False
            self._transport.close()
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._waiter.set_result(Received(self._parser.get_status_code(), self._headers, body))

    def _is_open_ended(self) -> bool:
        """A body without a length ends with the connection (RFC 9112, 6.3)."""
        framed = "content-length" in self._headers or "transfer-encoding" in self._headers
        return self._head_done and not framed and self._parser.get_status_code() not in _NO_BODY

    def _expire(self) -> None:
        self._fail(Expired())
        self.abort()

    def _fail(self, error: Exception) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(error)
