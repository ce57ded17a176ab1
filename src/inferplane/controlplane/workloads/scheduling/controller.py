"""The scheduler: binds each pod that has no node to one, and says on the pod why it can't.

Controllers that make pods ask it first (`place`): where a node has room the pod is created with its node, which saves
the binding, a write and a way through the watch.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from inferplane.client.kubernetes.api import Api, Conflict, NotFound
from inferplane.client.kubernetes.kinds import NODE, POD
from inferplane.controlplane.machinery.cache import Key
from inferplane.controlplane.machinery.controller import Controller
from inferplane.controlplane.machinery.events import Recorder
from inferplane.controlplane.machinery.informers import Informers
from inferplane.controlplane.machinery.owners import key_of_meta, object_reference
from inferplane.controlplane.workloads.scheduling.decide import Unschedulable, awaits_node, choose
from inferplane.kernel.clock import Clock, timestamp
from inferplane.kernel.json import JsonObject
from inferplane.resources.core import Node, Pod
from inferplane.resources.meta import ConditionStatus, condition

_MANAGER = "inferplane-scheduler"
_WAITING = "waiting for a node"
_BOUND = "bound to a node"


@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """Room on a node that is kept for a pod until it is there, or will not come."""

    pod: Pod
    node: str


class Scheduler:
    def __init__(self, api: Api, informers: Informers, clock: Clock, recorder: Recorder) -> None:
        self._api = api
        self._clock = clock
        self._recorder = recorder
        self._pods = informers.cache(POD, Pod)
        self._nodes = informers.cache(NODE, Node)
        self._pods.add_index(_WAITING, lambda pod: ["yes"] if awaits_node(pod) else [])
        self._pods.add_index(_BOUND, lambda pod: [pod.spec.node_name] if pod.spec.node_name else [])
        self._kept: set[Placement] = set()
        self._pods.on_change(self._room_made)
        self.controller = Controller("scheduler", self.reconcile, clock=clock)
        self.controller.watch(self._pods, lambda pod: [key_of_meta(pod.metadata)] if awaits_node(pod) else [])
        self.controller.watch(self._nodes, self._waiting)

    def place(self, pod: Pod) -> Placement | None:
        """Keeps room for a pod that is about to be created; None when it must be created without a node.

        Give it back with `placed` once the API has answered.
        """
        chosen = self._choose(pod) if awaits_node(pod) else None
        if not isinstance(chosen, str):
            return None
        placement = Placement(pod, chosen)
        self._kept.add(placement)
        return placement

    def placed(self, placement: Placement, created: Pod | None) -> None:
        """`created`: the pod as it is now, None when it could not be created."""
        self._kept.discard(placement)
        if created is not None:
            self._tell(created, placement.node)

    def _choose(self, pod: Pod) -> str | Unschedulable:
        nodes = self._nodes.list()
        bound = {one.metadata.name: [*self._pods.matching(_BOUND, one.metadata.name)] for one in nodes}
        for kept in self._kept:
            bound.get(kept.node, []).append(kept.pod)
        return choose(pod, nodes, bound)

    def _waiting(self, _: Node | None = None) -> Sequence[Key]:
        return [key_of_meta(pod.metadata) for pod in self._pods.matching(_WAITING, "yes")]

    def _room_made(self, old: Pod | None, new: Pod | None) -> None:
        """A pod that was on a node has gone or has finished: others may fit now."""
        if old is not None and old.spec.node_name and not old.finished and (new is None or new.finished):
            for key in self._waiting():
                self.controller.enqueue(key)

    async def reconcile(self, key: Key) -> None:
        pod = self._pods.get(key)
        if pod is None or not awaits_node(pod):
            return
        chosen = self._choose(pod)
        if isinstance(chosen, Unschedulable):
            await self._refuse(pod, chosen)
        else:
            await self._bind(pod, chosen)

    async def _bind(self, pod: Pod, node: str) -> None:
        key = key_of_meta(pod.metadata)
        body: JsonObject = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": key.name, "namespace": key.namespace, "uid": pod.metadata.uid},
            "target": {"apiVersion": "v1", "kind": "Node", "name": node},
        }
        try:
            await self._api.subresource(POD, key.name, "binding", body, key.namespace)
        except (Conflict, NotFound):
            # Bound already, or gone: the watch is about to say so.
            return
        self._tell(pod, node)

    def _tell(self, pod: Pod, node: str) -> None:
        about = object_reference(POD, pod.metadata)
        text = f"Successfully assigned {key_of_meta(pod.metadata)} to {node}"
        self._recorder.event(about, "Normal", "Scheduled", text)

    async def _refuse(self, pod: Pod, refusal: Unschedulable) -> None:
        before = condition(pod.status.conditions, "PodScheduled")
        if before is not None and (before.status, before.message) == (ConditionStatus.FALSE, refusal.message):
            return
        same = before is not None and before.status == ConditionStatus.FALSE
        new: JsonObject = {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": refusal.message,
            "lastTransitionTime": before.last_transition_time if same and before else timestamp(self._clock.now()),
        }
        body: JsonObject = {"metadata": {"name": pod.metadata.name}, "status": {"conditions": [new]}}
        try:
            await self._api.apply(POD, body, pod.metadata.namespace, manager=_MANAGER, subresource="status")
        except NotFound:
            return
        about = object_reference(POD, pod.metadata)
        self._recorder.event(about, "Warning", "FailedScheduling", refusal.message)
