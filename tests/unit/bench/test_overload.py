import pytest
from bench.overload import Log, Round, _evenly, read

PEAK = Log(2.0, {200: [10.0] * 200}, cpu=2.0)


def test_a_log_is_read_by_status_in_milliseconds() -> None:
    log = read(["1790000000000000\t200\t9500", "1790000000000001\t503\t400", "1790000000000002\t200\t10500"], 2.0)
    assert log.latencies == {200: [9.5, 10.5], 503: [0.4]}
    assert log.goodput == 1.0


def test_what_is_not_in_the_window_does_not_count() -> None:
    lines = [f"{second * 1_000_000}\t200\t500000" for second in range(10, 16)]
    assert read(lines, 2.0, skip=1.0).latencies == {200: [500.0, 500.0]}


def test_requests_come_at_even_times_from_connections_opened_one_after_the_other() -> None:
    assert _evenly(600.0, 3) == ["-n2400", "--rps=2.000", "-r6", "--rate-period=10ms"]


def test_what_is_left_of_the_peak_counts_answers_alone() -> None:
    over = Log(2.0, {200: [10.0] * 180, 503: [0.4] * 420}, cpu=2.0)
    assert Round(PEAK, over, PEAK, 0.0).share == pytest.approx(0.9)


def test_the_peak_is_that_of_the_loads_before_and_after() -> None:
    over = Log(2.0, {200: [10.0] * 75, 503: [0.4] * 420}, cpu=1.0)
    slower = Log(2.0, {200: [10.0] * 100}, cpu=1.0)
    assert Round(PEAK, over, slower, 0.0).share == pytest.approx(0.5)


def test_a_server_that_got_half_the_processor_is_not_blamed_for_it() -> None:
    over = Log(2.0, {200: [10.0] * 100, 503: [0.4] * 420}, cpu=1.0)
    assert Round(PEAK, over, PEAK, 0.0).share_of_cpu == pytest.approx(1.0)
