"""Every object of every kind but Events, as metadata: what garbage collection and namespaces work on.

Kinds come and go with CRDs; the census follows discovery. Only metadata is decoded and kept.
"""

import logging
from collections.abc import Callable, Iterable, Sequence

from inferplane.client.kubernetes.api import Resource
from inferplane.client.kubernetes.discovery import Discovery
from inferplane.client.kubernetes.kinds import CUSTOM_RESOURCE_DEFINITION
from inferplane.controlplane.machinery.cache import Cache, Key
from inferplane.controlplane.machinery.controller import Controller
from inferplane.controlplane.machinery.informers import Informers
from inferplane.kernel.clock import Clock
from inferplane.resources.meta import ObjectMeta, View

log = logging.getLogger(__name__)

_NEEDED = {"list", "watch", "delete", "get"}
# There are more of them than of all the rest, they own nothing and nobody owns them, and they go by themselves.
_LEFT_OUT = frozenset({"events"})
_EVERYTHING = Key("", "discovery")


class Item(View, frozen=True, kw_only=True):
    """Any object, seen as its metadata."""

    metadata: ObjectMeta = ObjectMeta()


Handler = Callable[[Resource, Item | None, Item | None], None]

_OWNER = "uid of an owner"
_UID = "uid"


class Census:
    def __init__(self, informers: Informers, discovery: Discovery, clock: Clock) -> None:
        self._informers = informers
        self._discovery = discovery
        self._caches: dict[Resource, Cache[Item]] = {}
        self._handlers: list[Handler] = []
        self._refreshed: list[Callable[[], None]] = []
        self.controller = Controller("census", self._refresh, clock=clock, workers=1)
        self.controller.watch(informers.cache(CUSTOM_RESOURCE_DEFINITION, Item), lambda _: [_EVERYTHING])
        self.controller.enqueue(_EVERYTHING)

    def on_change(self, handler: Handler) -> None:
        """Calls `handler(resource, old, new)` for each change of any object of any kind."""
        self._handlers.append(handler)

    def on_refresh(self, handler: Callable[[], None]) -> None:
        """Calls `handler` after the kinds may have changed."""
        self._refreshed.append(handler)

    def kinds(self) -> Sequence[Resource]:
        return [*self._caches]

    def resource(self, api_version: str, kind: str) -> Resource | None:
        """The kind that an owner reference names; any served version of it will do."""
        group = api_version.rpartition("/")[0]
        return next((one for one in self._caches if (one.group, one.kind) == (group, kind)), None)

    def get(self, resource: Resource, key: Key) -> Item | None:
        cache = self._caches.get(resource)
        return cache.get(key) if cache is not None else None

    def by_uid(self, uid: str) -> Item | None:
        return next((item for cache in self._caches.values() for item in cache.matching(_UID, uid)), None)

    def dependents(self, uid: str) -> Iterable[tuple[Resource, Item]]:
        for resource, cache in list(self._caches.items()):
            for item in cache.matching(_OWNER, uid):
                yield resource, item

    async def _refresh(self, _: Key) -> None:
        found = await self._discovery.served()
        served = {one.resource for one in found if one.verbs >= _NEEDED and one.resource.plural not in _LEFT_OUT}
        for resource in served - set(self._caches):
            self._add(resource)
        for resource in set(self._caches) - served:
            await self._drop(resource)
        for told in self._refreshed:
            told()

    async def _drop(self, resource: Resource) -> None:
        """The objects of a kind that is no longer served are gone, whatever its watch got to say about them."""
        log.info("kind is no longer served resource=%s", resource.plural)
        cache = self._caches.pop(resource)
        await self._informers.forget(resource)
        for item in cache.list():
            for handler in self._handlers:
                handler(resource, item, None)

    def _add(self, resource: Resource) -> None:
        cache = self._caches[resource] = self._informers.cache(resource, Item)
        cache.add_index(_UID, lambda one: [one.metadata.uid])
        cache.add_index(_OWNER, lambda one: {owner.uid for owner in one.metadata.owner_references})

        def changed(old: Item | None, new: Item | None) -> None:
            for handler in self._handlers:
                handler(resource, old, new)

        cache.on_change(changed)
