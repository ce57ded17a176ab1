"""When a text ends, what is told of it, and which prompts are read together."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from inferplane.dataplane.runtimes.huggingface.batching import (
    Alternative,
    Chosen,
    Limits,
    Piece,
    Run,
    Sampling,
    Waiting,
    together,
)

END = 0


def letters(tokens: Sequence[int]) -> str:
    """1 is a, 2 is b, …; the end token is not written."""
    return "".join(chr(96 + token) for token in tokens if token != END)


def run(limits: Limits, sampling: Sampling | None = None) -> Run:
    return Run(0, [1], sampling or Sampling(), limits, letters)


def taken(one: Run, *tokens: int) -> list[Piece | None]:
    return [one.take(Chosen(token)) for token in tokens]


def test_each_token_is_a_piece_until_there_are_as_many_as_may_be() -> None:
    assert taken(run(Limits(max_tokens=2)), 1, 2) == [Piece(0, "a", 1, None), Piece(0, "b", 2, "length")]


def test_an_end_token_ends_the_text_without_being_in_it() -> None:
    assert taken(run(Limits(9, ends=frozenset([END]))), 1, END) == [Piece(0, "a", 1, None), Piece(0, "", 2, "stop")]


def test_an_end_token_brings_out_what_was_held_back_for_a_stop_string() -> None:
    one = run(Limits(9, stops=("bcd",), ends=frozenset([END])))
    assert taken(one, 1, 2, END) == [Piece(0, "a", 1, None), None, Piece(0, "b", 3, "stop")]


def test_a_stop_string_ends_the_text_before_it() -> None:
    assert taken(run(Limits(9, stops=("bc",))), 1, 2, 3) == [Piece(0, "a", 1, None), None, Piece(0, "", 3, "stop")]


def test_at_the_limit_what_was_held_back_is_told() -> None:
    assert taken(run(Limits(2, stops=("bcd",))), 1, 2) == [Piece(0, "a", 1, None), Piece(0, "b", 2, "length")]


def test_tokens_without_text_of_their_own_are_told_with_the_next() -> None:
    one = run(Limits(9, stops=("bc",)), Sampling(logprobs=1))
    first, second = Chosen(2, -0.5, (Alternative(2, -0.5),)), Chosen(4, -0.1, (Alternative(4, -0.1),))
    assert one.take(first) is None
    assert one.take(second) == Piece(0, "bd", 2, None, (first, second))


def test_tokens_are_counted_for_penalties() -> None:
    one = run(Limits(9), Sampling(presence_penalty=1.0))
    taken(one, 1, 2, 1)
    assert one.counts == {1: 2, 2: 1}


def test_the_first_in_line_are_taken_first() -> None:
    line: Waiting[str] = Waiting(most=3)
    line.add("abc")
    assert (line.has_room(1), line.take(2), line.has_room(2), len(line)) == (False, ["a", "b"], True, 1)


def test_a_request_for_more_than_may_wait_is_taken_when_nobody_waits() -> None:
    line: Waiting[str] = Waiting(most=2)
    assert line.has_room(5)
    line.add("abcde")
    assert not line.has_room(1)


def test_those_who_left_are_dropped_from_the_line() -> None:
    line: Waiting[str] = Waiting(most=3)
    names = ["a", "b", "c"]
    line.add(names)
    line.drop([names[1]])
    assert [*line] == ["a", "c"]


def test_prompts_of_about_one_length_are_read_together() -> None:
    assert together([10, 12, 9, 11], most=1000) == [[0, 1, 2, 3]]


def test_a_long_prompt_is_not_read_with_short_ones() -> None:
    assert together([5, 500, 6], most=1000) == [[0, 2], [1]]


def test_a_group_is_no_larger_than_allowed_but_a_prompt_may_be() -> None:
    assert together([40, 40, 40, 300], most=100) == [[0, 1], [2], [3]]


@given(st.lists(st.integers(1, 200), min_size=1, max_size=20), st.integers(1, 400))
def test_every_prompt_is_in_one_group_and_groups_are_within_bounds(lengths: list[int], most: int) -> None:
    groups = together(lengths, most)
    assert sorted(index for group in groups for index in group) == [*range(len(lengths))]
    for group in groups:
        padded = max(lengths[index] for index in group) * len(group)
        assert len(group) == 1 or (padded <= most and padded <= 1.5 * sum(lengths[index] for index in group))
