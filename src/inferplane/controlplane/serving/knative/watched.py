"""What the controller reads in Knative mode: Knative Services, VirtualServices, and Knative's own configuration.

A server may lack either kind; both are watched from when they are first needed.
"""

from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

from inferplane.client.kubernetes import kinds
from inferplane.client.kubernetes.api import Resource
from inferplane.controlplane.machinery.cache import Cache, Key
from inferplane.controlplane.machinery.informers import Informers
from inferplane.controlplane.serving.knative.plan import World
from inferplane.controlplane.serving.optional import OptionalKind, definitions
from inferplane.resources.core import ConfigMap
from inferplane.resources.knative import KnativeService
from inferplane.resources.meta import ObjectMeta, View

NAMESPACE = "knative-serving"
AUTOSCALER = Key(NAMESPACE, "config-autoscaler")
DOMAINS = Key(NAMESPACE, "config-domain")
DEFINITIONS = tuple(f"{one.plural}.{one.group}" for one in (kinds.KNATIVE_SERVICE, kinds.VIRTUAL_SERVICE))
_BY_OWNER = "controller"
_EXAMPLE = "_example"


class VirtualService(View, frozen=True, kw_only=True):
    """Of Istio, as far as it is read back."""

    metadata: ObjectMeta = ObjectMeta()


class Owned(Protocol):
    @property
    def metadata(self) -> ObjectMeta: ...


O = TypeVar("O", bound=Owned)  # noqa: E741  # an object
OnChange = Callable[[ObjectMeta], None]


class Knative:
    """`changed` is called with the metadata of each object of either kind that changes."""

    def __init__(self, informers: Informers, config_maps: Cache[ConfigMap], changed: OnChange) -> None:
        served = self.definitions = definitions(informers)
        self._services = OptionalKind(informers, served, kinds.KNATIVE_SERVICE, KnativeService, _watching(changed))
        self._virtual = OptionalKind(informers, served, kinds.VIRTUAL_SERVICE, VirtualService, _watching(changed))
        self._config_maps = config_maps

    async def is_served(self) -> bool:
        """Whether the API server has Knative's Service; from then on both kinds are watched. Raises NotListed."""
        await self._virtual.cache()
        return await self._services.cache() is not None

    def world(self, uid: str) -> World:
        """What is there of the InferenceService with this `uid`."""
        services = self._services.watched
        owned = services.matching(_BY_OWNER, uid) if services else []
        domains = self._data(DOMAINS)
        return World(
            {one.metadata.name: one for one in owned},
            allow_zero_initial_scale=self._data(AUTOSCALER).get("allow-zero-initial-scale", "").lower() == "true",
            domains=[one for one in domains if one != _EXAMPLE],
        )

    def _data(self, key: Key) -> dict[str, str]:
        found = self._config_maps.get(key)
        return found.data if found else {}

    def live(self, resource: Resource, key: Key) -> ObjectMeta | None:
        """Metadata of an object of either kind."""
        service = self._services.watched.get(key) if self._services.watched else None
        virtual = self._virtual.watched.get(key) if self._virtual.watched else None
        found = service if resource == kinds.KNATIVE_SERVICE else virtual
        return found.metadata if found else None

    def children(self, uid: str) -> Iterator[tuple[Resource, ObjectMeta]]:
        if self._services.watched is not None:
            yield from (
                (kinds.KNATIVE_SERVICE, one.metadata) for one in self._services.watched.matching(_BY_OWNER, uid)
            )
        if self._virtual.watched is not None:
            yield from ((kinds.VIRTUAL_SERVICE, one.metadata) for one in self._virtual.watched.matching(_BY_OWNER, uid))


def _watching(changed: OnChange) -> Callable[[Cache[O]], None]:
    def start(cache: Cache[O]) -> None:
        def told(old: O | None, new: O | None) -> None:
            for one in (old, new):
                if one is not None:
                    changed(one.metadata)

        cache.add_index(_BY_OWNER, _owner_uids)
        cache.on_change(told)

    return start


def _owner_uids(one: Owned) -> list[str]:
    owner = one.metadata.controller_of()
    return [owner.uid] if owner else []


def is_configuration(key: Key) -> bool:
    """A ConfigMap of Knative's that says how Knative Services are written."""
    return key in (AUTOSCALER, DOMAINS)
