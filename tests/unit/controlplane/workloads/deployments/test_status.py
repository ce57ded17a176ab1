from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from inferplane.controlplane.workloads.deployments.revisions import Revision
from inferplane.controlplane.workloads.deployments.status import deadline, next_status
from inferplane.resources.apps import (
    Deployment,
    DeploymentSpec,
    DeploymentStatus,
    ReplicaSet,
    ReplicaSetSpec,
    ReplicaSetStatus,
)
from inferplane.resources.meta import ObjectMeta

START = datetime(2026, 1, 1, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def deployment(replicas: int = 2, **spec: int) -> Deployment:
    wanted = DeploymentSpec(replicas=replicas, progress_deadline_seconds=spec.get("deadline", 60))
    return Deployment(metadata=ObjectMeta(name="web", generation=1), spec=wanted)


def revision(replicas: int, available: int) -> Revision:
    status = ReplicaSetStatus(replicas=replicas, ready_replicas=available, available_replicas=available)
    return Revision(ReplicaSet(metadata=ObjectMeta(name="web-1"), spec=ReplicaSetSpec(replicas=2), status=status), {})


def after(before: Deployment, seconds: float, replicas: int, available: int, created: str = "") -> Deployment:
    status = next_status(before, revision(replicas, available), [], at(seconds), created)
    return replace(before, status=status)


def progress(of: Deployment) -> tuple[str, str | None, str | None]:
    """Reason, time of the last update, time of the last transition."""
    [one] = [one for one in of.status.conditions if one.type == "Progressing"]
    return one.reason, one.last_update_time, one.last_transition_time


def test_progress_is_dated_anew_and_its_transition_is_not() -> None:
    story = [after(deployment(), 0, 0, 0, created="web-1")]
    for seconds, replicas, available in ((1, 2, 0), (5, 2, 1), (6, 2, 1), (9, 2, 2)):
        story.append(after(story[-1], seconds, replicas, available))
    began = "2026-01-01T00:00:00Z"
    assert [progress(one) for one in story] == [
        ("NewReplicaSetCreated", began, began),
        ("ReplicaSetUpdated", "2026-01-01T00:00:01Z", began),
        ("ReplicaSetUpdated", "2026-01-01T00:00:05Z", began),
        ("ReplicaSetUpdated", "2026-01-01T00:00:05Z", began),
        ("NewReplicaSetAvailable", "2026-01-01T00:00:09Z", began),
    ]


def test_a_rollout_without_progress_runs_out_of_time_and_a_late_pod_still_completes_it() -> None:
    stuck = after(after(deployment(deadline=60), 0, 0, 0, created="web-1"), 1, 2, 1)
    assert deadline(stuck, stuck.status, at(11)) == 51.0
    late = after(stuck, 62, 2, 1)
    assert (progress(late)[0], deadline(late, late.status, at(62))) == ("ProgressDeadlineExceeded", None)
    assert progress(after(late, 90, 2, 2))[0] == "NewReplicaSetAvailable"


def test_a_pod_that_fails_after_the_rollout_is_no_new_rollout() -> None:
    complete = after(after(deployment(), 0, 2, 0), 1, 2, 2)
    worse = after(complete, 500, 2, 1)
    assert progress(worse)[0] == "NewReplicaSetAvailable"
    assert [one.reason for one in worse.status.conditions if one.type == "Available"] == ["MinimumReplicasUnavailable"]


def test_the_same_world_gives_the_same_status() -> None:
    complete = after(after(deployment(), 0, 2, 0), 1, 2, 2)
    assert after(complete, 100, 2, 2).status == complete.status


def test_a_deadline_of_the_largest_number_means_none() -> None:
    endless = after(deployment(deadline=2**31 - 1), 0, 2, 0)
    assert [one.type for one in endless.status.conditions] == ["Available"]
    assert deadline(endless, DeploymentStatus(), at(0)) is None
