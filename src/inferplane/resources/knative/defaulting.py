"""What Knative's webhook fills into the spec of a new revision. Rules: `pkg/apis/serving/v1/revision_defaults.go`.

A Service and its Configuration stay as they were written; the revision gets what holds at the moment it is made, and
keeps it whatever the ConfigMap says later.
"""

from collections.abc import Callable, Collection

from inferplane.resources.knative.config import Config, Defaults
from inferplane.resources.knative.template import containers
from inferplane.resources.serving.fields import Json, JsonObject

MAIN = "user-container"
INIT = "init-container"
_HANDLERS = ("httpGet", "tcpSocket", "exec", "grpc")
_WRITABLE = ("emptyDir", "persistentVolumeClaim", "ephemeral")


def defaulted(spec: JsonObject, config: Config) -> JsonObject:
    """The spec of a template → that of its revision."""
    found = containers(spec)
    named = _named(found, MAIN)
    serving = [number for number, one in enumerate(found) if len(found) == 1 or one.get("ports")]
    read_only = _read_only_volumes(spec)

    def filled(number: int, one: JsonObject) -> JsonObject:
        one = _with_resources(_with_read_only(one, read_only), config.defaults)
        return one | {"readinessProbe": _probe(one.get("readinessProbe"))} if number in serving else one

    made: JsonObject = {**spec, "containers": [filled(number, one) for number, one in enumerate(named)]}
    if init := containers(spec, "initContainers"):
        made["initContainers"] = [_with_read_only(one, read_only) for one in _named(init, INIT)]
    made.setdefault("enableServiceLinks", False)
    return made | _limits(spec, config.defaults)


def _limits(spec: JsonObject, defaults: Defaults) -> JsonObject:
    timeout = _number(spec.get("timeoutSeconds")) or defaults.revision_timeout_seconds
    concurrency = spec.get("containerConcurrency")
    found: JsonObject = {
        "containerConcurrency": defaults.container_concurrency if concurrency is None else concurrency,
        "timeoutSeconds": timeout,
    }
    start, idle = defaults.revision_response_start_timeout_seconds, defaults.revision_idle_timeout_seconds
    # Only what is stricter than the whole: with Knative's own defaults (300 and 300) the answer's start has no limit.
    if spec.get("responseStartTimeoutSeconds") is None and start < timeout:
        found["responseStartTimeoutSeconds"] = start
    if spec.get("idleTimeoutSeconds") is None and 0 < idle < timeout:
        found["idleTimeoutSeconds"] = idle
    return found


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _named(found: list[JsonObject], base: str) -> list[JsonObject]:
    taken = {str(one["name"]) for one in found if one.get("name")}
    free = _free_names(base, taken, plain=len(found) == 1)
    return [one if one.get("name") else one | {"name": free()} for one in found]


def _free_names(base: str, taken: set[str], *, plain: bool) -> Callable[[], str]:
    numbered = (f"{base}-{number}" for number in range(len(taken) + 100) if f"{base}-{number}" not in taken)
    return lambda: base if plain and base not in taken else next(numbered)


def _probe(given: object) -> JsonObject:
    probe: JsonObject = dict(given) if isinstance(given, dict) else {}
    if not any(probe.get(one) is not None for one in _HANDLERS):
        probe["tcpSocket"] = {"port": 0}
    probe["successThreshold"] = probe.get("successThreshold") or 1
    if probe.get("periodSeconds"):
        probe["failureThreshold"] = probe.get("failureThreshold") or 3
        probe["timeoutSeconds"] = probe.get("timeoutSeconds") or 1
    return probe


def _read_only_volumes(spec: JsonObject) -> set[str]:
    return {str(one.get("name")) for one in containers(spec, "volumes") if not any(kind in one for kind in _WRITABLE)}


def _with_read_only(one: JsonObject, volumes: Collection[str]) -> JsonObject:
    mounts: list[Json] = [
        {**mount, "readOnly": True} if mount.get("name") in volumes else mount
        for mount in containers(one, "volumeMounts")
    ]
    return {**one, "volumeMounts": mounts} if mounts else one


def _with_resources(one: JsonObject, defaults: Defaults) -> JsonObject:
    """Only what the operator configured."""
    given = one.get("resources")
    resources: JsonObject = dict(given) if isinstance(given, dict) else {}
    for key, kind in (("requests", "request"), ("limits", "limit")):
        there = resources.get(key)
        merged = defaults.resources(kind) | (there if isinstance(there, dict) else {})
        if merged:
            resources[key] = merged
    return one | {"resources": resources} if resources else one
