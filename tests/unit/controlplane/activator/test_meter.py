"""Concurrency as the time-weighted average between two reports (reference of Knative Serving, 4.3 and 5.2)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferplane.controlplane.activator.meter import Meter


def test_two_requests_of_half_a_second_in_one_second_are_one() -> None:
    meter = Meter(0.0)
    meter.arrived(0.0)
    meter.left(0.5)
    meter.arrived(0.5)
    meter.left(1.0)
    assert meter.report(1.0) == (1.0, 2.0)


def test_a_request_goes_on_counting_in_the_next_period() -> None:
    meter = Meter(0.0)
    meter.arrived(0.25)
    assert meter.report(1.0) == (0.75, 1.0)
    assert meter.report(2.0) == (1.0, 0.0)


def test_what_was_told_at_once_is_left_out_of_the_next_report_and_not_of_the_one_after() -> None:
    meter = Meter(0.0)
    meter.told_first()
    for _ in range(3):
        meter.arrived(0.0)
    assert meter.report(1.0) == (2.0, 2.0)
    assert meter.report(2.0) == (3.0, 0.0)


def test_a_short_first_request_is_not_reported_as_less_than_nothing() -> None:
    meter = Meter(0.0)
    meter.told_first()
    meter.arrived(0.0)
    meter.left(0.1)
    assert meter.report(1.0) == (0.0, 0.0)


def test_a_clock_that_goes_backwards_adds_nothing() -> None:
    meter = Meter(10.0)
    meter.arrived(10.0)
    meter.left(9.0)
    assert meter.report(9.5) == (0.0, 0.0)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=30))
def test_the_average_is_the_sum_of_the_times(spans: list[tuple[float, float]]) -> None:
    requests = [(min(one), max(one)) for one in spans]
    moments = sorted([(start, 0) for start, _ in requests] + [(end, 1) for _, end in requests])
    meter = Meter(0.0)
    for moment, leaves in moments:
        meter.left(moment) if leaves else meter.arrived(moment)
    average, rate = meter.report(1.0)
    assert average == pytest.approx(sum(end - start for start, end in requests))
    assert rate == len(requests)
