"""What a model has to have to be asked by the OpenAI endpoints; the names are KServe's.

A model has the methods of what it can do and no others: the endpoint of one that it lacks answers 400. A model whose
ability is known only once it is loaded raises `errors.unsupported`.

Everything is called on the server's loop, so what computes goes to a thread. What a method raises becomes the
answer: InvalidInput (and `errors.InvalidField`, which names the field) 400, Overloaded 503 with `retry-after`,
Unimplemented 501, anything else 500. Cancelled, or with its iterator closed, when the client leaves.
"""

from collections.abc import AsyncIterator
from typing import Protocol, runtime_checkable

from inferplane.dataplane.openai.answers import ChatCompletion, ChatCompletionChunk, Completion, Embedding, Rerank
from inferplane.dataplane.openai.requests import (
    ChatCompletionRequest,
    CompletionRequest,
    EmbeddingRequest,
    RerankRequest,
)

Headers = dict[str, str]
"""Of the request, names in lower case."""


@runtime_checkable
class OpenAIGenerativeModel(Protocol):
    """Gives chunks where `stream` is true, else one answer. A refusal is raised before the first chunk."""

    name: str

    async def create_completion(
        self, request: CompletionRequest, headers: Headers
    ) -> Completion | AsyncIterator[Completion]: ...

    async def create_chat_completion(
        self, request: ChatCompletionRequest, headers: Headers
    ) -> ChatCompletion | AsyncIterator[ChatCompletionChunk]: ...


@runtime_checkable
class OpenAIEncoderModel(Protocol):
    name: str

    async def create_embedding(self, request: EmbeddingRequest, headers: Headers) -> Embedding: ...

    async def create_rerank(self, request: RerankRequest, headers: Headers) -> Rerank: ...
