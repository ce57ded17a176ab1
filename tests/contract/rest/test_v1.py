"""V1 over REST: the forms of requests, results and content types."""

from collections.abc import AsyncIterator
from datetime import datetime, timezone

import numpy as np
import orjson
import pytest
from tests.contract.model_server.serving import get, post, serving
from tests.contract.rest.models import Answering, Echo, Shaped, Talking

from inferplane import Model

PREDICT = "/v1/models/m:predict"


async def test_explain_answers_like_predict_and_echoes_no_header_of_the_request() -> None:
    async with serving(Echo()) as server:
        answer = await server.exchange(post("/v1/models/m:explain", b'{"instances":[[1,2]]}', "Authorization: secret"))
    assert answer.body == b'{"explanations":[[1,2]]}'
    assert "authorization" not in answer.headers


async def test_a_model_without_explain_says_so_with_501() -> None:
    async with serving(Answering({})) as server:
        answer = await server.exchange(post("/v1/models/m:explain", b"{}"))
    assert answer.status == 501
    assert "explainer" in orjson.loads(answer.body)["error"]


async def test_explain_of_an_unknown_or_unready_model_is_404_or_503_with_retry_after() -> None:
    async with serving(Model("m")) as server:
        unknown = await server.exchange(post("/v1/models/x:explain", b"{}"))
        unready = await server.exchange(post("/v1/models/m:explain", b"{}"))
    assert (unknown.status, unready.status, unready.headers["retry-after"]) == (404, 503, "1")


@pytest.mark.parametrize("charset", ["application/json; charset=utf-8", "Application/JSON", "application/ld+json"])
async def test_json_is_known_by_its_media_type(charset: str) -> None:
    async with serving(Echo()) as server:
        answer = await server.exchange(post(PREDICT, b'{"instances":[1]}', f"Content-Type: {charset}"))
    assert answer.body == b'{"predictions":[1]}'


async def test_bodies_of_other_types_reach_an_authors_model_as_bytes() -> None:
    model = Echo()
    async with serving(model) as server:
        for size in (3, 100_000):
            answer = await server.exchange(post(PREDICT, b"x" * size, "Content-Type: image/png"))
            assert answer.status == 200
    assert model.seen == [b"x" * 3, b"x" * 100_000]
    assert [type(seen) for seen in model.seen] == [bytes, bytes]


async def test_bodies_of_other_types_are_415_for_models_that_take_arrays() -> None:
    async with serving(Shaped()) as server:
        answer = await server.exchange(post("/v1/models/shaped:predict", b"a,b", "Content-Type: text/csv"))
    assert (answer.status, orjson.loads(answer.body)) == (
        415,
        {"error": "content type text/csv is not understood by this model: send application/json"},
    )


@pytest.mark.parametrize(
    ("result", "body", "kind"),
    [
        (b"\x00\x01", b"\x00\x01", None),
        ("text", b"text", None),
        ({"predictions": np.array([1.5, np.nan])}, b'{"predictions":[1.5,null]}', "application/json"),
        ({"predictions": np.float32(2)}, b'{"predictions":2.0}', "application/json"),
        (
            {"t": datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)},  # noqa: UP017  # reads better beside the text
            b'{"t":"2026-01-02T03:04:05+00:00"}',
            "application/json",
        ),
    ],
)
async def test_results_are_written_by_their_kind(result: object, body: bytes, kind: str | None) -> None:
    async with serving(Answering(result)) as server:
        answer = await server.exchange(post(PREDICT, b"{}"))
    assert (answer.body, answer.headers.get("content-type")) == (body, kind)


async def test_an_async_iterator_is_streamed() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"a"
        yield b"b"

    async with serving(Answering(chunks())) as server, await server.client() as client:
        client.send(post(PREDICT, b"{}"))
        await client.head()
        assert [chunk async for chunk in client.chunks()] == [b"a", b"b"]


async def test_a_stream_that_refuses_its_request_at_once_has_the_status_of_that() -> None:
    async with serving(Talking()) as server:
        answer = await server.exchange(post("/v1/models/talking:predict", b"{}"))
    assert (answer.status, answer.body) == (400, b'{"error":"this model speaks V2"}')


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "Unrecognized request format: "),
        (b"{", "Unrecognized request format: "),
        (b'{"instances":[NaN]}', "Unrecognized request format: "),
        (b'{"instances":[1e999]}', "Unrecognized request format: "),
        (b'{"instances":"\xff"}', "Unrecognized request format: "),
        (b'{"instances":1}', 'Expected "instances" to be a list'),
        (b"[" * 100_000, "Unrecognized request format: "),
    ],
)
@pytest.mark.parametrize("model", [Echo("m"), Shaped()])
async def test_a_body_that_cannot_be_read_is_400_and_says_why(body: bytes, message: str, model: Echo) -> None:
    async with serving(model) as server:
        answer = await server.exchange(post(f"/v1/models/{model.name}:predict", body))
    assert answer.status == 400
    assert orjson.loads(answer.body)["error"].startswith(message)


@pytest.mark.parametrize("depth", [150, 300, 1000])
async def test_deep_nesting_is_never_the_servers_failure(depth: int) -> None:
    body = b'{"instances":[' + b"[" * depth + b"]" * depth + b"]}"
    async with serving(Echo()) as server:
        answer = await server.exchange(post(PREDICT, body))
    assert answer.status == (200 if depth < 200 else 400)


async def test_list_readiness_and_presence_say_the_same_of_a_model() -> None:
    async with serving(Echo("a"), Model("b")) as server:
        answers = [await server.exchange(get(path)) for path in ("/v1/models", "/v1/models/a", "/v1/models/b")]
    assert [(answer.status, answer.body) for answer in answers] == [
        (200, b'{"models":["a","b"]}'),
        (200, b'{"name":"a","ready":true}'),
        (503, b'{"error":"Model with name b is not ready."}'),
    ]
