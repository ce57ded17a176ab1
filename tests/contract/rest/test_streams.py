"""Answers in several parts: generate, generate_stream, infer_stream."""

import orjson
import pytest
from tests.contract.model_server.serving import post, serving
from tests.contract.rest.models import Answering, Talking

from inferplane import InferOutput, InferResponse

EVENTS = "text/event-stream; charset=utf-8"


def events(body: bytes) -> list[object]:
    parts = body.split(b"\n\n")
    assert parts.pop() == b""
    return [orjson.loads(part.removeprefix(b"data: ")) for part in parts]


def says(text: str) -> bytes:
    return orjson.dumps({"id": "7", "text_input": text})


def infer(text: str) -> bytes:
    return orjson.dumps(
        {"id": "7", "inputs": [{"name": "text_input", "shape": [1], "datatype": "BYTES", "data": [text]}]}
    )


async def test_generate_gives_the_one_answer() -> None:
    async with serving(Talking()) as server:
        answer = await server.exchange(post("/v2/models/talking/generate", says("hello")))
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.body == b'{"id":"7","model_name":"talking","model_version":"1","text_output":"hello"}'


@pytest.mark.parametrize("text", ["", "two words"])
async def test_generate_wants_exactly_one_answer(text: str) -> None:
    async with serving(Talking()) as server:
        answer = await server.exchange(post("/v2/models/talking/generate", says(text)))
    assert answer.status == 400
    assert "generate expects one response" in orjson.loads(answer.body)["error"]


async def test_generate_stream_sends_each_answer_as_an_event() -> None:
    async with serving(Talking()) as server:
        answer = await server.exchange(post("/v2/models/talking/generate_stream", says("two words")))
    assert (answer.status, answer.headers["content-type"]) == (200, EVENTS)
    head = {"id": "7", "model_name": "talking", "model_version": "1"}
    assert events(answer.body) == [{**head, "text_output": "two"}, {**head, "text_output": "words"}]


async def test_infer_stream_sends_whole_responses() -> None:
    async with serving(Talking()) as server:
        answer = await server.exchange(post("/v2/models/talking/infer_stream", infer("two words")))
    found = events(answer.body)
    assert [event["outputs"][0]["data"] for event in found if isinstance(event, dict)] == [["two"], ["words"]]


async def test_a_stream_that_fails_at_once_has_the_status_of_its_failure() -> None:
    async with serving(Talking()) as server:
        answers = [
            await server.exchange(post(f"/v2/models/talking/{verb}", says("fail")))
            for verb in ("generate", "generate_stream")
        ]
    assert [(answer.status, orjson.loads(answer.body)) for answer in answers] == [
        (500, {"error": "ZeroDivisionError : no more words"})
    ] * 2


async def test_a_stream_that_fails_later_says_so_in_an_event() -> None:
    async with serving(Talking()) as server:
        answer = await server.exchange(post("/v2/models/talking/generate_stream", says("one fail")))
    assert answer.status == 200
    assert events(answer.body)[1:] == [{"error": "ZeroDivisionError : no more words"}]


async def test_infer_of_a_model_that_streams_says_where_to_go() -> None:
    async with serving(Talking()) as server:
        answer = await server.exchange(post("/v2/models/talking/infer", infer("a")))
    assert (answer.status, "infer_stream" in orjson.loads(answer.body)["error"]) == (501, True)


async def test_a_model_with_one_answer_streams_one_event() -> None:
    response = InferResponse("7", "m", [InferOutput("text_output", [2], "INT64", [1, 2])])
    async with serving(Answering(response)) as server:
        answer = await server.exchange(post("/v2/models/m/generate_stream", says("x")))
    assert events(answer.body) == [{"id": "7", "model_name": "m", "model_version": "1", "text_output": [1, 2]}]


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"{", 422, "Unrecognized request format: "),
        (b"[]", 422, "expected a JSON object"),
        (b"{}", 400, "text_input: required field is missing"),
        (b'{"text_input":[]}', 400, "text_input: cannot reshape array of size 0 into shape (1,)"),
        (b'{"text_input":1}', 400, "text_input: expected a value of BYTES"),
        (b'{"text_input":"a","id":1}', 422, "id: expected a string"),
        (b'{"text_input":"a","parameters":[]}', 422, "parameters: expected an object"),
        (b'{"text_input":"a","x":{}}', 422, "parameters.x: expected a string, a number or a boolean"),
    ],
)
async def test_a_prompt_that_does_not_fit_is_refused_and_named(body: bytes, status: int, message: str) -> None:
    async with serving(Talking()) as server:
        answer = await server.exchange(post("/v2/models/talking/generate_stream", body))
    assert (answer.status, orjson.loads(answer.body)["error"][: len(message)]) == (status, message)
