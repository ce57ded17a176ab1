"""Load as Envoy's statistics give it: requests over made-up time, as pages that are read once a second."""

import random
from collections.abc import Iterator, Sequence
from itertools import accumulate, count, takewhile
from typing import NamedTuple

import pytest

from inferplane.signals import gateway
from inferplane.signals.gateway import Meter, Moment
from inferplane.signals.stats import Stat

DAY = 1_790_000_000.25
CLUSTER = "default/iris-00001:80"


class Request(NamedTuple):
    start: float
    end: float


def page(requests: Sequence[Request], now: float, cluster: str = CLUSTER) -> bytes:
    """What Envoy shows `now`. It rounds down to the units of its counters, and tells of a request when it is old."""
    ended = [one.end - one.start for one in requests if one.end <= now]
    old = [one for one in requests if one.start + gateway.OLD <= now < one.end]
    values = {
        "load.micros.to." + cluster: sum(int(one * 1e6) for one in ended if one < gateway.SHORT),
        "load.millis.to." + cluster: sum(int(one * 1e3) for one in ended if one >= gateway.SHORT),
        "load.started.to." + cluster: sum(int((DAY + one.start) * gateway.TICKS) for one in old),
        f"cluster.{cluster.replace(':', '_')}.upstream_rq_total": sum(one.start <= now for one in requests),
    }
    return "".join(f"{name}: {value}\n" for name, value in values.items()).encode()


def moment(seconds: float) -> Moment:
    return Moment(DAY + seconds, 500.0 + seconds)


def measured(requests: Sequence[Request], until: int) -> list[Stat]:
    """One Stat a second, from second 1 on; nothing in flight where none came."""
    meter, nothing = Meter(), Stat("default", "iris-00001", 0.0, 0.0)
    pages = [meter.read(page(requests, second), moment(second)) for second in range(until + 1)]
    return [(one or [nothing])[0] for one in pages[1:]]


def true_concurrency(requests: Sequence[Request], start: float, end: float) -> float:
    return sum(max(0.0, min(one.end, end) - max(one.start, start)) for one in requests) / (end - start)


def average(stats: Sequence[Stat], start: int, end: int) -> float:
    return sum(one.concurrency for one in stats[start:end]) / (end - start)


def poisson(chance: random.Random, rate: float, until: float) -> Iterator[float]:
    gaps = (chance.expovariate(rate) for _ in count())
    return takewhile(lambda moment: moment < until, accumulate(gaps))


def evenly(rate: float, until: float) -> list[float]:
    return [number / rate for number in range(int(until * rate))]


DURATIONS = [0.001, 0.004, 0.02, 0.09, 0.11, 0.5, 0.95, 1.05, 1.5, 3.0, 10.0]


@pytest.mark.parametrize("duration", DURATIONS)
@pytest.mark.parametrize("concurrency", [0.5, 8.0])
def test_a_steady_load_is_measured_within_three_percent_whatever_its_requests_take(
    duration: float, concurrency: float
) -> None:
    requests = [Request(start, start + duration) for start in evenly(concurrency / duration, 140)]
    stats = measured(requests, 140)
    for end in (70, 101, 140):
        assert average(stats, end - 60, end) == pytest.approx(true_concurrency(requests, end - 60, end), rel=0.03)


@pytest.mark.parametrize("duration", DURATIONS)
@pytest.mark.parametrize("varies", [False, True])
def test_random_arrivals_are_measured_within_two_percent_over_any_stable_window(duration: float, varies: bool) -> None:
    chance = random.Random(7)
    long = chance.expovariate if varies else lambda rate: 1 / rate
    requests = [Request(start, start + long(1 / duration)) for start in poisson(chance, 5 / duration, 130)]
    stats = measured(requests, 130)
    for end in range(65, 131, 13):
        assert average(stats, end - 60, end) == pytest.approx(true_concurrency(requests, end - 60, end), rel=0.02)


def test_few_long_requests_among_many_short_ones_count_for_what_they_are() -> None:
    chance = random.Random(11)
    short = [Request(start, start + 0.001) for start in poisson(chance, 1000, 90)]
    long = [Request(start, start + 10) for start in poisson(chance, 0.1, 90)]
    stats = measured(requests := sorted(short + long), 90)
    assert average(stats, 30, 90) == pytest.approx(true_concurrency(requests, 30, 90), rel=0.02)


def test_a_request_that_does_not_end_counts_from_its_second_second_on_with_all_of_its_time() -> None:
    stats = measured([Request(0.5, 1000.0)], 6)
    assert [round(one.concurrency, 3) for one in stats] == [0, 1.5, 1, 1, 1, 1]


def test_requests_are_counted_when_they_arrive() -> None:
    stats = measured([Request(0.5, 10.0), Request(0.7, 10.0), Request(3.2, 3.3)], 5)
    assert [one.requests for one in stats] == [2, 0, 0, 1, 0]


def test_all_of_it_together_comes_to_the_time_that_requests_were_in_flight() -> None:
    chance = random.Random(3)
    requests = [Request(start, start + chance.lognormvariate(-1, 2)) for start in poisson(chance, 20, 60)]
    last = int(max(one.end for one in requests)) + 1
    total = sum(one.concurrency for one in measured(requests, last))
    assert total == pytest.approx(sum(one.end - one.start for one in requests), rel=0.005)


def test_the_first_page_is_only_what_the_next_one_is_compared_with() -> None:
    meter = Meter()
    assert meter.read(b"load.micros.to.default/iris-00001:80: 900000\n", moment(0)) == []
    [stat] = meter.read(b"load.micros.to.default/iris-00001:80: 1000000\n", moment(1))
    assert stat.concurrency == pytest.approx(0.1)


def test_a_new_envoy_begins_anew() -> None:
    meter = Meter()
    meter.read(b"load.micros.to.default/iris-00001:80: 9000000\n", moment(0))
    meter.read(b"", moment(1))
    [stat] = meter.read(b"load.micros.to.default/iris-00001:80: 250000\n", moment(2))
    assert stat.concurrency == pytest.approx(0.25)


def test_counters_that_fall_between_two_pages_began_anew() -> None:
    meter = Meter()
    meter.read(b"load.micros.to.default/iris-00001:80: 9000000\n", moment(0))
    [stat] = meter.read(b"load.micros.to.default/iris-00001:80: 250000\n", moment(1))
    assert stat.concurrency == pytest.approx(0.25)


def test_a_clock_that_is_set_makes_no_load() -> None:
    meter, requests = Meter(), [Request(0.0, 1000.0)]
    for second in range(4):
        meter.read(page(requests, second), moment(second))
    assert meter.read(page(requests, 4), Moment(DAY + 3604, 504.0)) == []
    [stat] = meter.read(page(requests, 5), Moment(DAY + 3605, 505.0))
    assert stat.concurrency == pytest.approx(1.0)


def test_each_cluster_is_a_revision_and_other_lines_are_none() -> None:
    meter = Meter()
    meter.read(b"", moment(0))
    found = meter.read(
        b"load.micros.to.a/x-00001:80: 500000\nload.micros.to.b/x-00001:81: 100000\nruntime.load_success: 2\n",
        moment(1),
    )
    assert {(one.namespace, one.revision) for one in found} == {("a", "x-00001"), ("b", "x-00001")}


def test_no_load_is_no_report() -> None:
    meter, requests = Meter(), [Request(0.1, 0.2)]
    pages = [meter.read(page(requests, second), moment(second)) for second in range(3)]
    assert [len(one) for one in pages] == [0, 1, 0]
