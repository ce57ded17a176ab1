"""Which node a pod is bound to, or why none. Pure.

One machine has one node, so there is nothing to score. A node must be ready, not cordoned, tolerated, chosen by the
pod's `nodeSelector`, and have what the pod's containers request. The words of a refusal are the ones that
`kubectl describe pod` shows on a cluster.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from inferplane.controlplane.workloads.scheduling.requests import amounts, reserved, total
from inferplane.resources.core import Node, Pod, Taint, Toleration


@dataclass(frozen=True, slots=True)
class Unschedulable:
    message: str


def choose(pod: Pod, nodes: Sequence[Node], bound: Mapping[str, Sequence[Pod]]) -> str | Unschedulable:
    """The name of the node, the first by name of those that may run the pod. `bound`: pods by the node they are on."""
    if not nodes:
        return Unschedulable("no nodes available to schedule pods")
    obstacles = {one.metadata.name: _obstacles(pod, one, bound.get(one.metadata.name, ())) for one in nodes}
    free = sorted(name for name, found in obstacles.items() if not found)
    if free:
        return free[0]
    counted = Counter(one for found in obstacles.values() for one in found)
    reasons = ", ".join(sorted(f"{count} {reason}" for reason, count in counted.items()))
    return Unschedulable(f"0/{len(nodes)} nodes are available: {reasons}.")


def _obstacles(pod: Pod, node: Node, others: Sequence[Pod]) -> list[str]:
    if not node.ready:
        return ["node(s) were not ready"]
    if node.spec.unschedulable:
        return ["node(s) were unschedulable"]
    if not pod.spec.node_selector.items() <= node.metadata.labels.items():
        return ["node(s) didn't match Pod's node affinity/selector"]
    for taint in node.spec.taints:
        if taint.effect != "PreferNoSchedule" and not any(_tolerates(one, taint) for one in pod.spec.tolerations):
            value = f": {taint.value}" if taint.value else ": "
            return [f"node(s) had untolerated taint {{{taint.key}{value}}}"]
    return _lacking(pod, node, [one for one in others if not one.finished])


def _tolerates(one: Toleration, taint: Taint) -> bool:
    """corev1 `Toleration.ToleratesTaint`: no key fits all, no effect fits all."""
    if one.effect not in ("", taint.effect) or (one.key and one.key != taint.key):
        return False
    return one.operator == "Exists" or (bool(one.key) and one.value == taint.value)


def _lacking(pod: Pod, node: Node, others: Sequence[Pod]) -> list[str]:
    """`NodeResourcesFit`: each resource of which too little is left."""
    allocatable = amounts(node.status.allocatable)
    found = ["Too many pods"] if "pods" in allocatable and len(others) >= allocatable["pods"] else []
    wanted = reserved(pod)
    if not wanted:
        return found  # nothing to add up, as for nearly every pod
    used = total(others)
    nothing = Fraction()
    return found + [
        f"Insufficient {name}"
        for name, value in sorted(wanted.items())
        if value > allocatable.get(name, nothing) - used.get(name, nothing)
    ]


def awaits_node(pod: Pod) -> bool:
    unbound = not pod.spec.node_name and not pod.metadata.deleting and not pod.finished
    return unbound and pod.spec.scheduler_name == "default-scheduler"
