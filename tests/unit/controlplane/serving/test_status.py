"""The state machines of the status: Deployment conditions, and what pods say about the model."""

import pytest
from tests.unit.controlplane.serving.made import ended, pod, running, waiting

from inferplane.controlplane.serving.pods import newest_first, trouble
from inferplane.controlplane.serving.status import component_ready, ingress_ready, invalid, model_status, of_all_nodes
from inferplane.resources.apps import Deployment, DeploymentCondition, DeploymentStatus
from inferplane.resources.core import ContainerStatus, Pod
from inferplane.resources.gateway import HTTPRoute, HTTPRouteStatus, ParentReference, RouteParentStatus
from inferplane.resources.meta import Condition, ConditionStatus
from inferplane.resources.serving.inferenceservice import (
    FailureReason,
    ModelRevisionStates,
    ModelState,
    ModelStatus,
    TransitionStatus,
)

NOW = "2026-01-01T00:00:00Z"
SI = "storage-initializer"
NEW = "NewReplicaSetAvailable"


def deployment(*conditions: tuple[str, str, str]) -> Deployment:
    made = [DeploymentCondition(type=t, status=ConditionStatus(s), reason=r, message=f"{r}!") for t, s, r in conditions]
    return Deployment(status=DeploymentStatus(conditions=made))


@pytest.mark.parametrize(
    ("conditions", "status", "reason"),
    [
        ([], "False", ""),
        ([("Available", "True", "MinimumReplicasAvailable")], "True", "MinimumReplicasAvailable"),
        (
            [("Available", "True", "A"), ("Progressing", "True", NEW)],
            "True",
            "NewReplicaSetAvailable",
        ),
        ([("Available", "True", "A"), ("Progressing", "True", "ReplicaSetUpdated")], "True", "A"),
        ([("Progressing", "True", "ReplicaSetUpdated")], "Unknown", "ReplicaSetUpdated"),
        ([("Progressing", "False", "ProgressDeadlineExceeded")], "False", "ProgressDeadlineExceeded"),
        ([("Available", "False", "A"), ("Progressing", "True", NEW)], "False", "A"),
        ([("Available", "False", "A"), ("Progressing", "False", "ProgressDeadlineExceeded")], "False", "A"),
        ([("Available", "False", "A"), ("Progressing", "True", "ReplicaSetUpdated")], "False", "A"),
        ([("Available", "True", "A"), ("ReplicaFailure", "True", "FailedCreate")], "False", "FailedCreate"),
    ],
)
def test_the_predictor_is_ready_by_its_deployment(
    conditions: list[tuple[str, str, str]], status: str, reason: str
) -> None:
    found = component_ready(deployment(*conditions), [])
    assert (found.status, found.reason) == (status, reason)


def test_without_a_deployment_nothing_is_ready() -> None:
    assert component_ready(None, []).status == "False"


def test_what_pods_say_replaces_the_words_and_keeps_the_reason() -> None:
    pods = [pod(waiting("CrashLoopBackOff", last="no such file: /mnt/models/model.joblib"), name="p1")]
    found = component_ready(deployment(("Available", "False", "MinimumReplicasUnavailable")), pods)
    assert found.reason == "MinimumReplicasUnavailable"
    assert found.message == "pod p1: kserve-container exited with code 1: no such file: /mnt/models/model.joblib"


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (pod(running(ready=True)), ""),
        (pod(running()), ""),
        (pod(waiting("ContainerCreating")), ""),
        (pod(waiting("PodInitializing"), init=running(name=SI)), ""),
        (pod(ended(0)), ""),
        (pod(ended(137)), "pod p: kserve-container exited with code 137: no message, see its log"),
        (pod(running(after=3)), "pod p: kserve-container exited with code 3: no message, see its log"),
        (pod(running(), ended(2, "bad flag", name="side")), "pod p: side exited with code 2: bad flag"),
        (pod(init=ended(1, "no such path", name=SI)), "pod p: storage-initializer exited with code 1: no such path"),
        (pod(waiting("ErrImagePull", "not found")), "pod p: kserve-container: ErrImagePull: not found"),
        (pod(waiting("ImageNotRunnable")), "pod p: kserve-container: ImageNotRunnable"),
        (pod(unscheduled="no node is ready"), "pod p: Unschedulable: no node is ready"),
    ],
)
def test_trouble_is_told_in_words_and_a_normal_start_is_none(one: Pod, words: str) -> None:
    assert trouble([one]) == words


@pytest.mark.parametrize(
    ("head", "workers", "status", "reason"),
    [
        (("Available", "True", "A"), ("Available", "True", "A"), "True", "A"),
        (
            ("Available", "True", "A"),
            ("Available", "False", "B"),
            "False",
            "predictor-container: A, worker-container: B",
        ),
        (("Available", "False", "B"), ("Available", "False", "B"), "False", "B"),
        (
            ("Available", "True", "A"),
            ("Progressing", "True", "P"),
            "Unknown",
            "predictor-container: A, worker-container: P",
        ),
    ],
)
def test_of_several_nodes_each_says_its_own_and_what_they_agree_on_is_said_once(
    head: tuple[str, str, str], workers: tuple[str, str, str], status: str, reason: str
) -> None:
    found = of_all_nodes(*(component_ready(deployment(one), []) for one in (head, workers)))
    assert (found.status, found.reason) == (status, reason)
    assert found.message == f"predictor-container: {head[2]}!, worker-container: {workers[2]}!"


# --- routes -----------------------------------------------------------------------------------------------------------


def route(*conditions: tuple[str, str, str]) -> HTTPRoute:
    made = [Condition(type=t, status=ConditionStatus(s), reason=r, message=f"{r}!") for t, s, r in conditions]
    parent = RouteParentStatus(parent_ref=ParentReference(name="g"), controller_name="c", conditions=made)
    return HTTPRoute(status=HTTPRouteStatus(parents=[parent]))


GOOD = route(("Accepted", "True", "Accepted"), ("Programmed", "True", "Programmed"))


@pytest.mark.parametrize(
    ("routes", "status", "reason", "message"),
    [
        ({"p": GOOD, "s": GOOD}, "True", "", ""),
        ({"p": GOOD}, "False", "InferenceService Deployment NotReady", "HTTPRoute s does not exist yet"),
        ({"s": GOOD}, "False", "Predictor Deployment NotReady", "HTTPRoute p does not exist yet"),
        ({"p": GOOD, "s": HTTPRoute()}, "False", "ParentStatusNotAvailable", "InferenceService HttpRouteNotReady"),
        (
            {"p": GOOD, "s": route(("Accepted", "True", "A"), ("Programmed", "False", "Pending"))},
            "False",
            "Pending",
            "InferenceService Pending!",
        ),
    ],
)
def test_every_route_must_be_taken_by_its_gateway(
    routes: dict[str, HTTPRoute], status: str, reason: str, message: str
) -> None:
    found = ingress_ready(routes, {"p": "Predictor", "s": "InferenceService"})
    assert (found.status, found.reason, found.message) == (status, reason, message)


# --- the model --------------------------------------------------------------------------------------------------------

LOADED = ModelStatus(
    transition_status=TransitionStatus.UP_TO_DATE,
    states=ModelRevisionStates(active_model_state=ModelState.LOADED, target_model_state=ModelState.LOADED),
)


def target(*pods: Pod, ready: bool = False, before: ModelStatus | None = None) -> str:
    found = model_status(before, newest_first(pods), ready=ready, now=NOW)
    assert found.states is not None
    return found.states.target_model_state


@pytest.mark.parametrize(
    ("one", "state"),
    [
        (pod(init=running(name=SI)), "Loading"),
        (pod(init=ended(1, name=SI)), "FailedToLoad"),
        (pod(init=waiting("CrashLoopBackOff", last="x", name=SI)), "FailedToLoad"),
        (pod(waiting("PodInitializing"), init=ended(0, name=SI)), "Pending"),
        (pod(running(), init=ended(0, name=SI)), "Pending"),
        (pod(ended(1)), "FailedToLoad"),
        (pod(waiting("CrashLoopBackOff", last="x")), "FailedToLoad"),
        (pod(waiting("ContainerCreating")), "Pending"),
        (pod(running(), ended(1, name="side")), "Pending"),
    ],
)
def test_the_newest_pod_tells_the_state_of_the_model(one: Pod, state: str) -> None:
    assert target(one) == state


def test_without_pods_the_model_is_pending_and_with_ready_it_is_loaded() -> None:
    assert target() == "Pending"
    assert target(pod(running(ready=True)), ready=True) == "Loaded"


@pytest.mark.parametrize(("status", "is_init"), [(running(after=1), False), (running(after=1, name=SI), True)])
def test_another_try_keeps_what_was_known(status: ContainerStatus, is_init: bool) -> None:
    failed = model_status(None, [pod(ended(1, "x"))], ready=False, now=NOW)
    again = pod(init=status) if is_init else pod(status)
    assert target(again, before=failed) == "FailedToLoad"
    assert target(again) == "Pending"


def test_the_newest_pod_is_the_one_that_counts_and_names_break_ties() -> None:
    old, new = pod(ended(1), created="2026-01-01T00:00:00Z"), pod(running(), created="2026-01-02T00:00:00Z")
    assert target(old, new) == "Pending"
    assert [one.metadata.name for one in newest_first([pod(name="b"), pod(name="a")])] == ["a", "b"]


def test_a_new_version_that_fails_is_told_while_the_old_one_serves() -> None:
    old = pod(running(ready=True), template="old")
    new = pod(ended(1, "bad model"), template="new", created="2026-01-02T00:00:00Z")
    found = model_status(LOADED, newest_first([old, new]), ready=True, now=NOW)
    assert found.transition_status == "BlockedByFailedLoad"
    assert found.states == ModelRevisionStates(
        active_model_state=ModelState.LOADED, target_model_state=ModelState.FAILED_TO_LOAD
    )


def test_a_crash_beside_a_ready_pod_of_the_same_version_is_no_failure_of_the_model() -> None:
    assert target(pod(running(ready=True), name="b"), pod(ended(137), name="a"), ready=True) == "Loaded"


def test_a_failure_says_where_why_and_when_and_ready_pods_are_counted() -> None:
    crashed = pod(ended(3, "no such file\n"), name="a", created="2026-01-02T00:00:00Z")
    found = model_status(None, newest_first([pod(running(ready=True), name="b"), crashed]), ready=False, now=NOW)
    info, copies = found.last_failure_info, found.copies
    assert info is not None
    assert copies is not None
    assert (info.location, info.reason, info.message, info.exit_code, info.time) == (
        "a",
        "ModelLoadFailed",
        "no such file",
        3,
        "T",
    )
    assert (copies.failed_copies, copies.total_copies) == (0, 1)


def test_a_failure_is_remembered_until_it_is_overcome() -> None:
    failed = model_status(None, [pod(ended(1, "x"))], ready=False, now=NOW)
    waiting_again = model_status(failed, [pod(waiting("ContainerCreating"))], ready=False, now=NOW)
    loaded = model_status(waiting_again, [pod(running(ready=True))], ready=True, now=NOW)
    assert waiting_again.last_failure_info == failed.last_failure_info
    assert loaded.last_failure_info is None


def test_an_invalid_spec_keeps_what_serves_and_the_time_of_the_first_sight() -> None:
    first = invalid(LOADED, FailureReason.NO_SUPPORTING_RUNTIME, "none", NOW)
    again = invalid(first, FailureReason.NO_SUPPORTING_RUNTIME, "none", "2027-01-01T00:00:00Z")
    assert first.transition_status == "InvalidSpec"
    assert first.states == ModelRevisionStates(
        active_model_state=ModelState.LOADED, target_model_state=ModelState.FAILED_TO_LOAD
    )
    assert again == first
