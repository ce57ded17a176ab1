"""Go's notation of numbers and durations."""

import pytest

from inferplane.resources.go_text import decimal, duration, duration_text, integer, truth

SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("0", 0), ("60s", 60 * SECOND), ("1m30s", 90 * SECOND), ("1h", 3600 * SECOND), ("1.5s", 3 * SECOND // 2),
        (".5s", SECOND // 2), ("1.s", SECOND), ("250ms", SECOND // 4), ("-2s", -2 * SECOND), ("+2s", 2 * SECOND),
        ("3us", 3000), ("3µs", 3000), ("7ns", 7), ("1h1h", 7200 * SECOND), ("0.0000000019s", 1),
    ],
)  # fmt: skip
def test_a_duration_is_nanoseconds(text: str, nanoseconds: int) -> None:
    assert duration(text) == nanoseconds


@pytest.mark.parametrize("text", ["", "30", "s", ".s", "1 s", "1d", "1s ", "-", "1h-2m", "١s", "300000000h"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a duration"):
        duration(text)


@pytest.mark.parametrize(
    "text", ["0s", "1ns", "1.5µs", "250ms", "6s", "1m0s", "1m30.5s", "1h0m0s", "100h0m1s", "-1m0s", "1.000000001s"]
)
def test_a_duration_is_written_as_it_is_read(text: str) -> None:
    assert duration_text(duration(text)) == text


@pytest.mark.parametrize(("text", "value"), [("0", 0), ("+5", 5), ("-1", -1), ("2147483647", 2**31 - 1), ("007", 7)])
def test_an_integer_has_32_bits(text: str, value: int) -> None:
    assert integer(text) == value


@pytest.mark.parametrize("text", ["", "1.0", "1_000", " 1", "1e3", "2147483648", "-2147483649", "0x10", "٣"])
def test_what_is_no_integer_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected an integer"):
        integer(text)


@pytest.mark.parametrize(("text", "value"), [("0.01", 0.01), ("1e2", 100), (".5", 0.5), ("7.", 7), ("-1", -1)])
def test_a_decimal_is_a_float(text: str, value: float) -> None:
    assert decimal(text) == value


@pytest.mark.parametrize("text", ["", ".", "1,5", "1_0", "inf", "NaN", "1e999", "70%", " 1"])
def test_what_is_no_finite_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a number"):
        decimal(text)


def test_truth_has_gos_spellings() -> None:
    assert [truth(one) for one in ("1", "t", "True", "0", "F", "false")] == [True, True, True, False, False, False]
    with pytest.raises(ValueError, match="expected true or false"):
        truth("yes")
