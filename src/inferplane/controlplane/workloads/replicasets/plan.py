"""How many pods a ReplicaSet makes, which ones it removes, and its status. Pure.

The order of removal is Kubernetes' (`ActivePodsWithRanks`): pods that serve least and that cost least go first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from msgspec.structs import replace

from inferplane.client.kubernetes.kinds import REPLICA_SET
from inferplane.controlplane.machinery.owners import owner_reference
from inferplane.kernel.clock import parse_timestamp, timestamp
from inferplane.kernel.json import JsonObject, object_at
from inferplane.resources.apps import ReplicaSet, ReplicaSetStatus
from inferplane.resources.core import Pod
from inferplane.resources.meta import Condition, ConditionStatus, condition

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"


@dataclass(frozen=True, slots=True)
class Plan:
    create: int
    delete: Sequence[Pod]


def plan(replica_set: ReplicaSet, pods: Sequence[Pod], doomed: frozenset[str] = frozenset()) -> Plan:
    """`pods` are those of the ReplicaSet; `doomed` are uids that were deleted and may not show it yet."""
    active = [one for one in pods if is_active(one) and one.metadata.uid not in doomed]
    surplus = len(active) - replica_set.spec.replicas
    if replica_set.metadata.deleting or surplus == 0:
        return Plan(0, [])
    return Plan(0, sorted(active, key=_worth)[:surplus]) if surplus > 0 else Plan(-surplus, [])


def is_active(pod: Pod) -> bool:
    return not pod.finished and not pod.metadata.deleting


def new_pod(replica_set: ReplicaSet, template: JsonObject) -> JsonObject:
    metadata = object_at(template, "metadata")
    kept: JsonObject = {key: metadata[key] for key in ("labels", "annotations", "finalizers") if key in metadata}
    name = replica_set.metadata.name
    return {
        "metadata": kept
        | {
            "generateName": f"{name}-",
            "namespace": replica_set.metadata.namespace,
            "ownerReferences": [owner_reference(REPLICA_SET, replica_set.metadata)],
        },
        "spec": object_at(template, "spec"),
    }


def next_status(replica_set: ReplicaSet, pods: Sequence[Pod], now: datetime, failure: str = "") -> ReplicaSetStatus:
    """`failure` is why pods could not be made or removed just now."""
    active = [one for one in pods if is_active(one)]
    labels = replica_set.spec.template.metadata.labels
    return replace(
        replica_set.status,
        observed_generation=replica_set.metadata.generation,
        replicas=len(active),
        terminating_replicas=sum(one.metadata.deleting and not one.finished for one in pods),
        fully_labeled_replicas=sum(labels.items() <= one.metadata.labels.items() for one in active),
        ready_replicas=sum(one.ready for one in active),
        available_replicas=sum(available_in(one, replica_set.spec.min_ready_seconds, now) == 0 for one in active),
        conditions=_conditions(replica_set, failure, now),
    )


def available_in(pod: Pod, min_ready_seconds: int, now: datetime) -> float | None:
    """Seconds until the pod counts as available; 0 when it does, None when it isn't ready."""
    if not pod.ready:
        return None
    since = _ready_since(pod)
    if min_ready_seconds == 0 or since is None:
        return 0.0
    return max(0.0, (since + timedelta(seconds=min_ready_seconds) - now).total_seconds())


def look_again_in(replica_set: ReplicaSet, pods: Sequence[Pod], now: datetime) -> float | None:
    """When the next ready pod becomes available, if one has yet to."""
    waits = [available_in(one, replica_set.spec.min_ready_seconds, now) for one in pods if is_active(one)]
    return min((one for one in waits if one), default=None)


def _conditions(replica_set: ReplicaSet, failure: str, now: datetime) -> list[Condition]:
    others = [one for one in replica_set.status.conditions if one.type != "ReplicaFailure"]
    if not failure:
        return others
    before = condition(replica_set.status.conditions, "ReplicaFailure")
    new = Condition(
        type="ReplicaFailure",
        status=ConditionStatus.TRUE,
        reason="FailedCreate",
        message=failure,
        last_transition_time=before.last_transition_time if before else timestamp(now),
    )
    return [*others, new]


def _worth(pod: Pod) -> tuple[bool, int, bool, int, float, int, float]:
    """Sorts the least useful pod first: unassigned, pending, unready, cheap, ready for the shortest time, restarted
    most, newest."""
    phases = {"Pending": 0, "": 0, "Unknown": 1}
    cost = pod.metadata.annotations.get(DELETION_COST, "0")
    since = _ready_since(pod)
    return (
        bool(pod.spec.node_name),
        phases.get(pod.status.phase, 2),
        pod.ready,
        int(cost) if cost.lstrip("-").isdigit() else 0,
        -since.timestamp() if since is not None else 0.0,
        -max((one.restart_count for one in pod.status.container_statuses), default=0),
        -_moment(pod.metadata.creation_timestamp),
    )


def _ready_since(pod: Pod) -> datetime | None:
    ready = condition(pod.status.conditions, "Ready")
    if ready is None or ready.status != ConditionStatus.TRUE or not ready.last_transition_time:
        return None
    return parse_timestamp(ready.last_transition_time)


def _moment(text: str | None) -> float:
    return parse_timestamp(text).timestamp() if text else 0.0
