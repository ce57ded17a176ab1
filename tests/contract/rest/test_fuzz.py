"""Whatever bytes come, the server answers in its protocols' words, never with 500, and goes on."""

import socket
from collections.abc import Iterator

import httptools
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.contract.model_server.serving import get, post, request
from tests.contract.rest.running import Running, running

from inferplane.dataplane.server.http.limits import Limits

PREDICT, INFER = "/v1/models/m:predict", "/v2/models/m/infer"
HEAD = b'{"inputs":[{"name":"x","shape":[2],"datatype":"INT32","parameters":{"binary_data_size":8}}]}'
GOOD = (
    post(PREDICT, b'{"instances":[[1,2]]}', "Content-Type: application/json"),
    post(INFER, b'{"id":"1","inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[[1,2]]}]}'),
    post(INFER, HEAD + b"12345678", f"Inference-Header-Content-Length: {len(HEAD)}"),
    post("/v2/models/talking/generate_stream", b'{"text_input":"a b"}'),
    post("/v2/repository/index", b'{"ready":true}'),
    request("POST", PREDICT, "Transfer-Encoding: chunked") + b'6\r\n{"inst\r\nF\r\nances":[[1,2]]}\r\n0\r\n\r\n',
    get("/v2/models/m", "Accept-Encoding: gzip"),
    get("/metrics"),
)
PIECES = (
    b"\r\n",
    b"\n",
    b"\0",
    b" ",
    b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Content-Encoding: gzip\r\n",
    b"Expect: 100-continue\r\n",
    b"Connection: Upgrade\r\nUpgrade: h2c\r\n",
    b"ce-specversion: 1.0\r\nce-id: 1\r\nce-type: t\r\nce-source: s\r\n",
    b"inference-header-content-length: 0\r\n",
    b"x-request-timeout-ms: 0\r\n",
    b"[[[[",
    b"-1",
    b"1e400",
    b"\xff\xfe",
)


class Statuses:
    """Of all answers in some bytes."""

    def __init__(self, data: bytes, *, to_head: bool) -> None:
        self.found: list[int] = []
        self._parser = httptools.HttpResponseParser(self)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            assert to_head, f"not HTTP: {data[:300]!r}"

    def on_headers_complete(self) -> None:
        self.found.append(self._parser.get_status_code())


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running(limits=Limits(body=1_000_000, head=8192, lame_duck=0.01)) as found:
        yield found


def exchanged(server: Running, data: bytes) -> bytes:
    """What comes back when the client closes its half after `data`."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
        try:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # refused and closed before all was sent
        back = b""
        try:
            while piece := client.recv(65536):
                back += piece
        except ConnectionResetError:
            pass
        return back


@st.composite
def mangled(draw: st.DrawFn) -> bytes:
    """Good requests with pieces cut out, put in, said twice or changed."""
    data = bytearray(b"".join(draw(st.lists(st.sampled_from(GOOD), min_size=1, max_size=3))))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 12)))
        match draw(st.integers(0, 3)):
            case 0:
                del data[start:end]
            case 1:
                data[start:start] = draw(st.sampled_from(PIECES))
            case 2:
                data[start:start] = data[start:end]
            case _:
                data[start:end] = draw(st.binary(max_size=12))
    return bytes(data)


FUZZ = settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@FUZZ
@given(data=mangled())
def test_bytes_that_were_once_requests_are_answered_or_refused(server: Running, data: bytes) -> None:
    statuses = Statuses(exchanged(server, data), to_head=b"HEAD" in data).found
    assert 500 not in statuses
    assert exchanged(server, get("/")).endswith(b'{"status":"alive"}')


@settings(FUZZ, max_examples=100)
@given(data=st.binary(max_size=300))
def test_bytes_that_never_were_requests_are_refused(server: Running, data: bytes) -> None:
    assert 500 not in Statuses(exchanged(server, data), to_head=b"HEAD" in data).found


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
SIZES = st.integers(-3, 5) | st.integers(-(2**70), 2**70) | JSON
DATATYPES = st.sampled_from(["FP32", "INT8", "UINT64", "BOOL", "BYTES", "FP16", "BF16", "int32", "x", 1, None])
TENSORS = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["x", "y", 1]),
        "shape": st.lists(SIZES, max_size=4) | JSON,
        "datatype": DATATYPES,
        "data": st.lists(JSON, max_size=5) | JSON,
        "parameters": st.dictionaries(st.sampled_from(["binary_data_size", "content_type", "k"]), JSON) | JSON,
    },
)
OUTPUTS = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["x", "z", 1]),
        "parameters": st.dictionaries(st.sampled_from(["binary_data", "classification"]), JSON) | JSON,
    },
)
V2 = st.fixed_dictionaries(
    {},
    optional={
        "id": st.text(max_size=3) | JSON,
        "inputs": st.lists(TENSORS | JSON, max_size=3) | JSON,
        "outputs": st.lists(OUTPUTS | JSON, max_size=2) | JSON,
        "parameters": st.dictionaries(st.sampled_from(["binary_data_output", "content_type", "timeout"]), JSON) | JSON,
    },
)
V1 = st.fixed_dictionaries({}, optional={"instances": JSON, "inputs": JSON, "specversion": JSON, "data": JSON}) | JSON
GENERATE = st.fixed_dictionaries({}, optional={"text_input": JSON, "id": JSON, "parameters": JSON, "x": JSON}) | JSON


@settings(FUZZ, max_examples=300)
@given(
    path_and_body=st.tuples(st.sampled_from([INFER, "/v2/models/shaped/infer", "/v2/models/m/infer_stream"]), V2)
    | st.tuples(st.sampled_from([PREDICT, "/v1/models/shaped:predict", "/v1/models/m:explain"]), V1)
    | st.tuples(st.sampled_from(["/v2/models/m/generate", "/v2/models/talking/generate_stream"]), GENERATE)
    | st.tuples(st.sampled_from(["/v2/repository/index", "/v2/repository/models/m/load"]), JSON),
    tail=st.none() | st.binary(max_size=20),
)
def test_json_of_nearly_the_right_form_is_answered_or_refused_with_an_error(
    server: Running, path_and_body: tuple[str, object], tail: bytes | None
) -> None:
    path, value = path_and_body
    try:
        text = orjson.dumps(value)
    except TypeError:
        return  # an integer of more than 64 bits, which orjson writes not
    headers = () if tail is None else (f"Inference-Header-Content-Length: {len(text)}",)
    back = exchanged(server, post(path, text + (tail or b""), *headers))
    head, _, body = back.partition(b"\r\n\r\n")
    status = int(head.split()[1])
    assert status in (200, 400, 415, 422, 501), body
    if status != 200:
        assert orjson.loads(body)["error"]
