import pytest

from inferplane.controlplane.workloads.scheduling.decide import Unschedulable, choose
from inferplane.resources.core import (
    Container,
    Node,
    NodeSpec,
    NodeStatus,
    Pod,
    PodSpec,
    PodStatus,
    ResourceRequirements,
    Taint,
    Toleration,
)
from inferplane.resources.meta import Condition, ConditionStatus, ObjectMeta


def node(name: str, *, ready: bool = True, cordoned: bool = False, taint: Taint | None = None, **labels: str) -> Node:
    status = ConditionStatus.TRUE if ready else ConditionStatus.FALSE
    return Node(
        metadata=ObjectMeta(name=name, labels=labels),
        spec=NodeSpec(unschedulable=cordoned, taints=[taint] if taint else []),
        status=NodeStatus(
            conditions=[Condition(type="Ready", status=status)],
            allocatable={"cpu": "4", "memory": "8Gi", "pods": "3"},
        ),
    )


def pod(**requests: str) -> Pod:
    return Pod(spec=PodSpec(containers=[Container(name="c", resources=ResourceRequirements(requests={**requests}))]))


def refusal(one: Pod, *others: Pod) -> str:
    found = choose(one, [node("a")], {"a": others})
    assert isinstance(found, Unschedulable)
    return found.message


def test_a_pod_goes_to_a_ready_node_that_its_selector_allows() -> None:
    nodes = [node("a", ready=False), node("b", cordoned=True), node("c"), node("d", disk="ssd")]
    assert choose(Pod(), nodes, {}) == "c"
    assert choose(Pod(spec=PodSpec(node_selector={"disk": "ssd"})), nodes, {}) == "d"


def test_a_refusal_counts_the_obstacles() -> None:
    nodes = [node("a", ready=False), node("b", cordoned=True), node("c")]
    assert choose(Pod(spec=PodSpec(node_selector={"gpu": "yes"})), nodes, {}) == Unschedulable(
        "0/3 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, 1 node(s) were not ready, "
        "1 node(s) were unschedulable."
    )
    assert choose(Pod(), [], {}) == Unschedulable("no nodes available to schedule pods")


def test_requests_fit_while_there_is_room_for_them() -> None:
    assert choose(pod(cpu="1500m"), [node("a")], {"a": [pod(cpu="2500m")]}) == "a"
    assert refusal(pod(cpu="1501m"), pod(cpu="2500m")) == "0/1 nodes are available: 1 Insufficient cpu."


def test_each_resource_that_lacks_is_named() -> None:
    assert refusal(pod(cpu="5", memory="9Gi")) == (
        "0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory."
    )
    assert refusal(pod(**{"nvidia.com/gpu": "1"})) == "0/1 nodes are available: 1 Insufficient nvidia.com/gpu."
    assert refusal(pod(), pod(), pod(), pod()) == "0/1 nodes are available: 1 Too many pods."


def test_pods_that_have_finished_reserve_nothing() -> None:
    done = Pod(spec=pod(cpu="4").spec, status=PodStatus(phase="Succeeded"))
    assert choose(pod(cpu="4"), [node("a")], {"a": [done, done, done]}) == "a"


def test_the_requests_that_kserve_puts_everywhere_reserve_nothing_and_chosen_ones_do() -> None:
    everywhere = pod(cpu="1", memory="2Gi")
    assert choose(everywhere, [node("a")], {"a": [pod(cpu="4", memory="8Gi"), everywhere]}) == "a"
    assert refusal(pod(cpu="1", memory="3Gi"), pod(cpu="4")) == "0/1 nodes are available: 1 Insufficient cpu."


@pytest.mark.parametrize(
    ("toleration", "goes"),
    [
        (None, False),
        (Toleration(key="gpu", value="yes", effect="NoSchedule"), True),
        (Toleration(key="gpu", operator="Exists"), True),
        (Toleration(operator="Exists"), True),
        (Toleration(key="gpu", value="no"), False),
        (Toleration(key="gpu", value="yes", effect="NoExecute"), False),
    ],
)
def test_a_taint_must_be_tolerated(toleration: Toleration | None, *, goes: bool) -> None:
    tainted = node("a", taint=Taint(key="gpu", value="yes", effect="NoSchedule"))
    one = Pod(spec=PodSpec(tolerations=[toleration] if toleration else []))
    refused = Unschedulable("0/1 nodes are available: 1 node(s) had untolerated taint {gpu: yes}.")
    assert choose(one, [tainted], {}) == ("a" if goes else refused)


def test_a_preference_of_the_node_keeps_nobody_away() -> None:
    assert choose(Pod(), [node("a", taint=Taint(key="x", effect="PreferNoSchedule"))], {}) == "a"
