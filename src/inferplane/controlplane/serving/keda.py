"""What the controller writes for the autoscaler class `keda`: ScaledObjects and OpenTelemetryCollectors.

A server may lack either kind; each is watched from when the server has it, whoever uses it, so that what is left of a
class that was changed since is found. Their status is of no interest here, only what others change in them.
"""

from collections.abc import Callable, Iterator

from inferplane.client.kubernetes import kinds
from inferplane.client.kubernetes.api import Resource
from inferplane.controlplane.machinery.cache import Cache, Key
from inferplane.controlplane.machinery.informers import Informers
from inferplane.controlplane.serving.optional import OptionalKind, definitions
from inferplane.resources.meta import ObjectMeta, View

KINDS = (kinds.SCALED_OBJECT, kinds.OPEN_TELEMETRY_COLLECTOR)
DEFINITIONS = tuple(f"{one.plural}.{one.group}" for one in KINDS)
_BROUGHT_BY = {kinds.SCALED_OBJECT: "KEDA", kinds.OPEN_TELEMETRY_COLLECTOR: "the OpenTelemetry operator"}
_BY_OWNER = "controller"


class Written(View, frozen=True, kw_only=True):
    """An object of either kind, as far as it is read back."""

    metadata: ObjectMeta = ObjectMeta()


class Keda:
    """`changed` is called with the metadata of each object of either kind of which more than the status changes."""

    def __init__(self, informers: Informers, changed: Callable[[ObjectMeta], None]) -> None:
        served = definitions(informers)

        def start(cache: Cache[Written]) -> None:
            cache.add_index(_BY_OWNER, _owner_uids)
            cache.on_change(told)

        def told(old: Written | None, new: Written | None) -> None:
            if old is None or new is None or _without_version(old.metadata) != _without_version(new.metadata):
                for one in (old, new):
                    if one is not None:
                        changed(one.metadata)

        self._kinds = {kind: OptionalKind(informers, served, kind, Written, start) for kind in KINDS}

    async def follow(self) -> None:
        """Watches what the server has by now. Raises NotListed."""
        for one in self._kinds.values():
            await one.cache()

    def missing(self, resource: Resource) -> str:
        """What to do about a kind that the server lacks; empty for one that it has, and for all others."""
        found = self._kinds.get(resource)
        if found is None or found.watched is not None:
            return ""
        return (
            f"this API server does not have {resource.kind} ({resource.api_version}): install {_BROUGHT_BY[resource]}, "
            "or choose the class hpa"
        )

    def live(self, resource: Resource, key: Key) -> ObjectMeta | None:
        cache = self._kinds[resource].watched
        found = cache.get(key) if cache is not None else None
        return found.metadata if found is not None else None

    def children(self, uid: str) -> Iterator[tuple[Resource, ObjectMeta]]:
        for resource, kind in self._kinds.items():
            if kind.watched is not None:
                yield from ((resource, one.metadata) for one in kind.watched.matching(_BY_OWNER, uid))


def _owner_uids(one: Written) -> list[str]:
    owner = one.metadata.controller_of()
    return [owner.uid] if owner is not None else []


def _without_version(meta: ObjectMeta) -> tuple[object, ...]:
    # A write of the status leaves the generation alone.
    return meta.uid, meta.generation, meta.labels, meta.annotations, meta.deleting
