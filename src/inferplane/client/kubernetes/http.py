"""The Kubernetes API over the wire: `rest.RestApi` on aiohttp.

A `kubeconfig.Connection` goes in. Connections are kept and used again; a watch holds one for itself. Every answer that
is not a success becomes a typed ApiError (`statuses`), every failure of the network a ServerUnreachable.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

import aiohttp

from inferplane.client.kubernetes.api import ServerUnreachable
from inferplane.client.kubernetes.kubeconfig import Connection
from inferplane.client.kubernetes.rest import JSON, Query, RestApi
from inferplane.client.kubernetes.statuses import error_of_response
from inferplane.client.kubernetes.tls import tls_context

_TOKEN_SECONDS = 60.0


class HttpApi(RestApi):
    """Use as `async with HttpApi(connection) as api`."""

    def __init__(self, connection: Connection, *, user_agent: str = "inferplane", timeout: float = 30.0) -> None:
        self.server = connection.server
        self._token = _Token(connection)
        self._tls = tls_context(connection)
        self._tls_server_name = connection.tls_server_name or None
        self._user_agent = user_agent
        self._timeout = timeout
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _answer(self, method: str, path: str, body: bytes | None, query: Query, content_type: str) -> bytes:
        timeout = aiohttp.ClientTimeout(total=self._timeout)
        async with self._open(method, path, body, query, content_type, timeout) as response:
            return await response.read()

    async def _chunks(self, path: str, query: Query, *, silence: float | None = None) -> AsyncGenerator[bytes, None]:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=self._timeout, sock_read=silence)
        async with self._open("GET", path, None, query, "", timeout) as response:
            async for chunk in response.content.iter_any():
                yield chunk

    @asynccontextmanager
    async def _open(
        self,
        method: str,
        path: str,
        body: bytes | None,
        query: Query,
        content_type: str,
        timeout: aiohttp.ClientTimeout,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """One request, up to a good status. Errors of the network inside the block are mapped as well."""
        try:
            async with self._connected().request(
                method,
                self.server + path,
                params=query or None,
                data=body,
                headers=self._headers(content_type),
                timeout=timeout,
                server_hostname=self._tls_server_name,
            ) as response:
                if response.status >= 400:
                    raise error_of_response(response.status, await response.read())
                yield response
        except aiohttp.ClientConnectorCertificateError as error:
            raise ServerUnreachable(
                f"{self.server}: its certificate is not trusted: {error.certificate_error}",
                fix="the kubeconfig's certificate-authority-data must be the server's CA",
            ) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ServerUnreachable(f"{self.server}: {method} {path}: {_words(error)}") from error

    def _headers(self, content_type: str) -> dict[str, str]:
        headers = {"Accept": JSON, "User-Agent": self._user_agent}
        if content_type:
            headers["Content-Type"] = content_type
        token = self._token.read()
        return headers | ({"Authorization": f"Bearer {token}"} if token else {})

    def _connected(self) -> aiohttp.ClientSession:
        if self._session is None:
            # No limit: each watch keeps a connection, and a limit would let them starve the writes.
            connector = aiohttp.TCPConnector(limit=0, ssl=self._tls, keepalive_timeout=60, ttl_dns_cache=60)
            self._session = aiohttp.ClientSession(connector=connector, auto_decompress=True)
        return self._session


class _Token:
    """The bearer token; one from a file is read again every minute, as client-go does."""

    def __init__(self, connection: Connection) -> None:
        self._token = connection.token
        self._file = connection.token_file
        self._read_at = float("-inf")

    def read(self) -> str:
        if self._file is not None:
            now = asyncio.get_running_loop().time()
            if now - self._read_at > _TOKEN_SECONDS:
                self._token, self._read_at = self._file.read_text().strip(), now
        return self._token


def _words(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, (aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError)):
        return "the server broke off the connection"
    return " ".join(str(error).split()) or type(error).__name__
