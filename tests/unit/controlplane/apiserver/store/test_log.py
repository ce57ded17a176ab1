import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from inferplane.controlplane.apiserver.store.log import Change, Key, Log, StoreError

POD = Key("/pods", "a", "web")


def change(revision: int, replaced: int = 0, *, key: Key = POD, deleted: bool = False, written: float = 0.0) -> Change:
    return Change(key, revision, replaced, "uid", f"v{revision}".encode(), None, deleted, written)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    opened = Log.open(tmp_path / "state.db")
    yield opened
    opened.close()


def test_a_first_state_needs_an_empty_place_and_a_later_one_the_state_it_was_made_from(log: Log) -> None:
    accepted = [log.commit([one]) for one in (change(1), change(2), change(3, 1), change(4, 1), change(5, 9))]
    assert accepted == [[True], [False], [True], [False], [False]]
    live = log.live(POD)
    assert live is not None
    assert (live.revision, live.value) == (3, b"v3")


def test_of_two_changes_from_the_same_state_in_one_transaction_the_first_wins(log: Log) -> None:
    log.commit([change(1)])
    assert log.commit([change(2, 1), change(3, 1)]) == [True, False]


def test_a_deleted_object_is_gone_and_its_place_is_free(log: Log) -> None:
    log.commit([change(1), change(2, 1, deleted=True)])
    assert log.live(POD) is None
    assert log.commit([change(3)]) == [True]


def test_the_state_at_a_revision_is_what_was_valid_then(log: Log) -> None:
    other = Key("/pods", "a", "db")
    log.commit([change(1), change(2, key=other), change(3, 1), change(4, 2, key=other, deleted=True)])
    states = {at: [(row.name, row.revision) for row in log.rows_at("/pods", "", at)] for at in range(5)}
    assert states == {
        0: [],
        1: [("web", 1)],
        2: [("db", 2), ("web", 1)],
        3: [("db", 2), ("web", 3)],
        4: [("web", 3)],
    }


def test_a_page_begins_behind_the_last_object_of_the_one_before(log: Log) -> None:
    places = [("a", "x"), ("a", "y"), ("b", "a"), ("b", "z")]
    log.commit([change(n, key=Key("/pods", *place)) for n, place in enumerate(places, 1)])
    page = log.rows_at("/pods", "", 4, after=("a", "y"), limit=1)
    assert [(row.namespace, row.name) for row in page] == [("b", "a")]
    assert log.count_at("/pods", "", 4, after=("b", "a")) == 1
    assert [row.name for row in log.rows_at("/pods", "a", 4)] == ["x", "y"]


def test_history_tells_each_change_with_what_it_replaced(log: Log) -> None:
    log.commit([change(1), change(2, key=Key("/nodes", "", "n")), change(3, 1), change(4, 3, deleted=True)])
    told = [(past.revision, past.deleted, past.value, past.previous) for past in log.after("/pods", 0, 4)]
    assert told == [(1, False, b"v1", None), (3, False, b"v3", b"v1"), (4, True, b"v4", b"v3")]
    assert [past.revision for past in log.after("/pods", 1, 3)] == [3]


def test_compaction_forgets_what_has_ended_and_keeps_what_is_valid(log: Log) -> None:
    log.commit([change(1), change(2, 1), change(3, 2), change(4, key=Key("/pods", "a", "old"))])
    log.commit([change(5, 4, key=Key("/pods", "a", "old"), deleted=True)])
    assert log.compact(5, chunk=1) == 4
    assert [row.revision for row in log.rows_at("/pods", "", 5)] == [3]
    assert (log.compacted(), log.last_revision()) == (5, 5)


def test_revisions_go_on_after_the_last_one_even_when_it_has_been_compacted(tmp_path: Path) -> None:
    first = Log.open(tmp_path / "state.db")
    first.commit([change(1), change(2, 1, deleted=True)])
    first.compact(2)
    first.close()
    second = Log.open(tmp_path / "state.db")
    assert second.last_revision() == 2
    second.close()


def test_the_revision_before_a_moment_is_the_last_one_written_earlier(log: Log) -> None:
    log.commit([change(1, written=10.0), change(2, 1, written=20.0), change(3, 2, written=30.0)])
    assert [log.revision_before(moment) for moment in (5.0, 20.0, 25.0, 99.0)] == [0, 1, 2, 3]


def test_a_transaction_that_fails_leaves_nothing(log: Log) -> None:
    log.commit([change(1)])
    with pytest.raises(sqlite3.IntegrityError):
        log.commit([change(2, 1), change(2, 2)])
    live = log.live(POD)
    assert live is not None
    assert live.revision == 1


def test_a_file_that_is_no_database_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(b"not a database, but long enough to be looked at" * 100)
    with pytest.raises(StoreError, match=r"state\.db: not a usable database"):
        Log.open(path)


def test_a_database_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    Log.open(tmp_path / "state.db").close()
    with sqlite3.connect(tmp_path / "state.db") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreError, match="newer"):
        Log.open(tmp_path / "state.db")
