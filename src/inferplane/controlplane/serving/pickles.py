"""What the pickles of a service may use beside the usual libraries, told to its servers. Pure.

`inferplane.dev/allow-pickle-globals: mymodule.*` on the service (or on a component) becomes a variable of its
containers, which our servers read on one machine and on a cluster alike; others take no notice of it.
"""

from collections.abc import Mapping

from inferplane.kernel.json import Json, JsonObject, list_at

ANNOTATION = "inferplane.dev/allow-pickle-globals"
VARIABLE = "INFERPLANE_ALLOW_PICKLE_GLOBALS"


def told(pod: JsonObject, annotations: Mapping[str, Json]) -> JsonObject:
    """The pod with the variable; one that a container has already stays."""
    allowed = annotations.get(ANNOTATION)
    if not allowed:
        return pod
    containers = [_with(one, str(allowed)) if isinstance(one, dict) else one for one in list_at(pod, "containers")]
    return pod | {"containers": containers}


def _with(container: JsonObject, allowed: str) -> JsonObject:
    env = list_at(container, "env")
    if any(isinstance(one, dict) and one.get("name") == VARIABLE for one in env):
        return container
    return container | {"env": [*env, {"name": VARIABLE, "value": allowed}]}
