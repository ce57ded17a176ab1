"""Who goes, and to which pod. Policies and limits: Knative's throttler (reference of Knative Serving, 5.3)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferplane.controlplane.activator.decide import Limits, Patience, Pick, State, Throttle, Ticket
from inferplane.relay.gate import Address

A, B, C = (Address(f"127.0.0.{number}", 8080) for number in (1, 2, 3))


def throttle(concurrency: int = 0, *pods: Address, depth: int = 100, pick: Pick = lambda below: 0) -> Throttle[str]:
    made = Throttle[str](concurrency, depth, pick)
    made.set_pods(pods)
    return made


def arrived(line: Throttle[str], *names: str) -> list[Ticket[str]]:
    tickets = [line.arrive(name) for name in names]
    return [one for one in tickets if one is not None]


def going(line: Throttle[str], now: float = 0.0) -> list[tuple[str, Address]]:
    return [(one.request, one.pod.address) for one in line.assign(now) if one.pod]


def test_without_a_pod_everybody_waits_and_then_goes_in_the_order_of_arrival() -> None:
    line = throttle()
    arrived(line, "a", "b", "c")
    assert going(line) == []
    line.set_pods([A])
    assert going(line) == [("a", A), ("b", A), ("c", A)]


def test_only_those_who_found_no_pod_have_slept() -> None:
    line = throttle()
    [early] = arrived(line, "early")
    line.set_pods([A])
    [late] = arrived(line, "late")
    assert (early.slept, late.slept) == (True, False)


def test_a_pod_takes_no_more_than_the_concurrency_and_the_next_goes_when_one_ends() -> None:
    line = throttle(1, A)
    first, _ = arrived(line, "a", "b")
    assert going(line) == [("a", A)]
    line.finish(first)
    assert going(line) == [("b", A)]


def test_a_low_concurrency_fills_pods_in_the_order_of_their_addresses() -> None:
    line = throttle(2, C, A, B)
    arrived(line, *"abcdef")
    assert [pod for _, pod in going(line)] == [A, A, B, B, C, C]


def test_above_three_pods_take_turns_from_behind_the_last_one_and_full_ones_are_skipped() -> None:
    line = throttle(4, A, B, C)
    arrived(line, *"abcd")
    assert [pod for _, pod in going(line)] == [A, B, C, A]
    arrived(line, *"efghijkl", "m")
    assert [pod for _, pod in going(line)] == [B, C, A, B, C, A, B, C]
    assert line.waiting == 1


@pytest.mark.parametrize(("busy", "chosen"), [((3, 1), 1), ((1, 3), 0)])
def test_without_a_limit_the_less_busy_of_two_pods_is_taken(busy: tuple[int, int], chosen: int) -> None:
    # The two that are drawn are the first and the one behind it.
    line = throttle(0, A, B)
    for pod, count in zip(line._pods, busy, strict=True):
        pod.in_flight = count
    arrived(line, "a")
    assert going(line) == [("a", (A, B)[chosen])]


def test_the_two_are_always_two() -> None:
    drawn = iter((1, 1))
    line = throttle(0, A, B, C, pick=lambda below: next(drawn))
    for pod in line._pods:
        pod.in_flight = 5
    line._pods[0].in_flight = 0
    arrived(line, "a")
    # 1, and 1 + 1 + 1 of 3, which is 0.
    assert going(line) == [("a", A)]


def test_past_the_bound_nobody_enters_and_one_who_leaves_makes_room() -> None:
    line = throttle(0, depth=2)
    first, _ = arrived(line, "a", "b")
    assert line.arrive("c") is None
    line.finish(first)
    assert line.arrive("d") is not None


def test_one_whose_client_has_gone_is_passed_over() -> None:
    line = throttle()
    first, second = arrived(line, "a", "b")
    line.finish(first)
    line.set_pods([A])
    assert going(line) == [("b", A)]
    assert (first.state, second.state) == (State.OVER, State.RUNNING)


def test_those_who_left_behind_one_who_waits_are_not_kept() -> None:
    line = throttle()
    arrived(line, "waits")
    for number in range(1000):
        [gone] = arrived(line, str(number))
        line.finish(gone)
    assert len(line._line) < 200
    assert line.waiting == 1


def test_a_request_that_its_pod_refused_goes_before_those_who_came_later() -> None:
    line = throttle(1, A, B)
    first, second, _ = arrived(line, "first", "second", "third")
    assert going(line) == [("first", A), ("second", B)]
    line.refused(first, now=1.0)
    assert going(line, now=1.0) == []
    line.finish(second)
    assert going(line, now=1.0) == [("first", B)]


def test_a_pod_that_refuses_is_tried_again_after_milliseconds_and_then_less_and_less_often() -> None:
    line, now, pauses = throttle(0, A), 10.0, []
    [ticket] = arrived(line, "a")
    for _ in range(8):
        assert going(line, now) == [("a", A)]
        line.refused(ticket, now)
        again = line.next_try(now)
        assert again is not None
        pauses.append(round(again - now, 3))
        now = again
    assert pauses == [0.004, 0.008, 0.016, 0.032, 0.064, 0.1, 0.1, 0.1]


def test_a_pod_that_accepts_is_trusted_again() -> None:
    line = throttle(0, A)
    [ticket] = arrived(line, "a")
    line.assign(0.0)
    line.refused(ticket, 0.0)
    line.assign(1.0)
    line.accepted(ticket)
    line.refused(ticket, 1.0)
    assert line.next_try(1.0) == 1.004


def test_nobody_is_waited_for_when_nobody_waits() -> None:
    line = throttle(0, A)
    [ticket] = arrived(line, "a")
    line.assign(0.0)
    line.refused(ticket, 0.0)
    line.finish(ticket)
    assert line.next_try(0.0) is None


def test_a_pod_that_is_lost_gets_nobody_and_comes_back_with_what_still_runs_on_it() -> None:
    line = throttle(1, A)
    arrived(line, "a")
    going(line)
    line.set_pods([])
    arrived(line, "b")
    assert going(line) == []
    line.set_pods([B])
    assert going(line) == [("b", B)]


def test_finishing_twice_frees_one_place() -> None:
    line = throttle(1, A)
    first, _, _ = arrived(line, "a", "b", "c")
    line.assign(0.0)
    line.finish(first)
    line.finish(first)
    assert going(line) == [("b", A)]


EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("arrive"), st.just(0)),
        st.tuples(st.sampled_from(("finish", "refused")), st.integers(0, 30)),
        st.tuples(st.just("pods"), st.integers(0, 7)),
    ),
    max_size=60,
)


@given(EVENTS, st.sampled_from((0, 1, 2, 5)))
def test_whatever_happens_limits_hold_and_nobody_overtakes(events: list[tuple[str, int]], concurrency: int) -> None:
    line, tickets, now = throttle(concurrency, depth=10), list[Ticket[str]](), 0.0
    for what, number in events:
        now += 1.0
        if what == "arrive":
            tickets += arrived(line, str(len(tickets)))
        elif what == "pods":
            line.set_pods([pod for bit, pod in enumerate((A, B, C)) if number >> bit & 1])
        elif number < len(tickets):
            line.finish(tickets[number]) if what == "finish" else line.refused(tickets[number], now)
        went = line.assign(now)
        assert [one.order for one in went] == sorted(one.order for one in went)
        waiting = [one for one in tickets if one.state is State.WAITING]
        assert line.waiting == len(waiting) <= 10 + len(tickets) - len(waiting)
        assert all(one.order < other.order for one in went for other in waiting)
        _check_pods(line, tickets, concurrency, now)


def _check_pods(line: Throttle[str], tickets: list[Ticket[str]], concurrency: int, now: float) -> None:
    for pod in line._pods:
        assert pod.in_flight == sum(one.pod is pod for one in tickets)
        assert concurrency == 0 or pod.in_flight <= concurrency
    free = [pod for pod in line._pods if pod.takes_more(concurrency, now)]
    assert not (free and line.waiting), "somebody waits though there is room"


def test_patience_ends_with_the_first_limit_that_is_reached() -> None:
    limits = Limits(timeout=300, response_start=20, idle=30)
    assert Patience(limits, arrived=100).due() == 120
    assert Patience(limits, arrived=100, wrote=150).due() == 180
    assert Patience(limits, arrived=100, wrote=390).due() == 400


def test_the_idle_limit_counts_from_the_arrival_before_anything_was_written() -> None:
    assert Patience(Limits(idle=5), arrived=100).due() == 105


def test_without_limits_patience_is_endless() -> None:
    assert Patience(Limits(timeout=0), arrived=0).due() == float("inf")
