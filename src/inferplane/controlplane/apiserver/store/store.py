"""The store as the API server uses it: reads at once, writes through one thread, watches from any kept revision.

All methods are called on one event loop. A write travels: `write` gives it the next revision and hands it to the writer
thread; the thread commits everything that waits in one transaction (one fsync for all of them) and reports back; then
the events are published and the callers go on. A caller that has its answer therefore sees its write in every read.
"""

import asyncio
import logging
import queue
import sqlite3
import threading
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from inferplane.controlplane.apiserver.store.events import Event, Subscription, of_change, of_past
from inferplane.controlplane.apiserver.store.log import Change, Key, Log, Row, StoreError, remedy
from inferplane.kernel.clock import Clock
from inferplane.kernel.errors import InferplaneError

logger = logging.getLogger(__name__)

RECENT = 2048  # events kept in memory, for watches that start a little in the past
RECENT_BYTES = 4 << 20  # what they may take together: a CRD has 100 kB
FRESH = 64  # of these the newest, whose decoded and encoded forms are kept: all watchers want them at once
BATCH = 512  # changes in one transaction at most


class Outdated(InferplaneError):
    """The object is not at the revision that the change was made from."""


class Compacted(InferplaneError):
    """The revision asked for is older than the history that is kept."""


Encode = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class _Write:
    change: Change
    done: "asyncio.Future[Event]"


@dataclass(frozen=True, slots=True)
class _Compaction:
    before: float
    done: "asyncio.Future[int]"


class _End:
    """Nothing comes after it."""


_Job = _Write | _Compaction | _End


class Store:
    """Open with `await Store.open(path, clock)`, close with `await store.close()`."""

    def __init__(self, reader: Log, writer: Log, clock: Clock) -> None:
        self._reader = reader
        self._writer = writer
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self.revision = reader.last_revision()  # published: what lists and new watches see
        self._compacted = reader.compacted()
        self._given = self.revision
        self._recent: deque[Event] = deque()
        self._recent_bytes = 0
        self._forgotten = self.revision  # events up to here are not in `_recent`
        self._subscriptions: dict[str, set[Subscription]] = defaultdict(set)
        self._ending = False
        self._listeners: dict[str, list[Callable[[Event], None]]] = defaultdict(list)
        self._thread = threading.Thread(target=self._write_forever, name="store-writer", daemon=True)
        self._thread.start()

    @classmethod
    async def open(cls, path: Path, clock: Clock) -> "Store":
        writer = await asyncio.to_thread(Log.open, path)
        return cls(Log.open(path), writer, clock)

    def end_watches(self) -> None:
        """Tells every watcher, and those that come yet, that nothing more will come."""
        self._ending = True
        for subscriptions in self._subscriptions.values():
            for subscription in subscriptions:
                subscription.close()

    async def close(self) -> None:
        """Finishes the writes under way, ends all watches and closes the database."""
        self.end_watches()
        self._jobs.put(_End())
        await asyncio.to_thread(self._thread.join)
        self._writer.close()
        self._reader.close()

    # reads

    def get(self, key: Key) -> Row | None:
        return self._reader.live(key)

    def rows(
        self, resource: str, namespace: str = "", *, at: int = 0, after: tuple[str, str] = ("", ""), limit: int = -1
    ) -> list[Row]:
        """The objects at revision `at` (0: now). Raises Compacted when `at` is too old."""
        self._still_known(at or self.revision)
        return self._reader.rows_at(resource, namespace, at or self.revision, after, limit)

    def count(self, resource: str, namespace: str, at: int, after: tuple[str, str]) -> int:
        return self._reader.count_at(resource, namespace, at, after)

    def _still_known(self, revision: int) -> None:
        if revision < self._compacted:
            raise Compacted(f"revision {revision} has been compacted, history begins at {self._compacted}")

    # writes

    async def write(self, key: Key, encode: Encode, *, replaced: Row | None, uid: str, deleted: bool = False) -> Event:
        """Writes what `encode` makes of the new revision, in place of `replaced` (None: nothing may be there).

        Returns once it is on disk and published. Raises Outdated when the object has changed since.
        """
        self._given += 1
        change = Change(
            key=key,
            revision=self._given,
            replaced=replaced.revision if replaced else 0,
            uid=uid,
            value=encode(self._given),
            previous=replaced.value if replaced else None,
            deleted=deleted,
            written=self._clock.now().timestamp(),
        )
        done: asyncio.Future[Event] = self._loop.create_future()
        self._jobs.put(_Write(change, done))
        # The write happens even if the caller is cancelled meanwhile, so the future is shielded from it.
        return await asyncio.shield(done)

    async def compact(self, older_than: float) -> int:
        """Forgets states that ended more than `older_than` seconds ago. Returns how many."""
        done: asyncio.Future[int] = self._loop.create_future()
        self._jobs.put(_Compaction(self._clock.now().timestamp() - older_than, done))
        return await done

    def _write_forever(self) -> None:
        while True:
            writes, other = self._gather(self._jobs.get())
            if writes:
                self._commit(writes)
            if isinstance(other, _Compaction):
                self._compact(other)
            elif isinstance(other, _End):
                return

    def _gather(self, job: _Job) -> tuple[list[_Write], _Compaction | _End | None]:
        """All writes that wait already, and the job of another kind that stands behind them, if any."""
        writes: list[_Write] = []
        while isinstance(job, _Write):
            writes.append(job)
            if len(writes) == BATCH or self._jobs.empty():
                return writes, None
            job = self._jobs.get()
        return writes, job

    def _commit(self, writes: list[_Write]) -> None:
        try:
            accepted = self._writer.commit([write.change for write in writes])
        except sqlite3.Error as error:
            refusal = StoreError(f"the write failed: {error}", fix=remedy(error))
            self._tell(self._refuse, writes, refusal)
        else:
            self._tell(self._publish, writes, accepted)

    def _compact(self, job: _Compaction) -> None:
        try:
            until = self._writer.revision_before(job.before)
            forgotten = self._writer.compact(until)
        except sqlite3.Error as error:
            self._tell(_fail, job.done, StoreError(f"compaction failed: {error}", fix=remedy(error)))
        else:
            self._tell(self._compacted_to, until, forgotten, job.done)

    def _tell(self, callback: Callable[..., None], *args: object) -> None:
        try:
            self._loop.call_soon_threadsafe(callback, *args)
        except RuntimeError:
            # The loop is closed: nobody waits for the answer any more. What was committed stays committed.
            logger.debug("an answer came after the event loop was closed")

    def _publish(self, writes: list[_Write], accepted: list[bool]) -> None:
        by_resource: dict[str, list[Event]] = defaultdict(list)
        answers: list[tuple[asyncio.Future[Event], Event | None]] = []
        for write, taken in zip(writes, accepted, strict=True):
            event = of_change(write.change) if taken else None
            answers.append((write.done, event))
            if event is not None:
                by_resource[event.key.resource].append(event)
                self._remember(event)
        for resource, events in by_resource.items():
            self._notify(resource, events)
        for done, event in answers:
            _answer(done, event)

    def _notify(self, resource: str, events: list[Event]) -> None:
        for listener in self._listeners[resource]:
            for event in events:
                listener(event)
        for subscription in self._subscriptions[resource]:
            subscription.offer(events)

    def _remember(self, event: Event) -> None:
        self._recent.append(event)
        self._recent_bytes += event.size
        if len(self._recent) > FRESH:
            self._recent[-FRESH].forget_forms()
        while len(self._recent) > (FRESH if self._recent_bytes > RECENT_BYTES else RECENT):
            oldest = self._recent.popleft()
            self._recent_bytes -= oldest.size
            self._forgotten = oldest.revision
        self.revision = event.revision

    def _refuse(self, writes: list[_Write], error: StoreError) -> None:
        for write in writes:
            _fail(write.done, error)

    def _compacted_to(self, until: int, forgotten: int, done: "asyncio.Future[int]") -> None:
        self._compacted = max(self._compacted, until)
        if not done.done():
            done.set_result(forgotten)

    # watches

    def listen(self, resource: str, listener: Callable[[Event], None]) -> None:
        """Calls `listener` for each change of `resource` before its writer gets the answer."""
        self._listeners[resource].append(listener)

    def subscribe(self, resource: str, namespace: str, since: int) -> Subscription:
        """All changes after revision `since`. Raises Compacted when some of them are no longer known."""
        subscription = Subscription(resource, namespace)
        subscription.offer(self._events_after(resource, since))
        self._subscriptions[resource].add(subscription)
        if self._ending:
            subscription.close()
        return subscription

    def watchers(self, resource: str) -> int:
        return len(self._subscriptions[resource])

    def unsubscribe(self, subscription: Subscription) -> None:
        self._subscriptions[subscription.resource].discard(subscription)

    def _events_after(self, resource: str, since: int) -> list[Event]:
        if since >= self.revision:
            return []
        if since >= self._forgotten:
            return [event for event in self._recent if event.revision > since and event.key.resource == resource]
        self._still_known(since)
        return [of_past(resource, past) for past in self._reader.after(resource, since, self.revision)]


def _answer(done: "asyncio.Future[Event]", event: Event | None) -> None:
    if done.done():
        return
    if event is None:
        done.set_exception(Outdated("the object has been modified"))
    else:
        done.set_result(event)


def _fail(done: "asyncio.Future[Event] | asyncio.Future[int]", error: StoreError) -> None:
    if not done.done():
        done.set_exception(error)
