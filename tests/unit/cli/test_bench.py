"""`inferplane bench`: numbers in, numbers out; and loads on servers that are scripts."""

import asyncio
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count

import msgspec
import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.cli.desk import PLATFORM, Desk

from inferplane.cli.bench import http_load, payload, report
from inferplane.cli.bench.http_load import HttpTarget, Shape
from inferplane.cli.bench.tally import Load, Tally, buckets, percentile, summary
from inferplane.client.inference.calls import Call
from inferplane.client.kubernetes.kinds import INFERENCE_SERVICE
from inferplane.kernel.errors import InferplaneError
from inferplane.kernel.json import Json, JsonObject

METADATA: JsonObject = {
    "inputs": [
        {"name": "x", "datatype": "FP32", "shape": [-1, 3]},
        {"name": "n", "datatype": "INT64", "shape": [-1]},
        {"name": "t", "datatype": "BYTES", "shape": [-1, -1]},
    ]
}


@pytest.mark.parametrize(("percent", "value"), [(50, 2), (75, 3), (75.1, 4), (99.9, 4), (0, 1)])
def test_a_percentile_is_a_value_that_was_measured(percent: float, value: float) -> None:
    assert percentile([1, 2, 3, 4], percent) == value


@given(st.lists(st.floats(min_value=1e-7, max_value=300), min_size=1))
def test_every_latency_is_in_one_bucket_that_holds_it(latencies: list[float]) -> None:
    ordered = sorted(latencies)
    found = buckets(ordered)
    assert sum(held for _, held in found) == len(ordered)
    below = 0
    for bound, held in found:
        below += held
        assert below == sum(value <= bound for value in ordered)


def load(latencies: list[float], *, seconds: float = 1.0, cpu: float = 0.5) -> Load:
    tally = Tally()
    for value in latencies:
        tally.answered("200", value)
    return Load(tally, seconds, cpu)


def test_a_generator_that_is_busy_all_the_time_says_so() -> None:
    assert summary(load([0.1])).warnings == []
    (warning,) = summary(load([0.1], cpu=0.97)).warnings
    assert warning.startswith("the load generator was busy 97% of the time")


def test_a_rate_that_was_not_reached_is_told() -> None:
    assert summary(load([0.1] * 99), rate=100).warnings == []
    (warning,) = summary(load([0.1] * 50), rate=100).warnings
    assert warning.startswith("50 of 100 requests a second were answered")


def test_a_histogram_has_a_line_a_bucket_and_the_longest_bar_for_the_most() -> None:
    lines = report.histogram([(0.001, 1), (0.002, 4), (0.003, 0)])
    assert lines == [
        f"  ≤     1 ms  {'█' * 10:<40}   20.0%",
        f"  ≤     2 ms  {'█' * 40}   80.0%",
        f"  ≤     3 ms  {'':<40}    0.0%",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"), [(1.5e-6, "1.5 µs"), (0.000999, "999 µs"), (0.00123, "1.23 ms"), (0.5, "500 ms"), (2, "2 s")]
)
def test_durations_have_three_digits_and_a_unit(seconds: float, text: str) -> None:
    assert report.duration(seconds) == text


def test_a_request_is_made_from_the_metadata_the_first_open_size_is_the_batch() -> None:
    made = payload.inputs(METADATA, 5)
    assert {name: (values.shape, values.dtype.str) for name, values in made.items()} == {
        "x": ((5, 3), "<f4"),
        "n": ((5,), "<i8"),
        "t": ((5, 1), "|O"),
    }
    np.testing.assert_array_equal(payload.inputs(METADATA, 5)["x"], made["x"])


def test_a_model_without_metadata_needs_a_body() -> None:
    with pytest.raises(InferplaneError, match="the model does not say what its inputs are: give a request with -d"):
        payload.inputs({"inputs": []}, 1)


def test_v1_rows_are_rows_of_the_one_input_or_records_of_several() -> None:
    one = payload.call("v1", "m", {"x": np.array([[1, 2]])})
    assert (one.path, one.body) == ("/v1/models/m:predict", b'{"instances":[[1,2]]}')
    several = payload.call("v1", "m", {"a": np.array([1, 2]), "b": np.array([[3], [4]])})
    assert orjson.loads(several.body) == {"instances": [{"a": 1, "b": [3]}, {"a": 2, "b": [4]}]}


def test_v2_travels_as_json_or_as_bytes() -> None:
    tensors = payload.inputs(METADATA, 2)
    inline = payload.call("v2", "m", tensors)
    assert [len(one["data"]) for one in orjson.loads(inline.body)["inputs"]] == [6, 2, 2]
    binary = payload.call("v2-binary", "m", tensors)
    assert len(binary.body) - int(binary.headers["inference-header-content-length"]) == 2 * 3 * 4 + 2 * 8 + 2 * 8


def test_the_wire_bytes() -> None:
    assert payload.wire(Call("POST", "/p", b"{}", {"content-type": "application/json"}), "/base/p", "h:1") == (
        b"POST /base/p HTTP/1.1\r\nhost: h:1\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
    )


def answer(status: int, body: bytes = b"{}", more: bytes = b"") -> bytes:
    return b"HTTP/1.1 %d X\r\n%bcontent-length: %d\r\n\r\n%b" % (status, more, len(body), body)


class Server(asyncio.Protocol):
    """The n-th request of all connections gets the n-th reply; the first one after `stall` seconds."""

    def __init__(self, reply: Callable[[int], bytes], stall: float, numbers: Iterator[int], all: set["Server"]) -> None:
        self._reply = reply
        self._stall = stall
        self._numbers = numbers
        self._all = all
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._all.add(self)

    def data_received(self, data: bytes) -> None:
        for _ in range(data.count(b"\r\n\r\n")):
            number = next(self._numbers)
            wait = self._stall if number == 1 else 0.0
            asyncio.get_running_loop().call_later(wait, self._answer, self._reply(number))

    def _answer(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(data)
        if not data or b"connection: close" in data:
            self.transport.close()


@asynccontextmanager
async def answering(reply: Callable[[int], bytes], stall: float = 0.0) -> AsyncIterator[HttpTarget]:
    numbers, connections = count(1), set[Server]()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Server(reply, stall, numbers, connections), "127.0.0.1", 0)
    request = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n"
    try:
        yield HttpTarget("127.0.0.1", server.sockets[0].getsockname()[1], None, "", request)
    finally:
        server.close()
        for connection in connections:
            assert connection.transport is not None
            connection.transport.abort()
        await asyncio.sleep(0)


async def measured(target: HttpTarget, **shape: float | None) -> tuple[Load, bytes]:
    given = {"concurrency": 2, "duration": 0.3, "warmup": 0.0, "rate": None, "timeout": 5.0, **shape}
    return await http_load.load(target, Shape(**given), lambda passed, tally: None)  # type: ignore[arg-type]  # by name


async def test_a_closed_loop_counts_every_answer_by_its_status_and_keeps_the_first_refusal() -> None:
    async with answering(lambda n: answer(503, b"busy") if n % 2 else answer(200)) as target:
        found, sample = await measured(target)
    assert abs(found.tally.statuses["200"] - found.tally.statuses["503"]) <= 2
    assert len(found.tally.latencies) == found.tally.statuses.total() > 0
    assert sample == b"busy"


async def test_a_stall_counts_against_every_request_that_was_due_meanwhile() -> None:
    async with answering(lambda n: answer(200), stall=0.4) as target:
        found, _ = await measured(target, concurrency=1, duration=0.8, rate=100.0)
    # 40 requests were due in those 0.4 s; the first waited 0.4 s, the last hardly at all.
    assert sum(latency > 0.1 for latency in found.tally.latencies) >= 20
    assert found.late >= 30


async def test_an_open_loop_keeps_its_rate() -> None:
    async with answering(lambda n: answer(200)) as target:
        found, _ = await measured(target, duration=1.0, rate=200.0)
    assert 150 <= len(found.tally.latencies) <= 205


async def test_connections_that_end_or_break_are_made_again_and_breaks_are_counted() -> None:
    closing = answer(200, more=b"connection: close\r\n")
    async with answering(lambda n: b"" if n % 3 == 0 else closing) as target:
        found, _ = await measured(target)
    assert found.tally.statuses["200"] > 0
    assert found.tally.failures["connection broken before the answer"] > 0


async def test_an_answer_that_takes_too_long_is_given_up() -> None:
    async with answering(lambda n: answer(200), stall=30) as target:
        found, _ = await measured(target, concurrency=1, duration=1.5, timeout=0.5)
    assert found.tally.failures["no answer within 0.5 s"] == 1
    assert found.tally.statuses["200"] > 0


async def test_what_is_no_http_is_counted_as_such() -> None:
    async with answering(lambda n: b"hello there\r\n\r\n") as target:
        found, _ = await measured(target, duration=0.1)
    assert not found.tally.statuses
    assert [reason.startswith("the answer is not HTTP/1.1") for reason in found.tally.failures] == [True]


class ModelServer(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A load that is over cuts its connections, which is no error of the server."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # typeshed names the socket's type


class Model(BaseHTTPRequestHandler):
    """V2 metadata, and 200 for every request but those of the model `broken`."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._say(200, {"models": ["m"]} if self.path == "/v1/models" else METADATA)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        broken = "broken" in self.path
        self._say(400 if broken else 200, {"error": "out of order"} if broken else {"path": self.path})

    def _say(self, status: int, value: Json) -> None:
        body = orjson.dumps(value)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    with serving_model() as address:
        yield address


@contextmanager
def serving_model() -> Iterator[str]:
    with ModelServer(("127.0.0.1", 0), Model) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_the_result_for_programs(desk: Desk, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert desk.type("bench", url, "-c", "2", "-t", "300ms", "--warmup", "0", "-o", "json", "--protocol", "v1") == 0
    found = orjson.loads(capsys.readouterr().out)
    assert found["url"] == f"{url}/v1/models/m:predict"
    assert found["statuses"] == {"200": found["requests"]}
    assert found["good"] == found["requests"] > 0
    assert 0 < found["latencyMs"]["p50"] <= found["latencyMs"]["p99.9"] <= found["latencyMs"]["max"]


def test_the_result_for_people(desk: Desk, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert desk.type("bench", url, "-c", "2", "-t", "0.2", "--warmup", "0s") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"v2  {url}/v2/models/m/infer  ")
    assert "requests a second" in lines[2]
    assert "p99.9" in lines[4]
    assert any("█" in line for line in lines)


def test_a_name_is_a_service_behind_the_gateway(desk: Desk, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    desk.platform = msgspec.structs.replace(PLATFORM, gateway=url)
    desk.server.add(INFERENCE_SERVICE, {"metadata": {"name": "iris"}, "status": {"url": "http://iris.example"}})
    assert desk.type("bench", "iris", "-t", "0.2s", "--warmup", "0s", "-o", "json") == 0
    found = orjson.loads(capsys.readouterr().out)
    assert (found["url"], found["protocol"]) == (f"{url}/v2/models/iris/infer", "v2")


def test_what_does_not_work_is_not_measured(desk: Desk, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert desk.type("bench", url, "--model", "broken", "-t", "60s") == 1
    assert "400: out of order" in capsys.readouterr().err


def test_a_duration_that_is_none_is_wrong_usage(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert desk.type("bench", "http://x", "-t", "soon") == 2
    assert "'soon' is no duration; expected for example 10s, 500ms or 2m" in capsys.readouterr().err
