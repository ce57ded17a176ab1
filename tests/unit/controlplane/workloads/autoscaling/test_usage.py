"""Kubernetes' replica calculator: numbers in, numbers out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.controlplane.workloads.autoscaling.made import NOW, pod, pods, samples

from inferplane.controlplane.workloads.autoscaling.usage import (
    AverageValue,
    CannotCompute,
    Groups,
    Patience,
    Tolerance,
    Utilization,
    grouped,
    milli,
    propose,
    requests,
)
from inferplane.resources.core import Pod


def proposed(
    current: int, milli_used: list[int], *, percent: int = 80, missing: int = 0, unready: int = 0, request: int = 100
) -> int:
    """Replicas for pods of which the last `missing` have no sample and those before are `unready`."""
    measured = len(milli_used)
    everyone = pods(measured + unready + missing)
    for number in range(measured, measured + unready):
        everyone[number] = pod(f"p{number}", phase="Pending")
    groups = grouped(everyone, samples(*milli_used), "cpu", Patience(), NOW)
    goal = Utilization(percent, {one.metadata.name: request for one in everyone})
    return propose(current, everyone, samples(*milli_used), groups, goal, Tolerance()).replicas


@pytest.mark.parametrize(
    ("current", "used", "replicas"),
    [
        (1, [160], 2),
        (1, [161], 3),  # 161 % of 80 % is a little more than 2
        (2, [80, 80], 2),
        (2, [87, 87], 2),  # within the tolerance of 10 %
        (2, [89, 89], 3),
        (4, [10, 10, 10, 10], 1),
        (3, [0, 0, 0], 0),
        (5, [500, 20, 20, 20, 20], 8),
    ],
)
def test_the_number_follows_the_ratio_of_use_to_target(current: int, used: list[int], replicas: int) -> None:
    assert proposed(current, used) == replicas


@pytest.mark.parametrize(
    ("current", "used", "missing", "unready", "replicas"),
    [
        # Scaling up: what is not measured counts as idle.
        (3, [160, 160], 1, 0, 4),
        (3, [160, 160], 0, 1, 4),
        (4, [100, 100], 2, 0, 4),  # with the idle ones the direction would turn round
        # Scaling down: a pod without a sample counts as fully busy, one that is not ready doesn't count.
        (3, [10, 10], 1, 0, 2),
        (3, [10, 10], 0, 1, 1),
        (2, [60], 1, 0, 2),
        # Exactly on target nothing moves, whoever is missing.
        (3, [80, 80], 1, 0, 3),
    ],
)
def test_a_pod_that_is_not_measured_dampens_the_change(
    current: int, used: list[int], missing: int, unready: int, replicas: int
) -> None:
    assert proposed(current, used, missing=missing, unready=unready) == replicas


def test_an_average_value_needs_no_requests() -> None:
    everyone = pods(2)
    goal = AverageValue(milli("10Mi"))
    groups = Groups(2, frozenset(), frozenset(), frozenset())
    found = propose(2, everyone, samples(milli("30Mi"), milli("30Mi")), groups, goal, Tolerance())
    assert (found.replicas, found.measured.average, found.measured.utilization) == (6, milli("30Mi"), None)


@pytest.mark.parametrize(
    ("one", "group"),
    [
        (pod("p0"), "ready"),
        (pod("p0", deleting=True), "ignored"),
        (pod("p0", phase="Failed"), "ignored"),
        (pod("p0", phase="Pending"), "unready"),
        # Young: its sample must be of a whole window after it became ready.
        (pod("p0", started=60, changed=16), "ready"),
        (pod("p0", started=60, changed=10), "unready"),
        (pod("p0", started=60, changed=50, ready=False), "unready"),
        # Old: not ready now counts only when it never was.
        (pod("p0", started=3600, changed=60, ready=False), "ready"),
        (pod("p0", started=3600, changed=3590, ready=False), "unready"),
    ],
)
def test_the_cpu_time_of_a_pod_that_is_still_starting_does_not_count(one: Pod, group: str) -> None:
    found = grouped([one], samples(50), "cpu", Patience(), NOW)
    names = {"unready": found.unready, "missing": found.missing, "ignored": found.ignored}
    assert [name for name, members in names.items() if members] == ([] if group == "ready" else [group])
    assert found.ready == (group == "ready")


def test_memory_counts_from_the_start() -> None:
    young = pod("p0", started=1, changed=1, ready=False)
    assert grouped([young], samples(50), "memory", Patience(), NOW).ready == 1


def test_a_pod_without_a_sample_is_missing() -> None:
    assert grouped(pods(2), samples(50), "cpu", Patience(), NOW).missing == {"p1"}


def test_a_container_without_a_request_is_named() -> None:
    with pytest.raises(CannotCompute, match="missing request for cpu in container main of Pod p0"):
        requests([pod("p0", cpu=None)], "", "cpu")


@pytest.mark.parametrize(
    ("count", "used", "words"),
    [
        (0, [], "no pods returned by selector while calculating replica count"),
        (1, [], "did not receive metrics for targeted pods (pods might be unready)"),
    ],
)
def test_without_any_sample_there_is_no_number(count: int, used: list[int], words: str) -> None:
    groups = grouped(pods(count), samples(*used), "cpu", Patience(), NOW)
    with pytest.raises(CannotCompute) as error:
        propose(1, pods(count), samples(*used), groups, Utilization(80, {}), Tolerance())
    assert str(error.value) == words


def test_each_direction_has_its_own_tolerance() -> None:
    assert [Tolerance(up=0.5, down=0.0).holds(ratio) for ratio in (0.99, 1.0, 1.5, 1.51)] == [False, True, True, False]


loads = st.lists(st.integers(0, 1000), min_size=1, max_size=8)


@given(loads, st.integers(0, 4))
def test_ignorance_never_turns_a_change_round(used: list[int], missing: int) -> None:
    current = len(used) + missing
    alone, blind = proposed(len(used), used) - len(used), proposed(current, used, missing=missing) - current
    assert alone * blind >= 0


@given(loads, st.integers(1, 200))
def test_a_busier_pod_never_asks_for_fewer_replicas(used: list[int], more: int) -> None:
    busier = [used[0] + more, *used[1:]]
    assert proposed(len(used), busier) >= proposed(len(used), used)
