"""Answers of the OpenAI endpoints. A field with a default is left out where it has it; the others are always there."""

from typing import Literal, TypeAlias

import msgspec

FinishReason: TypeAlias = Literal["stop", "length"]


class Usage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Numbers of tokens."""

    prompt_tokens: int
    total_tokens: int
    completion_tokens: int | None = None


# Completions.


class CompletionLogprobs(msgspec.Struct, frozen=True, kw_only=True):
    """One entry a token. `text_offset` is where the token's text begins; `top_logprobs` are alternatives by text."""

    text_offset: list[int]
    token_logprobs: list[float]
    tokens: list[str]
    top_logprobs: list[dict[str, float]]


class CompletionChoice(msgspec.Struct, frozen=True, kw_only=True):
    index: int
    text: str
    logprobs: CompletionLogprobs | None
    finish_reason: FinishReason | None


class Completion(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Whole, or one chunk of a stream."""

    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    choices: list[CompletionChoice]
    usage: Usage | None = None


# Chats.


class TopLogprob(msgspec.Struct, frozen=True, kw_only=True):
    token: str
    logprob: float
    bytes: list[int]


class ChatLogprob(msgspec.Struct, frozen=True, kw_only=True):
    token: str
    logprob: float
    bytes: list[int]
    top_logprobs: list[TopLogprob]


class ChatLogprobs(msgspec.Struct, frozen=True, kw_only=True):
    content: list[ChatLogprob]


class ChatAnswer(msgspec.Struct, frozen=True, kw_only=True):
    role: Literal["assistant"]
    content: str


class ChatChoice(msgspec.Struct, frozen=True, kw_only=True):
    index: int
    message: ChatAnswer
    logprobs: ChatLogprobs | None
    finish_reason: FinishReason | None


class ChatCompletion(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[ChatChoice]
    usage: Usage | None = None


class ChatDelta(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    role: Literal["assistant"] | None = None
    content: str | None = None


class ChatChunkChoice(msgspec.Struct, frozen=True, kw_only=True):
    index: int
    delta: ChatDelta
    logprobs: ChatLogprobs | None
    finish_reason: FinishReason | None


class ChatCompletionChunk(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    id: str
    object: Literal["chat.completion.chunk"]
    created: int
    model: str
    choices: list[ChatChunkChoice]
    usage: Usage | None = None


# Embeddings and rerank.


class EmbeddingItem(msgspec.Struct, frozen=True, kw_only=True):
    """`embedding` is a list of floats, or base64 of little-endian float32."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class Embedding(msgspec.Struct, frozen=True, kw_only=True):
    object: Literal["list"]
    model: str
    data: list[EmbeddingItem]
    usage: Usage


class RerankDocument(msgspec.Struct, frozen=True, kw_only=True):
    text: str


class RerankResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`index` is the document's place in the request."""

    index: int
    relevance_score: float
    document: RerankDocument | None = None


class Rerank(msgspec.Struct, frozen=True, kw_only=True):
    """`results` are sorted, the most relevant first."""

    id: str
    model: str
    results: list[RerankResult]
    usage: Usage


# Models.


class ModelCard(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelList(msgspec.Struct, frozen=True, kw_only=True):
    object: Literal["list"]
    data: list[ModelCard]
