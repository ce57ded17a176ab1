"""Spans as an exporter gets them, of a server with both its ports in the test's event loop."""

import asyncio
import json
import struct
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from socket import SO_LINGER, SOL_SOCKET
from typing import Any

import grpc
import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from tests.contract.grpc.serving import Echo, infer, message
from tests.contract.model_server.serving import Client, get, post

from inferplane import InferInput, Model, ModelRepository, PredictorConfig
from inferplane.assembly.tracing import PROTOCOL, CannotTrace, exporter, wanted
from inferplane.dataplane.model import forwarding
from inferplane.dataplane.server.dispatch import Dispatch
from inferplane.dataplane.server.grpc.observing import Observer
from inferplane.dataplane.server.grpc.port import GrpcServer
from inferplane.dataplane.server.http.app import build
from inferplane.dataplane.server.http.limits import Limits
from inferplane.dataplane.server.http.listener import HttpServer
from inferplane.dataplane.server.http.probes import Probes
from inferplane.dataplane.server.http.routes import HotRoutes
from inferplane.dataplane.server.metrics import Metrics
from inferplane.dataplane.server.tracing import Spans, route_of, tracer

TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = "b7ad6b7169203331"
SAMPLED = f"traceparent: 00-{TRACE}-{CALLER}-01"
PREDICT = "/v1/models/twice:predict"
ONE_ROW = b'{"instances": [1]}'


class Twice(Model):
    max_batch_size = 8

    def __init__(self, name: str = "twice") -> None:
        super().__init__(name)
        self.ready = True
        self.seen: list[Mapping[str, str]] = []
        self.open = threading.Event()
        self.open.set()
        self.loop = asyncio.get_running_loop()
        self.begun = asyncio.Event()

    def predict(self, payload: object, headers: Mapping[str, str]) -> object:
        self.seen.append(dict(headers))
        self.loop.call_soon_threadsafe(self.begun.set)
        assert self.open.wait(10)
        assert isinstance(payload, dict)
        if payload["instances"] == ["break"]:
            raise RuntimeError("broken")
        return {"predictions": [2 * number for number in payload["instances"]]}


class Asking(Model):
    """A transformer."""

    def __init__(self, predictor: str) -> None:
        super().__init__("twice")
        self.config = PredictorConfig(predictor)
        self.ready = True

    async def predict(self, payload: object, headers: Mapping[str, str]) -> object:
        return await forwarding.predict("twice", payload, self.config, headers)


class Exporter(InMemorySpanExporter):
    """Says when it has got something: a client may have its answer before the server's handler ends."""

    def __init__(self) -> None:
        super().__init__()
        self.got = asyncio.Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.got.set()
        return super().export(spans)


@dataclass
class Traced:
    exporter: "Exporter"
    http: int
    grpc: int

    async def send(self, data: bytes) -> int:
        async with await self.client() as client:
            client.send(data)
            return (await client.answer()).status

    async def client(self) -> Client:
        return Client(*await asyncio.open_connection("127.0.0.1", self.http))

    def spans(self) -> Sequence[ReadableSpan]:
        return self.exporter.get_finished_spans()

    async def ended(self) -> ReadableSpan:
        await self.exporter.got.wait()
        return self.span()

    def span(self) -> ReadableSpan:
        (one,) = self.spans()
        return one


@asynccontextmanager
async def traced(*models: Model) -> AsyncIterator[Traced]:
    exporter = Exporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    spans = Spans(tracer(provider, "1.2.3"))
    repository = ModelRepository()
    for model in models:
        repository.update(model)
    dispatch = Dispatch(repository, Metrics(), watcher=spans)
    probes = Probes(dispatch)
    http = HttpServer(HotRoutes(dispatch, probes), build(dispatch, probes, "1"), probes, Limits(), spans=spans)
    server = GrpcServer(dispatch, probes, observer=Observer(spans))
    ports = await http.listen("127.0.0.1", 0), await server.listen("127.0.0.1", 0)
    try:
        yield Traced(exporter, *ports)
    finally:
        await server.drain(0)
        http.close()
        dispatch.close()


def reset(client: Client) -> None:
    """Ends the connection so that the other side hears of it: an orderly end may only be half of one."""
    socket: Any = client.writer.get_extra_info("socket")
    socket.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    client.writer.transport.abort()


def number(span: ReadableSpan, name: str) -> float:
    found = attributes(span)[name]
    assert isinstance(found, int | float)
    return found


def attributes(span: ReadableSpan) -> dict[str, object]:
    return dict(span.attributes or {})


async def test_a_request_is_a_server_span_of_its_caller_named_by_its_route() -> None:
    async with traced(Twice()) as server:
        await server.send(post(f"{PREDICT}?debug=1", ONE_ROW, SAMPLED, "User-Agent: test", "X-Request-Id: r1"))
        span = server.span()
    assert (span.name, span.kind, span.status.status_code) == (
        "POST /v1/models/{model}:predict",
        SpanKind.SERVER,
        StatusCode.UNSET,
    )
    assert span.context is not None
    assert span.parent is not None
    assert (span.context.trace_id, span.parent.span_id) == (int(TRACE, 16), int(CALLER, 16))
    found = attributes(span)
    assert number(span, "inferplane.queue.seconds") >= 0
    del found["inferplane.queue.seconds"]
    assert found == {
        "http.request.method": "POST",
        "http.route": "/v1/models/{model}:predict",
        "url.path": PREDICT,
        "url.query": "debug=1",
        "url.scheme": "http",
        "network.protocol.version": "1.1",
        "server.address": "models.test",
        "client.address": "127.0.0.1",
        "user_agent.original": "test",
        "http.request.body.size": len(ONE_ROW),
        "http.response.status_code": 200,
        "http.response.body.size": len(b'{"predictions":[2]}'),
        "inferplane.request_id": "r1",
        "inferplane.model": "twice",
        "inferplane.protocol": "v1",
        "inferplane.batch.requests": 1,
        "inferplane.batch.rows": 1,
    }
    assert [event.name for event in span.events] == ["inferplane.started"]


async def test_hooks_see_the_servers_span_as_their_caller_and_the_rest_of_the_context_as_it_came() -> None:
    model = Twice()
    async with traced(model) as server:
        await server.send(post(PREDICT, ONE_ROW, SAMPLED, "tracestate: vendor=7"))
        context = server.span().context
    assert context is not None
    assert model.seen[0]["traceparent"] == f"00-{TRACE}-{context.span_id:016x}-01"
    assert model.seen[0]["tracestate"] == "vendor=7"


async def test_a_caller_that_does_not_sample_gets_no_span_and_its_trace_goes_on() -> None:
    model = Twice()
    async with traced(model) as server:
        await server.send(post(PREDICT, ONE_ROW, f"traceparent: 00-{TRACE}-{CALLER}-00"))
        assert server.spans() == ()
    version, trace, _, flags = model.seen[0]["traceparent"].split("-")
    assert (version, trace, flags) == ("00", TRACE, "00")


async def test_a_request_without_a_caller_starts_a_trace() -> None:
    async with traced(Twice()) as server:
        await server.send(post(PREDICT, ONE_ROW, "traceparent: nonsense"))
        assert server.span().parent is None


async def test_requests_that_ran_together_say_so_and_how_long_they_waited() -> None:
    model = Twice()
    async with traced(model) as server:
        model.open.clear()
        first = asyncio.create_task(server.send(post(PREDICT, ONE_ROW)))
        await model.begun.wait()
        others = [await server.client() for _ in range(2)]
        for client in others:
            client.send(post(PREDICT, b'{"instances": [1, 2]}'))
        await server.send(get("/v2/health/live"))
        model.open.set()
        await first
        for client in others:
            await client.answer()
            client.writer.close()
        spans = server.spans()
    found = [(number(span, "inferplane.batch.requests"), number(span, "inferplane.batch.rows")) for span in spans]
    assert found == [(1, 1), (2, 4), (2, 4)]
    assert all(number(span, "inferplane.queue.seconds") > 0 for span in spans[1:])


@pytest.mark.parametrize(
    ("path", "body", "status", "outcome", "kind"),
    [
        (PREDICT, b"[", 400, StatusCode.UNSET, None),
        ("/v1/models/none:predict", ONE_ROW, 404, StatusCode.UNSET, None),
        ("/nowhere", b"", 404, StatusCode.UNSET, None),
        (PREDICT, b'{"instances": ["break"]}', 500, StatusCode.ERROR, "500"),
    ],
)
async def test_only_what_is_the_servers_fault_is_an_error_of_its_span(
    path: str, body: bytes, status: int, outcome: StatusCode, kind: str | None
) -> None:
    async with traced(Twice()) as server:
        assert await server.send(post(path, body)) == status
        span = server.span()
    found = attributes(span)
    assert (found["http.response.status_code"], span.status.status_code, found.get("error.type")) == (
        status,
        outcome,
        kind,
    )


async def test_the_span_of_a_client_that_left_says_so() -> None:
    model = Twice()
    async with traced(model) as server:
        model.open.clear()
        client = await server.client()
        client.send(post(PREDICT, ONE_ROW))
        await model.begun.wait()
        reset(client)
        await server.ended()
        model.open.set()
        assert attributes(server.span())["error.type"] == "client_left"


async def test_probes_and_scrapes_leave_no_spans() -> None:
    async with traced(Twice()) as server:
        for path in ("/", "/v2/health/live", "/v2/health/ready", "/metrics"):
            assert await server.send(get(path)) == 200
        assert server.spans() == ()


@pytest.mark.parametrize(
    ("target", "template", "model"),
    [
        (b"/v1/models/a%20b:predict", "/v1/models/{model}:predict", "a b"),
        (b"/v1/models/a", "/v1/models/{model}", "a"),
        (b"/v2/models/a/versions/3/infer?x", "/v2/models/{model}/versions/{version}/infer", "a"),
        (b"/v2/models/stats", "/v2/models/stats", ""),
        (b"/inference.GRPCInferenceService/ModelInfer", "/inference.GRPCInferenceService/ModelInfer", ""),
        (b"/authors/own", "", ""),
    ],
)
def test_a_target_is_known_by_the_template_of_its_endpoint(target: bytes, template: str, model: str) -> None:
    route = route_of(target)
    assert (route.template, route.model) == (template, model)


async def test_a_grpc_call_is_a_span_named_by_its_method_which_the_model_sees() -> None:
    model = Echo()
    async with traced(model) as server, grpc.aio.insecure_channel(f"127.0.0.1:{server.grpc}") as channel:
        request = message("echo", [InferInput("x", [2], "INT64", [1, 2])])
        await infer(channel, request, metadata=(("traceparent", f"00-{TRACE}-{CALLER}-01"),))
        span = await server.ended()
    assert span.context is not None
    assert span.parent is not None
    assert (span.name, span.parent.span_id) == ("inference.GRPCInferenceService/ModelInfer", int(CALLER, 16))
    assert model.seen_headers[0]["traceparent"] == f"00-{TRACE}-{span.context.span_id:016x}-01"
    found = attributes(span)
    assert found["rpc.system.name"] == "grpc"
    assert found["rpc.response.status_code"] == "OK"
    assert (found["inferplane.model"], found["inferplane.protocol"], found["inferplane.batch.requests"]) == (
        "echo",
        "grpc",
        1,
    )


async def test_a_failed_grpc_call_has_its_code_and_is_no_error_of_the_server() -> None:
    async with traced(Echo()) as server, grpc.aio.insecure_channel(f"127.0.0.1:{server.grpc}") as channel:
        with pytest.raises(grpc.aio.AioRpcError):
            await infer(channel, message("none", [InferInput("x", [1], "INT64", [1])]))
        span = await server.ended()
    assert attributes(span)["rpc.response.status_code"] == "NOT_FOUND"
    assert span.status.status_code is StatusCode.UNSET


async def test_a_stream_is_one_span_with_an_event_for_each_request() -> None:
    async with traced(Echo()) as server, grpc.aio.insecure_channel(f"127.0.0.1:{server.grpc}") as channel:
        request = message("echo", [InferInput("x", [1], "INT64", [1])]).SerializeToString()
        stream = channel.stream_stream("/inference.GRPCInferenceService/ModelStreamInfer")(iter([request, request]))
        assert len([answer async for answer in stream]) == 2
        span = await server.ended()
    assert [event.name for event in span.events] == ["inferplane.started", "inferplane.started"]


async def test_a_grpc_call_that_came_over_http_is_one_span_with_both_names() -> None:
    async with traced(Echo()) as server:
        body = message("echo", [InferInput("x", [1], "INT64", [1])]).SerializeToString()
        await server.send(post("/inference.GRPCInferenceService/ModelInfer", body, "Content-Type: application/grpc"))
        span = server.span()
    found = attributes(span)
    assert (span.name, found["rpc.system.name"], found["http.response.status_code"], found["inferplane.model"]) == (
        "inference.GRPCInferenceService/ModelInfer",
        "grpc",
        200,
        "echo",
    )


async def test_a_transformer_and_its_predictor_are_one_trace() -> None:
    async with traced(Twice()) as predictor, traced(Asking(f"127.0.0.1:{predictor.http}")) as transformer:
        await transformer.send(post(PREDICT, ONE_ROW, SAMPLED))
        await forwarding.close_clients()
        outer, inner = transformer.span(), predictor.span()
    assert outer.context is not None
    assert inner.context is not None
    assert inner.parent is not None
    assert (inner.context.trace_id, inner.parent.span_id) == (int(TRACE, 16), outer.context.span_id)


@pytest.mark.parametrize(
    ("flag", "environ", "expected"),
    [
        (None, {}, False),
        (True, {}, True),
        (False, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, False),
        (None, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, True),
        (None, {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318"}, True),
        (None, {"OTEL_TRACES_EXPORTER": "console"}, True),
        (True, {"OTEL_TRACES_EXPORTER": "none"}, False),
        (True, {"OTEL_SDK_DISABLED": "true"}, False),
        (None, {"OTEL_SERVICE_NAME": "iris"}, False),
    ],
)
def test_the_flag_decides_and_without_it_the_environment(
    flag: bool | None, environ: Mapping[str, str], expected: bool
) -> None:
    assert wanted(flag, environ) is expected


def test_without_the_extra_the_flag_is_an_error_with_its_fix_and_the_environment_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert not wanted(None, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"})
    with pytest.raises(CannotTrace, match=r"inferplane\[otel\]"):
        wanted(True, {})


def test_a_server_that_does_not_trace_imports_nothing_of_opentelemetry() -> None:
    script = (
        "import sys; from inferplane.assembly import model_server, serving_api, model_server_grpc;"
        "model_server.warm(); import inferplane.dataplane.server.grpc.port;"
        "import json; print(json.dumps([name for name in sys.modules if name.startswith('opentelemetry')]))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_messages_that_another_package_has_replaced_are_said_to_be(
    monkeypatch: pytest.MonkeyPatch, protocol: str
) -> None:
    monkeypatch.setitem(sys.modules, f"opentelemetry.exporter.otlp.proto.{protocol}.trace_exporter", None)
    environ = {PROTOCOL: "grpc" if protocol == "grpc" else "http/protobuf"}
    with pytest.raises(CannotTrace, match="not those of opentelemetry-proto") as refused:
        exporter(environ)
    assert refused.value.fix == "pip install --force-reinstall --no-deps opentelemetry-proto"
