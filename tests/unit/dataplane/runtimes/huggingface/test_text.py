"""Texts as tokens come: whole characters, and nothing of a stop string."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from inferplane.dataplane.runtimes.huggingface.text import Detokenizer, StopStrings


def of_bytes(tokens: Sequence[int]) -> str:
    """A tokenizer whose tokens are bytes."""
    return bytes(tokens).decode(errors="replace")


def of_words(tokens: Sequence[int]) -> str:
    """A tokenizer that writes no space before the first word, whichever that is."""
    return " ".join(f"w{token}" for token in tokens)


def told(text: str) -> list[str]:
    one = Detokenizer(of_bytes)
    return [one.add(byte) for byte in text.encode()]


def test_a_character_is_told_when_its_last_byte_is_there() -> None:
    assert told("é€") == ["", "é", "", "", "€"]


def test_characters_before_an_incomplete_one_are_told() -> None:
    assert told("a🙂b") == ["a", "", "", "", "🙂", "b"]


def test_the_space_before_a_word_is_told() -> None:
    one = Detokenizer(of_words)
    assert [one.add(1), one.add(2), one.add(3)] == ["w1", " w2", " w3"]


def test_bytes_that_are_no_character_are_told_when_another_begins() -> None:
    one = Detokenizer(of_bytes)
    assert [one.add(byte) for byte in (0xE2, 0x41, 0xFF, 0x42)] == ["", "\ufffdA", "", "\ufffdB"]


def test_what_is_incomplete_at_the_end_is_told_as_such() -> None:
    one = Detokenizer(of_bytes)
    assert one.add(0xC3) == ""
    assert one.rest() == "\ufffd"


@given(st.binary(max_size=40))
def test_together_it_is_the_text_of_all_tokens(data: bytes) -> None:
    one = Detokenizer(of_bytes)
    assert "".join([one.add(byte) for byte in data]) + one.rest() == of_bytes(data)


def stopped(stops: Sequence[str], *texts: str) -> tuple[list[str], bool]:
    one = StopStrings(stops)
    found = []
    for text in texts:
        text, met = one.add(text)
        found.append(text)
        if met:
            return found, True
    return [*found, one.rest()], False


def test_a_text_ends_before_a_stop_string() -> None:
    assert stopped(["."], "One. Two") == (["One"], True)


def test_a_stop_string_is_met_across_pieces() -> None:
    assert stopped(["END"], "this E", "N", "D and more") == (["this ", "", ""], True)


def test_what_only_began_like_a_stop_string_is_told_after_all() -> None:
    assert stopped(["END"], "an E", "N", "d") == (["an ", "", "ENd", ""], False)


def test_what_is_held_back_at_the_end_is_told() -> None:
    assert stopped(["END"], "an EN") == (["an ", "EN"], False)


def test_the_stop_string_that_comes_first_counts() -> None:
    assert stopped(["b", "aa"], "xaab") == (["x"], True)


@given(st.lists(st.text("ab", max_size=3), max_size=8), st.lists(st.text("ab", min_size=1, max_size=3), max_size=2))
def test_however_a_text_is_cut_it_ends_at_the_same_place(pieces: list[str], stops: list[str]) -> None:
    whole = "".join(pieces)
    ends = [at for stop in stops if (at := whole.find(stop)) >= 0]
    found, met = stopped(stops, *pieces)
    assert ("".join(found), met) == ((whole[: min(ends)], True) if ends else (whole, False))
