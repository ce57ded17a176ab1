"""What a revision says of itself, by what its Deployment, first pod and PodAutoscaler say."""

import pytest

from inferplane.controlplane.knative.revisions.status import Sight, next_status, reachability
from inferplane.resources.apps import Deployment, DeploymentCondition, DeploymentSpec, DeploymentStatus
from inferplane.resources.autoscaling_knative.podautoscaler import (
    ObjectReference,
    PodAutoscaler,
    PodAutoscalerSpec,
    PodAutoscalerStatus,
    ProtocolType,
    Reachability,
)
from inferplane.resources.core import (
    ContainerState,
    ContainerStateTerminated,
    ContainerStateWaiting,
    ContainerStatus,
    Pod,
    PodCondition,
    PodStatus,
)
from inferplane.resources.knative import Revision, RevisionStatus, words
from inferplane.resources.meta import Condition, ConditionStatus, ObjectMeta

NOW = "2026-01-01T00:00:00Z"
SPEC = PodAutoscalerSpec(scale_target_ref=ObjectReference(), protocol_type=ProtocolType.HTTP1)


def deployment(
    progressing: str = "True", reason: str = "", *, ready: int = 0, replicas: int = 1, **more: str
) -> Deployment:
    conditions = [DeploymentCondition(type="Progressing", status=ConditionStatus(progressing), reason=reason)]
    conditions += [
        DeploymentCondition(type=name, status=ConditionStatus.TRUE, reason=why) for name, why in more.items()
    ]
    status = DeploymentStatus(ready_replicas=ready, available_replicas=ready, conditions=conditions)
    return Deployment(spec=DeploymentSpec(replicas=replicas), status=status)


def autoscaler(
    ready: str = "True", reason: str = "", *, initialized: bool = True, service: str = "r", scale: int = 1
) -> PodAutoscaler:
    conditions = [
        Condition(type="Ready", status=ConditionStatus(ready), reason=reason),
        Condition(type="ScaleTargetInitialized", status=ConditionStatus("True" if initialized else "Unknown")),
    ]
    status = PodAutoscalerStatus(conditions=conditions, service_name=service, actual_scale=scale, desired_scale=scale)
    return PodAutoscaler(spec=SPEC, status=status)


def pod(*, waiting: str = "", exit_code: int | None = None, unschedulable: str = "") -> Pod:
    state = ContainerState(waiting=ContainerStateWaiting(reason=waiting, message="m") if waiting else None)
    ended = ContainerStateTerminated(exit_code=exit_code, message="boom") if exit_code is not None else None
    container = ContainerStatus(name="c", state=state, last_state=ContainerState(terminated=ended))
    scheduled = PodCondition(type="PodScheduled", status=ConditionStatus.FALSE, reason=unschedulable)
    return Pod(status=PodStatus(conditions=[scheduled] if unschedulable else [], container_statuses=[container]))


def said(status: RevisionStatus) -> dict[str, str]:
    return {one.type: f"{one.status} {one.reason}".strip() for one in status.conditions}


def seen(sight: Sight, before: Revision | None = None, *, always_schedulable: bool = False) -> dict[str, str]:
    return said(next_status(before or Revision(), sight, NOW, always_schedulable=always_schedulable))


READY = Revision(status=next_status(Revision(), Sight(deployment(ready=1), (), autoscaler()), NOW))
OUT_OF_TIME = deployment("False", "ProgressDeadlineExceeded")


def test_a_new_revision_is_deploying() -> None:
    assert seen(Sight()) == {
        "Active": "Unknown Deploying",
        "ContainerHealthy": "Unknown Deploying",
        "Ready": "Unknown Deploying",
        "ResourcesAvailable": "Unknown Deploying",
    }
    assert seen(Sight(deployment(), (), autoscaler("Unknown", "Queued", initialized=False, service="")))["Ready"] == (
        "Unknown Deploying"
    )


def test_a_revision_is_ready_when_its_scale_was_reached_once() -> None:
    found = seen(Sight(deployment(ready=1), (), autoscaler()))
    assert found == {"Active": "True", "ContainerHealthy": "True", "Ready": "True", "ResourcesAvailable": "True"}


def test_a_revision_at_zero_stays_ready_and_is_not_active() -> None:
    asleep = Sight(deployment(replicas=0), (), autoscaler("False", "NoTraffic", scale=0))
    found = next_status(READY, asleep, NOW)
    assert said(found)["Ready"] == "True"
    assert said(found)["Active"] == "False NoTraffic"
    assert (found.actual_replicas, found.desired_replicas) == (0, 0)


def test_active_is_information_only() -> None:
    (active,) = [one for one in READY.status.conditions if one.type == "Active"]
    assert active.severity == "Info"


@pytest.mark.parametrize(
    ("sight", "type", "says"),
    [
        (Sight(deployment("Unknown", "Paused")), "ResourcesAvailable", "Unknown Paused"),
        (Sight(OUT_OF_TIME), "ResourcesAvailable", "False ProgressDeadlineExceeded"),
        (Sight(deployment(ReplicaFailure="FailedCreate")), "ResourcesAvailable", "False FailedCreate"),
        (Sight(deployment(), (pod(unschedulable="Unschedulable"),)), "ResourcesAvailable", "False Unschedulable"),
        (Sight(OUT_OF_TIME, (pod(waiting="ImagePullBackOff"),)), "ResourcesAvailable", "False ImagePullBackOff"),
        (Sight(deployment(), (pod(waiting="ImagePullBackOff"),)), "ResourcesAvailable", "Unknown Deploying"),
        (Sight(deployment(), (pod(exit_code=3, waiting="CrashLoopBackOff"),)), "ContainerHealthy", "False ExitCode3"),
        (Sight(deployment(replicas=0), (pod(exit_code=3),)), "ContainerHealthy", "Unknown Deploying"),
        (Sight(foreign=("Deployment", "d")), "ResourcesAvailable", "False NotOwned"),
        (
            Sight(deployment(replicas=0), (), autoscaler("False", "TimedOut", initialized=False)),
            "ResourcesAvailable",
            "False ProgressDeadlineExceeded",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_reason(sight: Sight, type: str, says: str) -> None:  # its name
    assert seen(sight)[type] == says


def test_a_crash_is_over_when_a_pod_is_ready_again() -> None:
    crashed = Revision(status=next_status(READY, Sight(deployment(), (pod(exit_code=1),), autoscaler()), NOW))
    assert said(crashed.status)["Ready"] == "False ExitCode1"
    assert "boom" in next(one.message for one in crashed.status.conditions if one.type == "Ready")
    assert seen(Sight(deployment(ready=1), (), autoscaler()), crashed)["Ready"] == "True"


def test_on_a_cluster_that_grows_a_pod_without_a_place_is_no_failure() -> None:
    sight = Sight(deployment(), (pod(unschedulable="Unschedulable"),))
    assert seen(sight, always_schedulable=True)["ResourcesAvailable"] == "Unknown Deploying"


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (words.ACTIVE, Reachability.REACHABLE),
        (words.RESERVE, Reachability.UNREACHABLE),
        (words.PENDING, Reachability.UNKNOWN),
    ],
)
def test_what_is_routed_is_reachable(state: str, expected: Reachability) -> None:
    meta = ObjectMeta(labels={words.ROUTING_STATE: state})
    assert reachability(Revision(metadata=meta, status=READY.status), deployment(ready=1)) == expected


def test_what_fails_to_start_counts_as_unreachable() -> None:
    meta = ObjectMeta(labels={words.ROUTING_STATE: words.ACTIVE})
    status = next_status(READY, Sight(deployment(), (pod(exit_code=1),), autoscaler()), NOW)
    failed = Revision(metadata=meta, status=status)
    assert reachability(failed, deployment()) == Reachability.UNREACHABLE
    assert reachability(failed, deployment(ready=1)) == Reachability.REACHABLE
    assert reachability(failed, deployment(replicas=0)) == Reachability.REACHABLE
