"""The gateway's admin interface as a stream of what passes through: a description in, JSON documents out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp

from inferplane.cli.recording.traces import Documents
from inferplane.cli.recording.ways import PROBE
from inferplane.kernel.errors import InferplaneError
from inferplane.kernel.json import JsonObject

_PLACE = "http://envoy/tap"
_OK = 200
# No service has this name (RFC 2606), so no model sees a probe.
_NOBODY = {"Host": "record.invalid", PROBE: "1"}
_PAUSE = 0.05


@asynccontextmanager
async def tapped(admin: Path, gateway: str, asked: JsonObject) -> AsyncIterator[AsyncIterator[bytes]]:
    """From its beginning to its end the gateway tells of every request that fits `asked`, when it has ended.

    Raises InferplaneError: no gateway, or somebody else records already.
    """
    async with (
        aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(str(admin)), timeout=aiohttp.ClientTimeout(total=None, sock_connect=5)
        ) as session,
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as outside,
    ):
        answering = asyncio.ensure_future(session.post(_PLACE, json=asked).__aenter__())
        try:
            answer = await _heard(answering, outside, gateway)
        except aiohttp.ClientError as error:
            raise InferplaneError("the gateway does not answer", fix="see  inferplane status") from error
        finally:
            answering.cancel()
        async with answer:
            if answer.status != _OK:
                raise _refused(answer.status, (await answer.text()).strip())
            yield _documents(answer)


async def _heard(
    answering: asyncio.Future[aiohttp.ClientResponse], outside: aiohttp.ClientSession, gateway: str
) -> aiohttp.ClientResponse:
    """Envoy begins its answer with the first request that it tells of: until then it gets some of ours."""
    while not answering.done():
        with suppress(TimeoutError):
            async with outside.post(gateway, headers=_NOBODY) as probe:
                await probe.read()
        await asyncio.wait((answering,), timeout=_PAUSE)
    return answering.result()


async def _documents(answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    found = Documents()
    try:
        async for data in answer.content.iter_any():
            for document in found.feed(data):
                yield document
    except aiohttp.ClientPayloadError as error:
        raise InferplaneError("the gateway ended while it was recorded", fix="see  inferplane status") from error


def _refused(status: int, words: str) -> InferplaneError:
    if "already" in words:
        return InferplaneError("somebody else records at this gateway: there is one recording at a time")
    if "config id" in words:
        return InferplaneError("this gateway was started by an older version", fix="inferplane down; inferplane up -d")
    return InferplaneError(f"the gateway refuses to be recorded: {status}: {words}")
