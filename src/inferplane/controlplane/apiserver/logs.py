"""Pod logs: where the API server gets them from, and how a request for them is passed on."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

import aiohttp

from inferplane.kernel.errors import InferplaneError

# Parameters of a log request that the node understands (kubelet's names).
PARAMETERS = ("follow", "previous", "sinceSeconds", "sinceTime", "timestamps", "tailLines", "limitBytes")


class LogRefused(InferplaneError):
    """The node has no such log; `status` is its HTTP status (400 or 404)."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class NodeGone(InferplaneError):
    """The node does not answer."""


class LogSource(Protocol):
    def stream(self, namespace: str, pod: str, container: str, query: Mapping[str, str]) -> AsyncIterator[bytes]:
        """The log in chunks as they come; raises LogRefused or NodeGone before the first one."""
        ...


class NodeLogs:
    """Logs over the node's unix socket: `GET /containerLogs/{namespace}/{pod}/{container}`."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    async def stream(self, namespace: str, pod: str, container: str, query: Mapping[str, str]) -> AsyncIterator[bytes]:
        path = "/".join(quote(part, safe="") for part in (namespace, pod, container))
        wanted = {name: query[name] for name in PARAMETERS if name in query}
        async with self._answer(f"http://node/containerLogs/{path}", wanted) as answer:
            async for chunk in answer.content.iter_any():
                yield chunk

    @asynccontextmanager
    async def _answer(self, url: str, query: Mapping[str, str]) -> AsyncIterator[aiohttp.ClientResponse]:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5)
        connector = aiohttp.UnixConnector(path=str(self._socket))
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            try:
                answer = await session.get(url, params=query)
            except (aiohttp.ClientConnectionError, OSError) as error:
                raise NodeGone(f"the node does not answer at {self._socket}: {error}", fix="is it running?") from error
            async with answer:
                if answer.status != 200:
                    raise LogRefused(answer.status, (await answer.text()).strip())
                yield answer
