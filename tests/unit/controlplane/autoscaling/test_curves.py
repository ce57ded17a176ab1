"""Load as text: points in time, held or joined."""

import pytest

from inferplane.controlplane.autoscaling.curves import CurveError, parse


def test_a_rate_holds_until_the_next_point() -> None:
    curve = parse("0:10,60:200,120:0", "--load")
    assert [curve.rate(seconds) for seconds in (0, 59.9, 60, 119, 120, 999)] == [10, 10, 200, 200, 0, 0]
    assert (curve.end, curve.peak) == (120, 200)


def test_a_ramp_goes_there_in_a_straight_line() -> None:
    curve = parse("10:0,20:100", "--load", is_ramp=True)
    assert [curve.rate(seconds) for seconds in (0, 10, 15, 20, 30)] == [0, 0, 50, 100, 100]


@pytest.mark.parametrize("text", ["seconds,rate\n0,10\n\n# lunch\n60,2.5\n", "0,10\n60,2.5", "0:10,60:2.5"])
def test_a_file_has_a_line_for_each_point(text: str) -> None:
    assert list(parse(text, "load.csv").points) == [(0, 10), (60, 2.5)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no load there"),
        ("seconds,rate", "no load there"),
        ("0:10,60", "point 2: expected seconds and requests a second, got '60'"),
        ("0:10,60:many", "point 2: expected seconds and requests a second, got '60:many'"),
        ("0:10,60:inf", "point 2: expected seconds and requests a second"),
        ("0:10,60:-1", "point 2: expected numbers of 0 or more, got '60:-1'"),
        ("0:10,0:20", "point 2: expected a time after 0, got 0"),
        ("0,1\n5,2,3", "point 2: expected seconds and requests a second, got '5:2:3'"),
    ],
)
def test_what_is_no_load_is_said_with_its_place(text: str, words: str) -> None:
    with pytest.raises(CurveError) as refused:
        parse(text, "load.csv")
    assert str(refused.value).startswith("load.csv: ")
    assert words in str(refused.value)
