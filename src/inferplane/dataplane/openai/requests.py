"""Bodies of the OpenAI endpoints, as their clients send them. What we do not know is ignored, as it is there.

Beside OpenAI's own fields there are those that clients of other servers send in `extra_body`: `top_k`,
`repetition_penalty`, `stop_token_ids`, `ignore_eos` and, for chats, `add_generation_prompt` and
`chat_template_kwargs`.
"""

from typing import TYPE_CHECKING, TypeAlias

import msgspec

Tokens: TypeAlias = list[int]

if TYPE_CHECKING:
    from inferplane.kernel.json import JsonObject

    Prompts: TypeAlias = str | list[str] | Tokens | list[Tokens]
else:
    # msgspec follows no type into itself, and tells no two lists apart: `_check_alike` does.
    JsonObject = dict[str, object]
    Prompts = str | list[str | int | list[int]]


class StreamOptions(msgspec.Struct, frozen=True, kw_only=True):
    include_usage: bool = False
    """One more chunk at the end, without choices, that has the usage."""


class Sampled(msgspec.Struct, frozen=True, kw_only=True):
    """What completions and chats have in common. None leaves a value to the model's server."""

    model: str
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: int | None = None
    n: int | None = None
    seed: int | None = None
    stop: str | list[str] | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    repetition_penalty: float | None = None
    logit_bias: dict[str, float] | None = None
    stop_token_ids: list[int] | None = None
    ignore_eos: bool | None = None
    user: str | None = None


class CompletionRequest(Sampled, frozen=True, kw_only=True):
    """`prompt` is a text, several, one as tokens, or several as tokens. `logprobs` is how many alternatives to tell."""

    prompt: Prompts
    echo: bool | None = None
    logprobs: int | None = None
    best_of: int | None = None
    suffix: str | None = None

    def __post_init__(self) -> None:
        _check_alike("prompt", self.prompt)


class ChatMessage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`content` is a text or parts, of which only `{"type": "text", "text": …}` is understood."""

    role: str
    content: str | list[JsonObject] | None = None
    name: str | None = None
    tool_calls: list[JsonObject] | None = None
    tool_call_id: str | None = None


class ResponseFormat(msgspec.Struct, frozen=True, kw_only=True):
    type: str


class ChatCompletionRequest(Sampled, frozen=True, kw_only=True):
    messages: list[ChatMessage]
    max_completion_tokens: int | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    tools: list[JsonObject] | None = None
    tool_choice: str | JsonObject | None = None
    response_format: ResponseFormat | None = None
    add_generation_prompt: bool | None = None
    chat_template_kwargs: JsonObject | None = None


class EmbeddingRequest(msgspec.Struct, frozen=True, kw_only=True):
    """`encoding_format` is `float` or `base64` (little-endian float32); `dimensions` cuts vectors."""

    model: str
    input: Prompts
    encoding_format: str | None = None
    dimensions: int | None = None
    user: str | None = None

    def __post_init__(self) -> None:
        _check_alike("input", self.input)


class RerankRequest(msgspec.Struct, frozen=True, kw_only=True):
    """`documents` are texts, or objects with a `text`. `top_n` None answers all of them."""

    model: str
    query: str
    documents: list[str | JsonObject]
    top_n: int | None = None
    return_documents: bool | None = None
    max_chunks_per_doc: int | None = None


def _check_alike(name: str, prompts: Prompts) -> None:
    if isinstance(prompts, list) and len({type(one) for one in prompts}) > 1:
        raise ValueError(f"{name}: expected all texts, all tokens, or all lists of tokens")
