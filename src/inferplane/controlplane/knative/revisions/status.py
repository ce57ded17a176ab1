"""Where a revision stands, by its Deployment, its first pod and its PodAutoscaler. Pure.

What was said before holds until something says otherwise: a revision at zero stays as healthy as it was.
Rules: `pkg/apis/serving/v1/revision_lifecycle.go`, `pkg/reconciler/revision`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from inferplane.resources.apps import Deployment
from inferplane.resources.autoscaling_knative.podautoscaler import (
    SCALE_TARGET_INITIALIZED,
    PodAutoscaler,
    Reachability,
)
from inferplane.resources.conditions import READY, TRUE, UNKNOWN, Verdict, copied, failed, pending, settled
from inferplane.resources.core import Pod
from inferplane.resources.knative import Revision, RevisionStatus, words
from inferplane.resources.knative.revision import (
    ACTIVE,
    CONTAINER_HEALTHY,
    DEPENDENTS,
    RESOURCES_AVAILABLE,
    ContainerImage,
)
from inferplane.resources.knative.template import containers
from inferplane.resources.meta import Condition, condition

DEPLOYING = "Deploying"
NOT_OWNED = "NotOwned"
FAILED_CREATE = "FailedCreate"
DEADLINE_EXCEEDED = "ProgressDeadlineExceeded"
_NEVER_ACHIEVED = "Initial scale was never achieved"


@dataclass(frozen=True, slots=True)
class Sight:
    """`pods` by name. `foreign`: kind and name of a child that is somebody else's. `refused`: why the API server takes
    no such Deployment."""

    deployment: Deployment | None = None
    pods: Sequence[Pod] = ()
    autoscaler: PodAutoscaler | None = None
    foreign: tuple[str, str] | None = None
    refused: str = ""


@dataclass(slots=True)
class _Verdicts:
    resources: Verdict
    healthy: Verdict
    active: Verdict


def next_status(revision: Revision, sight: Sight, now: str, *, always_schedulable: bool = False) -> RevisionStatus:
    """`always_schedulable`: that a pod cannot be placed is taken as passing (a cluster that grows by itself)."""
    verdicts = _before(revision)
    if sight.foreign is not None:
        verdicts.resources = failed(
            NOT_OWNED, f'There is an existing {sight.foreign[0]} "{sight.foreign[1]}" that we do not own.'
        )
    elif sight.refused:
        verdicts.resources = failed(FAILED_CREATE, sight.refused)
    else:
        _by_deployment(verdicts, sight, always_schedulable=always_schedulable)
        _by_autoscaler(verdicts, sight.autoscaler)
    found = {RESOURCES_AVAILABLE: verdicts.resources, CONTAINER_HEALTHY: verdicts.healthy, ACTIVE: verdicts.active}
    scale = sight.autoscaler.status if sight.autoscaler else None
    return msgspec.structs.replace(
        revision.status,
        observed_generation=revision.metadata.generation,
        conditions=settled(found, revision.status.conditions, now, DEPENDENTS),
        actual_replicas=_count(scale.actual_scale if scale else None),
        desired_replicas=_count(scale.desired_scale if scale else None),
        container_statuses=[ContainerImage(name=str(one.get("name", ""))) for one in containers(revision.spec)],
        init_container_statuses=[
            ContainerImage(name=str(one.get("name", ""))) for one in containers(revision.spec, "initContainers")
        ],
    )


def _count(scale: int | None) -> int | None:
    return scale if scale is not None and scale >= 0 else None


def _before(revision: Revision) -> _Verdicts:
    conditions = revision.status.conditions
    return _Verdicts(
        copied(conditions, RESOURCES_AVAILABLE), copied(conditions, CONTAINER_HEALTHY), copied(conditions, ACTIVE)
    )


def only_shown(before: RevisionStatus, after: RevisionStatus) -> bool:
    """They differ, if at all, in what is there to be looked at: numbers of pods, and whether any run."""
    return _acted_upon(before) == _acted_upon(after)


def _acted_upon(status: RevisionStatus) -> RevisionStatus:
    conditions = [one for one in status.conditions if one.type != ACTIVE]
    return msgspec.structs.replace(status, conditions=conditions, actual_replicas=None, desired_replicas=None)


# --- Deployment and pods ----------------------------------------------------------------------------------------------


def _by_deployment(verdicts: _Verdicts, sight: Sight, *, always_schedulable: bool) -> None:
    deployment = sight.deployment
    if deployment is None:
        verdicts.resources = verdicts.healthy = pending(DEPLOYING)
        return
    verdicts.resources = _progress(deployment)
    if deployment.spec.replicas > 0 and not deployment.status.available_replicas and sight.pods:
        _by_first_pod(verdicts, deployment, sight.pods[0], always_schedulable=always_schedulable)
    if deployment.status.ready_replicas > 0:
        verdicts.healthy = TRUE
    elif verdicts.healthy == UNKNOWN:
        verdicts.healthy = pending(DEPLOYING)


def _progress(deployment: Deployment) -> Verdict:
    conditions: Sequence[Condition] = deployment.status.conditions
    failure = condition(conditions, "ReplicaFailure")
    if failure is not None and failure.status == "True":
        return failed(failure.reason, failure.message)
    found = condition(conditions, "Progressing")
    if found is None or found.status == "Unknown":
        return pending((found.reason if found else "") or DEPLOYING, found.message if found else "")
    return TRUE if found.status == "True" else failed(found.reason, found.message)


def _by_first_pod(verdicts: _Verdicts, deployment: Deployment, pod: Pod, *, always_schedulable: bool) -> None:
    """None of them is available, so any of them can tell why."""
    scheduled = condition(pod.status.conditions, "PodScheduled")
    if scheduled is not None and scheduled.status == "False" and not always_schedulable:
        verdicts.resources = failed(scheduled.reason, scheduled.message)
    for one in pod.status.container_statuses:
        ended, waiting = one.last_state.terminated, one.state.waiting
        if ended is not None:
            verdicts.healthy = failed(f"ExitCode{ended.exit_code}", f"Container failed with: {ended.message}")
        elif waiting is not None and _is_out_of_time(deployment):
            verdicts.resources = failed(waiting.reason, waiting.message)


def _is_out_of_time(deployment: Deployment) -> bool:
    found = condition(deployment.status.conditions, "Progressing")
    return found is not None and found.status == "False" and found.reason == DEADLINE_EXCEEDED


# --- PodAutoscaler ----------------------------------------------------------------------------------------------------


def _by_autoscaler(verdicts: _Verdicts, autoscaler: PodAutoscaler | None) -> None:
    status = autoscaler.status if autoscaler else None
    ready = condition(status.conditions, READY) if status else None
    if status is None or ready is None:
        verdicts.active = pending(DEPLOYING)
        verdicts.resources = _not_yet(verdicts.resources)
        return
    verdicts.active = Verdict(ready.status, ready.reason, ready.message)
    initialized = copied(status.conditions, SCALE_TARGET_INITIALIZED).is_true
    if initialized and not verdicts.resources.is_false and not verdicts.healthy.is_false:
        verdicts.resources = verdicts.healthy = TRUE
    if not status.service_name or not initialized:
        verdicts.resources = _not_yet(verdicts.resources)
    if ready.status == "False" and not initialized and status.service_name and not verdicts.resources.is_false:
        verdicts.resources = failed(DEADLINE_EXCEEDED, _NEVER_ACHIEVED)


def _not_yet(resources: Verdict) -> Verdict:
    return pending(DEPLOYING) if resources.is_true else resources


def reachability(revision: Revision, deployment: Deployment | None) -> Reachability:
    """Whether a route leads to it; one that fails to start counts as unreachable, so that it is given up early."""
    verdicts = _before(revision)
    starts = deployment is not None and deployment.spec.replicas > 0 and not deployment.status.ready_replicas
    if starts and (verdicts.resources.is_false or verdicts.healthy.is_false):
        return Reachability.UNREACHABLE
    states = {words.ACTIVE: Reachability.REACHABLE, words.RESERVE: Reachability.UNREACHABLE}
    return states.get(revision.routing_state, Reachability.UNKNOWN)
