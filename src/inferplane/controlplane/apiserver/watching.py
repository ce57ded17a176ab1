"""Watch: the state to begin with where it is asked for, then every change that the selector sees, as lines of JSON.

An object that comes to match is ADDED, one that ceases to match is DELETED (with the state that matched). The bytes of
a plain event are made once for all watchers.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass

from inferplane.client.kubernetes.api import EventType, WatchEvent
from inferplane.client.kubernetes.statuses import error_of
from inferplane.controlplane.apiserver import answers, builtin, errors, objects, reads, selectors
from inferplane.controlplane.apiserver.calls import Call, Stream
from inferplane.controlplane.apiserver.core import Core
from inferplane.controlplane.apiserver.errors import StatusError
from inferplane.controlplane.apiserver.kinds import Kind
from inferplane.controlplane.apiserver.negotiation import Form
from inferplane.controlplane.apiserver.selectors import Selector
from inferplane.controlplane.apiserver.storage import converted, encode, is_plain
from inferplane.controlplane.apiserver.store.events import Event, SlowWatcher, Subscription
from inferplane.controlplane.apiserver.store.store import Compacted
from inferplane.controlplane.apiserver.tables.table import partial
from inferplane.kernel.json import JsonObject
from inferplane.resources.schemas import FieldError

DEFAULT_SECONDS = 1800
BOOKMARK_SECONDS = 60.0
PAUSE_SECONDS = 50e-6  # for each watcher of the kind
SHORTEST_PAUSE = 0.002
INITIAL_END = "k8s.io/initial-events-end"


@dataclass(frozen=True, slots=True)
class Wanted:
    """`since`: changes after this revision. `initial`: the state at it comes first; `marked`: and then a bookmark."""

    selector: Selector
    since: int
    initial: bool
    marked: bool
    bookmarks: bool
    seconds: float


async def watch(core: Core, call: Call) -> Stream:
    wanted = await _wanted(core, call)
    store = core.storage.store
    try:
        subscription = store.subscribe(call.kind.key, call.namespace, wanted.since)
    except Compacted:
        return Stream(_only(line("ERROR", encode(_too_old(core, wanted.since).body()))))
    return Stream(_lines(core, call, wanted, subscription))


async def _wanted(core: Core, call: Call) -> Wanted:
    selector = selectors.parse(call.kind, call.query.get("labelSelector", ""), call.query.get("fieldSelector", ""))
    if call.name:
        selector = Selector(selector.labels, (*selector.fields, lambda obj: objects.name(obj) == call.name))
    version = call.query.get("resourceVersion", "")
    if version and not version.isdigit():
        raise errors.internal(f'strconv.ParseUint: parsing "{version}": invalid syntax')
    marked = call.flag("sendInitialEvents")
    _check_match(call, marked)
    fresh = marked or version in ("", "0")
    seconds = call.number("timeoutSeconds")
    return Wanted(
        selector=selector,
        since=core.storage.store.revision if fresh else int(version),
        initial=fresh,
        marked=marked,
        bookmarks=call.flag("allowWatchBookmarks"),
        seconds=float(seconds) if seconds else DEFAULT_SECONDS,
    )


def _check_match(call: Call, marked: bool) -> None:
    match = call.query.get("resourceVersionMatch", "")
    if marked and match != "NotOlderThan":
        text = 'sendInitialEvents requires setting resourceVersionMatch to "NotOlderThan"'
        raise _invalid_option(text)
    if match and not marked:
        raise _invalid_option("resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided")


def _invalid_option(text: str) -> StatusError:
    cause = FieldError("resourceVersionMatch", "FieldValueForbidden", f"Forbidden: {text}")
    return errors.invalid("meta.k8s.io", "ListOptions", "", [cause])


async def _only(text: bytes) -> AsyncIterator[bytes]:
    yield text


async def _lines(core: Core, call: Call, wanted: Wanted, subscription: Subscription) -> AsyncIterator[bytes]:
    shown = Lines(core, call, wanted.selector)
    try:
        if wanted.initial:
            yield b"".join(shown.initial(wanted.since))
        if wanted.marked:
            yield shown.bookmark(wanted.since, ended=True)
        async for text in _news(core, wanted, subscription, shown):
            yield text
    finally:
        core.storage.store.unsubscribe(subscription)


async def _news(core: Core, wanted: Wanted, subscription: Subscription, shown: "Lines") -> AsyncIterator[bytes]:
    async for batch, revision in _batches(core, wanted.seconds, subscription):
        if batch:
            yield b"".join(shown.changes(batch))
            await _breathe(core, subscription)
        elif wanted.bookmarks:
            yield shown.bookmark(revision)


async def _batches(core: Core, seconds: float, subscription: Subscription) -> AsyncIterator[tuple[list[Event], int]]:
    """What came; or nothing, when it is time for a bookmark, and the revision that it may promise."""
    now = core.clock.monotonic
    end, next_bookmark = now() + seconds, now() + BOOKMARK_SECONDS
    while (left := end - now()) > 0:
        # Read before waiting: a bookmark may only promise what has been sent.
        revision = core.storage.store.revision
        try:
            batch = await subscription.batch(min(left, max(next_bookmark - now(), 0.0)))
        except SlowWatcher:
            return
        if batch is None:
            return
        yield batch, revision
        if now() >= next_bookmark:
            next_bookmark = now() + BOOKMARK_SECONDS


async def changes(
    core: Core, kind: Kind, namespace: str, since: int, seconds: float
) -> AsyncGenerator[WatchEvent, None]:
    """A watch by somebody in this process, who needs no lines of JSON. Objects are shared: not to be changed.

    Raises Gone for a revision that is not kept any more.
    """
    store = core.storage.store
    try:
        subscription = store.subscribe(kind.key, namespace, since)
    except Compacted:
        raise error_of(_too_old(core, since).body()) from None
    try:
        async for batch, revision in _batches(core, seconds, subscription):
            for event in batch:
                yield WatchEvent(_type(event), converted(kind, event.object, event.revision))
            if not batch:
                yield WatchEvent(EventType.BOOKMARK, {"metadata": {"resourceVersion": str(revision)}})
    finally:
        store.unsubscribe(subscription)


def _too_old(core: Core, since: int) -> StatusError:
    return errors.expired(f"too old resource version: {since} ({core.storage.store.revision})")


async def _breathe(core: Core, subscription: Subscription) -> None:
    """Many watchers of one kind get what comes meanwhile in one piece: with 200 of them every change by itself would
    cost more than the writes (100,000 chunks a second instead of 20,000). A few watchers are told at once."""
    pause = core.storage.store.watchers(subscription.resource) * PAUSE_SECONDS
    if pause > SHORTEST_PAUSE:
        await core.clock.sleep(pause)


class Lines:
    """Events as one watcher sees them."""

    def __init__(self, core: Core, call: Call, selector: Selector) -> None:
        self._core = core
        self._call = call
        self._selector = selector
        self._header = True

    def initial(self, revision: int) -> list[bytes]:
        found = reads.objects_at(self._core, self._call, reads.Position(revision))
        selected = (one for one in found if self._selector.empty or self._selector.matches(one.object))
        if self._call.wanted.form is Form.OBJECT:
            return [line("ADDED", stored.json) for stored in selected]
        return [line("ADDED", encode(self._formed(stored.object))) for stored in selected]

    def changes(self, events: list[Event]) -> list[bytes]:
        return [text for event in events if (text := self._change(event))]

    def _change(self, event: Event) -> bytes:
        """The line of an event; empty when the selector doesn't see it."""
        if self._selector.empty:
            return self._state(event, _type(event))
        kind = self._call.kind
        before = event.previous_object
        matched = before is not None and self._selector.matches(converted(kind, before, event.replaced))
        if event.deleted:
            return self._state(event, EventType.DELETED) if matched else b""
        if self._selector.matches(converted(kind, event.object, event.revision)):
            return self._state(event, EventType.MODIFIED if matched else EventType.ADDED)
        return self._left(event) if matched and before is not None else b""

    def _state(self, event: Event, type_: EventType) -> bytes:
        kind = self._call.kind
        if self._call.wanted.form is not Form.OBJECT:
            return line(type_, encode(self._formed(converted(kind, event.object, event.revision))))
        key = (kind.resource.version, type_)
        text = event.encoded.get(key)
        if text is None:
            plain = is_plain(kind, event.revision)
            value = event.value if plain else encode(converted(kind, event.object, event.revision))
            text = event.encoded[key] = line(type_, value)
        return text

    def _left(self, event: Event) -> bytes:
        """The last state that matched, at the revision at which it ceased to."""
        before = converted(self._call.kind, event.previous_object or {}, event.replaced)
        return line(
            EventType.DELETED, encode(self._formed(objects.with_metadata(before, resourceVersion=str(event.revision))))
        )

    def _formed(self, obj: JsonObject) -> JsonObject:
        wanted = self._call.wanted
        if wanted.form is Form.TABLE:
            version = {"resourceVersion": objects.resource_version(obj)}
            header, self._header = self._header, False
            return answers.rows(self._core, self._call, [obj], {**version}, header=header)
        if wanted.form is Form.PARTIAL:
            return partial(obj, wanted.version)
        return obj

    def bookmark(self, revision: int, *, ended: bool = False) -> bytes:
        resource = self._call.kind.resource
        metadata: JsonObject = {"resourceVersion": str(revision)}
        if ended:
            metadata["annotations"] = {INITIAL_END: "true"}
        empty = builtin.empty_object(resource)
        obj: JsonObject = {"kind": empty.pop("kind"), "apiVersion": empty.pop("apiVersion"), "metadata": metadata}
        obj |= empty
        if self._call.wanted.form is Form.PARTIAL:
            obj = partial(obj, self._call.wanted.version)
        return line(EventType.BOOKMARK, encode(obj))


def _type(event: Event) -> EventType:
    if event.deleted:
        return EventType.DELETED
    return EventType.MODIFIED if event.replaced else EventType.ADDED


def line(type_: str, value: bytes) -> bytes:
    return b'{"type":"%b","object":%b}\n' % (type_.encode(), value)
