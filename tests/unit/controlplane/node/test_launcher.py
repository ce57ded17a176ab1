import pytest

from inferplane.controlplane.node.launcher import threads
from inferplane.resources.core import Container, Quantities, ResourceRequirements


@pytest.mark.parametrize(("cpu", "count"), [("500m", "1"), ("2", "2"), ("2500m", "3"), (4, "4")])
def test_pools_of_threads_stay_within_the_cpu_limit(cpu: str | int, count: str) -> None:
    limits: Quantities = {"cpu": cpu}
    found = threads(Container(name="c", resources=ResourceRequirements(limits=limits)))
    assert found == {"OMP_NUM_THREADS": count, "OPENBLAS_NUM_THREADS": count, "MKL_NUM_THREADS": count}


def test_without_a_limit_a_command_decides_for_itself() -> None:
    assert threads(Container(name="c")) == {}
