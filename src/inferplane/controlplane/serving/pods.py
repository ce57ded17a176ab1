"""What a predictor's pods say about the model: which failed, with what words.

Pods (newest first) go in; a failure, or a state of the model in KServe's terms, comes out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from inferplane.controlplane.serving import names
from inferplane.resources.core import ContainerState, ContainerStateTerminated, ContainerStatus, Pod
from inferplane.resources.meta import condition

_TEMPLATE_HASH = "pod-template-hash"
_CRASH_LOOP = "CrashLoopBackOff"
# Waiting for these is the normal course of a start.
_STARTING = frozenset({"", "ContainerCreating", "PodInitializing", _CRASH_LOOP})


@dataclass(frozen=True, slots=True)
class Failure:
    """A container that ended with an error; `message` is what it said at its end, or the node's words."""

    pod: str
    container: str
    message: str
    exit_code: int | None
    time: str | None

    def __str__(self) -> str:
        ended = f" exited with code {self.exit_code}" if self.exit_code is not None else ""
        return f"pod {self.pod}: {self.container}{ended}: {self.message or 'no message, see its log'}"


def newest_first(pods: Sequence[Pod]) -> list[Pod]:
    """By age, then name, so that the same pods always give the same answer."""
    by_name = sorted(pods, key=lambda one: one.metadata.name)
    return sorted(by_name, key=lambda one: one.metadata.creation_timestamp or "", reverse=True)


def status_of(pod: Pod, container: str, *, init: bool = False) -> ContainerStatus | None:
    statuses = pod.status.init_container_statuses if init else pod.status.container_statuses
    return next((one for one in statuses if one.name == container), None)


def failure_of(pod: Pod, status: ContainerStatus | None) -> Failure | None:
    """Ended with an error, or waiting to be started again after it."""
    ended = _ended(status)
    if status is None or ended is None:
        return None
    return Failure(pod.metadata.name, status.name, ended.message.strip(), ended.exit_code, ended.finished_at)


def _ended(status: ContainerStatus | None) -> ContainerStateTerminated | None:
    if status is None:
        return None
    if status.state.waiting is not None and status.state.waiting.reason == _CRASH_LOOP:
        return status.last_state.terminated
    return _error(status.state)


def _error(state: ContainerState) -> ContainerStateTerminated | None:
    ended = state.terminated
    return ended if ended is not None and ended.exit_code != 0 else None


def is_retrying(status: ContainerStatus | None) -> bool:
    """Running again after an error: whether it is overcome is not known yet."""
    return status is not None and status.state.running is not None and not status.ready and _has_failed(status)


def _has_failed(status: ContainerStatus) -> bool:
    return _error(status.last_state) is not None


def trouble(pods: Sequence[Pod]) -> str:
    """Why pods don't become ready, in words, or "". The newest pod that is in trouble speaks for all."""
    for pod in pods:
        if not pod.ready and (words := _trouble_of(pod)):
            return words
    return ""


def _trouble_of(pod: Pod) -> str:
    for status in (*pod.status.init_container_statuses, *pod.status.container_statuses):
        if failure := failure_of(pod, status) or _last_failure(pod, status):
            return str(failure)
        waiting = status.state.waiting
        if waiting is not None and waiting.reason not in _STARTING:
            return f"pod {pod.metadata.name}: {status.name}: {waiting.reason}: {waiting.message}".removesuffix(": ")
    scheduled = condition(pod.status.conditions, "PodScheduled")
    if scheduled is not None and scheduled.status == "False":
        return f"pod {pod.metadata.name}: {scheduled.reason}: {scheduled.message}"
    return ""


def _last_failure(pod: Pod, status: ContainerStatus) -> Failure | None:
    """The words stay while the next try runs, so that a crash loop does not go silent every other moment."""
    ended = status.last_state.terminated
    if ended is None or not is_retrying(status):
        return None
    return Failure(pod.metadata.name, status.name, ended.message.strip(), ended.exit_code, ended.finished_at)


def has_ready_sibling(pod: Pod, pods: Sequence[Pod]) -> bool:
    """Is a pod of the same template ready, so that the template is known to work?"""
    wanted = pod.metadata.labels.get(_TEMPLATE_HASH)
    return any(one.ready and one.metadata.labels.get(_TEMPLATE_HASH) == wanted for one in pods)


def main_status(pod: Pod) -> ContainerStatus | None:
    return status_of(pod, names.MAIN_CONTAINER)


def initializer_status(pod: Pod) -> ContainerStatus | None:
    return status_of(pod, names.STORAGE_INITIALIZER, init=True)
