"""An API server in memory, with Kubernetes' semantics where controllers depend on them.

`MemoryApi` implements `client.kubernetes.api.Api`: resource versions, watches from a version, conflicts, apply by
manager, the status subresource, generateName, finalizers, graceful deletion of bound pods, selectors. It collects no
garbage and defaults nothing. `writes` are the requests that tried to change something, `changes` those that did.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from random import Random
from uuid import UUID

from tests.fakes import merge
from tests.fakes.clock import FakeClock
from tests.fakes.selectors import selects

from inferplane.client.kubernetes import kinds
from inferplane.client.kubernetes.api import (
    AlreadyExists,
    ApiError,
    Conflict,
    EventType,
    Gone,
    Invalid,
    NotFound,
    ObjectList,
    PatchType,
    Propagation,
    Resource,
    WatchEvent,
)
from inferplane.client.kubernetes.discovery import Served
from inferplane.kernel.clock import Clock, timestamp
from inferplane.kernel.json import Json, JsonObject, list_at, number_at, object_at, text_at

_SUFFIX = "bcdfghjklmnpqrstvwxz2456789"
_VERBS = frozenset({"create", "delete", "get", "list", "patch", "update", "watch"})
_KNOWN = [one for one in vars(kinds).values() if isinstance(one, Resource)]


@dataclass(frozen=True, slots=True)
class Write:
    """One request. `verb` is a method's name; `body` is what was sent, not what came of it."""

    verb: str
    resource: Resource
    namespace: str
    name: str
    subresource: str = ""
    body: Json = None


@dataclass(frozen=True, slots=True)
class _Change:
    version: int
    resource: Resource
    event: EventType
    before: JsonObject | None
    after: JsonObject


class MemoryApi:
    def __init__(self, clock: Clock | None = None) -> None:
        self.writes: list[Write] = []
        self.changes: list[Write] = []
        # Called with each request before it is served; what it raises is the answer.
        self.intercept: Callable[[Write], None] = lambda _: None
        self._clock: Clock = clock or FakeClock()
        self._objects: dict[Resource, dict[tuple[str, str], JsonObject]] = {}
        self._applied: dict[str, dict[tuple[str, str], JsonObject]] = {}
        self._log: list[_Change] = []
        self._compacted = 0
        self._version = 1
        self._random = Random(0)
        self._grown = asyncio.Event()
        self._watching = 0
        self._waiting = 0
        self._logs: dict[tuple[str, str], bytes] = {}

    # --- what tests use ---------------------------------------------------------------------------------------------

    def add(self, resource: Resource, body: JsonObject, namespace: str = "") -> JsonObject:
        """Stores an object as it is, status included; replaces the one of the same name. Not counted as a write."""
        body = deepcopy(body)
        meta = object_at(body, "metadata")
        body["metadata"] = meta
        if resource.namespaced:
            meta.setdefault("namespace", namespace or "default")
        key = (text_at(meta, "namespace"), text_at(meta, "name"))
        before = self._kind(resource).get(key)
        if before is None:
            self._stamp(meta)
        else:
            kept = object_at(before, "metadata")
            meta |= {k: kept[k] for k in ("uid", "creationTimestamp") if k in kept}
            meta["generation"] = number_at(kept, "generation") + _spec_differs(before, body)
        return deepcopy(self._store(resource, key, before, _typed(resource, body)))

    def objects(self, resource: Resource, namespace: str = "") -> Sequence[JsonObject]:
        found = self._kind(resource)
        return [deepcopy(found[key]) for key in sorted(found) if namespace in ("", key[0])]

    def peek(self, resource: Resource, name: str, namespace: str = "default") -> JsonObject | None:
        return deepcopy(self._kind(resource).get((namespace if resource.namespaced else "", name)))

    def remove(self, resource: Resource, name: str, namespace: str = "default") -> None:
        """Deletes an object at once, whatever its finalizers. Not counted as a write."""
        self._drop(resource, (namespace if resource.namespaced else "", name))

    def compact(self) -> None:
        """Forgets all events so far: watches from older versions are Gone."""
        self._compacted = self._version
        self._log.clear()

    def write_log(self, name: str, text: bytes, namespace: str = "default") -> None:
        self._logs[(namespace, name)] = text

    @property
    def delivered(self) -> bool:
        """Every open watch has been told everything and waits for more."""
        return self._waiting == self._watching

    # --- verbs --------------------------------------------------------------------------------------------------------

    async def get(self, resource: Resource, name: str, namespace: str = "") -> JsonObject:
        self.intercept(Write("get", resource, namespace, name))
        return deepcopy(self._found(resource, name, namespace))

    async def list(self, resource: Resource, namespace: str = "", *, labels: str = "", fields: str = "") -> ObjectList:
        self.intercept(Write("list", resource, namespace, ""))
        items = [one for one in self.objects(resource, namespace) if selects(one, labels, fields)]
        return ObjectList(items, str(self._version))

    async def watch(
        self, resource: Resource, namespace: str = "", *, since: str, labels: str = "", fields: str = ""
    ) -> AsyncGenerator[WatchEvent, None]:
        self.intercept(Write("watch", resource, namespace, ""))
        seen = int(since)
        self._watching += 1
        try:
            while True:
                if seen < self._compacted:
                    raise Gone(410, "Expired", f"too old resource version: {seen} ({self._compacted})")
                fresh = [one for one in self._log if one.version > seen]
                seen = self._version
                for change in fresh:
                    if change.resource == resource and namespace in ("", _namespace(change.after)):
                        event = _seen_through(change, labels, fields)
                        if event is not None:
                            yield event
                if seen == self._version:
                    await self._grow()
        finally:
            self._watching -= 1

    async def create(self, resource: Resource, body: JsonObject, namespace: str = "") -> JsonObject:
        body = _typed(resource, deepcopy(body))
        meta = object_at(body, "metadata")
        body["metadata"] = meta
        body.pop("status", None)
        if not meta.get("name"):
            meta["name"] = text_at(meta, "generateName") + "".join(self._random.choices(_SUFFIX, k=5))
        name = text_at(meta, "name")
        write = self._write("create", resource, namespace, name, body=body)
        return self._create(write, resource, body, namespace)

    def _create(self, write: Write, resource: Resource, body: JsonObject, namespace: str) -> JsonObject:
        meta = object_at(body, "metadata")
        body["metadata"] = meta
        if resource.namespaced:
            meta["namespace"] = namespace or text_at(meta, "namespace")
            self._refuse_when_terminating(resource, write)
        key = (text_at(meta, "namespace"), write.name)
        if key in self._kind(resource):
            raise AlreadyExists(409, "AlreadyExists", f'{_plural(resource)} "{write.name}" already exists')
        meta.pop("resourceVersion", None)
        self._stamp(meta)
        if resource == kinds.NAMESPACE:
            body |= {"spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}
        self.changes.append(write)
        return deepcopy(self._store(resource, key, None, body))

    async def update(
        self, resource: Resource, body: JsonObject, namespace: str = "", *, subresource: str = ""
    ) -> JsonObject:
        write = self._write("update", resource, namespace, text_at(body, "metadata", "name"), subresource, body)
        before = self._found(resource, write.name, namespace)
        expected = text_at(body, "metadata", "resourceVersion")
        if expected and expected != text_at(before, "metadata", "resourceVersion"):
            raise Conflict(409, "Conflict", f'Operation cannot be fulfilled on {_plural(resource)} "{write.name}"')
        return self._replace(write, before, _typed(resource, deepcopy(body)))

    async def patch(
        self,
        resource: Resource,
        name: str,
        patch: Json,
        namespace: str = "",
        *,
        type: PatchType = PatchType.MERGE,
        subresource: str = "",
    ) -> JsonObject:
        write = self._write("patch", resource, namespace, name, subresource, patch)
        before = self._found(resource, name, namespace)
        if type is PatchType.JSON:
            after: Json = merge.json_patch(before, patch)
        elif type is PatchType.STRATEGIC:
            after = merge.strategic_patch(deepcopy(before), deepcopy(patch))
        else:
            after = merge.merge_patch(deepcopy(before), patch)
        assert isinstance(after, dict)
        expected = text_at(after, "metadata", "resourceVersion")
        if expected != text_at(before, "metadata", "resourceVersion"):
            raise Conflict(409, "Conflict", f'Operation cannot be fulfilled on {_plural(resource)} "{name}"')
        return self._replace(write, before, after)

    async def apply(
        self,
        resource: Resource,
        body: JsonObject,
        namespace: str = "",
        *,
        manager: str,
        force: bool = True,
        subresource: str = "",
    ) -> JsonObject:
        body = _typed(resource, deepcopy(body))
        name = text_at(body, "metadata", "name")
        write = self._write("apply", resource, namespace, name, subresource, body)
        body = {k: v for k, v in body.items() if (k == "status") == bool(subresource) or k == "metadata"}
        found = self._kind(resource).get(self._key(resource, name, namespace))
        if found is None:
            if subresource:
                raise _not_found(resource, name)
            stored = self._create(write, resource, _typed(resource, deepcopy(body)), namespace)
            self._applied[text_at(stored, "metadata", "uid")] = {(manager, subresource): body}
            return stored
        uid = text_at(found, "metadata", "uid")
        applied = self._applied.setdefault(uid, {})
        others: list[Json] = [one for key, one in applied.items() if key != (manager, subresource)]
        disputes = [path for one in others for path in merge.disputed(body, one)]
        if disputes and not force:
            raise Conflict(409, "Conflict", f"Apply failed with {len(disputes)} conflicts: {', '.join(disputes)}")
        after = merge.apply(deepcopy(found), applied.get((manager, subresource)), body, others)
        assert isinstance(after, dict)
        applied[(manager, subresource)] = body
        return self._replace(write, found, after)

    async def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str = "",
        *,
        propagation: Propagation | None = None,
        uid: str = "",
        grace_seconds: int | None = None,
    ) -> None:
        write = self._write("delete", resource, namespace, name)
        before = self._found(resource, name, namespace)
        if uid and uid != text_at(before, "metadata", "uid"):
            raise Conflict(409, "Conflict", f'the UID in the precondition ({uid}) does not match "{name}"')
        after = deepcopy(before)
        meta = object_at(after, "metadata")
        after["metadata"] = meta
        grace = _grace(resource, before, grace_seconds)
        if propagation in (Propagation.FOREGROUND, Propagation.ORPHAN):
            finalizer = "foregroundDeletion" if propagation is Propagation.FOREGROUND else "orphan"
            meta["finalizers"] = [*list_at(meta, "finalizers"), finalizer]
        if not list_at(meta, "finalizers") and not grace and not list_at(after, "spec", "finalizers"):
            self.changes.append(write)
            self._drop(resource, self._key(resource, name, namespace))
            return
        if "deletionTimestamp" not in meta:
            meta["deletionTimestamp"] = timestamp(self._clock.now())
            meta["deletionGracePeriodSeconds"] = grace
            if resource == kinds.NAMESPACE:
                after["status"] = {"phase": "Terminating"}
        self._replace(write, before, after, whole=True)

    async def subresource(
        self, resource: Resource, name: str, subresource: str, body: JsonObject, namespace: str = ""
    ) -> JsonObject:
        write = self._write("subresource", resource, namespace, name, subresource, body)
        if (resource, subresource) == (kinds.SERVICE_ACCOUNT, "token"):
            self._found(resource, name, namespace)
            return {"status": {"token": f"token {len(self.writes)} of {name}"}}
        if (resource, subresource) != (kinds.POD, "binding"):
            raise NotFound(404, "NotFound", "the server could not find the requested resource")
        before = self._found(resource, name, namespace)
        if text_at(before, "spec", "nodeName"):
            raise Conflict(409, "Conflict", f"pod {name} is already assigned to a node")
        after = deepcopy(before)
        after["spec"] = object_at(after, "spec") | {"nodeName": text_at(body, "target", "name")}
        scheduled: JsonObject = {
            "type": "PodScheduled",
            "status": "True",
            "lastTransitionTime": timestamp(self._clock.now()),
        }
        others = [
            c for c in list_at(after, "status", "conditions") if isinstance(c, dict) and c["type"] != "PodScheduled"
        ]
        after["status"] = object_at(after, "status") | {"conditions": [*others, scheduled]}
        self._replace(write, before, after, whole=True)
        return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}

    async def logs(
        self,
        name: str,
        namespace: str,
        *,
        container: str = "",
        follow: bool = False,
        previous: bool = False,
        tail: int | None = None,
        since_seconds: int | None = None,
        timestamps: bool = False,
    ) -> AsyncGenerator[bytes, None]:
        self._found(kinds.POD, name, namespace)
        lines = self._logs.get((namespace, name), b"").splitlines(keepends=True)
        for line in lines[-tail:] if tail else lines:
            yield line

    async def served(self) -> Sequence[Served]:
        return [Served(one, _VERBS) for one in dict.fromkeys([*_KNOWN, *self._objects])]

    # --- the store ----------------------------------------------------------------------------------------------------

    def _kind(self, resource: Resource) -> dict[tuple[str, str], JsonObject]:
        return self._objects.setdefault(resource, {})

    def _key(self, resource: Resource, name: str, namespace: str) -> tuple[str, str]:
        return (namespace if resource.namespaced else "", name)

    def _found(self, resource: Resource, name: str, namespace: str) -> JsonObject:
        found = self._kind(resource).get(self._key(resource, name, namespace))
        if found is None:
            raise _not_found(resource, name)
        return found

    def _write(
        self, verb: str, resource: Resource, namespace: str, name: str, subresource: str = "", body: Json = None
    ) -> Write:
        write = Write(verb, resource, namespace, name, subresource, deepcopy(body))
        self.intercept(write)
        self.writes.append(write)
        return write

    def _stamp(self, meta: JsonObject) -> None:
        meta["uid"] = str(UUID(int=self._random.getrandbits(128), version=4))
        meta["creationTimestamp"] = timestamp(self._clock.now())
        meta.setdefault("generation", 1)

    def _replace(self, write: Write, before: JsonObject, after: JsonObject, *, whole: bool = False) -> JsonObject:
        """Stores `after`, limited to what the endpoint may change; nothing happens when that is no change."""
        if not whole:
            after = _limited(before, after, write.subresource)
        meta, kept = object_at(after, "metadata"), object_at(before, "metadata")
        after["metadata"] = meta
        fixed = ("uid", "creationTimestamp", "resourceVersion", "generation", "name", "namespace")
        meta |= {key: kept[key] for key in fixed if key in kept}
        if not whole:
            meta.pop("deletionTimestamp", None)
            meta |= {k: kept[k] for k in ("deletionTimestamp", "deletionGracePeriodSeconds") if k in kept}
        if after == before:
            return deepcopy(before)
        self.changes.append(write)
        key = (_namespace(before), write.name)
        if "deletionTimestamp" in meta and not whole and _may_go(write.resource, after):
            return self._drop(write.resource, key)
        meta["generation"] = number_at(kept, "generation") + _spec_differs(before, after)
        return deepcopy(self._store(write.resource, key, before, after))

    def _store(
        self, resource: Resource, key: tuple[str, str], before: JsonObject | None, after: JsonObject
    ) -> JsonObject:
        self._version += 1
        after["metadata"] = object_at(after, "metadata") | {"resourceVersion": str(self._version)}
        self._kind(resource)[key] = after
        self._tell(resource, EventType.MODIFIED if before else EventType.ADDED, before, after)
        return after

    def _drop(self, resource: Resource, key: tuple[str, str]) -> JsonObject:
        gone = self._kind(resource).pop(key)
        self._version += 1
        last = deepcopy(gone)
        last["metadata"] = object_at(last, "metadata") | {"resourceVersion": str(self._version)}
        self._tell(resource, EventType.DELETED, gone, last)
        return deepcopy(last)

    def _tell(self, resource: Resource, event: EventType, before: JsonObject | None, after: JsonObject) -> None:
        self._log.append(_Change(self._version, resource, event, before, deepcopy(after)))
        # Woken watches have something to read, so they don't count as waiting from here on.
        self._waiting = 0
        self._grown.set()
        self._grown = asyncio.Event()

    async def _grow(self) -> None:
        grown = self._grown
        self._waiting += 1
        try:
            await grown.wait()
        except asyncio.CancelledError:
            if not grown.is_set():
                self._waiting -= 1
            raise

    def _refuse_when_terminating(self, resource: Resource, write: Write) -> None:
        home = self._kind(kinds.NAMESPACE).get(("", write.namespace))
        if home is not None and "deletionTimestamp" in object_at(home, "metadata"):
            raise ApiError(
                403,
                "Forbidden",
                f'{_plural(resource)} "{write.name}" is forbidden: unable to create new content in namespace '
                f"{write.namespace} because it is being terminated",
            )


def _typed(resource: Resource, body: JsonObject) -> JsonObject:
    for key, value in {"apiVersion": resource.api_version, "kind": resource.kind}.items():
        if body.get(key, value) != value:
            raise Invalid(422, "Invalid", f"{key}: expected {value}, got {body[key]}")
        body[key] = value
    return body


def _limited(before: JsonObject, after: JsonObject, subresource: str) -> JsonObject:
    """The status endpoint changes the status alone, the object's own endpoint everything else."""
    if subresource == "finalize":
        return deepcopy(before) | {"spec": after.get("spec")}
    if subresource == "status":
        result = deepcopy(before)
        result.pop("status", None)
        return result | ({"status": after["status"]} if "status" in after else {})
    result = {key: value for key, value in after.items() if key != "status"}
    return result | ({"status": deepcopy(before["status"])} if "status" in before else {})


def _may_go(resource: Resource, item: JsonObject) -> bool:
    held = list_at(item, "metadata", "finalizers") or list_at(item, "spec", "finalizers")
    return not held and not (resource == kinds.POD and number_at(item, "metadata", "deletionGracePeriodSeconds"))


def _grace(resource: Resource, item: JsonObject, asked: int | None) -> int:
    """Only a pod that a node runs ends gracefully; any other is gone at once."""
    if resource != kinds.POD or not text_at(item, "spec", "nodeName"):
        return 0
    if asked is not None:
        return asked
    return number_at(item, "spec", "terminationGracePeriodSeconds") or 30


def _seen_through(change: _Change, labels: str, fields: str) -> WatchEvent | None:
    """An object that starts to fit the selectors is added, one that stops is deleted."""
    fits = change.event is not EventType.DELETED and selects(change.after, labels, fields)
    fitted = change.before is not None and selects(change.before, labels, fields)
    match fitted, fits:
        case True, True:
            return WatchEvent(EventType.MODIFIED, deepcopy(change.after))
        case False, True:
            return WatchEvent(EventType.ADDED, deepcopy(change.after))
        case True, False:
            return WatchEvent(EventType.DELETED, deepcopy(change.after))
    return None


def _spec_differs(before: JsonObject, after: JsonObject) -> int:
    def rest(item: JsonObject) -> JsonObject:
        return {key: value for key, value in item.items() if key not in ("metadata", "status")}

    return int(rest(before) != rest(after))


def _namespace(item: JsonObject) -> str:
    return text_at(item, "metadata", "namespace")


def _plural(resource: Resource) -> str:
    return f"{resource.plural}.{resource.group}" if resource.group else resource.plural


def _not_found(resource: Resource, name: str) -> NotFound:
    return NotFound(404, "NotFound", f'{_plural(resource)} "{name}" not found')
