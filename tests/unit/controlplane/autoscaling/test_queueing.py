"""Requests at made-up pods: they wait in their order for a slot."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from inferplane.controlplane.autoscaling.queueing import STEP, Line


def after(line: Line, steps: int, arrivals: int, ready: int) -> float:
    """In flight on average, once it is steady."""
    figures = [line.advance(arrivals, ready) for _ in range(steps)]
    return sum(figures[steps // 2 :]) / (steps - steps // 2)


@pytest.mark.parametrize("duration", [0.005, 0.02, 0.2, 3])
def test_in_flight_is_rate_times_duration(duration: float) -> None:
    assert after(Line(duration, 0, 300), 1000, 2, 1) == pytest.approx(2 / STEP * duration)


def test_without_a_pod_all_wait_and_then_start_in_their_order() -> None:
    line = Line(1.0, 1, 300)
    for _ in range(3):
        line.advance(1, 0)
    assert (line.waiting, line.waits.count) == (3, 0)
    for _ in range(150):
        line.advance(0, 1)
    assert (line.waiting, line.waits.count, line.waits.delayed) == (0, 3, 3)
    assert line.waits.quantile(1 / 3) == pytest.approx(3 * STEP)
    assert line.waits.longest == pytest.approx(2 + STEP)


@pytest.mark.parametrize(("duration", "slots", "ready"), [(0.005, 1, 1), (0.03, 3, 2), (1.0, 5, 3), (0.02, 1, 4)])
def test_pods_finish_what_their_slots_allow(duration: float, slots: int, ready: int) -> None:
    line = Line(duration, slots, 1e9)
    for _ in range(1000):
        line.advance(50, ready)
    steps = max(1, round(duration / STEP))
    possible = 1000 * slots * ready / (steps * min(1, duration / STEP))
    assert line.waits.count == pytest.approx(possible, rel=0.06)


def test_a_request_that_waits_too_long_gives_up() -> None:
    line = Line(0.02, 0, timeout=0.1)
    line.advance(4, 0)
    for _ in range(6):
        line.advance(0, 0)
    assert (line.waiting, line.timed_out) == (0, 4)


@given(some.lists(some.tuples(some.integers(0, 9), some.integers(0, 3)), max_size=60), some.integers(0, 3))
def test_no_request_is_lost_and_slots_are_kept(steps: list[tuple[int, int]], slots: int) -> None:
    line, came = Line(0.1, slots, 0.5), 0
    for arrivals, ready in steps:
        came += arrivals
        in_flight = line.advance(arrivals, ready)
        assert line.waits.count + line.waiting + line.timed_out == came
        assert in_flight - line.waiting <= (3 * slots if slots else came)
