from dataclasses import replace

import pytest

from inferplane.controlplane.node.observed import Health, Seen
from inferplane.controlplane.node.runs import Run
from inferplane.controlplane.node.start_times import start_times
from inferplane.resources.core import Container, Pod, PodSpec
from inferplane.resources.start_times import StartTimes, read_start_times

POD = Pod(spec=PodSpec(containers=[Container(name="main"), Container(name="beside")]))


def running(started: float, ready: float = 0.0, attempt: int = 0) -> Seen:
    run = Run(attempt=attempt, process=None, keeper="plain", started_at=started, announces=ready > 0, ready_at=ready)
    return Seen(run=run)


def times(main: Seen, beside: Seen, now: float = 100.5, before: str = "") -> str:
    return start_times(POD, {"main": main, "beside": beside}, since=100.0, now=now, before=before)


def test_a_ready_pod_has_the_time_of_each_step_in_milliseconds() -> None:
    found = read_start_times(times(running(100.1, 100.4), running(100.2, 100.3)))
    assert found == StartTimes(scheduled=100_000.0, forked=100_200.0, loaded=100_400.0, ready=100_500.0)


def test_a_container_that_announces_nothing_is_loaded_when_it_is_found_ready() -> None:
    found = read_start_times(times(running(100.1), running(100.2)))
    assert (found.loaded, found.ready) == (100_500.0, 100_500.0)


@pytest.mark.parametrize("other", [Seen(), replace(running(100.2, 100.3), terminated_at=100.4)])
def test_a_pod_that_is_not_ready_keeps_what_it_had(other: Seen) -> None:
    assert times(running(100.1, 100.4), other, before="kept") == "kept"


def test_a_probe_that_fails_and_passes_again_changes_nothing() -> None:
    first = times(running(100.1, 100.4), running(100.2, 100.3))
    healthy = replace(running(100.1, 100.4), health=Health(readiness=True))
    assert times(healthy, running(100.2, 100.3), now=200.0, before=first) == first


def test_another_start_has_times_of_its_own() -> None:
    first = times(running(100.1, 100.4), running(100.2, 100.3))
    again = read_start_times(times(running(150.0, 150.2, attempt=1), running(100.2, 100.3), now=151.0, before=first))
    assert (again.scheduled, again.forked, again.ready) == (100_000.0, 150_000.0, 151_000.0)
