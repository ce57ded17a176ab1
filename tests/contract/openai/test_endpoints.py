"""The OpenAI endpoints as bytes on the wire: answers, events, refusals, and clients that leave."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from tests.contract.model_server.serving import Serving, get, post, serving
from tests.contract.rest.models import Echo

from inferplane import Model
from inferplane.dataplane.openai.answers import (
    ChatAnswer,
    ChatChoice,
    ChatChunkChoice,
    ChatCompletion,
    ChatCompletionChunk,
    ChatDelta,
    Completion,
    CompletionChoice,
    Usage,
)
from inferplane.dataplane.openai.errors import InvalidField
from inferplane.dataplane.openai.requests import ChatCompletionRequest, CompletionRequest
from inferplane.inference.errors import Overloaded

CHATS = "/openai/v1/chat/completions"


class Parrot(Model):
    """Says the words of the last message again; with `stream` one a chunk. "wait" goes on until the client leaves."""

    def __init__(self) -> None:
        super().__init__("parrot")
        self.ready = True
        self.asked, self.left = asyncio.Event(), asyncio.Event()

    async def create_chat_completion(
        self, request: ChatCompletionRequest, headers: dict[str, str]
    ) -> ChatCompletion | AsyncIterator[ChatCompletionChunk]:
        text = request.messages[-1].content
        assert isinstance(text, str)
        if text == "busy":
            raise Overloaded(self.name, 7, 3)
        if text == "wrong":
            raise InvalidField("messages[0].content", "not such a text", fix="another")
        if text == "broken":
            raise ValueError("no idea")
        if text == "think":
            await self._think()
        if request.stream:
            return self._said(text)
        message = ChatAnswer(role="assistant", content=text)
        choice = ChatChoice(index=0, message=message, logprobs=None, finish_reason="stop")
        usage = Usage(prompt_tokens=1, completion_tokens=2, total_tokens=3)
        return ChatCompletion(
            id="1", object="chat.completion", created=5, model=request.model, choices=[choice], usage=usage
        )

    async def _think(self) -> None:
        self.asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.left.set()

    async def _said(self, text: str) -> AsyncIterator[ChatCompletionChunk]:
        try:
            for word in text.split():
                if word == "fail":
                    raise ValueError("no more")
                yield _chunk(word)
                if word == "wait":
                    await asyncio.Event().wait()
        finally:
            self.left.set()


def _chunk(word: str) -> ChatCompletionChunk:
    choice = ChatChunkChoice(index=0, delta=ChatDelta(content=word), logprobs=None, finish_reason=None)
    return ChatCompletionChunk(id="1", object="chat.completion.chunk", created=5, model="parrot", choices=[choice])


class Completing(Model):
    def __init__(self) -> None:
        super().__init__("completing")
        self.ready = True

    async def create_completion(self, request: CompletionRequest, headers: dict[str, str]) -> Completion:
        assert isinstance(request.prompt, str)
        choice = CompletionChoice(index=0, text=request.prompt[::-1], logprobs=None, finish_reason="length")
        return Completion(id="2", object="text_completion", created=5, model=request.model, choices=[choice])


def chat(text: str, **fields: object) -> bytes:
    return orjson.dumps({"model": "parrot", "messages": [{"role": "user", "content": text}], **fields})


async def asked(server: Serving, path: str, body: bytes) -> tuple[int, Any]:
    answer = await server.exchange(post(path, body))
    assert answer.headers["content-type"] == "application/json"
    return answer.status, orjson.loads(answer.body)


async def refused(server: Serving, path: str, body: bytes) -> tuple[int, Any]:
    status, told = await asked(server, path, body)
    assert sorted(told["error"]) == ["code", "message", "param", "type"]
    return status, told["error"]


async def test_a_client_that_leaves_before_there_is_anything_ends_the_models_work() -> None:
    model = Parrot()
    async with serving(model) as server:
        client = await server.client()
        client.send(post(CHATS, chat("think")))
        async with asyncio.timeout(10):
            await model.asked.wait()
            client.writer.close()
            await model.left.wait()


@pytest.mark.parametrize("prefix", ["/openai", ""])
async def test_a_chat_is_answered_with_and_without_kserves_prefix(prefix: str) -> None:
    async with serving(Parrot()) as server:
        status, answer = await asked(server, f"{prefix}/v1/chat/completions", chat("hello"))
    message = {"role": "assistant", "content": "hello"}
    assert (status, answer) == (
        200,
        {
            "id": "1",
            "object": "chat.completion",
            "created": 5,
            "model": "parrot",
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
        },
    )


async def test_a_completion_is_answered() -> None:
    async with serving(Completing()) as server:
        status, answer = await asked(server, "/openai/v1/completions", b'{"model":"completing","prompt":"abc"}')
    assert (status, answer["choices"][0]["text"], "usage" in answer) == (200, "cba", False)


async def test_a_stream_is_events_and_says_when_it_is_done() -> None:
    async with serving(Parrot()) as server:
        answer = await server.exchange(post(CHATS, chat("one two", stream=True)))
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    *events, done, end = answer.body.split(b"\n\n")
    deltas = [orjson.loads(event.removeprefix(b"data: "))["choices"][0]["delta"] for event in events]
    assert (deltas, done, end) == ([{"content": "one"}, {"content": "two"}], b"data: [DONE]", b"")


async def test_a_stream_that_fails_says_so_in_an_event() -> None:
    async with serving(Parrot()) as server:
        answer = await server.exchange(post(CHATS, chat("one fail", stream=True)))
    _, failure, done, _ = answer.body.split(b"\n\n")
    told = orjson.loads(failure.removeprefix(b"data: "))["error"]
    assert (answer.status, told["message"], told["type"]) == (200, "ValueError : no more", "server_error")
    assert done == b"data: [DONE]"


async def test_a_client_that_leaves_ends_the_models_stream() -> None:
    model = Parrot()
    async with serving(model) as server:
        client = await server.client()
        client.send(post(CHATS, chat("wait", stream=True)))
        await client.head()
        client.writer.close()
        async with asyncio.timeout(10):
            await model.left.wait()


async def test_an_unknown_model_is_not_found() -> None:
    async with serving(Parrot()) as server:
        status, error = await refused(server, CHATS, b'{"model":"nobody","messages":[]}')
    assert (status, error["code"], "nobody" in error["message"]) == (404, "model_not_found", True)


async def test_a_model_that_is_not_ready_is_not_yet_there() -> None:
    model = Parrot()
    model.ready = False
    async with serving(model) as server:
        assert (await refused(server, CHATS, chat("hello")))[0] == 503


@pytest.mark.parametrize(
    ("path", "body", "api"),
    [
        ("chat/completions", {"messages": []}, "Chat Completion API"),
        ("completions", {"prompt": "a"}, "Completions API"),
        ("embeddings", {"input": "a"}, "Embeddings API"),
        ("rerank", {"query": "a", "documents": ["b"]}, "Rerank API"),
    ],
)
async def test_a_model_that_cannot_do_it_says_what(path: str, body: dict[str, object], api: str) -> None:
    async with serving(Echo("m")) as server:
        status, error = await refused(server, f"/openai/v1/{path}", orjson.dumps({"model": "m", **body}))
    assert (status, error["message"], error["param"]) == (400, f"Model m does not support {api}", "model")


@pytest.mark.parametrize(
    ("body", "param", "word"),
    [
        (b'{"messages":[]}', "model", "missing"),
        (b'{"model":"parrot"}', "messages", "missing"),
        (b'{"model":"parrot","messages":[],"max_tokens":"many"}', "max_tokens", "int"),
        (b'{"model":"parrot","messages":[{"content":"x"}]}', "messages[0].role", "missing"),
        (b'{"model":"parrot","messages":[{"role":"user","content":3}]}', "messages[0].content", "int"),
    ],
)
async def test_a_wrong_field_is_named(body: bytes, param: str, word: str) -> None:
    async with serving(Parrot()) as server:
        status, error = await refused(server, CHATS, body)
    assert (status, error["param"], error["type"]) == (400, param, "invalid_request_error")
    assert word in error["message"]


@pytest.mark.parametrize("body", [b"", b"{", b'{"model":"\xff"}', b"[1]"])
async def test_what_is_not_an_object_of_json_is_refused(body: bytes) -> None:
    async with serving(Parrot()) as server:
        assert (await refused(server, CHATS, body))[0] == 400


async def test_the_models_refusals_have_their_status_and_field() -> None:
    async with serving(Parrot()) as server:
        wrong = await refused(server, CHATS, chat("wrong"))
        broken = await refused(server, CHATS, chat("broken"))
        busy = await server.exchange(post(CHATS, chat("busy")))
    assert (wrong[0], wrong[1]["param"]) == (400, "messages[0].content")
    assert (broken[0], broken[1]["message"]) == (500, "ValueError : no idea")
    assert (busy.status, busy.headers["retry-after"]) == (503, "3")


async def test_models_that_can_be_asked_are_listed() -> None:
    async with serving(Parrot(), Echo("m"), Completing()) as server:
        listed = orjson.loads((await server.exchange(get("/openai/v1/models"))).body)
        one = orjson.loads((await server.exchange(get("/openai/v1/models/parrot"))).body)
        other = await server.exchange(get("/openai/v1/models/nobody"))
    assert (listed["object"], [card["id"] for card in listed["data"]]) == ("list", ["parrot", "completing"])
    assert (one["id"], one["object"], other.status) == ("parrot", "model", 404)


async def test_answers_are_counted_by_model_and_status() -> None:
    async with serving(Parrot()) as server:
        for text in ("hello", "wrong"):
            await server.exchange(post(CHATS, chat(text)))
        told = (await server.exchange(get("/metrics"))).body.decode()
    for code in (200, 400):
        assert any(
            line.startswith("inferplane_requests_total")
            and all(part in line for part in ('"parrot"', '"openai"', f'"{code}"'))
            for line in told.splitlines()
        )
