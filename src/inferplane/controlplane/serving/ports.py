"""Where requests come into a pod: the container, its port, and the probe that one without a probe gets. Pure."""

from inferplane.controlplane.serving import names
from inferplane.kernel.json import JsonObject, list_at, number_at


def containers_of(pod: JsonObject) -> list[JsonObject]:
    return [one for one in list_at(pod, "containers") if isinstance(one, dict)]


def entry_container(pod: JsonObject) -> JsonObject:
    """The container that requests come to: transformer-container if there is one, else the first."""
    containers = containers_of(pod)
    found = next((one for one in containers if one.get("name") == names.TRANSFORMER_CONTAINER), None)
    return found or containers[0]


def first_port(container: JsonObject) -> int:
    ports = [number_at(one, "containerPort") for one in list_at(container, "ports") if isinstance(one, dict)]
    return ports[0] if ports else names.DEFAULT_PORT


def tcp_probe(port: int) -> JsonObject:
    return {
        "tcpSocket": {"port": port},
        "timeoutSeconds": 1,
        "periodSeconds": 10,
        "successThreshold": 1,
        "failureThreshold": 3,
    }
