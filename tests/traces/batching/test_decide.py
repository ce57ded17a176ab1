"""Which calls run together and when, over made-up time: a worker that computes a batch for so long, and arrivals."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from inferplane.dataplane.server.batching.decide import Bounds, Queue


@dataclass
class Made:
    since: float
    rows: int = 1
    kind: str | None = "a"
    size: int = 100
    left: bool = False


Run = tuple[float, list[int]]
"""When it began, and the numbers of the calls in it."""


def trace(bounds: Bounds, calls: Sequence[Made], seconds: float) -> list[Run]:
    """One worker that takes `seconds` for each run; calls arrive at their `since`."""
    queue: Queue[Made] = Queue(bounds)
    arriving = sorted(calls, key=lambda call: call.since)
    numbers = {id(call): number for number, call in enumerate(calls)}
    now, runs = 0.0, []
    while arriving or len(queue):
        while arriving and arriving[0].since <= now:
            queue.add(arriving.pop(0))
        taken = queue.take(now)
        if taken:
            runs.append((round(now, 6), [numbers[id(call)] for call in taken]))
            now += seconds
            continue
        due = queue.due()
        coming = [] if due is None else [due]
        now = min(coming + [call.since for call in arriving[:1]], default=now)
    return runs


def test_an_idle_worker_never_waits() -> None:
    assert trace(Bounds(), [Made(0.0), Made(1.0), Made(2.0)], 0.1) == [(0.0, [0]), (1.0, [1]), (2.0, [2])]


def test_what_collects_while_the_worker_is_busy_runs_together() -> None:
    assert trace(Bounds(), [Made(0.0), Made(0.1), Made(0.2), Made(0.3)], 1.0) == [(0.0, [0]), (1.0, [1, 2, 3])]


def test_a_batch_holds_no_more_rows_than_allowed() -> None:
    calls = [Made(0.0, rows=3), Made(0.0, rows=3), Made(0.0, rows=2), Made(0.0, rows=9), Made(0.0)]
    assert trace(Bounds(rows=8), calls, 1.0) == [(0.0, [0, 1, 2]), (1.0, [3]), (2.0, [4])]


def test_a_batch_holds_no_more_bytes_than_allowed() -> None:
    calls = [Made(0.0, size=600), Made(0.0, size=300), Made(0.0, size=300), Made(0.0, size=5000)]
    assert trace(Bounds(bytes=1000), calls, 1.0) == [(0.0, [0, 1]), (1.0, [2]), (2.0, [3])]


def test_kinds_do_not_mix_and_the_one_that_waited_longest_is_next() -> None:
    calls = [Made(0.0), Made(0.1, kind="b"), Made(0.2), Made(0.3, kind="b"), Made(0.4)]
    assert trace(Bounds(), calls, 1.0) == [(0.0, [0]), (1.0, [1, 3]), (2.0, [2, 4])]


def test_calls_without_a_kind_run_alone() -> None:
    assert trace(Bounds(), [Made(0.0, kind=None)] * 1 + [Made(0.0, kind=None)], 1.0) == [(0.0, [0]), (1.0, [1])]


def test_max_latency_lets_the_first_call_wait_for_others() -> None:
    calls = [Made(0.0), Made(0.004), Made(0.2)]
    assert trace(Bounds(latency=0.01), calls, 0.001) == [(0.01, [0, 1]), (0.21, [2])]


def test_a_full_batch_does_not_wait_for_max_latency() -> None:
    calls = [Made(0.0, rows=2), Made(0.003, rows=2)]
    assert trace(Bounds(rows=4, latency=1.0), calls, 0.1) == [(0.003, [0, 1])]


def test_calls_without_a_kind_do_not_wait_for_max_latency() -> None:
    assert trace(Bounds(latency=1.0), [Made(0.5, kind=None)], 0.1) == [(0.5, [0])]


def test_what_was_left_is_dropped_and_takes_no_place_in_a_batch() -> None:
    calls = [Made(0.0, left=True), Made(0.0), Made(0.0, left=True), Made(0.0)]
    assert trace(Bounds(rows=2), calls, 1.0) == [(0.0, [1, 3])]


def test_dropping_what_was_left_makes_room() -> None:
    queue: Queue[Made] = Queue(Bounds())
    calls = [Made(0.0), Made(0.0), Made(0.0, kind="b")]
    for call in calls:
        queue.add(call)
    calls[0].left = calls[2].left = True
    queue.drop_left()
    assert (len(queue), queue.size, queue.take(0.0)) == (1, 100, [calls[1]])


MADE = st.builds(
    Made,
    since=st.integers(0, 20).map(lambda step: step / 4),
    rows=st.integers(1, 6),
    kind=st.sampled_from(["a", "b", None]),
    size=st.integers(1, 600),
    left=st.booleans(),
)


@given(st.lists(MADE, max_size=30), st.integers(1, 8), st.sampled_from([0.0, 0.3, 2.0]))
def test_every_call_runs_once_in_order_and_within_bounds(calls: list[Made], rows: int, latency: float) -> None:
    bounds = Bounds(rows=rows, bytes=1000, latency=latency)
    runs = trace(bounds, calls, 0.5)
    numbers = [number for _, run in runs for number in run]
    assert sorted(numbers) == [number for number, call in enumerate(calls) if not call.left]
    for start, run in runs:
        batch = [calls[number] for number in run]
        assert len({call.kind for call in batch}) == 1
        assert all(call.since <= start for call in batch)
        assert len(batch) == 1 or (batch[0].kind is not None and sum(call.rows for call in batch) <= rows)
        assert len(batch) == 1 or sum(call.size for call in batch) <= 1000
    for kind in ("a", "b", None):
        of_kind = [number for number in numbers if calls[number].kind == kind]
        assert [calls[number].since for number in of_kind] == sorted(calls[number].since for number in of_kind)


@given(st.lists(MADE, min_size=1, max_size=30))
def test_the_worker_is_never_idle_while_something_is_due(calls: list[Made]) -> None:
    for call in calls:
        call.left = False
    runs = trace(Bounds(), calls, 0.5)
    for (start, _), (following, run) in pairwise(runs):
        assert following == max(round(start + 0.5, 6), min(calls[number].since for number in run))
