import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferplane.controlplane.workloads.deployments.revisions import DESIRED, MAXIMUM, Revision, template_hash
from inferplane.controlplane.workloads.deployments.rollout import Bounds, bounds, most_replicas, next_step
from inferplane.kernel.json import JsonObject
from inferplane.resources.apps import (
    Deployment,
    DeploymentSpec,
    DeploymentStrategy,
    IntOrPercent,
    ReplicaSet,
    ReplicaSetSpec,
    ReplicaSetStatus,
    RollingUpdate,
)
from inferplane.resources.meta import ObjectMeta


def deployment(replicas: int, surge: IntOrPercent = "25%", unavailable: IntOrPercent = "25%") -> Deployment:
    update = RollingUpdate(max_surge=surge, max_unavailable=unavailable)
    return Deployment(spec=DeploymentSpec(replicas=replicas, strategy=DeploymentStrategy(rolling_update=update)))


def revision(name: str, replicas: int, available: int, of: Deployment) -> Revision:
    annotations = {DESIRED: str(of.spec.replicas), MAXIMUM: str(most_replicas(of))}
    return Revision(
        ReplicaSet(
            metadata=ObjectMeta(
                name=name, creation_timestamp=f"2026-01-01T00:00:0{name[-1]}Z", annotations=annotations
            ),
            spec=ReplicaSetSpec(replicas=replicas),
            status=ReplicaSetStatus(replicas=replicas, available_replicas=available),
        ),
        {},
    )


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable", "expected"),
    [
        (1, "25%", "25%", Bounds(1, 0)),
        (4, "25%", "25%", Bounds(1, 1)),
        (10, "30%", 2, Bounds(3, 2)),
        (3, 0, "25%", Bounds(0, 1)),
        (0, "25%", "25%", Bounds(0, 0)),
        (2, 1, 5, Bounds(1, 2)),
    ],
)
def test_surge_rounds_up_and_unavailable_down_and_never_are_both_nothing(
    replicas: int, surge: IntOrPercent, unavailable: IntOrPercent, expected: Bounds
) -> None:
    assert bounds(deployment(replicas, surge, unavailable)) == expected


def test_a_first_revision_starts_with_all_replicas() -> None:
    assert next_step(deployment(3), None, []).create == 3


def test_a_new_revision_starts_with_what_the_surge_allows() -> None:
    wanted = deployment(4)
    assert next_step(wanted, None, [revision("r1", 4, 4, wanted)]).create == 1


def test_pods_that_never_became_available_are_removed_before_those_that_serve() -> None:
    wanted = deployment(4, 1, 0)
    old = [revision("r1", 2, 2, wanted), revision("r2", 2, 1, wanted)]
    assert next_step(wanted, revision("r3", 1, 1, wanted), old).scales == {"r2": 1}


@given(
    replicas=st.integers(1, 12),
    surge=st.one_of(st.integers(0, 5), st.sampled_from(["0%", "25%", "100%"])),
    unavailable=st.one_of(st.integers(0, 5), st.sampled_from(["0%", "25%", "100%"])),
    luck=st.lists(st.booleans(), min_size=200, max_size=200),
)
def test_a_rollout_stays_within_its_bounds_and_finishes(
    replicas: int, surge: IntOrPercent, unavailable: IntOrPercent, luck: list[bool]
) -> None:
    """A kubelet that starts new pods whenever `luck` has it so, one at a time."""
    wanted = deployment(replicas, surge, unavailable)
    sizes, ready = {"r1": replicas, "r2": 0}, {"r1": replicas, "r2": 0}
    created = False
    for lucky in luck:
        old = revision("r1", sizes["r1"], ready["r1"], wanted)
        new = revision("r2", sizes["r2"], ready["r2"], wanted) if created else None
        step = next_step(wanted, new, [old])
        if step.create is not None:
            created, sizes["r2"] = True, step.create
        sizes |= step.scales
        ready = {name: min(ready[name], sizes[name]) for name in sizes}
        assert sum(sizes.values()) <= replicas + bounds(wanted).surge
        assert sum(ready.values()) >= replicas - bounds(wanted).unavailable
        if lucky and not step.scales and ready["r2"] < sizes["r2"]:
            ready["r2"] += 1
    ready["r2"] = sizes["r2"]
    for _ in range(4 * replicas):
        step = next_step(
            wanted, revision("r2", sizes["r2"], ready["r2"], wanted), [revision("r1", sizes["r1"], ready["r1"], wanted)]
        )
        sizes |= step.scales
        ready = {"r1": min(ready["r1"], sizes["r1"]), "r2": sizes["r2"]}
    assert sizes == {"r1": 0, "r2": replicas}


@given(before=st.integers(0, 20), after=st.integers(0, 20), share=st.integers(0, 20))
def test_scaling_in_the_middle_of_a_rollout_comes_to_rest_at_the_new_size(before: int, after: int, share: int) -> None:
    was, wanted = deployment(before), deployment(after)
    new_size = min(share, before)
    revisions = {"r1": before - new_size, "r2": new_size}
    annotated = {name: revision(name, size, size, was) for name, size in revisions.items()}
    for _ in range(3):
        step = next_step(wanted, annotated["r2"], [annotated["r1"]])
        annotated |= {name: revision(name, size, size, wanted) for name, size in step.scales.items()}
    for _ in range(4 * 20):
        step = next_step(wanted, annotated["r2"], [annotated["r1"]])
        annotated |= {name: revision(name, size, size, wanted) for name, size in step.scales.items()}
    assert {name: one.replicas for name, one in annotated.items()} == {"r1": 0, "r2": after}


def test_the_hash_of_a_template_ignores_its_own_label_and_changes_with_collisions() -> None:
    template: JsonObject = {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": []}}
    marked: JsonObject = {"metadata": {"labels": {"app": "a", "pod-template-hash": "x"}}, "spec": {"containers": []}}
    assert template_hash(template) == template_hash(marked)
    assert template_hash(template) != template_hash(template, 1)
    assert len(template_hash(template)) == 10
