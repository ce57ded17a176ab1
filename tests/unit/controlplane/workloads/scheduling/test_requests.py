"""What a pod reserves: kube-scheduler's sums."""

from inferplane.controlplane.workloads.scheduling.requests import reserved
from inferplane.resources.core import Container, Pod, PodSpec, Quantities, ResourceRequirements


def container(cpu: str, *, sidecar: bool = False) -> Container:
    resources = ResourceRequirements(requests={"cpu": cpu})
    return Container(name="c", resources=resources, restart_policy="Always" if sidecar else "")


def cpu(*containers: Container, init: list[Container] | None = None) -> float:
    found = reserved(Pod(spec=PodSpec(containers=[*containers], init_containers=init or [])))
    return float(found.get("cpu", 0))


def test_containers_add_up_and_init_containers_need_their_own_at_most() -> None:
    assert cpu(container("300m"), container("1.5")) == 1.8
    assert cpu(container("1"), init=[container("3"), container("2")]) == 3.0
    assert cpu(container("3"), init=[container("2")]) == 3.0


def test_a_sidecar_counts_beside_what_starts_after_it() -> None:
    sidecar = container("1", sidecar=True)
    assert cpu(container("2"), init=[sidecar, container("3")]) == 4.0
    assert cpu(container("2"), init=[container("3"), sidecar]) == 3.0


def test_a_limit_stands_for_a_request_that_is_not_there() -> None:
    limits: Quantities = {"cpu": "2", "memory": "1Gi"}
    one = Container(name="c", resources=ResourceRequirements(limits=limits, requests={"cpu": "1"}))
    assert {name: float(value) for name, value in reserved(Pod(spec=PodSpec(containers=[one]))).items()} == {
        "cpu": 1.0,
        "memory": 2.0**30,
    }


def test_what_kserve_puts_on_the_storage_initializer_reserves_nothing() -> None:
    resources = ResourceRequirements(
        requests={"cpu": "0.1", "memory": "100Mi"}, limits={"cpu": "100m", "memory": "104857600"}
    )
    assert reserved(Pod(spec=PodSpec(init_containers=[Container(name="c", resources=resources)]))) == {}
