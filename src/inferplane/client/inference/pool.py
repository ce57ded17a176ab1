"""Connections to one server, kept between exchanges. For one event loop; as many at once as there are exchanges.

What certainly did not run is sent again: no connection could be made (as often as the user allows), or one that had
been idle was closed by the server in the moment in which it was taken, before a byte of an answer (once, on a new one).
"""

import asyncio
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

from inferplane.client.inference.connection import Broken, Connection, Expired, NotHttp, Pieces, Received
from inferplane.client.inference.errors import BadAnswer, ClientError, ConnectionLost, TimedOut, Unreachable
from inferplane.client.inference.settings import PAUSES

_IDLE = 100
"""Connections that are kept while nobody needs them."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a URL leads. `authority` is the Host header; `path` has no slash at its end."""

    host: str
    port: int
    authority: str
    path: str
    secure: bool

    @classmethod
    def of(cls, url: str) -> "Origin":
        """ClientError for anything but http(s)://HOST[:PORT][/PATH]."""
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError as error:
            raise ClientError(url, f"expected a port from 0 to 65535: {error}") from None
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ClientError(url, "expected a URL like http://localhost:8080 or https://models.example/serving/iris")
        secure = parts.scheme == "https"
        authority = parts.netloc.rpartition("@")[2]
        return cls(parts.hostname, port or (443 if secure else 80), authority, parts.path.rstrip("/"), secure)


class Pool:
    """`url` names the server in errors. `retries`: how often a connection that cannot be made is tried again."""

    def __init__(self, url: str, *, retries: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.origin = Origin.of(url)
        self._url = url
        self._retries = retries
        self._tls = tls
        self._idle: list[Connection] = []
        self._closed = False

    async def exchange(self, request: Pieces, timeout: float | None) -> Received:
        """The answer to a request (head and body), whatever its status; `timeout` in seconds is for all of it.

        Raises Unreachable, ConnectionLost, TimedOut or BadAnswer (what came is no HTTP).
        """
        deadline = None if timeout is None else asyncio.get_running_loop().time() + timeout
        try:
            return await self._exchanged(request, deadline)
        except (Expired, TimeoutError) as error:
            raise TimedOut(self._url, timeout) from error

    async def close(self) -> None:
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    async def _exchanged(self, request: Pieces, deadline: float | None) -> Received:
        connection = self._kept()
        if connection is not None:
            try:
                return await self._on(connection, request, deadline)
            except Broken as broken:
                if not broken.unheard:
                    raise ConnectionLost(self._url, broken) from broken
        async with asyncio.timeout_at(deadline):
            connection = await self._connected()
        try:
            return await self._on(connection, request, deadline)
        except Broken as broken:
            raise ConnectionLost(self._url, broken) from broken

    async def _on(self, connection: Connection, request: Pieces, deadline: float | None) -> Received:
        left = None if deadline is None else deadline - asyncio.get_running_loop().time()
        try:
            received = await connection.exchange(request, left)
        except NotHttp as error:
            raise BadAnswer(self._url, str(error)) from error
        if connection.usable:
            if self._closed or len(self._idle) >= _IDLE:
                connection.close()
            else:
                self._idle.append(connection)
        return received

    def _kept(self) -> Connection | None:
        """The one that was used last; others may have been closed by the server meanwhile."""
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                return connection
        return None

    async def _connected(self) -> Connection:
        failures = 0
        while True:
            try:
                return await self._connect()
            except OSError as error:
                failures += 1
                if failures > self._retries:
                    raise Unreachable(self._url, error) from error
                await asyncio.sleep(PAUSES.delay(failures))

    async def _connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        origin = self.origin
        _, connection = await loop.create_connection(
            lambda: Connection(loop),
            origin.host,
            origin.port,
            ssl=self._tls if origin.secure else None,
            server_hostname=origin.host if origin.secure else None,
        )
        return connection
