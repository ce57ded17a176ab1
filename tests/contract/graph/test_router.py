"""The router over HTTP, between a client and services that are not ours."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import msgspec
import pytest
from aiohttp import web
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from inferplane.assembly.router import routing
from inferplane.dataplane.graph.forwarding import Propagation
from inferplane.dataplane.graph.plan import read
from inferplane.dataplane.server.tracing import Spans, tracer
from inferplane.kernel.json import Json, JsonObject

TRACE = f"00-{'1' * 32}-{'2' * 16}-01"
BINARY = {"content-type": "application/octet-stream", "inference-header-content-length": "9"}


@dataclass
class Service:
    """Answers POSTs with what it is told, else with what it got. `clients` are the connections that it has seen."""

    port: int = 0
    status: int = 200
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": "application/json"})
    silent: bool = False
    asked: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    clients: set[object] = field(default_factory=set)

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.clients.add(request.transport)
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.asked.append((request.path_qs, headers, body))
        if self.silent:
            await asyncio.Event().wait()
        return web.Response(status=self.status, body=body if self.body is None else self.body, headers=self.headers)

    def step(self, path: str = "/", **fields: Json) -> JsonObject:
        return {"serviceUrl": f"http://127.0.0.1:{self.port}{path}", **fields}


@asynccontextmanager
async def served(service: Service) -> AsyncIterator[Service]:
    app = web.Application(client_max_size=0)
    app.router.add_route("*", "/{path:.*}", service.answer)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=1.0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", service.port)
    await site.start()
    service.port = runner.addresses[0][1]
    try:
        yield service
    finally:
        await runner.cleanup()


@dataclass
class Graph:
    """A graph that is served, and a client of it."""

    url: str
    client: aiohttp.ClientSession
    readiness: object

    async def post(
        self, body: bytes = b"{}", path: str = "/", headers: dict[str, str] | None = None
    ) -> tuple[int, bytes, dict[str, str]]:
        async with self.client.post(self.url + path, data=body, headers=headers) as response:
            found = {name.lower(): value for name, value in response.headers.items()}
            return response.status, await response.read(), found

    async def get(self, path: str) -> tuple[int, str]:
        async with self.client.get(self.url + path) as response:
            return response.status, await response.text()


@asynccontextmanager
async def graph(
    *steps: JsonObject, kind: str = "Sequence", propagate: Iterable[str] = (), timeouts: JsonObject | None = None
) -> AsyncIterator[Graph]:
    spec: JsonObject = {"nodes": {"root": {"routerType": kind, "steps": [*steps]}}, "routerTimeouts": timeouts}
    parsed = read(msgspec.json.encode(spec).decode())
    async with (
        routing(parsed, Propagation(propagate), "127.0.0.1", 0) as server,
        aiohttp.ClientSession() as client,
    ):
        yield Graph(f"http://127.0.0.1:{server.port}", client, server.http)


@pytest.fixture
async def echo() -> AsyncIterator[Service]:
    async with served(Service()) as service:
        yield service


async def test_any_path_is_the_root_and_each_step_is_asked_at_its_own(echo: Service) -> None:
    async with graph(echo.step("/v1/models/iris:predict?x=1")) as one:
        assert (await one.post(b'{"a":1.50}', "/whatever"))[:2] == (200, b'{"a":1.50}')
    [(path, headers, body)] = echo.asked
    assert (path, body) == ("/v1/models/iris:predict?x=1", b'{"a":1.50}')
    assert headers["content-type"] == "application/json"
    assert headers["host"] == f"127.0.0.1:{echo.port}"


async def test_the_last_answer_is_handed_on_with_its_status() -> None:
    async with (
        served(Service(status=503, body=b"busy", headers={"content-type": "text/plain", "retry-after": "3"})) as busy,
        graph(busy.step()) as one,
    ):
        status, body, headers = await one.post()
    assert (status, body) == (503, b"busy")
    assert (headers["content-type"], headers["retry-after"]) == ("text/plain", "3")


async def test_headers_go_on_by_pattern_and_the_trace_always(echo: Service) -> None:
    sent = {"Authorization": "Bearer t", "X-Other": "1", "traceparent": TRACE}
    async with graph(echo.step(), propagate=["^Auth", "*broken*"]) as one:
        await one.post(headers=sent | {"x-request-id": "r-7"})
    [(_, headers, _)] = echo.asked
    assert headers["authorization"] == "Bearer t"
    assert headers["traceparent"] == sent["traceparent"]
    assert headers["x-request-id"] == "r-7"
    assert "x-other" not in headers


async def test_a_trace_goes_on_through_the_routers_own_span(echo: Service) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    parsed = read(msgspec.json.encode({"nodes": {"root": {"routerType": "Sequence", "steps": [echo.step()]}}}).decode())
    async with (
        routing(parsed, Propagation(), "127.0.0.1", 0, Spans(tracer(provider, "1"))) as server,
        aiohttp.ClientSession() as client,
        client.post(f"http://127.0.0.1:{server.port}/", data=b"{}", headers={"traceparent": TRACE}),
    ):
        pass
    [span] = exporter.get_finished_spans()
    _, trace, parent, _ = echo.asked[0][1]["traceparent"].split("-")
    assert span.context is not None
    assert (trace, int(parent, 16)) == ("1" * 32, span.context.span_id)
    provider.shutdown()


async def test_binary_tensors_pass_through_byte_by_byte(echo: Service) -> None:
    echo.headers = {**BINARY}
    body = b'{"id":"1"}'[:9] + bytes(range(256))
    async with graph(echo.step(), echo.step(data="$response")) as one:
        status, answer, headers = await one.post(body, headers=BINARY)
    assert (status, answer) == (200, body)
    assert {name: headers[name] for name in BINARY} == BINARY
    assert [{name: sent[name] for name in BINARY} for _, sent, _ in echo.asked] == [BINARY, BINARY]


async def test_a_large_body_goes_through_whole(echo: Service) -> None:
    body = b'{"instances":[' + b"0.123456789," * 75_000 + b"0]}"
    async with graph(echo.step()) as one:
        assert (await one.post(body))[:2] == (200, body)


async def test_connections_to_a_step_are_kept(echo: Service) -> None:
    async with graph(echo.step(), echo.step("/again")) as one:
        for _ in range(3):
            await one.post()
    assert len(echo.asked) == 6
    assert len(echo.clients) == 2


async def test_a_connection_that_the_service_closed_is_replaced() -> None:
    """It closes after each answer without having said so: the next request may be on its way already."""
    connections = 0

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.readuntil(b"\r\n\r\n{}")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(once, "127.0.0.1", 0) as service:
        port = service.sockets[0].getsockname()[1]
        async with graph({"serviceUrl": f"http://127.0.0.1:{port}/"}) as one:
            assert [(await one.post())[0] for _ in range(5)] == [200] * 5
    assert connections == 5


async def test_a_step_without_a_server_is_named() -> None:
    with socket.socket() as taken:
        # Bound and not listening: nobody else gets the port, and nobody answers.
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/x"
        async with graph({"serviceUrl": url, "name": "lost"}) as one:
            status, body, _ = await one.post()
    answer = msgspec.json.decode(body)
    assert (status, answer["error"]) == (500, "Failed to process request")
    assert answer["cause"].startswith(f"root/lost: {url}: cannot connect")


@pytest.mark.parametrize(
    ("limit", "status", "cause"),
    [
        ("serviceClient", 500, "root/0: http://"),
        ("serverWrite", 504, "the graph gave no answer within 1 s (routerTimeouts.serverWrite)"),
    ],
)
async def test_g27_time_is_limited_for_a_step_and_for_all(echo: Service, limit: str, status: int, cause: str) -> None:
    echo.silent = True
    async with graph(echo.step(), timeouts={limit: 1}) as one:
        found, body, _ = await one.post()
    assert found == status
    assert msgspec.json.decode(body)["cause"].startswith(cause)
    assert f"routerTimeouts.{limit}" in body.decode()


async def test_an_ensemble_asks_all_at_once_and_names_the_branch_that_fails(echo: Service) -> None:
    async with (
        served(Service(status=500, body=b"<html>", headers={})) as broken,
        graph(echo.step(name="good"), broken.step(name="bad"), kind="Ensemble") as one,
    ):
        status, body, _ = await one.post()
    assert status == 500
    assert msgspec.json.decode(body)["cause"] == (
        "root/bad: only JSON objects can be merged, got HTTP 500 with another body"
    )


async def test_whoever_does_not_post_is_told_so(echo: Service) -> None:
    async with graph(echo.step()) as one:
        status, text = await one.get("/")
    assert (status, "takes POST" in text) == (405, True)


async def test_readiness_ends_when_the_server_is_about_to_stop(echo: Service) -> None:
    async with graph(echo.step()) as one:
        assert await one.get("/readyz") == (200, "")


async def test_metrics_count_requests_and_calls_by_step(echo: Service) -> None:
    async with graph(echo.step(name="only")) as one:
        await one.post()
        _, text = await one.get("/metrics")
    assert 'inferplane_graph_requests_total{code="200"} 1.0' in text
    assert 'inferplane_graph_step_calls_total{code="200",step="root/only"} 1.0' in text
    assert 'inferplane_graph_step_duration_seconds_count{step="root/only"} 1.0' in text
    assert "inferplane_graph_requests_in_flight 0.0" in text
