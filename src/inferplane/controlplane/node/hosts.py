"""Host names of Services, and `localhost` of a pod, in a container's arguments and environment → addresses here.

There is no cluster DNS on this machine and pods have no network of their own. So `iris.ml`, `iris.ml.svc` and
`iris.ml.svc.cluster.local`, and in a URL `iris` alone, become the address of the Service's listener; `localhost:8080`
becomes the pod's own address when 8080 is a port of another container of the pod. Pure.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from inferplane.resources.core import Container, Pod
from inferplane.resources.local_services import local_port

_NAME = r"[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?"
_SPACE = r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
_DOMAIN = r"\.svc(?:\.cluster\.local)?\.?"
_END = r"(?P<port>:\d{1,5})?(?![-\w]|\.\w|:\d)"
_MENTION = re.compile(
    rf"(?:(?<=://)|(?<![-\w./@:]))(?P<name>{_NAME})\.(?P<namespace>{_SPACE})(?P<domain>{_DOMAIN})?{_END}"
)
_ALONE = re.compile(rf"(?<=://)(?P<name>{_NAME}){_END}")
_SELF = re.compile(r"(?<![-\w.])(?:localhost|127\.0\.0\.1):(?P<port>\d{1,5})(?!\d)")
_WEB = 80
_DEFAULT_PORT = 8080


@dataclass(frozen=True, slots=True, order=True)
class Mention:
    """A Service that a text may mean. `certain`: nothing else is spelled like that."""

    namespace: str
    name: str
    certain: bool = False


@dataclass(frozen=True, slots=True)
class Listening:
    """Where a Service is reached, and which ports it has."""

    address: str
    ports: frozenset[int]

    def authority(self, port: str) -> str:
        """`port` as in the text: `:9000` or nothing, which is the web's when the Service has it."""
        if port:
            return f"{self.address}:{local_port(int(port[1:]))}"
        return f"{self.address}:{local_port(_WEB)}" if _WEB in self.ports else self.address


@dataclass(frozen=True, slots=True)
class Hosts:
    """What the names in a container's texts lead to. `neighbours`: ports of the pod's other containers."""

    namespace: str = ""
    services: Mapping[tuple[str, str], Listening] = field(default_factory=dict)
    pod_ip: str = ""
    neighbours: frozenset[int] = frozenset()

    def place(self, text: str) -> str:
        if self.services:
            text = _MENTION.sub(self._service, text)
            text = _ALONE.sub(self._service, text)
        return _SELF.sub(self._neighbour, text) if self.neighbours else text

    def _service(self, found: re.Match[str]) -> str:
        namespace = found.groupdict().get("namespace") or self.namespace
        listening = self.services.get((namespace, found["name"]))
        return listening.authority(found["port"] or "") if listening else found[0]

    def _neighbour(self, found: re.Match[str]) -> str:
        return f"{self.pod_ip}:{found['port']}" if int(found["port"]) in self.neighbours else found[0]


def mentions(texts: Iterable[str], namespace: str) -> set[Mention]:
    """What the texts may mean by their words; whether there is such a Service is for the caller to find out."""
    found: set[Mention] = set()
    for text in texts:
        for one in _MENTION.finditer(text):
            found.add(Mention(one["namespace"], one["name"], bool(one["domain"])))
        found.update(Mention(namespace, one["name"]) for one in _ALONE.finditer(text))
    return found


def neighbours(pod: Pod, container: Container) -> frozenset[int]:
    """Ports of the pod's other containers; one that names none is expected on 8080, as the Service expects it."""
    others = [one for one in pod.spec.containers if one.name != container.name]
    return frozenset(
        port for one in others for port in ([each.container_port for each in one.ports] or [_DEFAULT_PORT])
    ) - {one.container_port for one in container.ports}
