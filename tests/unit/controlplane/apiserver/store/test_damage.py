"""When the disk or the clock fails: a clear error, and nothing that was acknowledged is lost."""

import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest
from tests.fakes.clock import FakeClock

from inferplane.controlplane.apiserver.store import log as log_module
from inferplane.controlplane.apiserver.store.log import Key, Log, StoreError
from inferplane.controlplane.apiserver.store.store import Store

# Schema 1 as it was released; never to be changed.
FIRST_SCHEMA = """
    CREATE TABLE log (
        revision INTEGER PRIMARY KEY, ended INTEGER NOT NULL, resource TEXT NOT NULL, namespace TEXT NOT NULL,
        name TEXT NOT NULL, uid TEXT NOT NULL, replaced INTEGER NOT NULL, written REAL NOT NULL, value BLOB NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX log_live ON log (resource, namespace, name) WHERE ended = 9223372036854775807;
    CREATE INDEX log_interval ON log (resource, ended, namespace, name, revision);
    CREATE INDEX log_ended ON log (ended);
    CREATE TABLE mark (name TEXT PRIMARY KEY, revision INTEGER NOT NULL) STRICT;
    INSERT INTO mark VALUES ('compacted', 0);
    PRAGMA user_version = 1;
    INSERT INTO log VALUES (7, 9223372036854775807, '/pods', 'a', 'old', 'u', 0, 1.0, '{"kept":true}');
"""


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "old.db"
    connection = sqlite3.connect(path)
    connection.executescript(FIRST_SCHEMA.replace("'{\"kept\":true}'", "CAST('{\"kept\":true}' AS BLOB)"))
    connection.close()
    return path


def version(path: Path) -> int:
    connection = sqlite3.connect(path)
    found = int(connection.execute("PRAGMA user_version").fetchone()[0])
    connection.close()
    return found


async def put(store: Store, name: str, value: bytes = b"{}") -> int:
    event = await store.write(Key("/pods", "a", name), lambda _: value, replaced=None, uid="u")
    return event.revision


def test_a_database_of_the_first_release_opens_with_what_is_in_it(old: Path) -> None:
    log = Log.open(old)
    assert [(row.name, row.value) for row in log.rows_at("/pods", "", 7)] == [("old", b'{"kept":true}')]
    assert log.last_revision() == 7
    log.close()
    assert version(old) == len(log_module.MIGRATIONS)


def test_a_new_step_is_taken_once_and_keeps_the_rows(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = (*log_module.MIGRATIONS, "ALTER TABLE log ADD COLUMN note TEXT NOT NULL DEFAULT '';")
    monkeypatch.setattr(log_module, "MIGRATIONS", steps)
    for _ in range(2):
        log = Log.open(old)
        assert len(log.rows_at("/pods", "", 7)) == 1
        log.close()
    assert version(old) == len(steps)


def test_a_step_that_fails_leaves_the_database_as_it_was(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = "CREATE TABLE more (a TEXT); INSERT INTO nowhere VALUES (1);"
    monkeypatch.setattr(log_module, "MIGRATIONS", (*log_module.MIGRATIONS, broken))
    with pytest.raises(StoreError, match="no such table: nowhere"):
        Log.open(old)
    monkeypatch.undo()
    log = Log.open(old)
    assert len(log.rows_at("/pods", "", 7)) == 1
    log.close()
    assert version(old) == len(log_module.MIGRATIONS)


async def test_with_a_full_disk_writes_say_so_reads_go_on_and_nothing_is_lost(tmp_path: Path, clock: FakeClock) -> None:
    store = await Store.open(tmp_path / "full.db", clock)
    pages = store._writer._db.execute("PRAGMA page_count").fetchone()[0]
    store._writer._db.execute(f"PRAGMA max_page_count = {pages + 20}")
    kept: list[str] = []

    async def fill() -> None:
        while True:
            await put(store, f"p{len(kept)}", b'"%b"' % (b"x" * 2000))
            kept.append(f"p{len(kept)}")

    with pytest.raises(StoreError, match="the write failed: database or disk is full") as refused:
        await fill()
    assert "make room on the disk" in str(refused.value.fix)
    assert kept
    assert {row.name for row in store.rows("/pods")} == set(kept)
    await store.close()
    again = await Store.open(tmp_path / "full.db", clock)
    assert {row.name for row in again.rows("/pods")} == set(kept)
    assert await put(again, "room-again") > len(kept)
    await again.close()


async def test_a_damaged_page_is_named_and_what_is_elsewhere_is_still_read(tmp_path: Path, clock: FakeClock) -> None:
    path = tmp_path / "damaged.db"
    store = await Store.open(path, clock)
    for number in range(200):
        await put(store, f"p{number:03}", b'"%b"' % (b"x" * 1000))
    await store.close()
    damage(path, b"p150")
    again = await Store.open(path, clock)
    with pytest.raises(StoreError, match="the database cannot be read: database disk image is malformed") as refused:
        again.rows("/pods")
    assert ".recover" in str(refused.value.fix)
    found = again.get(Key("/pods", "a", "p001"))
    assert found is not None
    await again.close()


def damage(path: Path, name: bytes) -> None:
    """Overwrites the head of the table page that holds the row of this name."""
    content = bytearray(path.read_bytes())
    size = int.from_bytes(content[16:18], "big")
    at = next(p for p in range(0, len(content), size) if content[p] == 0x0D and name + b"u" in content[p : p + size])
    content[at : at + 8] = b"\xff" * 8
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("jump", [timedelta(days=2), timedelta(days=-2)])
async def test_when_the_clock_jumps_only_history_is_lost(tmp_path: Path, clock: FakeClock, jump: timedelta) -> None:
    store = await Store.open(tmp_path / "jump.db", clock)
    before = await put(store, "before")
    watch = store.subscribe("/pods", "", store.revision)
    clock._start += jump  # the time of day, not the time that passes
    after = await put(store, "after")
    await store.compact(older_than=600)
    last = await put(store, "last")
    assert before < after < last
    assert {row.name for row in store.rows("/pods")} == {"before", "after", "last"}
    assert [event.key.name for event in await watch.batch(5) or []] == ["after", "last"]
    await store.close()
