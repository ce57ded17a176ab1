"""The OpenAI endpoints over a server's models: a body becomes a request, the model named in it answers.

They are there for every model; one that cannot do what is asked says so.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from time import time
from typing import Any, Generic, TypeVar, cast

import msgspec

from inferplane.dataplane.model.model import Model
from inferplane.dataplane.openai import errors, events
from inferplane.dataplane.openai.answers import ModelCard, ModelList
from inferplane.dataplane.openai.errors import InvalidField
from inferplane.dataplane.openai.events import Chunk
from inferplane.dataplane.openai.requests import (
    ChatCompletionRequest,
    CompletionRequest,
    EmbeddingRequest,
    RerankRequest,
)
from inferplane.dataplane.server.answers import Answer, Handler, Outcome, WhileHeard
from inferplane.dataplane.server.calls import Headers
from inferplane.dataplane.server.dispatch import Dispatch
from inferplane.inference.errors import InferenceFailure, InvalidInput

PROTOCOL = "openai"
"""What metrics call it."""

R = TypeVar("R", CompletionRequest, ChatCompletionRequest, EmbeddingRequest, RerankRequest)
Method = Callable[[R, Headers], Awaitable[msgspec.Struct | AsyncIterator[Chunk]]]


@dataclass(frozen=True, slots=True)
class _Api(Generic[R]):
    """`name` is KServe's for it, `method` the model's."""

    name: str
    method: str
    request: type[R]

    def read(self, body: bytes) -> R:
        try:
            return msgspec.json.decode(body, type=self.request)
        except msgspec.ValidationError as error:
            raise _unreadable(str(error)) from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InvalidInput(f"the body is not JSON: {error}") from error


_COMPLETIONS = _Api("Completions API", "create_completion", CompletionRequest)
_CHATS = _Api("Chat Completion API", "create_chat_completion", ChatCompletionRequest)
_EMBEDDINGS = _Api("Embeddings API", "create_embedding", EmbeddingRequest)
_RERANK = _Api("Rerank API", "create_rerank", RerankRequest)
_METHODS = [api.method for api in (_COMPLETIONS, _CHATS, _EMBEDDINGS, _RERANK)]

_STARTED = int(time())


class OpenAI:
    """The handlers, over one dispatch."""

    def __init__(self, dispatch: Dispatch) -> None:
        self._dispatch = dispatch
        self._handlers: dict[str, Handler] = {
            "completions": partial(self._while_heard, _COMPLETIONS),
            "chat/completions": partial(self._while_heard, _CHATS),
            "embeddings": partial(self._while_heard, _EMBEDDINGS),
            "rerank": partial(self._while_heard, _RERANK),
        }

    def handler(self, api: str) -> Handler:
        """`api`: completions, chat/completions, embeddings or rerank."""
        return self._handlers[api]

    def models(self) -> Answer:
        """Those that one of the endpoints can ask."""
        served = self._dispatch.repository.get_models()
        cards = [_card(name) for name, model in served.items() if _is_asked(model)]
        return Answer(200, msgspec.json.encode(ModelList(object="list", data=cards)))

    def model(self, name: str) -> Answer:
        """Any that is ready: with what it can be asked is told when it is."""
        try:
            self._dispatch.repository.ready_model(name)
        except InferenceFailure as error:
            return errors.answer(error)
        return Answer(200, msgspec.json.encode(_card(name)))

    def _while_heard(self, api: "_Api[R]", body: bytes, headers: Headers) -> Outcome:
        return WhileHeard(self._answer(api, body, headers))

    async def _answer(self, api: "_Api[R]", body: bytes, headers: Headers) -> Answer:
        name = ""
        try:
            request = api.read(body)
            name = request.model
            answer = await self._asked(api, request, headers)
        except Exception as error:
            answer = errors.answer(error)
            errors.log_failure(error, answer.status)
        self._dispatch.answered(name, PROTOCOL, answer.status)
        return answer

    async def _asked(self, api: "_Api[R]", request: R, headers: Headers) -> Answer:
        streams = bool(getattr(request, "stream", False))
        async with AsyncExitStack() as stack:
            # A stream may last: what bounds it is its client, who reads it, and the number of its tokens.
            model = await stack.enter_async_context(self._dispatch.entered(request.model, headers, bounded=not streams))
            method = cast("Method[R] | None", getattr(model, api.method, None))
            if method is None:
                raise errors.unsupported(request.model, api.name)
            result = await method(request, headers)
            if isinstance(result, AsyncIterator):
                return Answer(200, _held(result, stack.pop_all()), events.CONTENT_TYPE, events.HEADERS)
            return Answer(200, msgspec.json.encode(result))


async def _held(chunks: AsyncIterator[Chunk], stack: AsyncExitStack) -> AsyncIterator[bytes]:
    """The model stays entered until the last chunk, or until the client leaves; then `chunks` are closed too."""
    async with stack:
        try:
            async for event in events.events(chunks):
                yield event
        finally:
            close: Any = getattr(chunks, "aclose", None)
            if close is not None:
                await close()


def _card(name: str) -> ModelCard:
    return ModelCard(id=name, object="model", created=_STARTED, owned_by="")


def _is_asked(model: Model) -> bool:
    return any(hasattr(model, method) for method in _METHODS)


def _unreadable(said: str) -> InvalidInput:
    """msgspec's words, with the field that they are about."""
    reason, _, path = said.partition(" - at `$")
    param = path.rstrip("`").removeprefix(".") or reason.partition(": ")[0] * (": " in reason)
    missing = _MISSING.search(reason)
    if missing is not None:
        param = f"{param}.{missing[1]}" if param else missing[1]
    where = f"{param}: " if param else ""
    return InvalidField(param, f"{where}{reason[:1].lower()}{reason[1:]}")


_MISSING = re.compile(r"missing required field `(\w+)`")
