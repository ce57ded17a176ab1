from inferplane.controlplane.workloads.scheduling.decide import Unschedulable, choose
from inferplane.resources.core import Node, NodeSpec, NodeStatus, Pod, PodSpec
from inferplane.resources.meta import Condition, ConditionStatus, ObjectMeta


def node(name: str, *, ready: bool = True, cordoned: bool = False, **labels: str) -> Node:
    status = ConditionStatus.TRUE if ready else ConditionStatus.FALSE
    return Node(
        metadata=ObjectMeta(name=name, labels=labels),
        spec=NodeSpec(unschedulable=cordoned),
        status=NodeStatus(conditions=[Condition(type="Ready", status=status)]),
    )


def test_a_pod_goes_to_a_ready_node_that_its_selector_allows() -> None:
    nodes = [node("a", ready=False), node("b", cordoned=True), node("c"), node("d", disk="ssd")]
    assert choose(Pod(), nodes) == "c"
    assert choose(Pod(spec=PodSpec(node_selector={"disk": "ssd"})), nodes) == "d"


def test_a_refusal_counts_the_obstacles() -> None:
    nodes = [node("a", ready=False), node("b", cordoned=True), node("c")]
    assert choose(Pod(spec=PodSpec(node_selector={"gpu": "yes"})), nodes) == Unschedulable(
        "0/3 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, 1 node(s) were not ready, "
        "1 node(s) were unschedulable."
    )
    assert choose(Pod(), []) == Unschedulable("no nodes available to schedule pods")
