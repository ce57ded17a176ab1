"""The Kubernetes API without a wire: for the controllers in the API server's own process.

A request is the one that would go over HTTPS (method, path, query, content type, body), it takes the same way through
the application, and the bytes of the answer are read like any other's: only TLS and HTTP are left out, which took half
of a write's time. A watch of all that a kind has is told objects, without the lines of JSON. Who asks is the
administrator.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from urllib.parse import urlencode

from inferplane.client.kubernetes.api import Resource, WatchEvent
from inferplane.client.kubernetes.rest import JSON, WATCH_SECONDS, Query, RestApi
from inferplane.client.kubernetes.statuses import error_of_response
from inferplane.controlplane.apiserver import watching
from inferplane.controlplane.apiserver.app import App
from inferplane.controlplane.apiserver.calls import Answer, Stream


class LocalApi(RestApi):
    def __init__(self, app: App, *, user_agent: str) -> None:
        self._app = app
        self._user_agent = user_agent

    async def watch(
        self, resource: Resource, namespace: str = "", *, since: str, labels: str = "", fields: str = ""
    ) -> AsyncGenerator[WatchEvent, None]:
        core = self._app.core
        kind = core.registry.find(resource.group, resource.version, resource.plural)
        if kind is None or labels or fields or not since.isdigit() or since == "0":
            events = super().watch(resource, namespace, since=since, labels=labels, fields=fields)
        else:
            events = watching.changes(core, kind, namespace, int(since), WATCH_SECONDS)
        async with aclosing(events) as found:
            async for event in found:
                yield event

    async def _answer(self, method: str, path: str, body: bytes | None, query: Query, content_type: str) -> bytes:
        found = await self._exchange(method, path, body, query, content_type)
        if isinstance(found, Stream):
            async with _ended(found) as chunks:
                return b"".join([chunk async for chunk in chunks])
        if method == "GET":
            # A read waits for nothing, and others have work to do in between.
            await asyncio.sleep(0)
        return _good(found)

    async def _chunks(self, path: str, query: Query, *, silence: float | None = None) -> AsyncGenerator[bytes, None]:
        found = await self._exchange("GET", path, None, query, "")
        if isinstance(found, Answer):
            yield _good(found)
            return
        async with _ended(found) as chunks:
            async for chunk in chunks:
                if chunk:
                    yield chunk

    async def _exchange(
        self, method: str, path: str, body: bytes | None, query: Query, content_type: str
    ) -> Answer | Stream:
        headers = {"accept": JSON, "user-agent": self._user_agent, "content-type": content_type}
        place, _, more = path.partition("?")
        if body is not None:
            # Nobody would read the warnings about unknown and repeated fields.
            query = {"fieldValidation": "Ignore", **query}
        return await self._app.exchange(method, place, urlencode(query) or more, headers, body or b"")


@asynccontextmanager
async def _ended(stream: Stream) -> AsyncIterator[AsyncIterator[bytes]]:
    """Its chunks; whoever makes them is told when nobody wants more."""
    try:
        yield stream.chunks
    finally:
        if isinstance(stream.chunks, AsyncGenerator):
            await stream.chunks.aclose()


def _good(answer: Answer) -> bytes:
    """Raises ApiError."""
    if answer.status >= 400:
        raise error_of_response(answer.status, answer.body)
    return answer.body
