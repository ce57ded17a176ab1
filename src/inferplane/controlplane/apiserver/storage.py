"""Objects in the store: bytes there, JSON here, in the version that the client asked for.

A plain answer is the stored bytes as they are. Those of a built-in kind begin with `kind` and `apiVersion`, so that an
item of a list, which has neither there, is a slice of them.
"""

import msgspec

from inferplane.controlplane.apiserver import conversions, errors, objects
from inferplane.controlplane.apiserver.errors import StatusError
from inferplane.controlplane.apiserver.kinds import Kind
from inferplane.controlplane.apiserver.store.events import Event
from inferplane.controlplane.apiserver.store.log import Key, Row
from inferplane.controlplane.apiserver.store.store import Outdated, Store
from inferplane.kernel.json import JsonObject
from inferplane.resources import schemas

_decoder: msgspec.json.Decoder[JsonObject] = msgspec.json.Decoder()
encode = msgspec.json.encode
# What etcd takes in one request, and with it every cluster.
LARGEST_OBJECT = 1_572_864


class Stored:
    """An object at one revision, decoded when somebody looks inside."""

    __slots__ = ("_object", "kind", "row")

    def __init__(self, kind: Kind, row: Row) -> None:
        self.kind = kind
        self.row = row
        self._object: JsonObject | None = None

    @property
    def object(self) -> JsonObject:
        """In the version of `kind`. Not to be changed."""
        if self._object is None:
            self._object = converted(self.kind, _decoder.decode(self.row.value), self.row.revision)
        return self._object

    @property
    def json(self) -> bytes:
        return self.row.value if is_plain(self.kind, self.row.revision) else encode(self.object)

    @property
    def item(self) -> bytes:
        """As an item of a list: built-in kinds leave their type out there."""
        if self.kind.custom:
            return self.json
        if is_plain(self.kind, self.row.revision):
            return b"{" + self.row.value[len(_prefix(self.kind)) :]
        return encode({key: value for key, value in self.object.items() if key not in ("kind", "apiVersion")})


def is_plain(kind: Kind, revision: int) -> bool:
    """Whether stored bytes are what a client of this kind gets."""
    definition = kind.definition
    if definition is not None:
        return definition.only_version and revision > definition.since
    return kind.resource == kind.storage


def converted(kind: Kind, obj: JsonObject, revision: int) -> JsonObject:
    """A stored object in the version and under the schema that are served now."""
    if is_plain(kind, revision):
        return obj
    obj = conversions.from_storage(kind, obj)
    definition = kind.definition
    if definition is not None and revision <= definition.since:
        return schemas.default(definition.schema, schemas.prune(definition.schema, obj))
    return obj


class Storage:
    def __init__(self, store: Store) -> None:
        self.store = store

    def get(self, kind: Kind, namespace: str, name: str) -> Stored | None:
        row = self.store.get(Key(kind.key, namespace, name))
        return Stored(kind, row) if row is not None else None

    def require(self, kind: Kind, namespace: str, name: str) -> Stored:
        """Raises 404."""
        found = self.get(kind, namespace, name)
        if found is None:
            raise errors.not_found(kind.resource, name)
        return found

    async def create(self, kind: Kind, obj: JsonObject) -> Stored:
        """Raises 409 AlreadyExists."""
        name = objects.name(obj)
        try:
            return await self._write(kind, obj, None)
        except Outdated as outdated:
            existing = self.get(kind, objects.namespace(obj), name)
            leaving = existing is not None and objects.deleting(existing.object)
            raise errors.already_exists(kind.resource, name, deleting=leaving) from outdated

    async def replace(self, kind: Kind, stored: Stored, obj: JsonObject) -> Stored:
        """Raises `Changed` (409) when `stored` is no longer the current state."""
        try:
            return await self._write(kind, obj, stored.row)
        except Outdated as outdated:
            raise errors.conflict(kind.resource, objects.name(obj), raced=True) from outdated

    async def remove(self, kind: Kind, stored: Stored, obj: JsonObject) -> Stored:
        """Writes the deletion; `obj` is the last state that watchers see. Raises like `replace`."""
        try:
            return await self._write(kind, obj, stored.row, deleted=True)
        except Outdated as outdated:
            raise errors.conflict(kind.resource, objects.name(obj), raced=True) from outdated

    async def _write(self, kind: Kind, obj: JsonObject, replaced: Row | None, *, deleted: bool = False) -> Stored:
        key = Key(kind.key, objects.namespace(obj), objects.name(obj))

        def value(revision: int) -> bytes:
            found = _value(kind, objects.with_metadata(obj, resourceVersion=str(revision)))
            if len(found) > LARGEST_OBJECT and not deleted:
                raise StatusError(500, "", "etcdserver: request is too large")
            return found

        event = await self.store.write(key, value, replaced=replaced, uid=objects.uid(obj), deleted=deleted)
        return of_event(kind, event)


def of_event(kind: Kind, event: Event) -> Stored:
    return Stored(kind, Row(event.revision, event.key.namespace, event.key.name, 0.0, event.value))


def unsaved(kind: Kind, obj: JsonObject, revision: int = 0) -> Stored:
    """What a dry run answers with."""
    row = Row(revision, objects.namespace(obj), objects.name(obj), 0.0, _value(kind, obj))
    stored = Stored(kind, row)
    stored._object = obj
    return stored


# The order in which a real server writes metadata of built-in kinds; those of custom ones are sorted.
METADATA_ORDER = (
    *("name", "generateName", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp"),
    *("deletionTimestamp", "deletionGracePeriodSeconds", "labels", "annotations", "ownerReferences", "finalizers"),
    "managedFields",
)
_RANK = {field: rank for rank, field in enumerate(METADATA_ORDER)}


def _ordered(kind: Kind, obj: JsonObject) -> JsonObject:
    """Type first, in the version that objects are kept in; fields in the order of a real server."""
    obj = conversions.to_storage(kind, obj)
    head: JsonObject = {"kind": kind.storage.kind, "apiVersion": kind.storage.api_version}
    rest = {key: value for key, value in obj.items() if key not in ("kind", "apiVersion", "metadata")}
    metadata = sorted(objects.metadata(obj).items(), key=lambda item: _RANK.get(item[0], len(_RANK)))
    return head | {"metadata": dict(metadata)} | rest


def _value(kind: Kind, obj: JsonObject) -> bytes:
    return encode(_ordered(kind, obj), order="sorted") if kind.custom else encode(_ordered(kind, obj))


def _prefix(kind: Kind) -> bytes:
    return b'{"kind":"%b","apiVersion":"%b",' % (kind.storage.kind.encode(), kind.storage.api_version.encode())


def revision_of(text: str) -> int:
    """A resourceVersion as a number; raises ValueError when it is none."""
    if not text.isdigit():
        raise ValueError(text)
    return int(text)


def stale(kind: Kind, obj: JsonObject, current: Stored) -> StatusError | None:
    """What is wrong with the resourceVersion that an update carries, if anything."""
    given = objects.resource_version(obj)
    if not given or given == "0":
        return None
    if not given.isdigit():
        return errors.internal(f'strconv.ParseUint: parsing "{given}": invalid syntax')
    return None if int(given) == current.row.revision else errors.conflict(kind.resource, objects.name(obj))
