"""A server process whose spans go to a collector over OTLP, as the standard variables say."""

import gzip
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from urllib.request import Request, urlopen

import grpc
import joblib
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from sklearn.datasets import load_iris
from sklearn.svm import SVC
from tests.e2e.test_model_server import PREDICT, ROWS, started

from inferplane.assembly.tracing import LAST_SPANS

pytestmark = pytest.mark.e2e

TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture(scope="module")
def iris(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("iris")
    joblib.dump(SVC().fit(*load_iris(return_X_y=True)), directory / "model.joblib")
    return directory


class Collector:
    """What was sent to it: (service, span)."""

    def __init__(self) -> None:
        self.address = ""
        self.spans: list[tuple[str, Span]] = []

    def take(self, request: ExportTraceServiceRequest) -> None:
        for resource in request.resource_spans:
            names = {one.key: one.value.string_value for one in resource.resource.attributes}
            spans = [span for scope in resource.scope_spans for span in scope.spans]
            self.spans += [(names["service.name"], span) for span in spans]


@contextmanager
def over_http(silent: Event | None = None) -> Iterator[Collector]:
    """With `silent` it takes what it is sent and says nothing until that is set."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if silent is not None:
                silent.wait(60)
                return
            packed = self.headers.get("content-encoding") == "gzip"
            collector.take(ExportTraceServiceRequest.FromString(gzip.decompress(body) if packed else body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector.address = f"http://127.0.0.1:{server.server_port}"
    Thread(target=server.serve_forever).start()
    try:
        yield collector
    finally:
        if silent is not None:
            silent.set()
        server.shutdown()
        server.server_close()


@contextmanager
def over_grpc() -> Iterator[Collector]:
    collector = Collector()

    def export(request: ExportTraceServiceRequest, context: object) -> ExportTraceServiceResponse:
        collector.take(request)
        return ExportTraceServiceResponse()

    call = grpc.unary_unary_rpc_method_handler(
        export, ExportTraceServiceRequest.FromString, ExportTraceServiceResponse.SerializeToString
    )
    name = "opentelemetry.proto.collector.trace.v1.TraceService"
    server = grpc.server(ThreadPoolExecutor(1))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, {"Export": call}),))
    collector.address = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield collector
    finally:
        server.stop(None).wait()


def predict(port: int) -> None:
    request = Request(
        f"http://127.0.0.1:{port}{PREDICT}",
        json.dumps({"instances": ROWS}).encode(),
        {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"},
    )
    with urlopen(request, timeout=30) as answer:
        assert json.load(answer) == {"predictions": [1, 1]}


@pytest.mark.parametrize("workers", [1, 2])
def test_every_span_reaches_the_collector_also_the_last_ones_before_the_end(iris: Path, workers: int) -> None:
    with (
        over_http() as collector,
        started(
            f"--model_dir={iris}",
            "--enable_grpc=false",
            f"--workers={workers}",
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.address,
        ) as (process, event, port),
    ):
        assert event == {"event": "ready"}
        for _ in range(20):
            predict(port)
        process.terminate()
        assert process.wait(30) == 0
        assert len(collector.spans) == 20
        assert {(service, span.name, span.trace_id.hex()) for service, span in collector.spans} == {
            ("iris", "POST /v1/models/{model}:predict", TRACE)
        }


def test_spans_go_over_grpc_where_the_environment_says_so(iris: Path) -> None:
    environment = {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_SERVICE_NAME": "named"}
    with (
        over_grpc() as collector,
        started(
            f"--model_dir={iris}",
            "--enable_grpc=false",
            "--enable_tracing=true",
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.address,
            **environment,
        ) as (process, _, port),
    ):
        predict(port)
        process.terminate()
        assert process.wait(30) == 0
        assert [service for service, _ in collector.spans] == ["named"]


def test_a_collector_that_does_not_answer_neither_slows_requests_nor_keeps_the_server_from_ending(iris: Path) -> None:
    silent = Event()
    with (
        over_http(silent) as collector,
        started(f"--model_dir={iris}", "--enable_grpc=false", OTEL_EXPORTER_OTLP_ENDPOINT=collector.address) as (
            process,
            _,
            port,
        ),
    ):
        predict(port)
        process.terminate()
        start = time.monotonic()
        assert process.wait(30) == 0
        assert time.monotonic() - start < LAST_SPANS + 5


def test_an_exporter_that_there_is_not_is_told_before_anything_is_served(iris: Path) -> None:
    with started(f"--model_dir={iris}", "--enable_grpc=false", OTEL_TRACES_EXPORTER="zipkin") as (process, event, _):
        assert process.wait(30) == 1
        assert event["event"] == "failed"
        assert "OTEL_TRACES_EXPORTER=zipkin: expected otlp, console or none" in event["message"]
