"""What a request asks of generation, and what it is told where that cannot be."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from inferplane.dataplane.openai.errors import InvalidField
from inferplane.dataplane.openai.requests import ChatCompletionRequest, ChatMessage, CompletionRequest
from inferplane.dataplane.runtimes.huggingface import chats, completions
from inferplane.dataplane.runtimes.huggingface.asked import Asked, Speaker, asked
from inferplane.dataplane.runtimes.huggingface.batching import Limits, Piece, Run, Sampling
from inferplane.dataplane.runtimes.huggingface.chats import Chats
from inferplane.dataplane.runtimes.huggingface.completions import merged
from inferplane.inference.errors import Unimplemented

END = 9


def letters(tokens: Sequence[int]) -> str:
    return "".join(chr(96 + token) for token in tokens)


SPEAKER = Speaker("m", letters, frozenset([END]), context=10, vocabulary=26)
APART = Speaker("m", letters, frozenset([END]), context=10, vocabulary=26, apart=True)


def completion(**fields: object) -> CompletionRequest:
    return CompletionRequest(model="m", prompt="x", **fields)  # type: ignore[arg-type]  # each test's own fields


def how(speaker: Speaker = SPEAKER, usual: int | None = None, **fields: object) -> Asked:
    request = completion(**fields)
    return asked(request, speaker, request.max_tokens, request.logprobs, usual=usual)


def rooms(prompts: Sequence[int], speaker: Speaker = SPEAKER, usual: int | None = None, **fields: object) -> list[int]:
    """How many tokens the answers to prompts of these lengths may have."""
    runs = how(speaker, usual, **fields).runs([[1] * length for length in prompts], speaker, "prompt")
    return [run.limits.max_tokens for run in runs]


def test_without_a_number_an_answer_may_fill_the_context() -> None:
    assert rooms([3, 9]) == [7, 1]


def test_what_is_usual_is_less_where_the_context_leaves_less() -> None:
    assert rooms([3, 9], usual=5) == [5, 1]


def test_behind_an_encoder_prompt_and_answer_have_a_context_each() -> None:
    assert rooms([3, 10], APART) == [10, 10]


@pytest.mark.parametrize(("length", "tokens", "told"), [(3, 8, 11), (10, None, 11), (12, 1, 13)])
def test_too_much_is_told_with_both_numbers(length: int, tokens: int | None, told: int) -> None:
    with pytest.raises(InvalidField, match=rf"context length is 10 tokens, and {told} were asked for") as refused:
        rooms([length], max_tokens=tokens)
    assert (refused.value.code, refused.value.param) == ("context_length_exceeded", "prompt")


def test_each_of_several_answers_has_a_seed_of_its_own() -> None:
    runs = how(n=2, seed=5, temperature=1.0).runs([[1], [2]], SPEAKER, "prompt")
    assert [(run.index, run.prompt) for run in runs] == [(0, [1]), (1, [1]), (2, [2]), (3, [2])]
    draws = [run.random.random() for run in runs]
    assert (draws[0] == draws[2], draws[0] == draws[1]) == (True, False)


def test_more_texts_than_may_be_are_refused() -> None:
    with pytest.raises(InvalidField, match="expected 128 texts at most, got 130"):
        how(n=65).runs([[1], [2]], SPEAKER, "prompt")


def test_ends_are_the_models_and_the_requests() -> None:
    assert how(stop_token_ids=[4]).ends == {END, 4}
    assert how(ignore_eos=True, stop_token_ids=[4]).ends == {4}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"temperature": 2.5}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"top_p": 1.5}, "top_p"),
        ({"presence_penalty": -3.0}, "presence_penalty"),
        ({"repetition_penalty": 0.0}, "repetition_penalty"),
        ({"logit_bias": {"26": 1.0}}, "logit_bias"),
        ({"logit_bias": {"3": 101.0}}, "logit_bias"),
        ({"logprobs": 21}, "logprobs"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"stop": ["a", ""]}, "stop"),
    ],
)
def test_a_value_out_of_range_is_refused_by_its_field(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidField) as refused:
        how(**fields)
    assert refused.value.param == param


@pytest.mark.parametrize("fields", [{"suffix": "x"}, {"best_of": 2}, {"echo": True, "logprobs": 1}])
def test_what_is_not_done_is_said(fields: dict[str, object]) -> None:
    with pytest.raises(Unimplemented):
        completions.asked_for(completion(**fields), SPEAKER)


def test_parts_of_a_message_become_one_text() -> None:
    parts = ChatMessage(role="user", content=[{"type": "text", "text": "a"}, {"type": "text", "text": "b"}])
    tools = ChatMessage(role="assistant", tool_calls=[{"id": "1"}])
    found = chats.conversation(ChatCompletionRequest(model="m", messages=[parts, tools]))
    assert found == [
        {"role": "user", "content": "a\nb"},
        {"role": "assistant", "content": "", "tool_calls": [{"id": "1"}]},
    ]


def test_pieces_that_came_together_are_one_a_text() -> None:
    pieces = [Piece(0, "a", 1, None), Piece(1, "x", 1, None), Piece(0, "b", 2, "stop")]
    assert [*merged(pieces)] == [Piece(0, "ab", 2, "stop"), Piece(1, "x", 1, None)]


async def test_a_chats_chunks_begin_with_the_role_and_end_with_the_usage() -> None:
    run = Run(0, [1, 2], Sampling(), Limits(2), letters)
    run.tokens = [3, 4]

    async def pieces() -> AsyncIterator[list[Piece]]:
        yield [Piece(0, "c", 1, None)]
        yield [Piece(0, "d", 2, "length")]

    form = Chats("id", 5, "m", [run], SPEAKER, wants_logprobs=False, include_usage=True)
    first, *told, last = [chunk async for chunk in form.chunks(pieces())]
    assert (first.choices[0].delta.role, first.choices[0].delta.content) == ("assistant", "")
    assert [(one.choices[0].delta.content, one.choices[0].finish_reason) for one in told] == [
        ("c", None),
        ("d", "length"),
    ]
    assert last.choices == []
    assert last.usage is not None
    assert (last.usage.prompt_tokens, last.usage.completion_tokens, last.usage.total_tokens) == (2, 2, 4)
