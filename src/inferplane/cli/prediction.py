"""One prediction through the gateway: a body and a service's URL in, the answer and its time out."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import aiohttp
import msgspec

from inferplane.kernel.errors import InferplaneError
from inferplane.kernel.json import Json, text_at

TIMEOUT_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Target:
    """`url` is what the user would type; `connect_to` is where it is sent (the gateway), with the URL's host as Host.

    They differ because not every resolver knows that `*.localhost` is loopback.
    """

    url: str
    connect_to: str
    host: str


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    seconds: float


def target(service_url: str, path: str, gateway: str = "") -> Target:
    """`service_url` is the InferenceService's `status.url`; without a gateway the URL itself is connected to."""
    service = urlsplit(service_url)
    if not gateway:
        url = urlunsplit((service.scheme, service.netloc, path, "", ""))
        return Target(url, url, service.netloc)
    door = urlsplit(gateway)
    # The gateway listens where it found a free port; the service's URL may name no port or the configured one.
    netloc = f"{service.hostname}:{door.port}" if door.port else f"{service.hostname}"
    return Target(
        urlunsplit((door.scheme, netloc, path, "", "")), urlunsplit((door.scheme, door.netloc, path, "", "")), netloc
    )


def path_of(protocol: str, model: str) -> str:
    return f"/v2/models/{model}/infer" if protocol == "v2" else f"/v1/models/{model}:predict"


def protocol_of(body: Json) -> str:
    """V2 requests have `inputs` that are tensors; anything else is V1 (whose own `inputs` form names no datatype)."""
    inputs = body.get("inputs") if isinstance(body, dict) else None
    tensors = isinstance(inputs, list) and all(isinstance(one, dict) and "datatype" in one for one in inputs)
    return "v2" if tensors and inputs else "v1"


def read_body(data: str, stdin: bytes | None = None) -> tuple[bytes, Json]:
    """The bytes of `JSON`, `@file` or `-`, and what they say. Raises InferplaneError that says where JSON ends."""
    source, raw = _source(data, stdin)
    try:
        return raw, msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InferplaneError(
            f"{source}: not JSON: {error}", fix='expected for example {"instances": [[1, 2]]}'
        ) from error


def _source(data: str, stdin: bytes | None) -> tuple[str, bytes]:
    if data == "-":
        return "standard input", stdin or b""
    if not data.startswith("@"):
        return "-d", data.encode()
    try:
        return data[1:], Path(data[1:]).read_bytes()
    except OSError as error:
        raise InferplaneError(f"{data[1:]}: cannot be read: {error.strerror}") from error


async def is_ready(session: aiohttp.ClientSession, to: Target) -> bool:
    """Whether the model says that it is ready (V1 `GET /v1/models/NAME`). Raises InferplaneError as `send` does."""
    async with _request(session, "GET", to, None) as response:
        await response.read()
        return response.status == HTTPStatus.OK


async def fetch(session: aiohttp.ClientSession, to: Target) -> bytes | None:
    """The body of a GET; None for an error status. Raises InferplaneError as `send` does."""
    async with _request(session, "GET", to, None) as response:
        content = await response.read()
    return content if response.status == HTTPStatus.OK else None


async def send(session: aiohttp.ClientSession, to: Target, body: bytes) -> Answer:
    """POSTs JSON. Raises InferplaneError when nobody answers; an error status is an Answer."""
    started = time.perf_counter()
    async with _request(session, "POST", to, body) as response:
        content = await response.read()
    return Answer(response.status, content, time.perf_counter() - started)


@asynccontextmanager
async def _request(
    session: aiohttp.ClientSession, method: str, to: Target, body: bytes | None
) -> AsyncIterator[aiohttp.ClientResponse]:
    headers = {"Content-Type": "application/json", "Host": to.host}
    try:
        async with session.request(method, to.connect_to, data=body, headers=headers) as response:
            yield response
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        words = " ".join(str(error).split()) or "no answer in time"
        raise InferplaneError(f"{to.url}: {words}", fix="check the gateway: inferplane status") from error


def http() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS))


def refusal(answer: Answer) -> str:
    """One line for an error status: what the server says in `error` or `detail`, else its text."""
    try:
        found: Json = msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        found = None
    said = (text_at(found, "error") or text_at(found, "detail")) if isinstance(found, dict) else ""
    words = said or answer.body.decode(errors="replace")
    return f"HTTP {answer.status}: {' '.join(words.split()) or 'no text'}"
