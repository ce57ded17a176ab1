"""A pod's status as a kubelet writes it, as a pure function of the pod, its containers and the time.

`render` gives the JSON of `status` for server-side apply. Transition times are kept from the status before as long as a
condition's status stays the same, so an unchanged pod renders to the same bytes and nothing is written.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from inferplane.controlplane.node.decide import Decision, initialized, is_sidecar, passed, restarts
from inferplane.controlplane.node.observed import ABSENT, Containers, Seen, ready, started
from inferplane.controlplane.node.runs import Exit, Run
from inferplane.kernel.clock import timestamp
from inferplane.kernel.json import Json, JsonObject, list_at, object_at
from inferplane.resources.core import Container, Pod

EVICTED = "Evicted"
CONTAINER_ID_SCHEME = "inferplane"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a pod runs: its address and the node's. `since`: when the node took it up (seconds since the epoch)."""

    pod_ip: str
    host_ip: str
    since: float


def render(
    pod: Pod,
    containers: Containers,
    decision: Decision,
    place: Place,
    before: JsonObject,
    now: float,
    *,
    evicted: str = "",
) -> JsonObject:
    """`before` is what was rendered last (or the object's status when there is nothing); for transition times only.

    `evicted`: why the node has ended the pod for good.
    """
    states = {one.name: _status(pod, one, containers, decision) for one in _all(pod)}
    status: JsonObject = {
        "phase": phase(pod, containers),
        "hostIP": place.host_ip,
        "hostIPs": [{"ip": place.host_ip}],
        "podIP": place.pod_ip,
        "podIPs": [{"ip": place.pod_ip}],
        "startTime": _time(place.since),
        "qosClass": pod.status.qos_class or "BestEffort",
        "containerStatuses": [states[one.name] for one in pod.spec.containers],
        "conditions": _conditions(pod, containers, before, now),
    }
    if evicted:
        status |= {"phase": "Failed", "reason": EVICTED, "message": evicted}
    if pod.spec.init_containers:
        status["initContainerStatuses"] = [states[one.name] for one in pod.spec.init_containers]
    return status


def is_news(status: JsonObject, before: JsonObject) -> bool:
    """Did something change that others act upon: readiness, an end, a reason to wait? All else is progress."""
    return _news(status) != _news(before)


def _news(status: JsonObject) -> tuple[Json, ...]:
    ready = [
        one for one in _objects(status, "conditions") if one.get("type") == "Ready" and one.get("status") == "True"
    ]
    states = [
        object_at(one, "state", "waiting").get("reason") or object_at(one, "state", "terminated").get("exitCode")
        for which in ("initContainerStatuses", "containerStatuses")
        for one in _objects(status, which)
    ]
    # An init container that ended well (0) is progress, too.
    return (len(ready), *(one for one in states if one and one not in ("ContainerCreating", "PodInitializing")))


def _objects(status: JsonObject, name: str) -> list[JsonObject]:
    return [one for one in list_at(status, name) if isinstance(one, dict)]


def phase(pod: Pod, containers: Containers) -> str:
    """kubelet's `getPhase`."""
    if not initialized(pod, containers):
        seen_inits = [(one, containers.get(one.name, ABSENT)) for one in pod.spec.init_containers]
        failed = any(_gave_up(pod, one, seen) and not seen.succeeded for one, seen in seen_inits)
        return "Failed" if failed else "Pending"
    seen = [containers.get(one.name, ABSENT) for one in pod.spec.containers]
    if any(one.run is None for one in seen):
        return "Pending"
    if not all(_gave_up(pod, one, containers[one.name]) for one in pod.spec.containers):
        return "Running"
    return "Succeeded" if all(one.succeeded for one in seen) else "Failed"


def _gave_up(pod: Pod, container: Container, seen: Seen) -> bool:
    """It ended and will not be started again."""
    return seen.run is not None and seen.run.exit is not None and not restarts(pod, container, seen.run)


def _all(pod: Pod) -> list[Container]:
    return [*pod.spec.init_containers, *pod.spec.containers]


# --- containers -------------------------------------------------------------------------------------------------------


def _status(pod: Pod, container: Container, containers: Containers, decision: Decision) -> JsonObject:
    seen = containers.get(container.name, ABSENT)
    state, last = _state(pod, container, containers, decision), _last_state(pod, container, seen, decision)
    status: JsonObject = {
        "name": container.name,
        "image": container.image,
        "imageID": container.image,
        "ready": _is_ready(pod, container, seen),
        "started": started(container, seen),
        "restartCount": seen.run.attempt if seen.run is not None else 0,
        "state": state,
        "lastState": {"terminated": _terminated(pod, container, last)} if last is not None else {},
    }
    if seen.run is not None:
        status["containerID"] = container_id(pod, container, seen.run)
    return status


def container_id(pod: Pod, container: Container, run: Run) -> str:
    return f"{CONTAINER_ID_SCHEME}://{pod.metadata.uid}/{container.name}/{run.attempt}"


def _is_ready(pod: Pod, container: Container, seen: Seen) -> bool:
    init = any(one.name == container.name for one in pod.spec.init_containers)
    return seen.succeeded if init and not is_sidecar(container) else ready(container, seen)


def _state(pod: Pod, container: Container, containers: Containers, decision: Decision) -> JsonObject:
    seen = containers.get(container.name, ABSENT)
    run = seen.run
    if run is not None and run.exit is None:
        return {"running": {"startedAt": _time(run.started_at)}}
    if seen.problem is not None:
        return _waiting(seen.problem.reason, seen.problem.message)
    if (delay := decision.backing_off.get(container.name)) is not None:
        who = f"container={container.name} pod={pod.metadata.name}_{pod.metadata.namespace}({pod.metadata.uid})"
        return _waiting("CrashLoopBackOff", f"back-off {delay:g}s restarting failed {who}")
    if run is not None and not seen.launching:
        return {"terminated": _terminated(pod, container, run)}
    init = any(one.name == container.name for one in pod.spec.init_containers)
    if not init and not initialized(pod, containers):
        return _waiting("PodInitializing", "")
    return _waiting("ContainerCreating", seen.progress)


def _last_state(pod: Pod, container: Container, seen: Seen, decision: Decision) -> Run | None:
    """The ended run that `state` does not show."""
    ended = seen.run is not None and seen.run.exit is not None
    hidden = seen.problem is not None or seen.launching or container.name in decision.backing_off
    return seen.run if ended and hidden else seen.previous


def _waiting(reason: str, message: str) -> JsonObject:
    return {"waiting": {"reason": reason, "message": message} if message else {"reason": reason}}


def _terminated(pod: Pod, container: Container, run: Run) -> JsonObject:
    end = run.exit or Exit(code=0, at=run.started_at)
    found: JsonObject = {
        "exitCode": end.code,
        "reason": terminated_reason(end),
        "startedAt": _time(run.started_at),
        "finishedAt": _time(end.at),
        "containerID": container_id(pod, container, run),
    }
    if end.signal and end.reason != OOM_KILLED:  # containerd gives the code alone
        found["signal"] = end.signal
    if end.message:
        found["message"] = end.message
    return found


# What a kubelet or a container runtime says itself; reasons of applications go into the message (KServe reads `Error`).
OOM_KILLED = "OOMKilled"
_RUNTIME_REASONS = frozenset({"StartError", "ContainerStatusUnknown", OOM_KILLED})


def terminated_reason(exit: Exit) -> str:
    if exit.reason in _RUNTIME_REASONS:
        return exit.reason
    return "Completed" if exit.code == 0 else "Error"


# --- conditions -------------------------------------------------------------------------------------------------------


def _conditions(pod: Pod, containers: Containers, before: JsonObject, now: float) -> list[Json]:
    done = initialized(pod, containers)
    unready = [one.name for one in _serving(pod) if not ready(one, containers.get(one.name, ABSENT))]
    finished = phase(pod, containers) in ("Succeeded", "Failed")
    why = "PodCompleted" if finished and phase(pod, containers) == "Succeeded" else "ContainersNotReady"
    names = f"containers with unready status: [{' '.join(unready)}]"
    not_done = [one.name for one in pod.spec.init_containers if not passed(one, containers.get(one.name, ABSENT))]
    gates = [one.condition_type for one in pod.spec.readiness_gates if not _gate_open(pod, one.condition_type)]
    waiting = f"containers with incomplete status: [{' '.join(not_done)}]"
    if not_done and (said := containers.get(not_done[0], ABSENT).progress):
        waiting += f": {said}"
    is_ready = not unready and done and not finished
    rows = [
        ("Initialized", done, "ContainersNotInitialized", waiting),
        ("ContainersReady", is_ready, why, names),
        ("Ready", is_ready and not gates, "ReadinessGatesNotReady" if gates and is_ready else why, names),
        ("PodScheduled", True, "", ""),
    ]
    return [_condition(kind, true, reason, message, before, now) for kind, true, reason, message in rows]


def _serving(pod: Pod) -> list[Container]:
    return [*pod.spec.containers, *(one for one in pod.spec.init_containers if is_sidecar(one))]


def _gate_open(pod: Pod, type: str) -> bool:
    return any(one.type == type and one.status == "True" for one in pod.status.conditions)


def _condition(type: str, true: bool, reason: str, message: str, before: JsonObject, now: float) -> JsonObject:
    status = "True" if true else "False"
    conditions = before.get("conditions")
    old = next(
        (
            one
            for one in (conditions if isinstance(conditions, list) else [])
            if isinstance(one, dict) and one.get("type") == type and one.get("status") == status
        ),
        None,
    )
    since = old.get("lastTransitionTime") if old is not None else None
    found: JsonObject = {"type": type, "status": status, "lastTransitionTime": since or _time(now)}
    return found if true else {**found, "reason": reason, "message": message}


def _time(moment: float) -> str:
    return timestamp(datetime.fromtimestamp(moment, UTC))
