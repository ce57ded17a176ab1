from datetime import UTC, datetime

import pytest

from inferplane.cli.why.words import ago, duration, plural


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0009, "0.9 ms"),
        (0.21, "0.2 s"),
        (4.13, "4.1 s"),
        (42, "42 s"),
        (720, "12 min"),
        (10_000, "3 h"),
        (400_000, "5 d"),
    ],
)
def test_a_duration_is_in_the_unit_that_suits_it(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_a_moment_is_told_as_its_distance() -> None:
    assert ago("2026-05-01T12:00:00Z", datetime(2026, 5, 1, 12, 0, 3, tzinfo=UTC)) == "3 s"


def test_clocks_that_disagree_give_no_negative_age() -> None:
    assert ago("2026-05-01T12:00:05Z", datetime(2026, 5, 1, 12, 0, 3, tzinfo=UTC)) == "0 s"


def test_one_is_singular() -> None:
    assert (plural(1, "replica"), plural(2, "replica"), plural(0, "replica")) == (
        "1 replica",
        "2 replicas",
        "0 replicas",
    )
