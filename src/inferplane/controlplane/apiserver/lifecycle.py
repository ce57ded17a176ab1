"""What runs beside the requests: kinds follow their CRDs, deleted CRDs take their objects along, history is compacted.

app = await create_app(store, token="…", clock=SystemClock())
…
await app_lifecycle.close()
"""

import asyncio
import logging
from collections.abc import Iterator

from inferplane.client.kubernetes.kinds import NAMESPACE
from inferplane.controlplane.apiserver import definitions, objects, patches, reads, removals, writes
from inferplane.controlplane.apiserver.calls import Call
from inferplane.controlplane.apiserver.core import Core
from inferplane.controlplane.apiserver.deleting import CRD_CLEANUP, Wish
from inferplane.controlplane.apiserver.errors import StatusError
from inferplane.controlplane.apiserver.kinds import CRD_KEY, Kind
from inferplane.controlplane.apiserver.registry import Registry
from inferplane.controlplane.apiserver.storage import Stored
from inferplane.controlplane.apiserver.store.events import Event
from inferplane.controlplane.apiserver.store.log import StoreError
from inferplane.kernel.json import Json, JsonObject

logger = logging.getLogger(__name__)

NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
HISTORY_SECONDS = 600.0  # how far back a watch may begin at least
EVENT_SECONDS = 3600.0  # how long Kubernetes Events are kept
HOUSEKEEPING_SECONDS = 60.0
AGENT = "inferplane-apiserver"


class Background:
    """Started with the server, stopped with `close`."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._terminating: asyncio.Queue[str] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Brings the registry and the address book to what is stored, makes the first namespaces, begins to work."""
        core = self._core
        store = core.storage.store
        for stored in _all(core, _kind(core.registry, "apiextensions.k8s.io", "customresourcedefinitions")):
            self._define(stored.object, stored.row.revision)
        for stored in _all(core, _kind(core.registry, "", "services")):
            core.addresses.note(stored.object)
        store.listen(CRD_KEY, self._definition_changed)
        store.listen("/services", self._service_changed)
        await _make_namespaces(core)
        self._tasks = [asyncio.create_task(self._clean_up()), asyncio.create_task(self._keep_house())]
        for task in self._tasks:
            task.add_done_callback(_report)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _definition_changed(self, event: Event) -> None:
        if event.deleted:
            self._core.registry.define(event.key.name, ())
        else:
            self._define(event.object, event.revision)

    def _define(self, obj: JsonObject, revision: int) -> None:
        self._core.registry.define(objects.name(obj), definitions.kinds(obj, revision))
        if objects.deleting(obj):
            self._terminating.put_nowait(objects.name(obj))

    def _service_changed(self, event: Event) -> None:
        if event.previous_object is not None:
            self._core.addresses.release(event.previous_object)
        if not event.deleted:
            self._core.addresses.note(event.object)

    async def _clean_up(self) -> None:
        """Removes the objects of each deleted CRD, waits for those that are held, then lets the CRD go."""
        while True:
            name = await self._terminating.get()
            try:
                await _remove_instances(self._core, name)
            except StatusError:
                logger.exception("clean-up of a CRD failed", extra={"definition": name})

    async def _keep_house(self) -> None:
        while True:
            await self._core.clock.sleep(HOUSEKEEPING_SECONDS)
            try:
                await expire_events(self._core)
                forgotten = await self._core.storage.store.compact(HISTORY_SECONDS)
            except StoreError:
                logger.exception("housekeeping failed")  # the disk may have room again in a minute
            else:
                logger.debug("compacted", extra={"rows": forgotten})


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("background work ended", exc_info=error)


def _kind(registry: Registry, group: str, plural: str) -> Kind:
    kind = registry.find(group, "v1", plural)
    assert kind is not None  # built in
    return kind


def _all(core: Core, kind: Kind) -> Iterator[Stored]:
    call = Call("GET", kind)
    return reads.objects_at(core, call, reads.Position(core.storage.store.revision))


async def _make_namespaces(core: Core) -> None:
    kind = _kind(core.registry, "", "namespaces")
    for name in NAMESPACES:
        if core.storage.get(kind, "", name) is None:
            body: JsonObject = {"apiVersion": "v1", "kind": NAMESPACE.kind, "metadata": {"name": name}}
            await writes.create(core, Call("POST", kind, user_agent=AGENT), body)


async def expire_events(core: Core) -> int:
    """Removes Events that were last written more than an hour ago. Returns how many."""
    kind = _kind(core.registry, "", "events")
    oldest = core.clock.now().timestamp() - EVENT_SECONDS
    expired = [stored for stored in _all(core, kind) if stored.row.written < oldest]
    for stored in expired:
        try:
            await core.storage.remove(kind, stored, stored.object)
        except StatusError as error:
            # It was written again or deleted meanwhile: nothing to do.
            logger.debug("event kept", extra={"event": stored.row.name, "why": str(error)})
    return len(expired)


async def _remove_instances(core: Core, name: str) -> None:
    kinds = core.registry.served_by(name)
    if kinds:
        await _delete_all(core, kinds[0])
        if not await _until_empty(core, kinds[0]):
            return  # the server is closing; the next one goes on
    await patches.retried(lambda: _release(core, name))


async def _delete_all(core: Core, kind: Kind) -> None:
    for stored in _all(core, kind):
        try:
            await removals.delete_one(core, kind, stored.row.namespace, stored.row.name, Wish())
        except StatusError as error:
            if error.reason != "NotFound":
                raise


async def _until_empty(core: Core, kind: Kind) -> bool:
    """Waits until there is no object of the kind; False when the store closes first."""
    store = core.storage.store
    subscription = store.subscribe(kind.key, "", store.revision)
    try:
        while store.rows(kind.key, limit=1):
            if await subscription.batch(HOUSEKEEPING_SECONDS) is None:
                return False
        return True
    finally:
        store.unsubscribe(subscription)


async def _release(core: Core, name: str) -> None:
    kind = _kind(core.registry, "apiextensions.k8s.io", "customresourcedefinitions")
    stored = core.storage.get(kind, "", name)
    if stored is None:
        return
    left: list[Json] = [one for one in objects.finalizers(stored.object) if one != CRD_CLEANUP]
    new = objects.with_metadata(stored.object, finalizers=left or None)
    if left:
        await core.storage.replace(kind, stored, new)
    else:
        await core.storage.remove(kind, stored, new)
