"""What the activator asks about revisions, answered from the informers' caches: nothing is kept here."""

from collections.abc import Callable, Sequence

import msgspec

from inferplane.client.kubernetes.kinds import KNATIVE_REVISION, POD
from inferplane.controlplane.activator.decide import Limits
from inferplane.controlplane.machinery.cache import Key
from inferplane.controlplane.machinery.informers import Informers
from inferplane.relay.gate import Address
from inferplane.resources.core import Pod
from inferplane.resources.knative import Revision
from inferplane.resources.knative.template import RevisionLimits
from inferplane.resources.knative.words import REVISION
from inferplane.resources.start_times import START_TIMES, StartTimes, read_start_times

# The name that Knative gives to the port of the container that serves.
PORT_NAME = "user-port"

_DEFAULT_PORT = 8080
_DEFAULT_TIMEOUT = 300
_INDEX = "pods of a Knative revision"


class CachedRevisions:
    """`buffer.Revisions`."""

    def __init__(self, informers: Informers) -> None:
        self._revisions = informers.cache(KNATIVE_REVISION, Revision)
        self._pods = informers.cache(POD, Pod)
        self._pods.add_index(_INDEX, lambda pod: [str(key) for key in _revision_of(pod)])

    def limits(self, revision: Key) -> Limits | None:
        found = self._revisions.get(revision)
        return None if found is None or found.metadata.deleting else limits_of(found)

    def pods(self, revision: Key) -> Sequence[Address]:
        return [
            Address(pod.status.pod_ip, port_of(pod))
            for pod in self._pods.matching(_INDEX, str(revision))
            if takes_requests(pod)
        ]

    def start_times(self, revision: Key, pod: Address) -> StartTimes:
        found = (one for one in self._pods.matching(_INDEX, str(revision)) if one.status.pod_ip == pod.host)
        return next((read_start_times(one.metadata.annotations.get(START_TIMES, "")) for one in found), StartTimes())

    def on_pods(self, changed: Callable[[Key], None]) -> None:
        def told(old: Pod | None, new: Pod | None) -> None:
            for key in {key for pod in (old, new) if pod is not None for key in _revision_of(pod)}:
                changed(key)

        self._pods.on_change(told)

    def on_deletion(self, gone: Callable[[Key], None]) -> None:
        def told(old: Revision | None, new: Revision | None) -> None:
            if old is not None and (new is None or new.metadata.deleting):
                gone(Key(old.metadata.namespace, old.metadata.name))

        self._revisions.on_change(told)


def limits_of(revision: Revision) -> Limits:
    """A revision's defaults are in its spec; one that somebody wrote without them gets Knative's."""
    said = msgspec.convert(revision.spec, RevisionLimits)
    timeout = said.timeout_seconds or _DEFAULT_TIMEOUT
    return Limits(
        said.container_concurrency or 0,
        timeout,
        said.response_start_timeout_seconds or 0,
        idle if (idle := said.idle_timeout_seconds or 0) < timeout else 0,
    )


def takes_requests(pod: Pod) -> bool:
    return pod.ready and not pod.metadata.deleting and not pod.finished and bool(pod.status.pod_ip)


def port_of(pod: Pod) -> int:
    """The port that Knative named, else the only one there is."""
    ports = [port for container in pod.spec.containers for port in container.ports if port.protocol == "TCP"]
    named = [port.container_port for port in ports if port.name == PORT_NAME]
    if named or len(ports) == 1:
        return named[0] if named else ports[0].container_port
    return _DEFAULT_PORT


def _revision_of(pod: Pod) -> list[Key]:
    name = pod.metadata.labels.get(REVISION)
    return [Key(pod.metadata.namespace, name)] if name else []
