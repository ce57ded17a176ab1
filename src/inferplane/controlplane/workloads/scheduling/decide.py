"""Which node a pod is bound to, or why none. Pure.

One machine has one node, so there is nothing to score; the seam is here for resources and several nodes. The words of
a refusal are the ones `kubectl describe pod` shows on a cluster.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from inferplane.resources.core import Node, Pod


@dataclass(frozen=True, slots=True)
class Unschedulable:
    message: str


def choose(pod: Pod, nodes: Sequence[Node]) -> str | Unschedulable:
    """The name of the node, the first by name of those that may run the pod."""
    if not nodes:
        return Unschedulable("no nodes available to schedule pods")
    obstacles = {one.metadata.name: _obstacle(pod, one) for one in nodes}
    free = sorted(name for name, obstacle in obstacles.items() if not obstacle)
    if free:
        return free[0]
    counted = Counter(one for one in obstacles.values() if one)
    reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(counted.items()))
    return Unschedulable(f"0/{len(nodes)} nodes are available: {reasons}.")


def _obstacle(pod: Pod, node: Node) -> str:
    if not node.ready:
        return "node(s) were not ready"
    if node.spec.unschedulable:
        return "node(s) were unschedulable"
    if not pod.spec.node_selector.items() <= node.metadata.labels.items():
        return "node(s) didn't match Pod's node affinity/selector"
    return ""


def awaits_node(pod: Pod) -> bool:
    unbound = not pod.spec.node_name and not pod.metadata.deleting and not pod.finished
    return unbound and pod.spec.scheduler_name == "default-scheduler"
