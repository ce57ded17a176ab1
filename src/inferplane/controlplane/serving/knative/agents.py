"""A pod with the agent as a revision may have it. Pure.

Knative sends requests to the one container with a port, and allows no other one a readiness probe: that is the agent's
then, which asks the server itself (`SERVING_READINESS_PROBE`). The pod's name is not known to a revision; its own is.
"""

from inferplane.controlplane.serving import agents
from inferplane.controlplane.serving.merging import set_variable
from inferplane.controlplane.serving.ports import containers_of, entry_container, first_port
from inferplane.kernel.json import Json, JsonObject, list_at

_REVISION = "$(K_REVISION)"
_PROTOCOLS = ("http1", "h2c")


def fitted(pod: JsonObject) -> JsonObject:
    containers = [_named(one) for one in containers_of(pod)]
    if agents.in_front(pod):
        entry = entry_container(pod)
        containers = [_serving(one, entry) if _is_agent(one) else _beside(one, entry) for one in containers]
    return pod | {"containers": [*containers]}


def _is_agent(container: JsonObject) -> bool:
    return container.get("name") == agents.CONTAINER


def _serving(agent: JsonObject, entry: JsonObject) -> JsonObject:
    """Names of ports are Knative's: that of the server behind tells the protocol."""
    port: JsonObject = {"containerPort": agents.PORT, "protocol": "TCP"}
    named = next((one for one in list_at(entry, "ports") if isinstance(one, dict)), {}).get("name")
    return agent | {"ports": [port | ({"name": named} if named in _PROTOCOLS else {})]}


def _beside(container: JsonObject, entry: JsonObject) -> JsonObject:
    """`entry` is the container behind the agent."""
    rest = {key: value for key, value in container.items() if key not in ("ports", "readinessProbe")}
    if container.get("name") != entry.get("name") or _has(rest, "PORT"):
        return rest
    # Knative tells its port only to the container that has one.
    return set_variable(rest, "PORT", str(first_port(container)))


def _named(container: JsonObject) -> JsonObject:
    if agents.POD_NAME not in list_at(container, "args"):
        return container
    args: list[Json] = [_REVISION if one == agents.POD_NAME else one for one in list_at(container, "args")]
    env: list[Json] = [one for one in list_at(container, "env") if not _is_pod_name(one)]
    return container | {"args": args, "env": env}


def _is_pod_name(variable: Json) -> bool:
    return isinstance(variable, dict) and variable.get("name") == "POD_NAME" and "valueFrom" in variable


def _has(container: JsonObject, variable: str) -> bool:
    return any(isinstance(one, dict) and one.get("name") == variable for one in list_at(container, "env"))
