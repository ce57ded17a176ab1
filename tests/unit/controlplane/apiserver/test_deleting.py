from datetime import UTC, datetime

import pytest

from inferplane.controlplane.apiserver import deleting
from inferplane.controlplane.apiserver.deleting import Outcome, Wish, decide
from inferplane.controlplane.apiserver.errors import StatusError
from inferplane.controlplane.apiserver.kinds import BUILT_IN
from inferplane.kernel.json import Json, JsonObject, number_at, object_at

KINDS = {kind.key: kind for kind in BUILT_IN}
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
MAP, POD = KINDS["/configmaps"], KINDS["/pods"]


def pod(node: str = "n", phase: str = "Running", **metadata: Json) -> JsonObject:
    spec: JsonObject = {"nodeName": node, "terminationGracePeriodSeconds": 20}
    return {"metadata": {"name": "p", "generation": 1, **metadata}, "spec": spec, "status": {"phase": phase}}


def config_map(**metadata: Json) -> JsonObject:
    return {"metadata": {"name": "c", **metadata}}


def test_what_nothing_holds_is_removed_as_it_was() -> None:
    assert decide(MAP, config_map(), Wish(), NOW) == deleting.Removal(Outcome.REMOVE, config_map())


def test_a_finalizer_holds_an_object_which_is_marked_and_counted() -> None:
    marked = decide(MAP, config_map(finalizers=["x"], generation=3), Wish(), NOW)
    assert marked.outcome is Outcome.MARK
    assert object_at(marked.object, "metadata") == {
        "name": "c",
        "finalizers": ["x"],
        "generation": 4,
        "deletionTimestamp": "2026-01-01T12:00:00Z",
        "deletionGracePeriodSeconds": 0,
    }


@pytest.mark.parametrize(
    ("policy", "before", "after"),
    [
        ("Foreground", [], ["foregroundDeletion"]),
        ("Orphan", ["x", "foregroundDeletion"], ["x", "orphan"]),
        ("Background", ["x", "orphan"], ["x"]),
        ("", ["orphan"], ["orphan"]),
    ],
)
def test_the_propagation_policy_becomes_a_finalizer(policy: str, before: list[Json], after: list[Json]) -> None:
    removal = decide(MAP, config_map(finalizers=before), Wish(policy=policy), NOW)
    assert object_at(removal.object, "metadata")["finalizers"] == after


@pytest.mark.parametrize(
    ("obj", "wish", "outcome", "grace"),
    [
        (pod(), Wish(), Outcome.MARK, 20),
        (pod(), Wish(grace=5), Outcome.MARK, 5),
        (pod(), Wish(grace=0), Outcome.REMOVE, 0),
        (pod(node=""), Wish(), Outcome.REMOVE, 0),
        (pod(phase="Succeeded"), Wish(), Outcome.REMOVE, 0),
        (pod(finalizers=["x"]), Wish(grace=0), Outcome.MARK, 0),
    ],
)
def test_a_pod_gets_its_grace_only_while_a_node_may_run_it(
    obj: JsonObject, wish: Wish, outcome: Outcome, grace: int
) -> None:
    removal = decide(POD, obj, wish, NOW)
    assert (removal.outcome, number_at(removal.object, "metadata", "deletionGracePeriodSeconds")) == (outcome, grace)


def test_the_time_of_deletion_is_when_the_grace_ends() -> None:
    assert object_at(decide(POD, pod(), Wish(), NOW).object, "metadata")["deletionTimestamp"] == "2026-01-01T12:00:20Z"


@pytest.mark.parametrize(
    ("grace", "outcome", "left", "moment"),
    [
        (5, Outcome.MARK, 5, "2026-01-01T12:00:05Z"),
        (50, Outcome.KEEP, 20, "2026-01-01T12:00:20Z"),
        (0, Outcome.REMOVE, 0, "2026-01-01T12:00:00Z"),
    ],
)
def test_a_second_delete_may_shorten_the_grace_and_not_lengthen_it(
    grace: int, outcome: Outcome, left: int, moment: str
) -> None:
    dying = decide(POD, pod(), Wish(), NOW).object
    removal = decide(POD, dying, Wish(grace=grace), NOW)
    metadata = object_at(removal.object, "metadata")
    assert (removal.outcome, metadata["deletionGracePeriodSeconds"], metadata["deletionTimestamp"]) == (
        outcome,
        left,
        moment,
    )
    assert metadata["generation"] == 2


def test_a_second_delete_of_a_held_object_changes_nothing() -> None:
    held = decide(MAP, config_map(finalizers=["x"]), Wish(), NOW).object
    assert decide(MAP, held, Wish(), NOW) == deleting.Removal(Outcome.KEEP, held)


def test_a_namespace_terminates_until_its_controller_has_emptied_it() -> None:
    namespace: JsonObject = {"metadata": {"name": "n"}, "spec": {"finalizers": ["kubernetes"]}}
    removal = decide(KINDS["/namespaces"], namespace, Wish(), NOW)
    assert removal.outcome is Outcome.MARK
    assert removal.object["status"] == {"phase": "Terminating"}


def test_a_definition_waits_for_its_objects() -> None:
    removal = decide(KINDS["apiextensions.k8s.io/customresourcedefinitions"], config_map(), Wish(), NOW)
    assert removal.outcome is Outcome.MARK
    assert object_at(removal.object, "metadata")["finalizers"] == [deleting.CRD_CLEANUP]


def test_the_body_of_a_delete_counts_more_than_its_query() -> None:
    body: JsonObject = {
        "gracePeriodSeconds": 3,
        "propagationPolicy": "Orphan",
        "preconditions": {"uid": "u"},
        "dryRun": ["All"],
    }
    assert deleting.wish(9, "Background", False, body) == Wish(3, "Orphan", "u", "", True)
    assert deleting.wish(9, "Background", False, {}) == Wish(9, "Background")
    with pytest.raises(StatusError, match="propagationPolicy"):
        deleting.wish(None, "Sometimes", False, {})


def test_another_object_of_the_name_is_not_deleted() -> None:
    refusal = deleting.unmet(MAP, config_map(uid="new"), Wish(uid="old"))
    assert refusal is not None
    assert (refusal.code, refusal.reason) == (409, "Conflict")
    assert deleting.unmet(MAP, config_map(uid="new"), Wish(uid="new")) is None
