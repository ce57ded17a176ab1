"""Scaling down later: the largest value of some seconds."""

from hypothesis import given
from hypothesis import strategies as some

from inferplane.controlplane.autoscaling.delay import DelayWindow


def test_a_peak_is_held_for_the_delay() -> None:
    delay = DelayWindow(6)
    assert [delay.largest(second, value) for second, value in [(0, 5), (2, 1), (4, 2), (6, 1), (8, 1)]] == [
        5,
        5,
        5,
        2,
        2,
    ]


def test_of_two_values_in_one_slot_the_larger_counts() -> None:
    delay = DelayWindow(1)
    assert [delay.largest(second, value) for second, value in [(0, 5), (1, 3), (2, 1)]] == [5, 5, 1]


@given(some.integers(1, 20), some.lists(some.tuples(some.integers(0, 5), some.integers(0, 9)), min_size=1))
def test_it_is_the_maximum_over_the_last_slots(seconds: int, steps: list[tuple[int, int]]) -> None:
    delay, slots, now = DelayWindow(seconds), -(-seconds // 2), 0
    seen: list[tuple[int, int]] = []
    for step, value in steps:
        now += step
        seen.append((now // 2, value))
        assert delay.largest(now, value) == max(one for slot, one in seen if slot > now // 2 - slots)
