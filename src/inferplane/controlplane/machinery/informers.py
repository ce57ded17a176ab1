"""All caches of a process: one list and watch for each kind, however many controllers read it."""

import asyncio
from collections.abc import Callable

from inferplane.client.kubernetes.api import Api, Resource
from inferplane.controlplane.machinery.cache import Cache, T
from inferplane.controlplane.machinery.reflector import Reflector
from inferplane.controlplane.machinery.writes import SeenWrites
from inferplane.kernel.clock import Clock
from inferplane.kernel.json import JsonObject

PACK_EVERY = 4.0
"""Seconds between two looks at what is at rest."""
_LOOK_EVERY = 1.0
_MOST_FRESH = 5000
"""Views decoded since the last look that make for a next one at once: a restarted process looks at everything."""
_MANY = 1000
"""Views packed in one go that leave megabytes free."""
_LISTS_AT_ONCE = 4
_AT_ONCE = 16
"""Objects packed in a row, in 0.2 ms; others have work to do in between."""


class Informers:
    """Ask for caches, then `run`. Caches asked for later are started at once."""

    def __init__(self, api: Api, clock: Clock) -> None:
        self._api = api
        self._clock = clock
        self._reflectors: dict[tuple[Resource, str], Reflector] = {}
        self._running = False
        self._turns = asyncio.Semaphore(_LISTS_AT_ONCE)

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

    async def keep_small(self, freed: Callable[[], None] = lambda: None) -> None:
        """Packs the objects that nobody needs at present, until cancelled. For processes that know thousands.

        `freed` is called when many were packed.
        """
        last = self._clock.monotonic()
        while True:
            await self._clock.sleep(_LOOK_EVERY)
            fresh = sum(one.fresh for one in self._reflectors.values())
            if self._clock.monotonic() - last < PACK_EVERY and fresh < _MOST_FRESH:
                continue
            last = self._clock.monotonic()
            packing = (step for one in [*self._reflectors.values()] for step in one.pack())
            number = 0
            for number, _ in enumerate(packing, 1):
                if number % _AT_ONCE == 0:
                    await asyncio.sleep(0)
            if number >= _MANY:
                freed()

    async def synced(self) -> None:
        """Returns when every cache has its first list."""
        while waiting := [one for one in self._reflectors.values() if not one.is_synced]:
            await asyncio.gather(*(one.synced() for one in waiting))

    def _reflector(self, resource: Resource, fields: str) -> Reflector:
        found = self._reflectors.get((resource, fields))
        if found is None:
            found = self._reflectors[resource, fields] = Reflector(
                self._api, self._clock, resource, fields, self._turns
            )
            if self._running:
                found.start()
        return found
