"""Keeps the caches of one kind current: list, then watch from there, again when the connection ends.

Events come in from the API server and, earlier, as answers to our own writes (`saw`). Resource versions put both in
order: an older one never replaces a newer one. A list is compared with what is known, so that a relist after a gap
tells only what changed.
"""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import aclosing

from inferplane.client.kubernetes.api import Api, ApiError, EventType, Gone, Resource, ServerUnreachable, WatchEvent
from inferplane.controlplane.machinery.cache import Cache, Key, T, key_of, share_strings
from inferplane.kernel.backoff import Backoff
from inferplane.kernel.clock import Clock
from inferplane.kernel.json import JsonObject, text_at
from inferplane.resources.meta import ObjectMeta

log = logging.getLogger(__name__)

# A control plane that was killed is back within a second or two, and nobody should be blind for longer than it is gone.
_RECONNECT = Backoff(first=0.05, limit=1.0)
_IN_A_ROW = 500
"""Objects of a list that are decoded before those that were decoded before them are packed."""


def version_of(item: JsonObject) -> int:
    """Resource versions as numbers; they are comparable since Kubernetes 1.35 and always were in practice."""
    text = text_at(item, "metadata", "resourceVersion")
    return int(text) if text.isdigit() else 0


class Reflector:
    def __init__(
        self, api: Api, clock: Clock, resource: Resource, fields: str = "", turns: asyncio.Semaphore | None = None
    ) -> None:
        """`turns`: where several share a semaphore, no more of them list at a time than that allows."""
        self._api = api
        self._turns = turns or asyncio.Semaphore()
        self._clock = clock
        self._resource = resource
        self._fields = fields
        self._caches: dict[type, Cache] = {}  # type: ignore[type-arg]  # one view type each; `cache` restores it
        self._versions: dict[Key, int] = {}
        self._position = 0
        self._stale = True
        self._listed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def cache(self, view: type[T]) -> Cache[T]:
        """The cache of this view. A new view of a kind that is already watched starts a new list."""
        if view not in self._caches:
            self._caches[view] = Cache(view)
            if self._task is not None:
                self._task.cancel()
                self._stale = True
                self._listed.clear()
                self.start()
        return self._caches[view]

    def start(self) -> asyncio.Task[None]:
        self._task = asyncio.create_task(self._run(), name=f"reflector {self._resource.plural}")
        return self._task

    @property
    def fresh(self) -> int:
        """How many views were changed or decoded since the last look."""
        return sum(cache.fresh for cache in self._caches.values())

    def pack(self) -> Iterator[None]:
        """A step for each object that its caches pack."""
        for cache in [*self._caches.values()]:
            yield from cache.pack()

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def synced(self) -> None:
        await self._listed.wait()

    @property
    def is_synced(self) -> bool:
        return self._listed.is_set()

    def saw(self, item: JsonObject) -> None:
        """Takes the answer to a write. One that the watch has already passed is old news and ignored."""
        if self._listed.is_set() and version_of(item) > self._position:
            self._put(item)

    async def _run(self) -> None:
        failures = 0
        while True:
            try:
                if self._stale:
                    await self._list()
                await self._watch()
                failures = 0
            except Gone:
                log.info("watch expired, listing again resource=%s", self._resource.plural)
                self._stale = True
            except (ServerUnreachable, ApiError) as error:
                # A server that was set back to an earlier state refuses our version; only a list gets over that.
                self._stale = self._stale or isinstance(error, ApiError)
                failures += 1
                if failures == 1:
                    log.warning("cannot watch resource=%s error=%s", self._resource.plural, error)
                await self._clock.sleep(_RECONNECT.delay(failures))
            except Exception:
                # A watch that ended for good would leave every controller blind without anybody noticing.
                log.exception("watch broke, listing again resource=%s", self._resource.plural)
                self._stale = True
                failures += 1
                await self._clock.sleep(_RECONNECT.delay(failures))

    async def _list(self) -> None:
        async with self._turns:
            found = await self._api.list(self._resource, fields=self._fields)
            self._take_all(found.items, int(found.resource_version) if found.resource_version.isdigit() else 0)
        self._stale = False
        self._listed.set()

    def _take_all(self, items: list[JsonObject], position: int) -> None:
        """Takes `items` apart: of thousands each is let go before the next one is decoded."""
        there = {key_of(item) for item in items}
        for key in [key for key, version in self._versions.items() if key not in there and version <= position]:
            self._drop(key)
        items.reverse()
        while items:
            self._put(items.pop())
            if len(items) % _IN_A_ROW == 0:
                for _ in self.pack():
                    pass
        self._position = position

    async def _watch(self) -> None:
        """Until the server ends it, which it does now and then."""
        events = self._api.watch(self._resource, since=str(self._position), fields=self._fields)
        async with aclosing(events) as stream:
            async for event in stream:
                self._take(event)

    def _take(self, event: WatchEvent) -> None:
        version = version_of(event.object)
        match event.type:
            case EventType.ADDED | EventType.MODIFIED:
                self._put(event.object)
            case EventType.DELETED if version >= self._versions.get(key_of(event.object), 0):
                self._drop(key_of(event.object))
        self._position = max(self._position, version)

    def _put(self, item: JsonObject) -> None:
        share_strings(item)
        key, version = key_of(item), version_of(item)
        fresh = not version or version > self._versions.get(key, 0)
        self._versions[key] = max(version, self._versions.get(key, 0))
        meta: ObjectMeta | None = None
        for cache in self._caches.values():
            # A view that was asked for later lacks what the others already know.
            if fresh or key not in cache:
                meta = cache.put(key, item, meta)

    def _drop(self, key: Key) -> None:
        self._versions.pop(key, None)
        for cache in self._caches.values():
            cache.drop(key)
