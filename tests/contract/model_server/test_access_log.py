"""The access log: off unless asked for, then one line a request."""

import logging

import orjson
import pytest
from tests.contract.model_server.models import Echo
from tests.contract.model_server.serving import get, post, serving

from inferplane.dataplane.server.http.access_log import AccessLog, UnknownField, trace_id

TRACE = "0af7651916cd43dd8448eb211c80319c"


async def test_a_request_is_one_json_object_with_its_sizes_and_its_trace(caplog: pytest.LogCaptureFixture) -> None:
    body = b'{"instances":[1]}'
    headers = ("X-Request-Id: r1", f"traceparent: 00-{TRACE}-b7ad6b7169203331-01", "User-Agent: test")
    with caplog.at_level(logging.INFO, "inferplane.access"):
        async with serving(Echo(), access_log=AccessLog("json")) as server:
            await server.exchange(post("/v1/models/TestModel:predict?a=b", body, *headers))
    found = orjson.loads(caplog.messages[0])
    assert found.pop("client_addr").startswith("127.0.0.1:")
    assert 0 < found.pop("seconds") == found.pop("request_time") < 10
    assert found == {
        "method": "POST",
        "path": "/v1/models/TestModel:predict",
        "full_path": "/v1/models/TestModel:predict?a=b",
        "query_string": "a=b",
        "http_version": "1.1",
        "protocol": "HTTP/1.1",
        "request_line": "POST /v1/models/TestModel:predict?a=b HTTP/1.1",
        "status_code": 200,
        "request_bytes": 17,
        "response_bytes": 19,
        "request_id": "r1",
        "trace_id": TRACE,
        "user_agent": "test",
    }


async def test_a_text_format_is_followed_for_answers_of_every_kind(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "inferplane.access"):
        async with serving(Echo(), access_log=AccessLog('"%(request_line)s" %(status_code)s')) as server:
            for data in (get("/"), get("/v2/models"), get("/nothing"), b"x\r\n\r\n"):
                await server.exchange(data)
    assert caplog.messages == [
        '"GET / HTTP/1.1" 200',
        '"GET /v2/models HTTP/1.1" 200',
        '"GET /nothing HTTP/1.1" 404',
        '"  HTTP/1.1" 400',
    ]


@pytest.mark.parametrize("format", ["%(nothing)s", "%(method)", "%(status_code)x%"])
def test_a_format_that_cannot_be_followed_is_refused_with_what_can(format: str) -> None:
    with pytest.raises(UnknownField, match="use fields of client_addr, method"):
        AccessLog(format)


@pytest.mark.parametrize(
    ("traceparent", "trace"),
    [
        (f"00-{TRACE}-b7ad6b7169203331-01", TRACE),
        (f"01-{TRACE}-b7ad6b7169203331-01-more", TRACE),
        (f"ff-{TRACE}-b7ad6b7169203331-01", ""),
        (f"00-{TRACE.upper()}-b7ad6b7169203331-01", ""),
        (f"00-{'0' * 32}-b7ad6b7169203331-01", ""),
        ("00-1-2-3", ""),
        ("", ""),
    ],
)
def test_only_a_well_formed_traceparent_names_a_trace(traceparent: str, trace: str) -> None:
    assert trace_id(traceparent) == trace
