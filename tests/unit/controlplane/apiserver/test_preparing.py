from inferplane.controlplane.apiserver import preparing
from inferplane.controlplane.apiserver.kinds import BUILT_IN
from inferplane.kernel.json import JsonObject, object_at

KINDS = {kind.key: kind for kind in BUILT_IN}
DEPLOYMENT, MAP = KINDS["apps/deployments"], KINDS["/configmaps"]
OLD: JsonObject = {
    "kind": "Deployment",
    "metadata": {
        "name": "d",
        "namespace": "n",
        "uid": "u",
        "resourceVersion": "7",
        "generation": 3,
        "creationTimestamp": "t",
    },
    "spec": {"replicas": 1},
    "status": {"replicas": 1},
}


def test_what_the_server_owns_is_not_taken_from_the_client() -> None:
    given: JsonObject = {
        "metadata": {"name": "d", "uid": "mine", "generation": 9, "selfLink": "/x", "deletionTimestamp": "t"},
        "status": {"replicas": 5},
    }
    made = preparing.for_create(DEPLOYMENT, given, namespace="n", uid="u", now="t")
    metadata = {"name": "d", "namespace": "n", "uid": "u", "generation": 1, "creationTimestamp": "t"}
    assert made == {"metadata": metadata}


def test_the_two_halves_leave_each_other_alone() -> None:
    new = OLD | {"spec": {"replicas": 2}, "status": {"replicas": 9}}
    by_path = preparing.for_update(DEPLOYMENT, OLD, new, "")
    by_status = preparing.for_update(DEPLOYMENT, OLD, new, "status")
    assert (by_path["spec"], by_path["status"]) == ({"replicas": 2}, {"replicas": 1})
    assert (by_status["spec"], by_status["status"]) == ({"replicas": 1}, {"replicas": 9})


def test_a_partial_body_keeps_identity_and_history() -> None:
    new = preparing.for_update(DEPLOYMENT, OLD, {"metadata": {"name": "d", "generation": 1}}, "")
    assert object_at(new, "metadata") == object_at(OLD, "metadata")


def test_generation_counts_changes_of_what_is_wanted_only() -> None:
    def counted(new: JsonObject) -> object:
        return object_at(preparing.counted(DEPLOYMENT, OLD, OLD | new), "metadata")["generation"]

    assert [counted({"spec": {"replicas": 2}}), counted({"status": {}}), counted({})] == [4, 3, 3]
    assert preparing.counted(MAP, {"data": {}}, {"data": {"a": "b"}}) == {"data": {"a": "b"}}


def test_an_object_goes_when_its_last_finalizer_does() -> None:
    dying: JsonObject = {"deletionTimestamp": "t", "deletionGracePeriodSeconds": 0}
    states: list[JsonObject] = [{}, dying, dying | {"finalizers": ["x"]}, dying | {"deletionGracePeriodSeconds": 5}]
    assert [preparing.gone({"metadata": metadata}) for metadata in states] == [False, True, False, False]
    namespace: JsonObject = {"kind": "Namespace", "metadata": dying, "spec": {"finalizers": ["kubernetes"]}}
    assert [preparing.gone(namespace), preparing.gone(namespace | {"spec": {}})] == [False, True]
