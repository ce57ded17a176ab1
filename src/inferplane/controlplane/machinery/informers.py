"""All caches of a process: one list and watch for each kind, however many controllers read it."""

import asyncio

from inferplane.client.kubernetes.api import Api, Resource
from inferplane.controlplane.machinery.cache import Cache, T
from inferplane.controlplane.machinery.reflector import Reflector
from inferplane.controlplane.machinery.writes import SeenWrites
from inferplane.kernel.clock import Clock
from inferplane.kernel.json import JsonObject


class Informers:
    """Ask for caches, then `run`. Caches asked for later are started at once."""

    def __init__(self, api: Api, clock: Clock) -> None:
        self._api = api
        self._clock = clock
        self._reflectors: dict[tuple[Resource, str], Reflector] = {}
        self._running = False

    @property
    def api(self) -> Api:
        """The same API, but what is written through it is in the caches as soon as the call returns."""
        return SeenWrites(self._api, self.saw)

    def cache(self, resource: Resource, view: type[T], *, fields: str = "") -> Cache[T]:
        """The kind's objects as `view`; `dict` for plain JSON. `fields` is a field selector to narrow the watch."""
        return self._reflector(resource, fields).cache(view)

    def saw(self, resource: Resource, item: JsonObject) -> None:
        for (kind, fields), reflector in self._reflectors.items():
            # What a selector would say about the object only the server knows.
            if kind == resource and not fields:
                reflector.saw(item)

    async def forget(self, resource: Resource) -> None:
        """Stops watching a kind, for kinds that are no longer served. Its caches stay as they are."""
        for key in [key for key in self._reflectors if key[0] == resource]:
            await self._reflectors.pop(key).stop()

    async def run(self) -> None:
        """Until cancelled. Lists again on Gone, reconnects with back-off while the server is unreachable."""
        self._running = True
        for reflector in self._reflectors.values():
            reflector.start()
        try:
            await asyncio.Event().wait()
        finally:
            self._running = False
            await asyncio.gather(*(one.stop() for one in self._reflectors.values()))

    async def synced(self) -> None:
        """Returns when every cache has its first list."""
        while waiting := [one for one in self._reflectors.values() if not one.is_synced]:
            await asyncio.gather(*(one.synced() for one in waiting))

    def _reflector(self, resource: Resource, fields: str) -> Reflector:
        found = self._reflectors.get((resource, fields))
        if found is None:
            found = self._reflectors[resource, fields] = Reflector(self._api, self._clock, resource, fields)
            if self._running:
                found.start()
        return found
