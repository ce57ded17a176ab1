"""`/v1/chat/completions`: messages through the model's chat template → a prompt; pieces → one answer, or chunks."""

from collections.abc import AsyncIterable, AsyncIterator, Sequence
from dataclasses import dataclass, field

from inferplane.dataplane.openai.answers import (
    ChatAnswer,
    ChatChoice,
    ChatChunkChoice,
    ChatCompletion,
    ChatCompletionChunk,
    ChatDelta,
    ChatLogprob,
    ChatLogprobs,
    FinishReason,
    TopLogprob,
    Usage,
)
from inferplane.dataplane.openai.errors import InvalidField
from inferplane.dataplane.openai.requests import ChatCompletionRequest, ChatMessage
from inferplane.dataplane.runtimes.huggingface.asked import Asked, Speaker, asked
from inferplane.dataplane.runtimes.huggingface.batching import Chosen, Piece, Run
from inferplane.dataplane.runtimes.huggingface.completions import merged, usage
from inferplane.inference.errors import Unimplemented
from inferplane.kernel.json import JsonObject

_ROLES = ("system", "developer", "user", "assistant", "tool", "function")


def asked_for(request: ChatCompletionRequest, speaker: Speaker) -> Asked:
    if request.response_format is not None and request.response_format.type != "text":
        raise Unimplemented(f"response_format: only text is answered, not {request.response_format.type[:40]}")
    if request.tool_choice not in (None, "auto", "none"):
        raise Unimplemented("tool_choice: what the model says of tools is text, and cannot be forced")
    if request.top_logprobs is not None and not request.logprobs:
        raise InvalidField("top_logprobs", "top_logprobs: only with logprobs: true")
    most = request.max_tokens if request.max_completion_tokens is None else request.max_completion_tokens
    return asked(request, speaker, most, (request.top_logprobs or 0) if request.logprobs else None)


def conversation(request: ChatCompletionRequest) -> list[JsonObject]:
    """The messages as chat templates take them, contents as texts."""
    if not request.messages:
        raise InvalidField("messages", "messages: expected at least one")
    return [_message(message, f"messages[{index}]") for index, message in enumerate(request.messages)]


def _message(message: ChatMessage, where: str) -> JsonObject:
    if message.role not in _ROLES:
        raise InvalidField(
            f"{where}.role", f"{where}.role: expected one of {', '.join(_ROLES)}, got {message.role[:40]!r}"
        )
    found: JsonObject = {"role": message.role, "content": _text(message, where)}
    further: JsonObject = {
        "name": message.name,
        "tool_calls": None if message.tool_calls is None else [*message.tool_calls],
        "tool_call_id": message.tool_call_id,
    }
    return found | {name: value for name, value in further.items() if value is not None}


def _text(message: ChatMessage, where: str) -> str:
    content = message.content
    if isinstance(content, str):
        return content
    if content is None:
        if message.tool_calls:
            return ""
        raise InvalidField(f"{where}.content", f"{where}.content: expected a text")
    texts = []
    for index, part in enumerate(content):
        text = part.get("text")
        if part.get("type") != "text" or not isinstance(text, str):
            at = f"{where}.content[{index}]"
            raise InvalidField(at, f'{at}: expected {{"type": "text", "text": …}}, the model takes nothing else')
        texts.append(text)
    return "\n".join(texts)


@dataclass(slots=True)
class _Told:
    text: str = ""
    chosen: list[Chosen] = field(default_factory=list)
    ended: FinishReason | None = None


@dataclass(frozen=True, slots=True)
class Chats:
    """The form of one request's answers."""

    id: str
    created: int
    model: str
    runs: Sequence[Run]
    speaker: Speaker
    wants_logprobs: bool
    include_usage: bool

    async def whole(self, pieces: AsyncIterable[Sequence[Piece]]) -> ChatCompletion:
        told = [_Told() for _ in self.runs]
        async for some in pieces:
            for piece in some:
                one = told[piece.index]
                one.text += piece.text
                one.chosen += piece.chosen
                one.ended = piece.ended
        choices = [
            ChatChoice(
                index=index,
                message=ChatAnswer(role="assistant", content=one.text),
                logprobs=self._logprobs(one.chosen),
                finish_reason=one.ended,
            )
            for index, one in enumerate(told)
        ]
        return ChatCompletion(
            id=self.id,
            object="chat.completion",
            created=self.created,
            model=self.model,
            choices=choices,
            usage=usage(self.runs),
        )

    async def chunks(self, pieces: AsyncIterable[Sequence[Piece]]) -> AsyncIterator[ChatCompletionChunk]:
        for index in range(len(self.runs)):
            yield self._chunk([self._choice(index, ChatDelta(role="assistant", content=""))])
        async for some in pieces:
            for piece in merged(some):
                delta = ChatDelta(content=piece.text) if piece.text else ChatDelta()
                yield self._chunk([self._choice(piece.index, delta, self._logprobs(piece.chosen), piece.ended)])
        if self.include_usage:
            yield self._chunk([], usage(self.runs))

    def _choice(
        self, index: int, delta: ChatDelta, logprobs: ChatLogprobs | None = None, ended: FinishReason | None = None
    ) -> ChatChunkChoice:
        return ChatChunkChoice(index=index, delta=delta, logprobs=logprobs, finish_reason=ended)

    def _chunk(self, choices: list[ChatChunkChoice], usage: Usage | None = None) -> ChatCompletionChunk:
        return ChatCompletionChunk(
            id=self.id,
            object="chat.completion.chunk",
            created=self.created,
            model=self.model,
            choices=choices,
            usage=usage,
        )

    def _logprobs(self, chosen: Sequence[Chosen]) -> ChatLogprobs | None:
        return ChatLogprobs(content=[self._logprob(one) for one in chosen]) if self.wants_logprobs else None

    def _logprob(self, one: Chosen) -> ChatLogprob:
        token = self.speaker.decode([one.token])
        others = []
        for other in one.others:
            text = self.speaker.decode([other.token])
            others.append(TopLogprob(token=text, logprob=other.logprob, bytes=[*text.encode()]))
        return ChatLogprob(token=token, logprob=one.logprob or 0.0, bytes=[*token.encode()], top_logprobs=others)
