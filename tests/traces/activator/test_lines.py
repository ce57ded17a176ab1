"""The activator's line over made-up time: arrivals, pods that start and end, requests that take a while."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferplane.controlplane.activator.decide import Throttle, Ticket
from inferplane.controlplane.activator.meter import Meter
from inferplane.relay.gate import Address


@dataclass
class Trace:
    """What came of the requests: (number, when it went, to which pod), and the load second by second."""

    went: list[tuple[int, float, str]] = field(default_factory=list)
    load: list[float] = field(default_factory=list)
    ended: list[tuple[int, float]] = field(default_factory=list)


def trace(
    concurrency: int, arrivals: Sequence[float], seconds: float, pods: Sequence[tuple[float, str]], until: float = 60.0
) -> Trace:
    """`pods`: from that moment on these are ready, a letter each. Each request takes so many seconds at its pod."""
    line, meter, made = Throttle[int](concurrency, 10_000, lambda below: 0), Meter(0.0), Trace()
    order = 0
    events: list[tuple[float, int, object]] = []

    def plan(at: float, value: object) -> None:
        nonlocal order
        order += 1
        heapq.heappush(events, (at, order, value))

    for moment, names in pods:
        plan(moment, [Address(name, 80) for name in names])
    for number, moment in enumerate(arrivals):
        plan(moment, number)
    for second in range(1, int(until) + 1):
        plan(float(second), None)
    while events:
        now, _, value = heapq.heappop(events)
        if isinstance(value, list):
            line.set_pods(value)
        elif isinstance(value, int):
            assert line.arrive(value) is not None
            meter.arrived(now)
        elif isinstance(value, Ticket):
            line.finish(value)
            meter.left(now)
            made.ended.append((value.request, now))
        else:
            made.load.append(round(meter.report(now)[0], 6))
        for ticket in line.assign(now):
            assert ticket.pod is not None
            made.went.append((ticket.request, now, ticket.pod.address.host))
            plan(now + seconds, ticket)
    return made


def test_a_cold_start_lets_all_go_at_once_and_counts_those_who_waited() -> None:
    found = trace(0, [0.0, 0.25, 0.5], seconds=0.1, pods=[(1.0, "a")], until=2)
    assert found.went == [(0, 1.0, "a"), (1, 1.0, "a"), (2, 1.0, "a")]
    assert found.load == [2.25, 0.3]


def test_a_hard_limit_makes_a_burst_into_a_queue_that_takes_its_time() -> None:
    found = trace(2, [0.0] * 6, seconds=1.0, pods=[(0.0, "a")], until=4)
    assert [(number, when) for number, when, _ in found.went] == [(0, 0), (1, 0), (2, 1), (3, 1), (4, 2), (5, 2)]
    assert found.load == [6.0, 4.0, 2.0, 0.0]


def test_a_second_pod_takes_its_share_of_those_who_wait_when_it_comes() -> None:
    found = trace(1, [0.0] * 5, seconds=2.0, pods=[(0.0, "a"), (1.0, "ab")], until=6)
    assert found.went == [(0, 0.0, "a"), (1, 1.0, "b"), (2, 2.0, "a"), (3, 3.0, "b"), (4, 4.0, "a")]


def test_nobody_goes_to_a_pod_that_is_lost_and_what_runs_there_goes_on() -> None:
    found = trace(1, [0.0, 0.5], seconds=3.0, pods=[(0.0, "a"), (0.25, ""), (5.0, "b")], until=9)
    assert found.went == [(0, 0.0, "a"), (1, 5.0, "b")]
    assert found.ended == [(0, 3.0), (1, 8.0)]


@given(
    st.sampled_from((0, 1, 3, 7)),
    st.lists(st.floats(0, 20), max_size=40),
    st.floats(0.01, 2),
    st.lists(st.tuples(st.floats(0, 20), st.sampled_from(("", "a", "ab", "bc"))), max_size=6),
)
def test_everybody_is_served_once_in_order_and_the_load_is_the_time_they_took(
    concurrency: int, arrivals: list[float], seconds: float, pods: list[tuple[float, str]]
) -> None:
    arrivals = sorted(arrivals)
    found = trace(concurrency, arrivals, seconds, [*pods, (20.0, "a")], until=200)
    assert [number for number, _, _ in found.went] == list(range(len(arrivals)))
    spent = sum(end - arrivals[number] for number, end in found.ended)
    assert sum(found.load) == pytest.approx(spent, abs=1e-3)
