"""Answers in several parts: a model whose `predict` gives an async iterator, over `generate`, `generate_stream` and
`infer_stream`.

Events are server-sent ones, `data: {…}` each. The first part decides the status; what fails later is an event that says
so, since the status is sent.
"""

import logging
from collections.abc import AsyncIterator, Callable

import orjson

from inferplane.dataplane.model.model import Model
from inferplane.dataplane.server import answers
from inferplane.dataplane.server.answers import Answer, Outcome, failed
from inferplane.dataplane.server.calls import Codec, Headers
from inferplane.dataplane.server.dispatch import Dispatch
from inferplane.dataplane.server.ids import new_id
from inferplane.dataplane.server.protocols import V2, model_types
from inferplane.inference import generate, v2
from inferplane.inference.errors import InferenceError
from inferplane.inference.tensors import InferRequest, InferResponse

log = logging.getLogger("inferplane.server")

EVENTS = b"text/event-stream; charset=utf-8"

Part = Callable[[InferResponse, InferRequest, str], bytes]
"""(response, request, id for those that have none) → body."""


def _read(body: bytes, headers: Headers, model: Model) -> object:
    return generate.read(body, model.name, model_types(model))


def _asked_in_parts(read: Callable[[bytes, Headers, Model], object]) -> Callable[[bytes, Headers, Model], object]:
    """Tells models that can answer either way, by the parameter `stream`, that parts are wanted."""

    def reads(body: bytes, headers: Headers, model: Model) -> object:
        payload = read(body, headers, model)
        if isinstance(payload, InferRequest) and getattr(model, "streams_text", False):
            payload.parameters = {"stream": True, **(payload.parameters or {})}
        return payload

    return reads


def _writer(part: Part) -> Callable[[object, object], Answer]:
    """One part is a body; several are a stream of bodies, without the form of events yet."""

    def write(result: object, payload: object) -> Answer:
        if not isinstance(payload, InferRequest):
            raise InferenceError("a V2 answer needs a V2 request")
        if isinstance(result, AsyncIterator):
            return Answer(200, _parts(result, payload, part, new_id()))
        return Answer(200, _encoded(result, payload, part, new_id()))

    return write


async def _parts(results: AsyncIterator[object], payload: InferRequest, part: Part, id: str) -> AsyncIterator[bytes]:
    async for result in results:
        yield _encoded(result, payload, part, id)


def _encoded(result: object, payload: InferRequest, part: Part, id: str) -> bytes:
    if not isinstance(result, InferResponse):
        raise InferenceError(f"expected an InferResponse from the model, got {type(result).__name__}")
    return part(result, payload, id)


def _generated(response: InferResponse, request: InferRequest, id: str) -> bytes:
    return generate.write(response, request)  # without an id for requests without one


GENERATE = Codec("v2", _read, _writer(_generated), answers.of_v2_error)
GENERATE_PARTS = Codec("v2", _asked_in_parts(_read), _writer(_generated), answers.of_v2_error)
INFER_PARTS = Codec("v2", _asked_in_parts(V2.read), _writer(v2.write), answers.of_v2_error)


class Streams:
    """The handlers, over one dispatch."""

    def __init__(self, dispatch: Dispatch) -> None:
        self._dispatch = dispatch

    async def generate(self, name: str, body: bytes, headers: Headers) -> Answer:
        """The model's one answer; one that gives several is asked for them with `generate_stream`."""
        answer = await _there(self._dispatch.call(GENERATE, name, body, headers))
        if not isinstance(answer.body, AsyncIterator):
            return answer
        try:
            parts = [part async for part in answer.body]
        except Exception as error:
            return _failure(name, error)
        if len(parts) != 1:
            return failed(400, f"generate expects one response from the model, got {len(parts)}: use generate_stream")
        return Answer(200, parts[0], headers=answer.headers)

    async def generate_stream(self, name: str, body: bytes, headers: Headers) -> Answer:
        return await _as_events(name, await _there(self._dispatch.call(GENERATE_PARTS, name, body, headers)))

    async def infer_stream(self, name: str, body: bytes, headers: Headers) -> Answer:
        return await _as_events(name, await _there(self._dispatch.call(INFER_PARTS, name, body, headers)))


async def _there(outcome: Outcome) -> Answer:
    return outcome if isinstance(outcome, Answer) else await outcome


def _failure(name: str, error: Exception) -> Answer:
    answer = answers.of_v2_error(error)
    if answer.status >= 500:
        log.error("model failed while it streamed model=%s", name, exc_info=error)
    return answer


async def _as_events(name: str, answer: Answer) -> Answer:
    if answer.status != 200:
        return answer
    if not isinstance(answer.body, AsyncIterator):
        body = answer.body if isinstance(answer.body, bytes) else b"".join(answer.body)
        return Answer(200, _event(body), EVENTS, answer.headers)
    try:
        first = await anext(answer.body)
    except StopAsyncIteration:
        return Answer(200, b"", EVENTS, answer.headers)
    except Exception as error:
        return _failure(name, error)
    return Answer(200, _events(name, first, answer.body), EVENTS, answer.headers)


async def _events(name: str, first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield _event(first)
    try:
        async for part in rest:
            yield _event(part)
    except Exception as error:
        log.error("model failed while it streamed model=%s", name, exc_info=error)
        yield _event(orjson.dumps({"error": f"{type(error).__name__} : {error}"}))


def _event(body: bytes) -> bytes:
    return b"data: %b\n\n" % body
