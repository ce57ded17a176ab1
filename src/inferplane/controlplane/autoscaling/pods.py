"""The pods of a revision, by its name: how many are ready to take requests."""

from collections.abc import Callable

from inferplane.client.kubernetes.kinds import POD
from inferplane.controlplane.machinery.cache import Key
from inferplane.controlplane.machinery.informers import Informers
from inferplane.resources.core import Pod
from inferplane.resources.knative.words import REVISION

_INDEX = "pods of a revision"


class RevisionPods:
    def __init__(self, informers: Informers) -> None:
        self._pods = informers.cache(POD, Pod)
        self._pods.add_index(_INDEX, lambda pod: [str(key) for key in revision_of(pod)])

    def ready(self, revision: Key) -> int:
        found = self._pods.matching(_INDEX, str(revision))
        return sum(one.ready and not one.metadata.deleting and not one.finished for one in found)

    def on_change(self, changed: Callable[[Key], None]) -> None:
        def told(old: Pod | None, new: Pod | None) -> None:
            for key in {key for pod in (old, new) if pod is not None for key in revision_of(pod)}:
                changed(key)

        self._pods.on_change(told)


def revision_of(pod: Pod) -> list[Key]:
    name = pod.metadata.labels.get(REVISION)
    return [Key(pod.metadata.namespace, name)] if name else []
