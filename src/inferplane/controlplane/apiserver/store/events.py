"""What watchers are told: one Event for each accepted change, shared by all of them so that it is encoded once."""

import asyncio
from collections import deque
from collections.abc import Hashable, Iterable
from typing import Any

import msgspec

from inferplane.controlplane.apiserver.store.log import Change, Key, Past
from inferplane.kernel.errors import InferplaneError
from inferplane.kernel.json import JsonObject


class Event:
    """A change of one object. Decoded forms and encodings are made on first use and kept.

    `previous` is the value that was replaced: None on creation, or when history has been compacted since.
    """

    __slots__ = (
        "_object",
        "_previous_object",
        "deleted",
        "encoded",
        "key",
        "previous",
        "replaced",
        "revision",
        "value",
    )

    def __init__(
        self, revision: int, key: Key, replaced: int, deleted: bool, value: bytes, previous: bytes | None
    ) -> None:
        self.revision = revision
        self.key = key
        self.replaced = replaced
        self.deleted = deleted
        self.value = value
        self.previous = previous
        self.encoded: dict[Hashable, bytes] = {}
        self._object: JsonObject | None = None
        self._previous_object: JsonObject | None = None

    @property
    def size(self) -> int:
        """Bytes of both values."""
        return len(self.value) + len(self.previous or b"")

    def forget_forms(self) -> None:
        """They are made again if somebody asks."""
        self.encoded.clear()
        self._object = self._previous_object = None

    @property
    def object(self) -> JsonObject:
        """Shared between watchers: not to be changed."""
        if self._object is None:
            self._object = _decode(self.value)
        return self._object

    @property
    def previous_object(self) -> JsonObject | None:
        if self._previous_object is None and self.previous is not None:
            self._previous_object = _decode(self.previous)
        return self._previous_object


def of_change(change: Change) -> Event:
    return Event(change.revision, change.key, change.replaced, change.deleted, change.value, change.previous)


def of_past(resource: str, past: Past) -> Event:
    key = Key(resource, past.namespace, past.name)
    return Event(past.revision, key, past.replaced, past.deleted, past.value, past.previous)


def _decode(value: bytes) -> JsonObject:
    decoded: Any = msgspec.json.decode(value)
    return decoded  # type: ignore[no-any-return]  # only objects are stored


class SlowWatcher(InferplaneError):
    """The watcher fell too far behind and was dropped; it may start again from its last resourceVersion."""


class Subscription:
    """The changes of one resource, in order, as batches. Closed by its reader, or by the store at its end."""

    LIMIT = 20_000

    def __init__(self, resource: str, namespace: str) -> None:
        self.resource = resource
        self.namespace = namespace
        self._waiting: deque[Event] = deque()
        self._news = asyncio.Event()
        self._closed = False
        self._overflowed = False

    def offer(self, events: Iterable[Event]) -> None:
        """Called by the store, on the event loop."""
        wanted = [event for event in events if not self.namespace or event.key.namespace == self.namespace]
        if not wanted:
            return
        if len(self._waiting) + len(wanted) > self.LIMIT:
            self._overflowed = True
            self._waiting.clear()
        else:
            self._waiting.extend(wanted)
        self._news.set()

    def close(self) -> None:
        self._closed = True
        self._news.set()

    async def batch(self, timeout: float) -> list[Event] | None:
        """Everything new; an empty list after `timeout` seconds without news; None once closed. Raises SlowWatcher."""
        if not self._waiting and not self._closed:
            try:
                async with asyncio.timeout(timeout):
                    await self._news.wait()
            except TimeoutError:
                return []
        if self._overflowed:
            raise SlowWatcher(f"a watch of {self.resource} fell {self.LIMIT} events behind", fix="watch again")
        self._news.clear()
        if self._closed:
            return None
        events = list(self._waiting)
        self._waiting.clear()
        return events
