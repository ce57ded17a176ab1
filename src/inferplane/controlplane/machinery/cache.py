"""The informer cache: a kind's objects, decoded once, kept current by a reflector (`informers`).

Controllers read from here and never from the API server. A cache is behind the server by a few milliseconds at most;
what our own controllers wrote it knows at once (`writes`), so a reconcile never repeats its own last step.

Where there are many objects, those that nobody has changed or asked for lately are kept packed (`packing`) and are
decoded anew when somebody asks: thousands of services are at rest, and few are in use (`pack`).
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from sys import intern
from typing import Generic, Self, TypeVar

import msgspec

from inferplane.controlplane.machinery.packing import Packed, Packer, Squeezer
from inferplane.kernel.json import Json, JsonObject, text_at
from inferplane.resources.meta import ObjectMeta

log = logging.getLogger(__name__)

T = TypeVar("T")
Handler = Callable[[T | None, T | None], None]

FEW = 64
"""Objects of which no cache packs any: settings, runtimes, nodes."""


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """An object's name within its kind. `namespace` is "" for kinds without namespaces."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


def key_of(item: JsonObject) -> Key:
    return Key(text_at(item, "metadata", "namespace"), text_at(item, "metadata", "name"))


class Excerpt(ABC):
    """A view that is made by its own rules."""

    __slots__ = ()

    @classmethod
    @abstractmethod
    def of(cls, item: JsonObject) -> Self: ...

    @property
    @abstractmethod
    def text(self) -> bytes:
        """All of it, for `from_text`."""

    @classmethod
    @abstractmethod
    def from_text(cls, text: bytes) -> Self: ...


def decode(item: JsonObject, view: type[T]) -> T:
    """The object as `view`. Raises msgspec.ValidationError, which names the path."""
    if issubclass(view, Excerpt):
        return view.of(item)
    try:
        return msgspec.convert(item, view)
    except msgspec.ValidationError:
        # Go writes an empty list as null where its type says so (`endpoints` of a slice): null means absent.
        plain = _without_nulls(item)
        if plain == item:
            raise
        return msgspec.convert(plain, view)


def _without_nulls(value: Json) -> Json:
    if isinstance(value, dict):
        return {key: _without_nulls(one) for key, one in value.items() if one is not None}
    return [_without_nulls(one) for one in value] if isinstance(value, list) else value


class _Packer(Generic[T]):
    """Either form of `Packer`: that of a view, or that of an excerpt."""

    def __init__(self, view: type[T]) -> None:
        if issubclass(view, Excerpt):
            squeezer = Squeezer()
            self.pack: Callable[[T], Packed] = lambda one: squeezer.pack(one.text)  # type: ignore[attr-defined]  # T is view
            self.unpack: Callable[[Packed], T] = lambda packed: view.from_text(squeezer.unpack(packed))
        else:
            packer = Packer(view)
            self.pack, self.unpack = packer.pack, packer.unpack


class _Index(Generic[T]):
    """For each value of a function of the objects, the keys of the objects that have it.

    Most values have one object: its key stands there alone, without a dictionary (230 bytes).
    """

    def __init__(self, values: Callable[[T], Iterable[str]]) -> None:
        self._values = values
        self._keys: dict[str, Key | dict[Key, None]] = {}

    def change(self, key: Key, old: T | None, new: T | None) -> None:
        before = () if old is None else tuple(self._values(old))
        after = () if new is None else tuple(self._values(new))
        if before == after:
            return
        for value in before:
            self._remove(value, key)
        for value in after:
            self._add(value, key)

    def keys(self, value: str) -> Iterable[Key]:
        found = self._keys.get(value, ())
        return (found,) if isinstance(found, Key) else tuple(found)

    def _add(self, value: str, key: Key) -> None:
        found = self._keys.setdefault(value, key)
        if isinstance(found, dict):
            found[key] = None
        elif found != key:
            self._keys[value] = {found: None, key: None}

    def _remove(self, value: str, key: Key) -> None:
        found = self._keys.get(value)
        if isinstance(found, dict):
            found.pop(key, None)
        if not found or found == key:
            self._keys.pop(value, None)


def share_strings(value: Json) -> None:
    """Replaces each string by the one of its content that this process has already.

    A service is twenty objects that say the same names, labels and images, and services are much alike: a third of the
    memory of the caches.
    """
    if isinstance(value, dict):
        for name, one in value.items():
            if type(one) is str:  # not an enumeration's member, which an answer of a made-up server may hold
                value[name] = intern(one)
            elif name != "managedFields" and isinstance(one, dict | list):
                share_strings(one)
    elif isinstance(value, list):
        for number, one in enumerate(value):
            if type(one) is str:
                value[number] = intern(one)
            elif isinstance(one, dict | list):
                share_strings(one)


def _with(view: T, meta: ObjectMeta) -> T:
    return msgspec.structs.replace(view, metadata=meta) if isinstance(view, msgspec.Struct) else view


class Cache(Generic[T]):
    """The current objects of one kind as views of type `T`. Values must not be changed by those who read them."""

    def __init__(self, view: type[T]) -> None:
        self._view = view
        self._namespaces: dict[str, dict[str, T | Packed]] = {}
        self._indexes: dict[str, _Index[T]] = {}
        self._handlers: list[Handler[T]] = []
        self._packer = _Packer(view)
        # Decoded objects by when they were decoded: since the last look (`pack`), and before it.
        self._fresh: dict[Key, None] = {}
        self._aging: dict[Key, None] = {}

    def __contains__(self, key: Key) -> bool:
        return key.name in self._namespaces.get(key.namespace, {})

    def get(self, key: Key) -> T | None:
        found = self._namespaces.get(key.namespace, {}).get(key.name)
        if not isinstance(found, Packed):
            return found
        view = self._namespaces[key.namespace][key.name] = self._packer.unpack(found)
        self._fresh[key] = None
        return view

    def list(self, namespace: str = "") -> "list[T]":
        """All objects of the namespace, or of all namespaces. Decodes those that are packed: ask for `names` if those
        are enough."""
        spaces = [self._namespaces.get(namespace, {})] if namespace else [*self._namespaces.values()]
        return [self._plain(one) for objects in spaces for one in objects.values()]

    def names(self, namespace: str) -> Collection[str]:
        """Of all objects of the namespace."""
        return self._namespaces.get(namespace, {}).keys()

    def add_index(self, name: str, values: Callable[[T], Iterable[str]]) -> None:
        """Makes `matching(name, value)` answer with the objects for which `values` yields that value."""
        if name in self._indexes:
            return
        index = self._indexes[name] = _Index(values)
        for key, item in self._items():
            index.change(key, None, item)

    def matching(self, index: str, value: str) -> Sequence[T]:
        found = (self.get(key) for key in self._indexes[index].keys(value))
        return [one for one in found if one is not None]

    def on_change(self, handler: Handler[T]) -> None:
        """Calls `handler(old, new)` on every change; `old` is None for a new object, `new` for one that is gone.

        What is already known is told at once, as new.
        """
        self._handlers.append(handler)
        for _, item in self._items():
            handler(None, item)

    # --- for the informers --------------------------------------------------------------------------------------------

    def put(self, key: Key, item: JsonObject, meta: ObjectMeta | None = None) -> ObjectMeta | None:
        """`meta`: its metadata, where another view of the object has it already. Returns that of this one."""
        try:
            new = decode(item, self._view)
        except msgspec.ValidationError as error:
            # The last good value stays: taking it away would look like a deletion.
            log.error("undecodable object view=%s key=%s error=%s", self._view.__name__, key, error)
            return meta
        found = getattr(new, "metadata", None)
        if not isinstance(found, ObjectMeta):
            self._change(key, new)
            return meta
        self._change(key, new if meta is None else _with(new, meta))
        return meta or found

    def drop(self, key: Key) -> None:
        if key in self:
            self._change(key, None)

    @property
    def fresh(self) -> int:
        """How many were changed or decoded since the last look."""
        return len(self._fresh)

    def pack(self) -> Iterator[None]:
        """Packs what was last changed or decoded before the last look. Stops after each, so that others can work."""
        waiting, self._aging, self._fresh = self._aging, self._fresh, {}
        if sum(len(objects) for objects in self._namespaces.values()) < FEW:
            self._aging = waiting | self._aging
            return
        for key in waiting:
            found = self._namespaces.get(key.namespace, {}).get(key.name)
            if found is None or isinstance(found, Packed) or key in self._aging or key in self._fresh:
                continue
            self._namespaces[key.namespace][key.name] = self._packer.pack(found)
            yield

    def _change(self, key: Key, new: T | None) -> None:
        objects = self._namespaces.setdefault(key.namespace, {})
        known = objects.get(key.name)
        old = None if known is None else self._plain(known)
        if new is None:
            del objects[key.name]
        else:
            objects[key.name] = new
            self._fresh[key] = None
        for index in self._indexes.values():
            index.change(key, old, new)
        for handler in self._handlers:
            try:
                handler(old, new)
            except Exception:
                # A bug of one listener must not keep the news from the others, nor end the watch.
                log.exception("change handler broke view=%s key=%s", self._view.__name__, key)

    def _plain(self, one: T | Packed) -> T:
        return self._packer.unpack(one) if isinstance(one, Packed) else one

    def _items(self) -> Iterator[tuple[Key, T]]:
        for space, objects in [*self._namespaces.items()]:
            for name, one in [*objects.items()]:
                yield Key(space, name), self._plain(one)
