"""Causes in a pod: where it is on its way from "not scheduled" to "ready", and what stopped it there. Pure.

The rules are tried in the order of a pod's life, so that the first that fits is the earliest obstacle. What the node
writes into container states is what a kubelet writes; `reason` words of waiting containers are Kubernetes' own.
"""

import re
import signal
from datetime import datetime

from inferplane.cli.why.causes import Cause, Kind
from inferplane.cli.why.facts import ContainerStatus, Facts, Pod, Terminated, Waiting
from inferplane.cli.why.words import ago, plural
from inferplane.resources.meta import Condition, ConditionStatus, condition

COMPONENT_LABEL = "component"
STORAGE_INITIALIZER = "storage-initializer"
SHORT_MESSAGE = 3
BENIGN_WAITS = frozenset({"", "ContainerCreating", "PodInitializing", "CrashLoopBackOff"})
_MISSING_MODULE = re.compile(r"No module named '([\w.]+)'")
_MODEL_DIRECTORY = re.compile(r"[^\s:'\"]*/mnt/models(?![\w-])")
_IMPORT_FAILED = re.compile(r"ImportError: (.+)")


def pod_causes(facts: Facts) -> list[Cause]:
    """At most one cause for each component, of its newest pod that is not ready."""
    causes: list[Cause] = []
    for component, pods in _by_component(facts.pods).items():
        waiting = [pod for pod in pods if not _ready(pod) and not pod.metadata.deleting]
        if waiting:
            causes.append(_cause_of(waiting[0], component, facts))
    return causes


def last_failure(facts: Facts) -> Cause | None:
    """What was said by a pod that is gone: in Knative mode a revision that does not start is given up."""
    info = facts.service.status.model_status.last_failure_info if facts.service else None
    if info is None or not info.message or not _load_failed(facts):
        return None
    lines = _lines(info.message)
    details = _named_by_the_user(lines if len(lines) <= SHORT_MESSAGE else lines[-1:], facts)
    return Cause(Kind.MODEL_NOT_LOADED, "predictor", "the model did not load", details)


def _by_component(pods: tuple[Pod, ...]) -> dict[str, list[Pod]]:
    newest_first = sorted(
        pods, key=lambda pod: (pod.metadata.creation_timestamp or "", pod.metadata.name), reverse=True
    )
    found: dict[str, list[Pod]] = {}
    for pod in newest_first:
        found.setdefault(pod.metadata.labels.get(COMPONENT_LABEL, "predictor"), []).append(pod)
    return found


def _ready(pod: Pod) -> bool:
    found = condition(pod.status.conditions, "Ready")
    return found is not None and found.status is ConditionStatus.TRUE


def _cause_of(pod: Pod, component: str, facts: Facts) -> Cause:
    return (
        _unschedulable(pod, component, facts)
        or _volume(pod, component, facts)
        or _storage(pod, component, facts)
        or _waiting(pod, component, facts)
        or _failed(pod, component, facts)
        or _probe(pod, component, facts)
        or _starting(pod, component, facts.now)
    )


def _unschedulable(pod: Pod, component: str, facts: Facts) -> Cause | None:
    if pod.spec.node_name:
        return None
    scheduled: Condition | None = condition(pod.status.conditions, "PodScheduled")
    if not facts.nodes:
        summary = "no node is there to run it"
        return Cause(Kind.UNSCHEDULABLE, component, summary, fix="wait for the node: inferplane status")
    if scheduled is None or scheduled.status is not ConditionStatus.FALSE:
        return None
    return Cause(
        Kind.UNSCHEDULABLE,
        component,
        "no node can take its pod",
        (scheduled.message,),
        f"ask for less in spec.{component}, or free a node: inferplane get pods -A",
    )


def _volume(pod: Pod, component: str, facts: Facts) -> Cause | None:
    if any(one.state.waiting is None for one in pod.status.container_statuses):
        return None  # a container has been started since, so the mount has succeeded
    for event in reversed(facts.events):
        if event.involved_object.name == pod.metadata.name and event.reason in {"FailedMount", "FailedAttachVolume"}:
            return Cause(
                Kind.STORAGE, component, "its storage cannot be mounted", (event.message,), _storage_fix(facts)
            )
    return None


def _storage(pod: Pod, component: str, facts: Facts) -> Cause | None:
    for status in pod.status.init_container_statuses:
        ended = _failure(status)
        if ended is None:
            continue
        initializer = status.name == STORAGE_INITIALIZER
        summary = "the model could not be fetched" if initializer else f"init container {status.name} failed"
        details = _said(ended) or (_exit_text(ended),)
        kind, fix = (Kind.STORAGE, _initializer_fix(details, facts)) if initializer else (Kind.CRASHING, "")
        return Cause(kind, component, summary, details, fix, pod=pod.metadata.name, previous=status.restart_count > 0)
    return None


def _named_by_the_user(lines: tuple[str, ...], facts: Facts) -> tuple[str, ...]:
    """The server sees its model below /mnt/models (of the pod's own directory); the user knows it by its URI."""
    uri = _storage_uri(facts).rstrip("/")
    return tuple(_MODEL_DIRECTORY.sub(lambda _: uri, line) for line in lines) if uri else lines


def _storage_uri(facts: Facts) -> str:
    predictor = facts.service.spec.predictor if facts.service else None
    model = predictor.model if predictor else None
    return (model.storage_uri if model else None) or (predictor.storage_uri if predictor else None) or ""


def _initializer_fix(details: tuple[str, ...], facts: Facts) -> str:
    """The URI is at fault unless the initializer's words, which end with what to do, are about something else."""
    elsewhere = ("access denied", "credentials", "cannot connect", "certificate", "no space left", "not installed")
    return "" if any(word in line for word in elsewhere for line in details) else _storage_fix(facts)


def _storage_fix(facts: Facts) -> str:
    uri = _storage_uri(facts)
    return f"correct  spec.predictor.model.storageUri: {uri}" if uri else "correct the service's storageUri"


def _waiting(pod: Pod, component: str, facts: Facts) -> Cause | None:
    for status in (*pod.status.init_container_statuses, *pod.status.container_statuses):
        waiting = status.state.waiting
        if waiting is None or waiting.reason in BENIGN_WAITS:
            continue
        return _refused(component, status, waiting, facts)
    return None


def _refused(component: str, status: ContainerStatus, waiting: Waiting, facts: Facts) -> Cause:
    """The node says that it cannot even start the container; its message says what to do."""
    details = _lines(waiting.message)
    match waiting.reason:
        case "ImageNotRunnable":
            summary = f"image {status.image} cannot be run as a process" if status.image else "its image cannot be run"
            fix = "" if details else "give the container a command, or add a ProcessImage: inferplane get processimages"
            return Cause(Kind.IMAGE_NOT_RUNNABLE, component, summary, details, fix)
        case "RuntimeNotInstalled":
            return Cause(Kind.MISSING_LIBRARY, component, "a library of its runtime is not installed", details)
        case "EnvironmentNotBuilt":
            return Cause(Kind.MISSING_LIBRARY, component, "its Python environment could not be built", details)
        case "FailedMount":
            return Cause(Kind.STORAGE, component, "its storage cannot be mounted", details, _storage_fix(facts))
        case reason:
            summary = f"container {status.name} cannot start ({reason})"
            return Cause(Kind.CANNOT_START, component, summary, details)


def _failed(pod: Pod, component: str, facts: Facts) -> Cause | None:
    for status in pod.status.container_statuses:
        ended = _failure(status)
        if ended is not None:
            return _failed_container(pod, component, status, ended, facts)
    if pod.status.phase == "Failed":
        return Cause(Kind.CRASHING, component, f"its pod failed ({pod.status.reason})", _lines(pod.status.message))
    return None


def _failed_container(pod: Pod, component: str, status: ContainerStatus, ended: Terminated, facts: Facts) -> Cause:
    name = pod.metadata.name
    previous = status.state.running is not None or status.restart_count > 0
    said = "\n".join((ended.message, *facts.log_tails.get(name, ())))
    details = _named_by_the_user(_said(ended), facts)
    if ended.reason == "StartError":
        return Cause(Kind.CANNOT_START, component, f"container {status.name} cannot start", details)
    by_itself = ended.signal == 0 and ended.exit_code < 128
    if by_itself and (library := _missing_library(said)):
        return _missing(component, library, details, status, name, previous)
    # A server of ours says in one line why it ends; several are the end of some other program's log.
    if by_itself and ended.message and len(_lines(ended.message)) == 1 and _load_failed(facts):
        return Cause(Kind.MODEL_NOT_LOADED, component, "the model did not load", details, "", name, previous)
    restarts = f", restarted {plural(status.restart_count, 'time')}" if status.restart_count else ""
    summary = f"container {status.name} {_exit_text(ended)}{restarts}"
    fix = "give it more memory: resources.limits.memory" if ended.reason == "OOMKilled" else ""
    return Cause(Kind.CRASHING, component, summary, details, fix, name, previous)


def _said(ended: Terminated) -> tuple[str, ...]:
    """The termination message. One that is the end of the log is shown below anyway: its last line tells the most."""
    lines = _lines(ended.message)
    return lines if len(lines) <= SHORT_MESSAGE else lines[-1:]


def _load_failed(facts: Facts) -> bool:
    status = facts.service.status.model_status if facts.service else None
    info = status.last_failure_info if status else None
    return status is not None and status.transition_status == "BlockedByFailedLoad" and info is not None


def _failure(status: ContainerStatus) -> Terminated | None:
    """How the container failed last, if its present state is the result of a failure."""
    now = status.state
    ended = now.terminated or (None if status.ready else status.last_state.terminated)
    return ended if ended is not None and (ended.exit_code != 0 or ended.signal != 0) else None


def _missing_library(text: str) -> str:
    found = _MISSING_MODULE.search(text)
    if found:
        return found.group(1)
    failed = _IMPORT_FAILED.search(text)
    return failed.group(1) if failed else ""


def _missing(
    component: str, library: str, details: tuple[str, ...], status: ContainerStatus, pod: str, previous: bool
) -> Cause:
    package = library.partition(".")[0]
    # A module inside a package that is there has moved between versions: the usual trace of a pickle of another one.
    if "." in library:
        summary = f"the model was written with another version of {package}: its environment has no {library}"
        fix = "add  spec.predictor.model.runtimeVersion  with the version of the library that wrote the model"
    else:
        summary = f"the model needs {library}, which its environment does not have"
        fix = f"add {package} to the requirements of the ProcessImage of {status.image or 'its image'}"
    return Cause(Kind.MISSING_LIBRARY, component, summary, details, fix, pod, previous)


def _exit_text(ended: Terminated) -> str:
    number = ended.signal or (ended.exit_code - 128 if ended.exit_code > 128 else 0)
    if ended.reason == "OOMKilled":
        return "was killed for using more memory than its limit"
    if number:
        return f"was ended by {_signal_name(number)}"
    return f"exited with code {ended.exit_code}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _probe(pod: Pod, component: str, facts: Facts) -> Cause | None:
    if not any(status.state.running for status in pod.status.container_statuses):
        return None
    for event in reversed(facts.events):
        if event.involved_object.name == pod.metadata.name and event.reason == "Unhealthy":
            summary = "its process runs, but its probe fails"
            return Cause(Kind.PROBE_FAILING, component, summary, _lines(event.message), pod=pod.metadata.name)
    return None


def _starting(pod: Pod, component: str, now: datetime) -> Cause:
    age = ago(pod.metadata.creation_timestamp, now)
    return Cause(
        Kind.STARTING,
        component,
        f"still starting{f', for {age}' if age else ''}: {_stage(pod)}",
        fix="",
        pod=pod.metadata.name,
    )


def _progress(pod: Pod) -> str:
    """What the node adds to the condition while an init container tells how far it is."""
    waiting = condition(pod.status.conditions, "Initialized")
    _, separator, said = (waiting.message if waiting else "").partition("]: ")
    return f" ({said})" if separator else ""


def _stage(pod: Pod) -> str:
    """What the pod waits for, in the order of its life."""
    if not pod.spec.node_name:
        return "waiting for a node"
    for status in pod.status.init_container_statuses:
        if status.state.terminated is None:
            initializer = status.name == STORAGE_INITIALIZER
            doing = "fetching the model" if initializer else f"running init container {status.name}"
            return f"{doing}{_progress(pod)}"
    for status in pod.status.container_statuses:
        if status.state.running is None:
            waiting = status.state.waiting
            return (waiting.message if waiting else "") or f"starting container {status.name}"
        if not status.ready:
            return f"container {status.name} runs and is loading (not ready yet)"
    return "waiting for the node to start its containers"


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.rstrip() for line in text.splitlines() if line.strip())
