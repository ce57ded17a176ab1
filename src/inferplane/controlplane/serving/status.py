"""Status of an InferenceService in Standard mode: pure functions from what was observed to what the status says.

The rules and words are KServe's, with three differences, each because the truth is better known here: a failure is
forgotten once it is overcome; `Loaded` comes with Ready and not a pass later; a new version that fails to load is
reported while the old one still serves.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inferplane.controlplane.serving import pods as podwords
from inferplane.controlplane.serving.conditions import FALSE, TRUE, Verdict, failed
from inferplane.controlplane.serving.pods import Failure
from inferplane.resources.apps import Deployment
from inferplane.resources.core import Pod
from inferplane.resources.gateway import HTTPRoute
from inferplane.resources.meta import Condition, ConditionStatus, condition
from inferplane.resources.serving.inferenceservice import (
    FailureInfo,
    FailureReason,
    ModelCopies,
    ModelRevisionStates,
    ModelState,
    ModelStatus,
    TransitionStatus,
)

_AVAILABLE, _PROGRESSING, _REPLICA_FAILURE = "Available", "Progressing", "ReplicaFailure"


def component_ready(deployment: Deployment | None, pods: Sequence[Pod]) -> Verdict:
    """From the Deployment's conditions; when it is not ready, its pods say why. `pods` are newest first."""
    conditions = deployment.status.conditions if deployment else []
    found = _deployment_ready(conditions)
    failure = condition(conditions, _REPLICA_FAILURE)
    if found.is_true or (failure is not None and failure.status is ConditionStatus.TRUE):
        return found
    words = podwords.trouble(pods)
    return Verdict(found.status, found.reason, words) if words else found


def of_all_nodes(head: Verdict, workers: Verdict) -> Verdict:
    """Of a model that spans nodes. The worse of the two decides; each says what it has to say under its own name."""
    order = (ConditionStatus.FALSE, ConditionStatus.UNKNOWN, ConditionStatus.TRUE)
    status = min(head.status, workers.status, key=order.index)
    parts = {"predictor-container": head, "worker-container": workers}
    if head.reason == workers.reason:
        reason = head.reason
    else:
        reason = ", ".join(f"{name}: {one.reason}" for name, one in parts.items() if one.reason)
    return Verdict(status, reason, ", ".join(f"{name}: {one.message}" for name, one in parts.items() if one.message))


def _deployment_ready(conditions: Sequence[Condition]) -> Verdict:
    """Later rules override earlier ones (KServe's order)."""
    found = FALSE
    available = condition(conditions, _AVAILABLE)
    if available is not None and available.status is ConditionStatus.TRUE:
        found = _same(available)
    progressing = condition(conditions, _PROGRESSING)
    if progressing is not None:
        found = _progressed(progressing, found)
    if available is not None and available.status is ConditionStatus.FALSE:
        found = _same(available)
    failure = condition(conditions, _REPLICA_FAILURE)
    if failure is not None and failure.status is ConditionStatus.TRUE:
        found = failed(failure.reason, failure.message)
    return found


def _progressed(progressing: Condition, found: Verdict) -> Verdict:
    match progressing.status, progressing.reason:
        case ConditionStatus.FALSE, _ if progressing.message:
            return _same(progressing)
        case ConditionStatus.TRUE, "NewReplicaSetAvailable":
            return _same(progressing)
        case ConditionStatus.TRUE, reason if not found.is_true:
            return Verdict(ConditionStatus.UNKNOWN, reason, progressing.message)
    return found


def _same(one: Condition) -> Verdict:
    return Verdict(one.status, one.reason, one.message)


def ingress_ready(routes: Mapping[str, HTTPRoute | None], titles: Mapping[str, str]) -> Verdict:
    """True when every route is accepted by, and programmed into, its gateway.

    `routes`: name → what was observed; `titles`: name → its word in messages, in the order in which they are looked at.
    """
    for name, title in titles.items():
        route = routes.get(name)
        if route is None:
            return failed(f"{title} Deployment NotReady", f"HTTPRoute {name} does not exist yet")
        if not route.status.parents:
            return failed("ParentStatusNotAvailable", f"{title} HttpRouteNotReady")
        refused = [one for parent in route.status.parents for one in parent.conditions if one.status == "False"]
        if refused:
            return failed(refused[0].reason, f"{title} {refused[0].message}")
    return TRUE


# --- model status -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Seen:
    """The state of the target model; None keeps what was."""

    state: ModelState | None
    failure: Failure | None = None


def model_status(
    before: ModelStatus | None, pods: Sequence[Pod], *, ready: bool, now: str, failed: bool = False
) -> ModelStatus:
    """`pods` of the predictor, newest first; `ready` is the service's own Ready.

    `failed`: without any pods it is known that there will be none.
    """
    seen = _seen(pods, ready) if pods or not failed else _Seen(ModelState.FAILED_TO_LOAD)
    states = before.states if before else None
    target = seen.state or (states.target_model_state if states else ModelState.PENDING)
    loaded = target is ModelState.LOADED
    active = ModelState.LOADED if loaded else states.active_model_state if states else ModelState.NONE
    total = sum(pod.ready for pod in pods)
    return ModelStatus(
        transition_status=_TRANSITIONS[target],
        states=ModelRevisionStates(active_model_state=active, target_model_state=target),
        last_failure_info=None if loaded else _failure_info(before, seen.failure, now),
        copies=ModelCopies(failed_copies=0, total_copies=total or None),
    )


_TRANSITIONS = {
    ModelState.NONE: TransitionStatus.IN_PROGRESS,
    ModelState.PENDING: TransitionStatus.IN_PROGRESS,
    ModelState.STANDBY: TransitionStatus.IN_PROGRESS,
    ModelState.LOADING: TransitionStatus.IN_PROGRESS,
    ModelState.LOADED: TransitionStatus.UP_TO_DATE,
    ModelState.FAILED_TO_LOAD: TransitionStatus.BLOCKED,
}


def _seen(pods: Sequence[Pod], ready: bool) -> _Seen:
    if not pods:
        return _Seen(ModelState.PENDING)
    pod = pods[0]
    fetch, main = podwords.initializer_status(pod), podwords.main_status(pod)
    if failure := podwords.failure_of(pod, fetch):
        return _Seen(ModelState.FAILED_TO_LOAD, failure)
    if fetch is not None and fetch.state.running is not None:
        return _Seen(None if podwords.is_retrying(fetch) else ModelState.LOADING)
    failure = podwords.failure_of(pod, main)
    if failure and not (ready and podwords.has_ready_sibling(pod, pods)):
        return _Seen(ModelState.FAILED_TO_LOAD, failure)
    if ready:
        return _Seen(ModelState.LOADED)
    return _Seen(None if podwords.is_retrying(main) else ModelState.PENDING)


def _failure_info(before: ModelStatus | None, failure: Failure | None, now: str) -> FailureInfo | None:
    last = before.last_failure_info if before else None
    if failure is None:
        return last
    return FailureInfo(
        location=failure.pod,
        reason=FailureReason.MODEL_LOAD_FAILED,
        message=failure.message,
        time=failure.time or (last.time if last else None) or now,
        exit_code=failure.exit_code,
    )


def invalid(before: ModelStatus | None, reason: FailureReason, message: str, now: str) -> ModelStatus:
    """The spec cannot be served at all."""
    states = before.states if before else None
    last = before.last_failure_info if before else None
    same = last is not None and (last.reason, last.message) == (reason, message)
    return ModelStatus(
        transition_status=TransitionStatus.INVALID_SPEC,
        states=ModelRevisionStates(
            active_model_state=states.active_model_state if states else ModelState.NONE,
            target_model_state=ModelState.FAILED_TO_LOAD,
        ),
        last_failure_info=last if same else FailureInfo(reason=reason, message=message, time=now),
        copies=before.copies if before else None,
    )
