"""Quantities: exact amounts, one spelling each."""

from fractions import Fraction

import pytest

from inferplane.resources.schemas.quantities import amount, canonical, is_quantity


@pytest.mark.parametrize(
    ("text", "spelling"),
    [
        ("1000m", "1"),
        ("1500m", "1500m"),
        ("0.5", "500m"),
        ("1", "1"),
        ("1000", "1k"),
        ("1024", "1024"),
        ("1024Mi", "1Gi"),
        ("1.5Gi", "1536Mi"),
        ("0.5Ki", "512"),
        ("1e3", "1e3"),
        ("12E", "12E"),
        ("0", "0"),
        ("0Gi", "0"),
        ("-1", "-1"),
        ("1n", "1n"),
        ("0.1n", "1n"),
        ("100k", "100k"),
    ],
)
def test_a_quantity_has_one_spelling(text: str, spelling: str) -> None:
    assert canonical(text) == spelling
    assert canonical(spelling) == spelling


def test_amounts_are_exact() -> None:
    assert amount("1.5Gi") == 3 * 2**29
    assert amount("100m") == Fraction(1, 10)
    assert amount("2e3") == amount("2k") == 2000


@pytest.mark.parametrize("text", ["", "abc", "1 Gi", "1gi", "--1", True, None])
def test_what_is_no_quantity_is_told_apart(text: object) -> None:
    assert not is_quantity(text)


def test_a_text_that_is_no_quantity_has_no_amount() -> None:
    with pytest.raises(ValueError, match="got 'many'"):
        amount("many")
