"""The garbage collector: looks at every object that has owners, and at every one that is deleted with dependents."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from inferplane.client.kubernetes.api import Api, Conflict, NotFound, Resource
from inferplane.controlplane.machinery.cache import Key
from inferplane.controlplane.machinery.controller import Controller
from inferplane.controlplane.workloads.census import Census, Item
from inferplane.controlplane.workloads.claims import releasing
from inferplane.controlplane.workloads.garbage.decide import FOREGROUND, ORPHAN, Owner, Verdict, blocking, judge
from inferplane.kernel.clock import Clock
from inferplane.kernel.json import JsonObject, text_at
from inferplane.resources.meta import ObjectMeta, OwnerReference

# How many uids of deleted objects are remembered, which spares asking the server about each owner.
_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True, order=True)
class ObjectKey(Key):
    """A key among all kinds."""

    resource: Resource

    def __str__(self) -> str:
        return f"{self.resource.plural} {Key(self.namespace, self.name)}"


class GarbageCollector:
    def __init__(self, api: Api, census: Census, clock: Clock) -> None:
        self._api = api
        self._census = census
        self.controller = Controller("garbage", self.reconcile, clock=clock)
        self._gone: OrderedDict[str, None] = OrderedDict()
        self._unresolved: set[Key] = set()
        census.on_change(self._changed)
        census.on_refresh(self._resolve)

    def _changed(self, resource: Resource, old: Item | None, new: Item | None) -> None:
        meta = (new or old or Item()).metadata
        if new is None:
            self._bury(meta.uid)
        if new is not None and (meta.owner_references or meta.finalizers):
            self._enqueue(resource, meta)
        if old is not None and (new is None or meta.deleting):
            for kind, dependent in self._census.dependents(meta.uid):
                self._enqueue(kind, dependent.metadata)
        if new is None or meta.deleting:
            # An owner that is deleted in the foreground may have waited for this one.
            for owner in meta.owner_references:
                owners = self._census.resource(owner.api_version, owner.kind)
                if owners is not None:
                    self.controller.enqueue(ObjectKey(_home(owners, meta), owner.name, owners))

    def _bury(self, uid: str) -> None:
        """Remembers that an object is gone for good: uids never come back."""
        self._gone[uid] = None
        if len(self._gone) > _REMEMBERED:
            self._gone.popitem(last=False)

    def _resolve(self) -> None:
        """Looks again at objects whose owners are of a kind that was not known."""
        unresolved, self._unresolved = self._unresolved, set()
        for key in unresolved:
            self.controller.enqueue(key)

    def _enqueue(self, resource: Resource, meta: ObjectMeta) -> None:
        self.controller.enqueue(ObjectKey(meta.namespace, meta.name, resource))

    async def reconcile(self, key: Key) -> None:
        assert isinstance(key, ObjectKey)
        item = self._census.get(key.resource, Key(key.namespace, key.name))
        if item is None:
            return
        meta = item.metadata
        if meta.deleting and ORPHAN in meta.finalizers:
            await self._orphan(key.resource, meta)
        elif meta.deleting and FOREGROUND in meta.finalizers:
            await self._end(key.resource, meta)
        else:
            owners = {one.uid: await self._owner(one, meta) for one in meta.owner_references}
            if Owner.UNKNOWN in owners.values():
                self._unresolved.add(key)
            await self._execute(key.resource, meta, judge(meta, owners))

    async def _owner(self, reference: OwnerReference, of: ObjectMeta) -> Owner:
        known = self._census.by_uid(reference.uid)
        if known is not None:
            waiting = known.metadata.deleting and FOREGROUND in known.metadata.finalizers
            return Owner.ENDING if waiting and reference.block_owner_deletion else Owner.PRESENT
        if reference.uid in self._gone:
            return Owner.ABSENT
        kind = self._census.resource(reference.api_version, reference.kind)
        if kind is None:
            return Owner.UNKNOWN
        # The cache may be behind; only the server's word is good enough for a deletion.
        try:
            found = await self._api.get(kind, reference.name, _home(kind, of))
        except NotFound:
            return Owner.ABSENT
        return Owner.PRESENT if text_at(found, "metadata", "uid") == reference.uid else Owner.ABSENT

    async def _execute(self, resource: Resource, meta: ObjectMeta, verdict: Verdict) -> None:
        if verdict.delete is not None:
            try:
                await self._api.delete(resource, meta.name, meta.namespace, propagation=verdict.delete, uid=meta.uid)
            except (NotFound, Conflict):
                # Gone, or another object has its name by now.
                return
        elif verdict.forget:
            await self._patch(resource, meta, releasing(set(verdict.forget), meta))

    async def _end(self, resource: Resource, meta: ObjectMeta) -> None:
        """A foreground deletion: ends the dependents, then lets the object go."""
        dependents = list(self._census.dependents(meta.uid))
        for kind, dependent in dependents:
            if not dependent.metadata.deleting:
                self._enqueue(kind, dependent.metadata)
        if not blocking(meta, [one.metadata for _, one in dependents]):
            await self._patch(resource, meta, _without(meta, FOREGROUND))

    async def _orphan(self, resource: Resource, meta: ObjectMeta) -> None:
        for kind, dependent in list(self._census.dependents(meta.uid)):
            await self._patch(kind, dependent.metadata, releasing({meta.uid}, dependent.metadata))
        await self._patch(resource, meta, _without(meta, ORPHAN))

    async def _patch(self, resource: Resource, meta: ObjectMeta, patch: JsonObject) -> None:
        try:
            await self._api.patch(resource, meta.name, patch, meta.namespace)
        except NotFound:
            return


def _home(kind: Resource, dependent: ObjectMeta) -> str:
    """Owners are in the namespace of their dependents, or in none."""
    return dependent.namespace if kind.namespaced else ""


def _without(meta: ObjectMeta, finalizer: str) -> JsonObject:
    left: Sequence[str] = [one for one in meta.finalizers if one != finalizer]
    return {"metadata": {"uid": meta.uid, "resourceVersion": meta.resource_version, "finalizers": [*left]}}
