"""What an HTTP sink is sent, byte for byte, and what its answers mean."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import orjson
import pytest
from aiohttp import web

from inferplane.dataplane.agent.events import Event, Events, Exchange, structured
from inferplane.dataplane.agent.settings import ContentMode, Labels, LoggerSettings, StoreSettings
from inferplane.dataplane.agent.sinks.http import HttpSink
from inferplane.dataplane.agent.sinks.sink import Batch, Refused, Unavailable

LABELS = Labels("http://localhost:9081/", "iris", "demo", "default", "predictor", {"team": "a"})


def events(settings: LoggerSettings) -> list[Event]:
    one = Exchange("", "POST", "/v1/models/iris:predict", {"content-type": "application/json", "foo": "bar"},
                   b'{"instances": [[1]]}', 10.0, 200, "application/json", 0, b"{}", 10.5)  # fmt: skip
    return Events(settings, lambda: "0123").of(one, 11.0)


@dataclass
class Got:
    url: str
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    connections: set[object] = field(default_factory=set)
    status: int = 200
    retry_after: str = ""


@asynccontextmanager
async def receiving() -> AsyncIterator[Got]:
    got = Got("")

    async def handle(request: web.Request) -> web.Response:
        got.connections.add(request.transport)
        got.requests.append(({name.lower(): value for name, value in request.headers.items()}, await request.read()))
        headers = {"Retry-After": got.retry_after} if got.retry_after else {}
        return web.Response(status=got.status, text="the reason", headers=headers)

    app = web.Application()
    app.router.add_post("/{any:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    got.url = f"http://127.0.0.1:{runner.addresses[0][1]}/in"
    try:
        yield got
    finally:
        await runner.cleanup()


def sink_of(got: Got, **given: object) -> tuple[HttpSink, list[Event]]:
    settings = LoggerSettings((got.url,), LABELS, headers=("Foo",), **given)  # type: ignore[arg-type]  # fields by name
    return HttpSink(got.url, settings, None), events(settings)


async def test_binary_mode_is_kserves() -> None:
    async with receiving() as got:
        sink, [asked, answered] = sink_of(got)
        await sink.send([asked])
        await sink.send([answered])
        await sink.close()
    (first, body), (second, answer) = got.requests
    assert (body, answer) == (b'{"instances": [[1]]}', b"{}")
    told = {name: value for name, value in first.items() if name.startswith("ce-") or name == "content-type"}
    assert told == {
        "ce-specversion": "1.0",
        "ce-id": "0123",
        "ce-source": "http://localhost:9081/",
        "ce-type": "org.kubeflow.serving.inference.request",
        "ce-time": "1970-01-01T00:00:10.000000Z",
        "ce-recordedtime": "1970-01-01T00:00:11.000000Z",
        "ce-inferenceservicename": "iris",
        "ce-namespace": "demo",
        "ce-component": "predictor",
        "ce-endpoint": "default",
        "ce-metadata": '{"Foo":["bar"]}',
        "ce-annotations": '{"team":"a"}',
        "ce-method": "POST",
        "ce-path": "/v1/models/iris:predict",
        "content-type": "application/json",
    }
    assert (second["ce-type"], second["ce-id"]) == ("org.kubeflow.serving.inference.response", "0123")
    assert (second["ce-status"], second["ce-latencyms"]) == ("200", "500.0")


async def test_connections_are_kept() -> None:
    async with receiving() as got:
        sink, [asked, _] = sink_of(got)
        for _ in range(5):
            await sink.send([asked])
        await sink.close()
        assert len(got.connections) == 1


async def test_structured_mode_is_one_json_object() -> None:
    async with receiving() as got:
        sink, [asked, _] = sink_of(got, content_mode=ContentMode.STRUCTURED)
        await sink.send([asked])
        await sink.close()
    [(headers, body)] = got.requests
    assert (headers["content-type"], body) == ("application/cloudevents+json", structured(asked))


async def test_batched_mode_is_an_array() -> None:
    async with receiving() as got:
        sink, both = sink_of(got, content_mode=ContentMode.BATCHED)
        assert sink.batch == Batch(1, 100)
        await sink.send(both)
        await sink.close()
    [(headers, body)] = got.requests
    assert headers["content-type"] == "application/cloudevents-batch+json"
    assert [event["type"].rpartition(".")[2] for event in orjson.loads(body)] == ["request", "response"]


async def test_a_batch_has_the_size_and_time_that_were_asked_for() -> None:
    async with receiving() as got:
        sink, _ = sink_of(got, content_mode=ContentMode.BATCHED, store=StoreSettings(batch_size=8, batch_interval=2.0))
        assert sink.batch == Batch(8, 8, 2.0)
        await sink.close()


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
async def test_an_answer_that_may_change_is_tried_again(status: int) -> None:
    async with receiving() as got:
        got.status, got.retry_after = status, "7"
        sink, [asked, _] = sink_of(got)
        with pytest.raises(Unavailable, match=f"HTTP status {status} the reason") as raised:
            await sink.send([asked])
        await sink.close()
    assert raised.value.after == 7.0


@pytest.mark.parametrize("status", [301, 400, 401, 404, 413, 501])
async def test_an_answer_that_will_not_change_is_final(status: int) -> None:
    async with receiving() as got:
        got.status = status
        sink, [asked, _] = sink_of(got)
        with pytest.raises(Refused, match=f"HTTP status {status}"):
            await sink.send([asked])
        await sink.close()


async def test_nobody_there_and_nobody_who_answers_are_tried_again() -> None:
    async with receiving() as got:
        sink, [asked, _] = sink_of(got)
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1"):
        await sink.send([asked])
    await sink.close()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with server:
        got.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        sink, [asked, _] = sink_of(got)
        with pytest.raises(Unavailable):
            await sink.send([asked])
        await sink.close()
