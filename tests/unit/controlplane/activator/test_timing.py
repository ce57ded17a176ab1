"""Server-Timing of a cold start: from the pod's times, milliseconds since 1970."""

from inferplane.controlplane.activator.timing import phases, server_timing
from inferplane.resources.start_times import START_TIMES, StartTimes, read_start_times, write_start_times


def test_the_parts_of_the_queue_add_up_to_it() -> None:
    found = phases(1000, 1050, StartTimes(scheduled=1010, forked=1015, loaded=1040, ready=1045))
    assert found == {"queue": 50, "schedule": 10, "fork": 5, "load": 25, "ready": 10}


def test_a_step_that_is_not_known_takes_its_two_neighbours_along() -> None:
    assert phases(0, 50, StartTimes(scheduled=10, loaded=40)) == {"queue": 50, "schedule": 10, "ready": 10}


def test_a_pod_without_times_leaves_the_queue() -> None:
    assert phases(0, 50, StartTimes()) == {"queue": 50}


def test_what_was_over_before_the_request_came_took_none_of_its_time() -> None:
    found = phases(1000, 1020, StartTimes(scheduled=900, forked=950, loaded=1015))
    assert found == {"queue": 20, "schedule": 0, "fork": 0, "load": 15, "ready": 5}


def test_the_header_has_tenths_of_milliseconds() -> None:
    assert server_timing({"queue": 50.04, "load": 25.0}) == b"queue;dur=50.0, load;dur=25.0"


def test_the_annotation_is_read_as_it_was_written_and_anything_else_is_unknown() -> None:
    times = StartTimes(scheduled=1.5, ready=3.0)
    assert write_start_times(times) == '{"scheduled":1.5,"ready":3.0}'
    assert read_start_times(write_start_times(times)) == times
    assert read_start_times("") == read_start_times("{") == read_start_times('{"forked":"x"}') == StartTimes()
    assert START_TIMES == "inferplane.dev/start-times"
