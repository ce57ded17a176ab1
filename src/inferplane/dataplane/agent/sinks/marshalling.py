"""A batch of events as the content of a file: made here, or by a marshaller of the user's own, over HTTP.

The contract is KServe's: an array of records is posted, the answer's body is the content, and its header
`X-Log-Marshal-Extension` the file's extension (`json` when it says none).
"""

import asyncio
from collections.abc import Sequence
from typing import Protocol

import aiohttp

from inferplane.dataplane.agent.events import Event
from inferplane.dataplane.agent.posting import posted
from inferplane.dataplane.agent.records import CONTENT_TYPES, About, as_array, marshalled
from inferplane.dataplane.agent.settings import MARSHALLER_URL, Format, StoreSettings
from inferplane.dataplane.agent.sinks.sink import Refused, Unavailable

_EXTENSION = "X-Log-Marshal-Extension"
_TIMEOUT = aiohttp.ClientTimeout(total=30)
_ON_THREAD = 64
"""Events. Larger batches are marshalled where nobody waits."""


class Marshaller(Protocol):
    async def file(self, events: Sequence[Event]) -> tuple[bytes, str, str]:
        """(content, extension, content type). Raises Unavailable, Refused."""
        ...

    async def close(self) -> None: ...


class OwnMarshaller:
    def __init__(self, format: Format, about: About) -> None:
        self._format = format
        self._about = about

    async def file(self, events: Sequence[Event]) -> tuple[bytes, str, str]:
        if self._format is Format.JSONL or len(events) < _ON_THREAD:
            content = marshalled(self._format, events, self._about)
        else:
            content = await asyncio.to_thread(marshalled, self._format, events, self._about)
        return content, self._format.value, CONTENT_TYPES[self._format]

    async def close(self) -> None:
        """Holds nothing."""


class ForeignMarshaller:
    def __init__(self, url: str, about: About) -> None:
        self._url = url
        self._about = about
        self._session: aiohttp.ClientSession | None = None

    async def file(self, events: Sequence[Event]) -> tuple[bytes, str, str]:
        session = self._session = self._session or aiohttp.ClientSession(timeout=_TIMEOUT)
        headers = {"Content-Type": "application/json"}
        try:
            async with session.post(self._url, data=posted(as_array(events, self._about)), headers=headers) as answer:
                content = await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unavailable(f"marshaller {self._url}: {error or type(error).__name__}") from error
        if answer.status >= 500:
            raise Unavailable(f"marshaller {self._url}: HTTP status {answer.status}")
        if not 200 <= answer.status < 300:
            raise Refused(f"marshaller {self._url}: HTTP status {answer.status}")
        extension = answer.headers.get(_EXTENSION, "json")
        return content, extension, answer.headers.get("Content-Type", "application/octet-stream")

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


def marshaller(store: StoreSettings, default: Format, about: About) -> Marshaller:
    if store.marshaller_url != MARSHALLER_URL:
        return ForeignMarshaller(store.marshaller_url, about)
    return OwnMarshaller(store.format or default, about)
