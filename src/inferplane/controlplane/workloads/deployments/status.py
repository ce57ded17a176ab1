"""The status of a Deployment from its revisions: counts and the conditions Available, Progressing and ReplicaFailure.

Reasons and messages are Kubernetes'; `kubectl rollout status` and our own InferenceService controller read them. Pure.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from inferplane.controlplane.workloads.deployments.revisions import Revision
from inferplane.controlplane.workloads.deployments.rollout import bounds
from inferplane.kernel.clock import parse_timestamp, timestamp
from inferplane.resources.apps import Deployment, DeploymentCondition, DeploymentStatus
from inferplane.resources.meta import ConditionStatus, condition

# A deadline of this many seconds means none (apps/v1 `HasProgressDeadline`).
_NO_DEADLINE = 2**31 - 1


def next_status(
    deployment: Deployment, new: Revision | None, old: Sequence[Revision], now: datetime, created: str = ""
) -> DeploymentStatus:
    """`created` is the name of the ReplicaSet that was made just now, if one was."""
    counts = _counts(deployment, new, old)
    before = {one.type: one for one in deployment.status.conditions}
    conditions = {name: one for name, one in before.items() if name != "ReplicaFailure"}
    found = [
        _available(deployment, counts),
        _progressing(deployment, counts, new, now, created),
        _failure([*([new] if new else []), *old]),
    ]
    for one in found:
        if one is not None:
            conditions[one.type] = _timed(one, before.get(one.type), now)
    if deployment.spec.progress_deadline_seconds >= _NO_DEADLINE:
        conditions.pop("Progressing", None)
    return replace(counts, conditions=list(conditions.values()))


def is_complete(deployment: Deployment, status: DeploymentStatus) -> bool:
    wanted = deployment.spec.replicas
    return (
        status.updated_replicas == status.replicas == status.available_replicas == wanted
        and status.observed_generation >= deployment.metadata.generation
    )


def deadline(deployment: Deployment, status: DeploymentStatus, now: datetime) -> float | None:
    """In how many seconds the rollout is out of time, when it is still going on."""
    progress = condition(status.conditions, "Progressing")
    if not isinstance(progress, DeploymentCondition) or deployment.spec.paused:
        return None
    if progress.reason in ("NewReplicaSetAvailable", "ProgressDeadlineExceeded", "DeploymentPaused"):
        return None
    if deployment.spec.progress_deadline_seconds >= _NO_DEADLINE:
        return None
    return max(0.0, (_due(deployment, progress, now) - now).total_seconds()) + 1.0


def _due(deployment: Deployment, progress: DeploymentCondition, now: datetime) -> datetime:
    since = parse_timestamp(progress.last_update_time) if progress.last_update_time else now
    return since + timedelta(seconds=deployment.spec.progress_deadline_seconds)


def _counts(deployment: Deployment, new: Revision | None, old: Sequence[Revision]) -> DeploymentStatus:
    statuses = [one.replica_set.status for one in [*([new] if new else []), *old]]
    wanted = sum(one.replicas for one in [*([new] if new else []), *old])
    available = sum(one.available_replicas for one in statuses)
    return DeploymentStatus(
        observed_generation=deployment.metadata.generation,
        replicas=sum(one.replicas for one in statuses),
        updated_replicas=new.replica_set.status.replicas if new else 0,
        ready_replicas=sum(one.ready_replicas for one in statuses),
        available_replicas=available,
        unavailable_replicas=max(0, wanted - available),
        terminating_replicas=sum(one.terminating_replicas or 0 for one in statuses),
        collision_count=deployment.status.collision_count,
    )


def _available(deployment: Deployment, counts: DeploymentStatus) -> DeploymentCondition:
    if counts.available_replicas >= deployment.spec.replicas - bounds(deployment).unavailable:
        return _is("Available", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    return _is_not("Available", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")


def _progressing(
    deployment: Deployment, counts: DeploymentStatus, new: Revision | None, now: datetime, created: str
) -> DeploymentCondition | None:
    """None leaves the condition as it is."""
    before = condition(deployment.status.conditions, "Progressing")
    subject = f'ReplicaSet "{new.name}"' if new else f'Deployment "{deployment.metadata.name}"'
    if deployment.spec.paused:
        return _unknown("DeploymentPaused", "Deployment is paused")
    if created:
        return _is("Progressing", "NewReplicaSetCreated", f'Created new replica set "{created}"')
    if before is not None and before.reason == "DeploymentPaused":
        return _unknown("DeploymentResumed", "Deployment is resumed")
    if is_complete(deployment, counts):
        return _is("Progressing", "NewReplicaSetAvailable", f"{subject} has successfully progressed.")
    was_complete = before is not None and before.reason == "NewReplicaSetAvailable"
    if was_complete and counts.replicas == counts.updated_replicas:
        # Scaling and restarts of pods after a finished rollout are not a rollout.
        return None
    if before is None and new is not None:
        return _is("Progressing", "FoundNewReplicaSet", f"Found new replica set {new.name!r}".replace("'", '"'))
    if _moved(deployment.status, counts):
        return _is("Progressing", "ReplicaSetUpdated", f"{subject} is progressing.")
    if isinstance(before, DeploymentCondition) and not was_complete and now > _due(deployment, before, now):
        return _is_not("Progressing", "ProgressDeadlineExceeded", f"{subject} has timed out progressing.")
    return None


def _moved(before: DeploymentStatus, after: DeploymentStatus) -> bool:
    return (
        after.updated_replicas > before.updated_replicas
        or after.replicas - after.updated_replicas < before.replicas - before.updated_replicas
        or after.ready_replicas > before.ready_replicas
        or after.available_replicas > before.available_replicas
    )


def _failure(revisions: Sequence[Revision]) -> DeploymentCondition | None:
    for one in revisions:
        failed = condition(one.replica_set.status.conditions, "ReplicaFailure")
        if failed is not None:
            return DeploymentCondition(
                type="ReplicaFailure", status=failed.status, reason=failed.reason, message=failed.message
            )
    return None


def _timed(new: DeploymentCondition, old: DeploymentCondition | None, now: datetime) -> DeploymentCondition:
    """Progress is dated each time it is made; other conditions only when they change."""
    progress = new.reason == "ReplicaSetUpdated"
    if old is not None and not progress and (old.status, old.reason) == (new.status, new.reason):
        return old
    same = old is not None and old.status == new.status
    moment = timestamp(now)
    return replace(
        new,
        last_update_time=moment,
        last_transition_time=old.last_transition_time if same and old is not None else moment,
    )


def _is(type: str, reason: str, message: str) -> DeploymentCondition:
    return DeploymentCondition(type=type, status=ConditionStatus.TRUE, reason=reason, message=message)


def _is_not(type: str, reason: str, message: str) -> DeploymentCondition:
    return DeploymentCondition(type=type, status=ConditionStatus.FALSE, reason=reason, message=message)


def _unknown(reason: str, message: str) -> DeploymentCondition:
    return DeploymentCondition(type="Progressing", status=ConditionStatus.UNKNOWN, reason=reason, message=message)
