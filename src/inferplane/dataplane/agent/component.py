"""The server behind the sidecar: whether it is ready, and what it answers to a request of the agent's own."""

import asyncio
import json
from collections.abc import Mapping

import aiohttp

from inferplane.dataplane.agent.posting import posted
from inferplane.dataplane.server.answers import Answer
from inferplane.kernel.errors import InferplaneError
from inferplane.kernel.json import JsonObject, list_at, number_at, object_at, text_at
from inferplane.relay.gate import Address

_DEFAULT_TIMEOUT = 1.0
_HOP_BY_HOP = frozenset(
    ("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "host",
     "content-length", "expect")
)  # fmt: skip
_NO_LIMIT = aiohttp.ClientTimeout(total=None, sock_connect=5)


class InvalidProbe(InferplaneError):
    """The environment's probe is none."""


class Component:
    """Belongs to one event loop. `probe` is a Kubernetes probe as JSON; empty: the server counts as ready."""

    def __init__(self, address: Address, probe: str) -> None:
        self.address = address
        self._probe = _parsed(probe)
        self._session: aiohttp.ClientSession | None = None

    async def is_ready(self) -> bool:
        """Asks the server once."""
        if not self._probe:
            return True
        try:
            async with asyncio.timeout(float(number_at(self._probe, "timeoutSeconds") or _DEFAULT_TIMEOUT)):
                return await self._asked(self._probe)
        except (OSError, TimeoutError, aiohttp.ClientError):
            return False

    async def _asked(self, probe: JsonObject) -> bool:
        if "httpGet" in probe:
            return await self._http(object_at(probe, "httpGet"))
        # What is ready to be connected to, of a probe for gRPC too.
        asked = object_at(probe, "tcpSocket") or object_at(probe, "grpc")
        host, port = self._where(asked)
        _, writer = await asyncio.open_connection(host, port)
        writer.close()
        return True

    async def _http(self, asked: JsonObject) -> bool:
        host, port = self._where(asked)
        given = [one for one in list_at(asked, "httpHeaders") if isinstance(one, dict)]
        headers = {text_at(one, "name"): text_at(one, "value") for one in given}
        scheme, path = (text_at(asked, "scheme") or "http").lower(), text_at(asked, "path").removeprefix("/")
        url = f"{scheme}://{host}:{port}/{path}"
        async with self._sessions().get(url, headers=headers, allow_redirects=False, ssl=False) as answer:
            return 200 <= answer.status < 400

    def _where(self, asked: JsonObject) -> tuple[str, int]:
        host = text_at(asked, "host")
        # The agent asks from within the pod, whatever the pod's own name for itself is.
        own = not host or host == "localhost"
        return self.address.host if own else host, number_at(asked, "port") or self.address.port

    async def send(self, target: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Posts a request of the batcher's; an answer 502 where there is none."""
        own = {name: value for name, value in headers.items() if name not in _HOP_BY_HOP}
        url = f"http://{self.address.host}:{self.address.port}{target}"
        try:
            async with self._sessions().post(url, data=posted(body), headers=own, allow_redirects=False) as answer:
                content = await answer.read()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            text = json.dumps({"error": f"the server behind the agent did not answer: {error or type(error).__name__}"})
            return Answer(502, text.encode())
        kind = answer.headers.get("Content-Type")
        further = tuple(
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in answer.headers.items()
            if name.lower() not in _HOP_BY_HOP and name.lower() not in ("content-type", "date", "server")
        )
        return Answer(answer.status, content, None if kind is None else kind.encode("latin-1"), further)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _sessions(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=3)
            self._session = aiohttp.ClientSession(
                connector=connector,
                timeout=_NO_LIMIT,
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=("Accept-Encoding", "User-Agent"),
            )
        return self._session


def _parsed(text: str) -> JsonObject:
    if not text:
        return {}
    try:
        found = json.loads(text)
    except ValueError as error:
        raise InvalidProbe(f"SERVING_READINESS_PROBE: expected a probe as JSON: {error}") from error
    if not isinstance(found, dict):
        raise InvalidProbe(f"SERVING_READINESS_PROBE: expected a probe as a JSON object, got {text[:80]!r}")
    return found
