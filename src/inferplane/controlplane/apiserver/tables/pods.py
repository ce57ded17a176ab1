"""The words of a Pod's row: its readiness, its status in one word, its restarts. Facts from kubectl's printPod."""

from datetime import datetime

from inferplane.controlplane.apiserver.tables.ages import age, duration
from inferplane.kernel.clock import parse_timestamp
from inferplane.kernel.json import Json, JsonObject, list_at, number_at, object_at, text_at

NONE = "<none>"


def cells(pod: JsonObject, now: datetime) -> list[Json]:
    containers = _objects(list_at(pod, "status", "containerStatuses"))
    wanted = len(list_at(pod, "spec", "containers")) + len(_sidecars(pod))
    ready = sum(1 for status in (*containers, *_sidecar_statuses(pod)) if _running_and_ready(status))
    addresses = _objects(list_at(pod, "status", "podIPs"))
    gates = _objects(list_at(pod, "spec", "readinessGates"))
    return [
        text_at(pod, "metadata", "name"),
        f"{ready}/{wanted}",
        status_word(pod),
        restarts(pod, now),
        age(object_at(pod, "metadata").get("creationTimestamp"), now),
        text_at(addresses[0], "ip") if addresses else text_at(pod, "status", "podIP") or NONE,
        text_at(pod, "spec", "nodeName") or NONE,
        text_at(pod, "status", "nominatedNodeName") or NONE,
        _gates(pod, gates) if gates else NONE,
    ]


def status_word(pod: JsonObject) -> str:
    """`Running`, `CrashLoopBackOff`, `Init:0/1`, `Terminating`, …"""
    reason = text_at(pod, "status", "reason") or text_at(pod, "status", "phase") or "Unknown"
    for condition in _objects(list_at(pod, "status", "conditions")):
        if condition.get("type") == "PodScheduled" and condition.get("reason") == "SchedulingGated":
            reason = "SchedulingGated"
    reason = _init_word(pod) or _container_word(pod, reason)
    if object_at(pod, "metadata").get("deletionTimestamp"):
        if text_at(pod, "status", "reason") == "NodeLost":
            return "Unknown"
        if text_at(pod, "status", "phase") not in ("Succeeded", "Failed"):
            return "Terminating"
    return reason


def _init_word(pod: JsonObject) -> str:
    """What holds the pod before its containers run; empty once all init containers are done."""
    wanted = _objects(list_at(pod, "spec", "initContainers"))
    restartable = {text_at(one, "name") for one in wanted if one.get("restartPolicy") == "Always"}
    for number, status in enumerate(_objects(list_at(pod, "status", "initContainerStatuses"))):
        ended = object_at(status, "state", "terminated")
        waiting = text_at(status, "state", "waiting", "reason")
        if ended and number_at(ended, "exitCode") == 0:
            continue
        if text_at(status, "name") in restartable and status.get("started"):
            continue
        if ended:
            return f"Init:{_end_word(ended)}"
        if waiting and waiting != "PodInitializing":
            return f"Init:{waiting}"
        return f"Init:{number}/{len(wanted)}"
    return ""


def _container_word(pod: JsonObject, reason: str) -> str:
    running = False
    for status in reversed(_objects(list_at(pod, "status", "containerStatuses"))):
        waiting = text_at(status, "state", "waiting", "reason")
        ended = object_at(status, "state", "terminated")
        if waiting:
            reason = waiting
        elif ended:
            reason = _end_word(ended)
        elif status.get("ready") and object_at(status, "state").get("running") is not None:
            running = True
    if reason == "Completed" and running:
        return "Running" if _is_ready(pod) else "NotReady"
    return reason


def _end_word(ended: JsonObject) -> str:
    if text_at(ended, "reason"):
        return text_at(ended, "reason")
    signal = number_at(ended, "signal")
    return f"Signal:{signal}" if signal else f"ExitCode:{number_at(ended, 'exitCode')}"


def restarts(pod: JsonObject, now: datetime) -> str:
    """`3 (5m ago)`; the init containers' own while they run."""
    statuses = _objects(list_at(pod, "status", "containerStatuses")) + _sidecar_statuses(pod)
    if _init_word(pod):
        statuses = _objects(list_at(pod, "status", "initContainerStatuses"))
    count = sum(number_at(status, "restartCount") for status in statuses)
    ends = [text_at(status, "lastState", "terminated", "finishedAt") for status in statuses]
    last = max((end for end in ends if end), default="")
    if not count or not last:
        return str(count)
    return f"{count} ({duration((now - parse_timestamp(last)).total_seconds())} ago)"


def _is_ready(pod: JsonObject) -> bool:
    conditions = _objects(list_at(pod, "status", "conditions"))
    return any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)


def _running_and_ready(status: JsonObject) -> bool:
    return bool(status.get("ready")) and object_at(status, "state").get("running") is not None


def _sidecars(pod: JsonObject) -> set[str]:
    wanted = _objects(list_at(pod, "spec", "initContainers"))
    return {text_at(one, "name") for one in wanted if one.get("restartPolicy") == "Always"}


def _sidecar_statuses(pod: JsonObject) -> list[JsonObject]:
    names = _sidecars(pod)
    statuses = _objects(list_at(pod, "status", "initContainerStatuses"))
    return [status for status in statuses if text_at(status, "name") in names]


def _gates(pod: JsonObject, gates: list[JsonObject]) -> str:
    conditions = _objects(list_at(pod, "status", "conditions"))
    met = {one.get("type") for one in conditions if one.get("status") == "True"}
    return f"{sum(1 for gate in gates if gate.get('conditionType') in met)}/{len(gates)}"


def _objects(values: list[Json]) -> list[JsonObject]:
    return [value for value in values if isinstance(value, dict)]
