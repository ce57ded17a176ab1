from datetime import UTC, datetime

import pytest

from inferplane.controlplane.workloads.replicasets.plan import available_in, new_pod, plan
from inferplane.resources.apps import ReplicaSet, ReplicaSetSpec
from inferplane.resources.core import ContainerStatus, Pod, PodCondition, PodSpec, PodStatus
from inferplane.resources.meta import ConditionStatus, ObjectMeta

NOW = datetime(2026, 1, 1, 0, 1, 0, tzinfo=UTC)


def pod(
    name: str,
    *,
    node: str = "local",
    phase: str = "Running",
    ready_at: str | None = "2026-01-01T00:00:00Z",
    cost: str = "0",
    restarts: int = 0,
    created: str = "2026-01-01T00:00:00Z",
    deleted: str | None = None,
) -> Pod:
    status = ConditionStatus.TRUE if ready_at else ConditionStatus.FALSE
    return Pod(
        metadata=ObjectMeta(
            name=name,
            uid=name,
            creation_timestamp=created,
            deletion_timestamp=deleted,
            annotations={"controller.kubernetes.io/pod-deletion-cost": cost},
        ),
        spec=PodSpec(node_name=node),
        status=PodStatus(
            phase=phase,
            conditions=[PodCondition(type="Ready", status=status, last_transition_time=ready_at)],
            container_statuses=[ContainerStatus(name="main", restart_count=restarts)],
        ),
    )


def wanting(replicas: int) -> ReplicaSet:
    return ReplicaSet(metadata=ObjectMeta(name="web"), spec=ReplicaSetSpec(replicas=replicas))


@pytest.mark.parametrize(
    "loser",
    [
        pod("x", node="", phase="Pending", ready_at=None),
        pod("x", phase="Pending", ready_at=None),
        pod("x", ready_at=None),
        pod("x", cost="-1"),
        pod("x", ready_at="2026-01-01T00:00:30Z"),
        pod("x", restarts=2),
        pod("x", created="2026-01-01T00:00:10Z"),
    ],
    ids=["unbound", "pending", "unready", "cheap", "ready for a shorter time", "restarted", "newer"],
)
def test_the_least_useful_pod_goes_first(loser: Pod) -> None:
    assert plan(wanting(2), [pod("a"), loser, pod("b")]).delete == [loser]


def test_ended_and_ending_pods_are_replaced_and_not_removed_again() -> None:
    pods = [pod("a"), pod("b", phase="Failed"), pod("c", deleted="2026-01-01T00:00:50Z")]
    assert plan(wanting(2), pods).create == 1


def test_a_pod_whose_deletion_is_under_way_is_not_counted_and_takes_no_other_with_it() -> None:
    pods = [pod("a"), pod("b"), pod("c")]
    assert plan(wanting(2), pods, doomed=frozenset({"c"})).delete == []


@pytest.mark.parametrize(("min_ready", "left"), [(0, 0.0), (30, 0.0), (90, 30.0)])
def test_a_ready_pod_is_available_after_the_time_that_is_asked_for(min_ready: int, left: float) -> None:
    assert available_in(pod("a"), min_ready, NOW) == left
    assert available_in(pod("a", ready_at=None), min_ready, NOW) is None


def test_a_pod_is_the_template_with_an_owner_and_a_generated_name() -> None:
    body = new_pod(
        ReplicaSet(metadata=ObjectMeta(name="web", namespace="models", uid="u")),
        {
            "metadata": {"labels": {"app": "web"}, "annotations": {"a": "b"}, "creationTimestamp": None},
            "spec": {"containers": [{"name": "main"}]},
        },
    )
    assert body == {
        "metadata": {
            "labels": {"app": "web"},
            "annotations": {"a": "b"},
            "generateName": "web-",
            "namespace": "models",
            "ownerReferences": [
                {
                    "apiVersion": "apps/v1",
                    "kind": "ReplicaSet",
                    "name": "web",
                    "uid": "u",
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        },
        "spec": {"containers": [{"name": "main"}]},
    }
