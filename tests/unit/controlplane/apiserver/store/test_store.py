import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.fakes.clock import FakeClock

from inferplane.controlplane.apiserver.store.events import Event, SlowWatcher, Subscription
from inferplane.controlplane.apiserver.store.log import Key, Row, StoreError
from inferplane.controlplane.apiserver.store.store import RECENT, RECENT_BYTES, Compacted, Outdated, Store


def key(name: str, resource: str = "/pods") -> Key:
    return Key(resource, "a", name)


async def put(store: Store, name: str, text: str = "", replaced: Row | None = None, *, deleted: bool = False) -> Event:
    def encode(revision: int) -> bytes:
        return json.dumps({"name": name, "text": text, "revision": revision}).encode()

    return await store.write(key(name), encode, replaced=replaced, uid="u", deleted=deleted)


def row(store: Store, name: str) -> Row:
    found = store.get(key(name))
    assert found is not None
    return found


def names(events: list[Event] | None) -> list[tuple[int, str]]:
    return [(event.revision, event.key.name) for event in events or []]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def store(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Store]:
    opened = await Store.open(tmp_path / "state.db", clock)
    yield opened
    await opened.close()


async def test_a_write_is_read_at_once_with_the_revision_that_it_was_encoded_for(store: Store) -> None:
    event = await put(store, "web", "one")
    assert (row(store, "web").revision, store.revision) == (event.revision, event.revision)
    assert event.object == {"name": "web", "text": "one", "revision": event.revision}


async def test_of_many_writers_from_one_state_exactly_one_wins(store: Store) -> None:
    await put(store, "web")
    before = row(store, "web")
    outcomes = await asyncio.gather(*(put(store, "web", str(n), before) for n in range(20)), return_exceptions=True)
    assert sum(isinstance(one, Event) for one in outcomes) == 1
    assert sum(isinstance(one, Outdated) for one in outcomes) == 19


async def test_a_watch_sees_every_change_after_its_start_in_order_and_those_of_its_resource_only(store: Store) -> None:
    first = await put(store, "a")
    watch = store.subscribe("/pods", "", first.revision)
    await put(store, "b")
    await store.write(Key("/nodes", "", "n"), lambda _: b"{}", replaced=None, uid="u")
    await put(store, "a", "2", row(store, "a"))
    await put(store, "b", "", row(store, "b"), deleted=True)
    events = await watch.batch(1)
    assert names(events) == [(2, "b"), (4, "a"), (5, "b")]
    assert [(event.replaced, event.deleted) for event in events or []] == [(0, False), (1, False), (2, True)]


async def test_a_watch_of_a_namespace_sees_no_other(store: Store) -> None:
    watch = store.subscribe("/pods", "b", store.revision)
    await put(store, "web")
    await store.write(Key("/pods", "b", "mine"), lambda _: b"{}", replaced=None, uid="u")
    assert names(await watch.batch(1)) == [(2, "mine")]


@pytest.mark.parametrize("count", [10, RECENT + 10])
async def test_a_watch_from_the_past_gets_memory_or_the_database_and_can_t_tell(store: Store, count: int) -> None:
    await asyncio.gather(*(put(store, f"p{n}") for n in range(count)))
    events = await store.subscribe("/pods", "", 3).batch(1)
    assert [event.revision for event in events or []] == list(range(4, count + 1))


async def test_of_large_objects_few_are_kept_in_memory_and_a_watch_from_the_past_can_t_tell(store: Store) -> None:
    for number in range(100):
        await put(store, f"p{number}", "x" * 100_000)
    assert sum(one.size for one in store._recent) < RECENT_BYTES + 64 * 100_100
    assert len(store._recent) == 64
    events = await store.subscribe("/pods", "", 3).batch(1)
    assert [event.revision for event in events or []] == list(range(4, 101))


async def test_a_restarted_store_tells_the_changes_of_before_with_what_they_replaced(
    tmp_path: Path, clock: FakeClock
) -> None:
    first = await Store.open(tmp_path / "again.db", clock)
    await put(first, "web", "one")
    await put(first, "web", "two", row(first, "web"))
    await first.close()
    second = await Store.open(tmp_path / "again.db", clock)
    events = await second.subscribe("/pods", "", 1).batch(1)
    assert events is not None
    assert [(one.object["text"], (one.previous_object or {})["text"]) for one in events] == [("two", "one")]
    assert (await put(second, "db")).revision == 3
    await second.close()


async def test_history_older_than_asked_for_is_forgotten_and_says_so(store: Store, clock: FakeClock) -> None:
    await put(store, "web", "one")
    await put(store, "web", "two", row(store, "web"))
    clock.advance(100)
    await put(store, "web", "three", row(store, "web"))
    assert await store.compact(older_than=50) == 1
    with pytest.raises(Compacted):
        store.rows("/pods", at=1)
    assert [found.revision for found in store.rows("/pods")] == [3]


async def test_a_watch_from_compacted_history_is_refused_after_a_restart(tmp_path: Path, clock: FakeClock) -> None:
    first = await Store.open(tmp_path / "old.db", clock)
    for n in range(3):
        await put(first, f"p{n}")
    clock.advance(100)
    await first.compact(older_than=50)
    await first.close()
    second = await Store.open(tmp_path / "old.db", clock)
    with pytest.raises(Compacted):
        second.subscribe("/pods", "", 1)
    await second.close()


async def test_a_listener_hears_of_a_write_before_its_writer_goes_on(store: Store) -> None:
    heard: list[str] = []
    store.listen("/pods", lambda event: heard.append(event.key.name))
    await put(store, "web")
    assert heard == ["web"]


async def test_a_watch_ends_when_the_store_closes(tmp_path: Path, clock: FakeClock) -> None:
    store = await Store.open(tmp_path / "closing.db", clock)
    watch = store.subscribe("/pods", "", 0)
    waiting = asyncio.create_task(watch.batch(60))
    await asyncio.sleep(0)
    await store.close()
    assert await waiting is None


async def test_a_watcher_that_does_not_read_is_dropped_and_told() -> None:
    watch = Subscription("/pods", "")
    event = Event(1, key("web"), 0, False, b"{}", None)
    watch.offer([event] * Subscription.LIMIT)
    watch.offer([event])
    with pytest.raises(SlowWatcher):
        await watch.batch(0)


async def test_a_write_that_the_disk_refuses_fails_and_the_next_one_works(tmp_path: Path, clock: FakeClock) -> None:
    store = await Store.open(tmp_path / "full.db", clock)
    # The page limit stands for a full disk: SQLite answers both with SQLITE_FULL.
    store._writer._db.execute("PRAGMA max_page_count = 12")
    with pytest.raises(StoreError, match="the write failed"):
        await put(store, "large", "x" * 100_000)
    store._writer._db.execute("PRAGMA max_page_count = 100000")
    assert (await put(store, "small")).key.name == "small"
    await store.close()


WRITER = """
import asyncio, sys
from pathlib import Path
from inferplane.controlplane.apiserver.store.log import Key
from inferplane.controlplane.apiserver.store.store import Store
from inferplane.kernel.clock import SystemClock

async def main():
    store = await Store.open(Path(sys.argv[1]), SystemClock())
    async def forever(worker):
        number = 0
        while True:
            key = Key("/pods", "a", f"w{worker}-{number}")
            event = await store.write(key, lambda _: b'{"kept":true}', replaced=None, uid="u")
            print(event.revision, key.name, flush=True)
            number += 1
    await asyncio.gather(*(forever(worker) for worker in range(8)))

asyncio.run(main())
"""


async def test_whatever_was_acknowledged_is_there_after_kill_9(tmp_path: Path, clock: FakeClock) -> None:
    path = tmp_path / "killed.db"
    child = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    acknowledged = [child.stdout.readline().split() for _ in range(200)]
    os.kill(child.pid, signal.SIGKILL)
    acknowledged += [line.split() for line in child.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
    child.stdout.close()
    assert child.wait() == -signal.SIGKILL
    store = await Store.open(path, clock)
    found = {(str(one.revision), one.name) for one in store.rows("/pods")}
    assert {tuple(one) for one in acknowledged} <= found
    assert (await put(store, "next")).revision > max(int(revision) for revision, _ in acknowledged)
    await store.close()
