"""Events to an HTTP endpoint: one a request (binary or structured), or several as a batch; connections are kept."""

import ssl
from collections.abc import Sequence

import aiohttp

from inferplane.dataplane.agent import events as forms
from inferplane.dataplane.agent.events import BATCHED, STRUCTURED, Event
from inferplane.dataplane.agent.posting import posted
from inferplane.dataplane.agent.settings import ContentMode, LoggerSettings
from inferplane.dataplane.agent.sinks.sink import Batch, Refused, Unavailable
from inferplane.dataplane.storage.errors import scrubbed, shown

_TIMEOUT = aiohttp.ClientTimeout(total=30, connect=5)
_TRY_LATER = frozenset({408, 425, 429, 500, 502, 503, 504})
_SAID = 300
_LARGEST_BATCH = 100


class HttpSink:
    """Made and used on one event loop."""

    def __init__(self, url: str, settings: LoggerSettings, tls: ssl.SSLContext | None) -> None:
        self.name = shown(url)
        self.senders = settings.senders
        self.batch = _batch(settings)
        self._url = url
        self._mode = settings.content_mode
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None

    async def send(self, events: Sequence[Event]) -> None:
        headers, body = self._request(events)
        try:
            async with self._connected().post(
                self._url, data=posted(body), headers=headers, allow_redirects=False, ssl=self._tls or True
            ) as answer:
                if not 200 <= answer.status < 300:
                    raise await _failure(answer)
                await answer.read()
        except aiohttp.ClientConnectorCertificateError as error:
            raise Unavailable(f"the sink's certificate is not trusted: {error.certificate_error}") from error
        except aiohttp.InvalidURL as error:
            raise Refused(f"not a URL: {error}") from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unavailable(scrubbed(str(error)) or type(error).__name__) from error

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _request(self, events: Sequence[Event]) -> tuple[dict[str, str], bytes]:
        if self._mode is ContentMode.BATCHED:
            return {"content-type": BATCHED}, forms.batched(events)
        if self._mode is ContentMode.STRUCTURED:
            return {"content-type": STRUCTURED}, forms.structured(events[0])
        return forms.binary(events[0])

    def _connected(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=self.senders, keepalive_timeout=30)
            self._session = aiohttp.ClientSession(
                connector=connector,
                timeout=_TIMEOUT,
                skip_auto_headers=("Content-Type", "Accept-Encoding"),
                headers={"User-Agent": "inferplane"},
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session


def _batch(settings: LoggerSettings) -> Batch:
    if settings.content_mode is not ContentMode.BATCHED:
        return Batch()
    size = settings.store.batch_size
    # Without a size of their own, those that wait while others are sent go together.
    return Batch(size, size if size > 1 else _LARGEST_BATCH, settings.store.batch_interval)


async def _failure(answer: aiohttp.ClientResponse) -> Unavailable | Refused:
    said = scrubbed((await answer.content.read(_SAID)).decode(errors="replace"))
    words = f"HTTP status {answer.status} {said}".strip()
    if answer.status in _TRY_LATER:
        return Unavailable(words, _seconds(answer.headers.get("Retry-After", "")))
    return Refused(words)


def _seconds(text: str) -> float:
    """Of a Retry-After; at most a minute, and dates count as not said."""
    return min(60.0, float(text)) if text.isdecimal() else 0.0
