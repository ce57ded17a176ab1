import pytest

from inferplane.dataplane.server.moving import MovingLine


def line(*points: tuple[float, float]) -> MovingLine:
    made = MovingLine(0.2)
    for x, y in points:
        made.add(x, y)
    return made


def test_points_on_a_line_give_the_line() -> None:
    found = line(*[(float(x), 3.0 + 2.0 * x) for x in (1, 5, 2, 9, 4, 7)])
    assert [found.at(x) for x in (2.0, 6.0)] == pytest.approx([7.0, 15.0])


def test_points_at_one_place_give_a_line_through_zero_above_them() -> None:
    found = line(*[(10.0, 2.0)] * 3)
    assert [found.at(x) for x in (5.0, 10.0, 30.0)] == [2.0, 2.0, 6.0]


def test_a_line_never_falls() -> None:
    found = line(*[(float(x), 10.0 - x) for x in (1, 5, 2, 9)])
    assert found.at(100.0) == found.y
