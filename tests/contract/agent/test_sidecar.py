"""The sidecar's proxy on real sockets: what it passes on, what it answers itself, and what it notes for the log."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from io import BytesIO

import aiohttp
import grpc
import httpx
import msgspec
import pytest
from aiohttp import web

from inferplane.dataplane.agent.batcher import Batcher
from inferplane.dataplane.agent.channel import Incoming, pair
from inferplane.dataplane.agent.component import Component, InvalidProbe
from inferplane.dataplane.agent.events import Exchange
from inferplane.dataplane.agent.front import Front
from inferplane.dataplane.agent.recording import Recording
from inferplane.dataplane.agent.settings import BatcherSettings, LoggerSettings
from inferplane.kernel.clock import SystemClock
from inferplane.relay.gate import Address
from inferplane.relay.listener import Listener, listening

LIMIT = 30.0
PROBE = {"K-Network-Probe": "queue"}
V1 = "/v1/models/m:predict"


@dataclass
class Sidecar:
    url: str
    port: int
    front: Front
    lost: list[float]
    end: socket.socket
    noted: list[Exchange] = field(default_factory=list)

    async def notes(self, number: int) -> list[Exchange]:
        """Waits for so many."""
        incoming = Incoming()
        async with asyncio.timeout(LIMIT):
            while len(self.noted) < number:
                packet = await asyncio.to_thread(self.end.recv, 1 << 20)
                self.noted += incoming.feed(packet)
        return self.noted


@asynccontextmanager
async def sidecar(port: int, probe: str = "", batcher: BatcherSettings | None = None) -> AsyncIterator[Sidecar]:
    ours, theirs = pair()
    theirs.settimeout(LIMIT)
    lost: list[float] = []
    recording = Recording(ours, LoggerSettings(("http://sink",), headers=("X-User",)), lost.append)
    component, clock = Component(Address("127.0.0.1", port), probe), SystemClock()
    front = Front(component, recording, None if batcher is None else Batcher(batcher, component.send), clock)
    listener = Listener(front, clock)
    with listening("127.0.0.1") as opened, theirs:
        await listener.start(opened)
        own = int(opened.getsockname()[1])
        try:
            yield Sidecar(f"http://127.0.0.1:{own}", own, front, lost, theirs)
        finally:
            await listener.stop(0.0)
            await component.close()
            await recording.finish(1.0)


@asynccontextmanager
async def server(**routes: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[int]:
    """A foreign server; `any` answers everything that is not another route."""
    app = web.Application(client_max_size=1 << 26)
    for name, handle in routes.items():
        app.router.add_route("*", "/{tail:.*}" if name == "any" else f"/{name}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


async def echo(request: web.Request) -> web.StreamResponse:
    """The body, with a header that says how it came."""
    how = {"X-How": f"{request.method} {request.path_qs} {request.headers.get('Transfer-Encoding', 'length')}"}
    return web.Response(body=await request.read(), headers=how, content_type=request.content_type)


async def test_a_request_passes_as_it_is_and_both_halves_are_noted() -> None:
    async with server(any=echo) as port, sidecar(port) as one, aiohttp.ClientSession() as client:
        headers = {"X-User": "ada", "Ce-Id": "0123"}
        async with client.post(f"{one.url}{V1}?a=b", json={"instances": [1]}, headers=headers) as answer:
            assert (answer.status, await answer.json()) == (200, {"instances": [1]})
            assert answer.headers["X-How"] == f"POST {V1}?a=b length"
        [note] = await one.notes(1)
    assert (note.method, note.path, note.status) == ("POST", f"{V1}?a=b", 200)
    assert (note.body, note.answer) == (b'{"instances": [1]}', b'{"instances": [1]}')
    assert note.headers == {"content-type": "application/json", "ce-id": "0123", "x-user": "ada"}
    assert note.answer_type.startswith("application/json")
    assert 0 <= note.ended - note.began < LIMIT


async def test_chunks_are_noted_without_their_framing() -> None:
    async def chunked(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        for part in (b"data: 1\n\n", b"data: 2\n\n"):
            await answer.write(part)
        return answer

    async def parts() -> AsyncIterator[bytes]:
        yield b'{"a"'
        yield b": 1}"

    async with server(any=chunked) as port, sidecar(port) as one, aiohttp.ClientSession() as client:
        async with client.post(f"{one.url}{V1}", data=parts()) as answer:
            assert await answer.read() == b"data: 1\n\ndata: 2\n\n"
        [note] = await one.notes(1)
    assert (note.body, note.answer) == (b'{"a": 1}', b"data: 1\n\ndata: 2\n\n")


@pytest.mark.parametrize("status", [400, 404, 500, 503])
async def test_an_error_of_the_server_goes_through_unchanged_and_only_its_request_is_noted(status: int) -> None:
    async def failing(request: web.Request) -> web.StreamResponse:
        await request.read()
        return web.Response(status=status, text="the reason")

    async with server(any=failing) as port, sidecar(port) as one, aiohttp.ClientSession() as client:
        async with client.post(f"{one.url}{V1}", data=b"{}") as answer:
            assert (answer.status, await answer.text()) == (status, "the reason")
        [note] = await one.notes(1)
    assert (note.status, note.body, note.answer) == (status, b"{}", None)


async def test_what_is_no_inference_is_not_noted() -> None:
    async with server(any=echo) as port, sidecar(port) as one, aiohttp.ClientSession() as client:
        await (await client.get(f"{one.url}/v2/models/m/ready")).read()
        await (await client.post(f"{one.url}/v2/repository/models/m/load", json={})).read()
        await (await client.post(f"{one.url}/any", data=b"x")).read()
        assert [note.path for note in await one.notes(1)] == ["/any"]


async def test_a_server_that_is_down_is_a_502_and_the_request_is_noted() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        async with sidecar(taken.getsockname()[1]) as one, aiohttp.ClientSession() as client:
            async with client.post(f"{one.url}{V1}", data=b"{}") as answer:
                assert answer.status == 502
                assert (await answer.json())["error"] == "the server behind the agent takes no connection"
            [note] = await one.notes(1)
    assert (note.status, note.answer) == (502, None)


async def test_a_large_body_streams_through() -> None:
    async with server(any=echo) as port, sidecar(port) as one, aiohttp.ClientSession() as client:
        body = bytes(range(256)) * 16384
        async with client.post(f"{one.url}/v2/models/m/infer", data=BytesIO(body)) as answer:
            assert await answer.read() == body
        [note] = await one.notes(1)
        assert (note.body, note.answer) == (body, body)


async def test_a_websocket_passes() -> None:
    async def talk(request: web.Request) -> web.StreamResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        async for message in ws:
            await ws.send_str(f"heard {message.data}")
        return ws

    async with (
        server(any=talk) as port,
        sidecar(port) as one,
        aiohttp.ClientSession() as client,
        client.ws_connect(f"{one.url}/ws") as ws,
    ):
        await ws.send_str("it")
        assert await ws.receive_str(timeout=LIMIT) == "heard it"


# --- gRPC -------------------------------------------------------------------------------------------------------------

INFER = "/inference.GRPCInferenceService/ModelInfer"
STREAM = "/inference.GRPCInferenceService/ModelStreamInfer"


@asynccontextmanager
async def grpc_server() -> AsyncIterator[int]:
    async def unary(request: bytes, context: grpc.aio.ServicerContext) -> bytes:
        if request == b"bad":
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such model")
        return b"answer to " + request

    async def stream(requests: AsyncIterator[bytes], context: grpc.aio.ServicerContext) -> AsyncIterator[bytes]:
        async for request in requests:
            yield b"to " + request

    handlers = {
        "ModelInfer": grpc.unary_unary_rpc_method_handler(unary),
        "ModelStreamInfer": grpc.stream_stream_rpc_method_handler(stream),
    }
    made = grpc.aio.server()
    made.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("inference.GRPCInferenceService", handlers)])
    port = made.add_insecure_port("127.0.0.1:0")
    await made.start()
    try:
        yield port
    finally:
        await made.stop(0)


async def test_grpc_passes_and_its_messages_are_noted_without_their_frames() -> None:
    async with grpc_server() as port, sidecar(port) as one, grpc.aio.insecure_channel(f"127.0.0.1:{one.port}") as to:
        assert await to.unary_unary(INFER)(b"one", timeout=LIMIT) == b"answer to one"
        with pytest.raises(grpc.aio.AioRpcError, match="no such model"):
            await to.unary_unary(INFER)(b"bad", timeout=LIMIT)
        first, second = await one.notes(2)
    assert (first.path, first.body, first.answer) == (INFER, b"one", b"answer to one")
    assert (second.body, second.answer) == (b"bad", None)


async def test_each_message_of_a_stream_is_noted_with_its_number() -> None:
    async def asked() -> AsyncIterator[bytes]:
        for message in (b"a", b"b"):
            yield message

    async with grpc_server() as port, sidecar(port) as one, grpc.aio.insecure_channel(f"127.0.0.1:{one.port}") as to:
        found = [message async for message in to.stream_stream(STREAM)(asked(), timeout=LIMIT)]
        assert found == [b"to a", b"to b"]
        notes = await one.notes(4)
    assert len({note.id for note in notes}) == 1
    said = [(note.sequence, note.body, note.answer) for note in notes]
    assert said == [(1, b"a", None), (2, b"b", None), (1, None, b"to a"), (2, None, b"to b")]


# --- probes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "status"), [("httpGet", 200), ("tcpSocket", 200), ("bad", 503), ("closed", 503), ("", 200)]
)
async def test_a_probe_is_answered_for_the_server(kind: str, status: int) -> None:
    async def page(request: web.Request) -> web.StreamResponse:
        return web.Response(status=500 if request.path == "/bad" else 200)

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        closed = taken.getsockname()[1]
        async with server(any=page) as port, aiohttp.ClientSession() as client:
            probes: dict[str, object] = {
                "httpGet": {"httpGet": {"path": "/ready", "port": port}},
                "tcpSocket": {"tcpSocket": {"port": port}},
                "bad": {"httpGet": {"path": "/bad", "port": port}},
                "closed": {"tcpSocket": {"port": closed}},
            }
            text = json.dumps(probes[kind]) if kind else ""
            async with sidecar(port, text) as one, client.get(f"{one.url}/", headers=PROBE) as answer:
                assert (answer.status, await answer.text()) == (status, "queue" if status == 200 else "")


async def test_a_probe_for_somebody_else_is_refused_and_one_of_the_kubelet_needs_the_header() -> None:
    async with server(any=echo) as port, sidecar(port) as one, aiohttp.ClientSession() as client:
        for headers in ({"K-Network-Probe": "activator"}, {"User-Agent": "kube-probe/1.30"}):
            async with client.get(one.url, headers=headers) as answer:
                assert answer.status == 400
                assert "unexpected probe header value" in (await answer.json())["error"]


async def test_while_it_drains_probes_say_no_and_requests_pass() -> None:
    async with server(any=echo) as port, sidecar(port) as one, aiohttp.ClientSession() as client:
        one.front.draining = True
        async with client.get(one.url, headers=PROBE) as answer:
            assert (answer.status, await answer.read()) == (503, b"")
        async with client.post(f"{one.url}/any", data=b"x") as answer:
            assert answer.status == 200


def test_a_probe_that_is_none_is_told_at_the_start() -> None:
    with pytest.raises(InvalidProbe, match="SERVING_READINESS_PROBE"):
        Component(Address("127.0.0.1", 1), "{")


# --- the batcher ------------------------------------------------------------------------------------------------------


async def test_requests_of_a_batch_are_one_at_the_server_and_each_is_noted_as_it_was() -> None:
    calls: list[object] = []

    async def predict(request: web.Request) -> web.StreamResponse:
        body = await request.json()
        calls.append(body["instances"])
        return web.json_response({"predictions": [2 * row[0] for row in body["instances"]]})

    async def asked(client: aiohttp.ClientSession, url: str, number: int) -> object:
        async with client.post(f"{url}{V1}", json={"instances": [[number]]}) as answer:
            assert answer.status == 200
            return (await answer.json())["predictions"]

    async with (
        server(any=predict) as port,
        sidecar(port, batcher=BatcherSettings(4, LIMIT)) as one,
        aiohttp.ClientSession() as client,
    ):
        answers = await asyncio.gather(*(asked(client, one.url, number) for number in range(4)))
        notes = await one.notes(4)
    assert answers == [[0], [2], [4], [6]]
    assert len(calls) == 1
    pairs = [(msgspec.json.decode(note.body or b""), msgspec.json.decode(note.answer or b"")) for note in notes]
    assert sorted((asked["instances"][0][0], answer["predictions"][0]) for asked, answer in pairs) == [
        (0, 0),
        (1, 2),
        (2, 4),
        (3, 6),
    ]


async def test_a_body_for_a_batch_is_read_whole_before_it_goes_on_over_http2_too() -> None:
    async def predict(request: web.Request) -> web.StreamResponse:
        return web.json_response({"predictions": (await request.json())["instances"]})

    rows = [[number] for number in range(50_000)]
    body = msgspec.json.encode({"instances": rows})
    async with server(any=predict) as port, sidecar(port, batcher=BatcherSettings()) as one:
        async with httpx.AsyncClient(http1=False, http2=True, timeout=LIMIT) as client:
            # Larger than a stream's window of 64 KiB.
            answer = await client.post(f"{one.url}{V1}", content=body, headers={"Content-Type": "application/json"})
        assert (answer.http_version, answer.status_code) == ("HTTP/2", 200)
        assert answer.json()["predictions"] == rows
        [note] = await one.notes(1)
    assert note.body == body


async def test_a_client_that_waits_to_be_asked_for_its_body_is_asked() -> None:
    async def predict(request: web.Request) -> web.StreamResponse:
        return web.json_response({"predictions": (await request.json())["instances"]})

    async with server(any=predict) as port, sidecar(port, batcher=BatcherSettings()) as one:
        reader, writer = await asyncio.open_connection("127.0.0.1", one.port)
        head = f"POST {V1} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 17\r\n"
        writer.write(f"{head}Expect: 100-continue\r\n\r\n".encode())
        async with asyncio.timeout(LIMIT):
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            writer.write(b'{"instances":[1]}')
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        writer.close()
