from pathlib import Path

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from inferplane.cli.prediction import Answer, http, path_of, protocol_of, read_body, refusal, send, target
from inferplane.kernel.errors import InferplaneError
from inferplane.kernel.json import Json


@pytest.mark.parametrize(
    ("body", "protocol"),
    [
        ({"instances": [[1]]}, "v1"),
        ({"inputs": [{"name": "a", "datatype": "FP32", "shape": [1], "data": [1]}]}, "v2"),
        ({"inputs": {"a": [1]}}, "v1"),
        ({"inputs": []}, "v1"),
        ([1, 2], "v1"),
    ],
)
def test_the_body_says_which_protocol_it_speaks(body: Json, protocol: str) -> None:
    assert protocol_of(body) == protocol


def test_the_protocols_have_their_paths() -> None:
    assert path_of("v1", "iris") == "/v1/models/iris:predict"
    assert path_of("v2", "iris") == "/v2/models/iris/infer"


def test_a_request_goes_to_the_gateway_with_the_service_s_host() -> None:
    to = target("http://iris.default.localhost", "/v1/models/iris:predict", "http://localhost:8081")
    assert to.url == "http://iris.default.localhost:8081/v1/models/iris:predict"
    assert to.connect_to == "http://localhost:8081/v1/models/iris:predict"
    assert to.host == "iris.default.localhost:8081"


def test_the_gateway_s_port_wins_over_the_configured_one() -> None:
    assert target("http://iris.localhost:8080", "/x", "http://localhost:8081").host == "iris.localhost:8081"


def test_without_a_gateway_the_service_s_own_url_is_used() -> None:
    to = target("https://iris.example.com", "/x")
    assert (to.url, to.connect_to, to.host) == (*["https://iris.example.com/x"] * 2, "iris.example.com")


def test_a_body_comes_from_the_command_line_a_file_or_standard_input(tmp_path: Path) -> None:
    file = tmp_path / "request.json"
    file.write_bytes(b'{"a": 1}')
    assert read_body('{"a": 1}') == read_body(f"@{file}") == read_body("-", b'{"a": 1}') == (b'{"a": 1}', {"a": 1})


@pytest.mark.parametrize(
    ("data", "beginning"),
    [
        ("{", "-d: not JSON: "),
        ("@/no/such.json", "/no/such.json: cannot be read: No such file"),
        ("-", "standard input: not JSON"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused_before_it_is_sent(data: str, beginning: str) -> None:
    with pytest.raises(InferplaneError) as refused:
        read_body(data, b"<html>")
    assert str(refused.value).startswith(beginning)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"error": "inputs[0]: expected 4 values"}', "HTTP 400: inputs[0]: expected 4 values"),
        (b'{"detail": "no"}', "HTTP 400: no"),
        (b"no healthy\nupstream", "HTTP 400: no healthy upstream"),
        (b"", "HTTP 400: no text"),
    ],
)
def test_a_refusal_is_one_line_in_the_server_s_words(body: bytes, words: str) -> None:
    assert refusal(Answer(400, body, 0.001)) == words


async def test_a_request_carries_the_service_s_host_through_the_gateway() -> None:
    async def echo(request: web.Request) -> web.Response:
        return web.json_response({"host": request.host, "body": await request.json()}, status=201)

    app = web.Application()
    app.router.add_post("/v1/models/iris:predict", echo)
    async with TestServer(app) as gateway, http() as client:
        to = target("http://iris.default.localhost", "/v1/models/iris:predict", f"http://127.0.0.1:{gateway.port}")
        answer = await send(client, to, b'{"a": 1}')
        host = f"iris.default.localhost:{gateway.port}"
    assert answer.status == 201
    assert msgspec.json.decode(answer.body) == {"host": host, "body": {"a": 1}}


async def test_a_gateway_that_is_not_there_is_one_line() -> None:
    async with http() as client:
        with pytest.raises(InferplaneError, match="check the gateway: inferplane status"):
            await send(client, target("http://iris.localhost", "/x", "http://127.0.0.1:1"), b"{}")
