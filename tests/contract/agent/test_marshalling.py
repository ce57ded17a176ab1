"""A marshaller of the user's own: what it is posted, and what its answers mean (reference 10.8, 61)."""

import asyncio

import orjson
import pytest
from aiohttp import web

from inferplane.dataplane.agent.events import REQUEST, Event
from inferplane.dataplane.agent.records import About, record
from inferplane.dataplane.agent.settings import MARSHALLER_URL, Format, StoreSettings
from inferplane.dataplane.agent.sinks.marshalling import ForeignMarshaller, OwnMarshaller, marshaller
from inferplane.dataplane.agent.sinks.sink import Refused, Unavailable

EVENT = Event({"id": "1", "type": REQUEST, "time": "t"}, b"{}")
ABOUT = About("s3://b")


async def asked(status: int, headers: dict[str, str]) -> tuple[bytes, bytes, str, str]:
    """What was posted; content, extension and type of the file."""
    posted: list[bytes] = []

    async def handle(request: web.Request) -> web.Response:
        posted.append(await request.read())
        return web.Response(status=status, body=b"content", headers={"Content-Type": "application/avro", **headers})

    app = web.Application()
    app.router.add_post("/marshal", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made = ForeignMarshaller(f"http://127.0.0.1:{runner.addresses[0][1]}/marshal", ABOUT)
    try:
        return posted[0] if posted else b"", *await made.file([EVENT])
    finally:
        await made.close()
        await runner.cleanup()
        assert orjson.loads(posted[0]) == [record(EVENT, ABOUT)]


@pytest.mark.parametrize(("headers", "extension"), [({"X-Log-Marshal-Extension": "avro"}, "avro"), ({}, "json")])
async def test_the_answer_is_the_file(headers: dict[str, str], extension: str) -> None:
    assert (await asked(200, headers))[1:] == (b"content", extension, "application/avro")


async def test_a_marshaller_that_fails_is_asked_again_and_one_that_refuses_is_not() -> None:
    with pytest.raises(Unavailable, match="500"):
        await asked(500, {})
    with pytest.raises(Refused, match="400"):
        await asked(400, {})


async def test_nobody_there_is_tried_again() -> None:
    made = ForeignMarshaller("http://127.0.0.1:1/marshal", ABOUT)
    with pytest.raises(Unavailable, match="marshaller"):
        await made.file([EVENT])
    await made.close()


async def test_with_kserves_own_url_files_are_made_here() -> None:
    assert isinstance(marshaller(StoreSettings(), Format.JSON, ABOUT), OwnMarshaller)
    assert isinstance(marshaller(StoreSettings(marshaller_url="http://m/"), Format.JSON, ABOUT), ForeignMarshaller)
    assert MARSHALLER_URL == "http://localhost:9083/marshal"


async def test_many_events_are_marshalled_beside_the_loop() -> None:
    made = marshaller(StoreSettings(format=Format.CSV), Format.JSON, ABOUT)
    content, extension, kind = await asyncio.wait_for(made.file([EVENT] * 100), 30)
    assert (len(content.splitlines()), extension, kind) == (101, "csv", "text/csv")
