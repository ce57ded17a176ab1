"""The log of revisions in SQLite: every state of every object, each valid for an interval of revisions.

A row says: from `revision` until just before `ended` the object at (resource, namespace, name) was `value`. A row that
is still valid ends at FOREVER; a deletion is a row that ends where it begins. The state at revision N is the rows with
`revision <= N < ended`, a watch is the rows after N, and compaction removes the rows with `ended <= N`.

All SQL of the project is in this file. The optimistic lock is the WHERE clause of END_ROW.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from inferplane.kernel.errors import InferplaneError

FOREVER = 9223372036854775807

# Numbered from 1 (`PRAGMA user_version`). A step is never changed once released; a change is a new step.
MIGRATIONS = (
    """
    CREATE TABLE log (
        revision  INTEGER PRIMARY KEY,
        ended     INTEGER NOT NULL,
        resource  TEXT NOT NULL,
        namespace TEXT NOT NULL,
        name      TEXT NOT NULL,
        uid       TEXT NOT NULL,
        replaced  INTEGER NOT NULL,
        written   REAL NOT NULL,
        value     BLOB NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX log_live ON log (resource, namespace, name) WHERE ended = 9223372036854775807;
    CREATE INDEX log_interval ON log (resource, ended, namespace, name, revision);
    CREATE INDEX log_ended ON log (ended);
    CREATE TABLE mark (name TEXT PRIMARY KEY, revision INTEGER NOT NULL) STRICT;
    INSERT INTO mark VALUES ('compacted', 0);
    """,
)

OPEN = """
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA busy_timeout = 5000;
"""
LAST_REVISION = "SELECT max(coalesce((SELECT max(revision) FROM log), 0), (SELECT revision FROM mark))"
COMPACTED = "SELECT revision FROM mark WHERE name = 'compacted'"
LIVE_ROW = """
    SELECT revision, namespace, name, written, value FROM log
    WHERE resource = ? AND namespace = ? AND name = ? AND ended = 9223372036854775807
"""
ROWS_AT = """
    SELECT revision, namespace, name, written, value FROM log
    WHERE resource = :resource AND ended > :at AND revision <= :at
      AND (:namespace = '' OR namespace = :namespace) AND (namespace, name) > (:after_namespace, :after_name)
    ORDER BY namespace, name LIMIT :limit
"""
COUNT_AT = """
    SELECT count(*) FROM log
    WHERE resource = :resource AND ended > :at AND revision <= :at
      AND (:namespace = '' OR namespace = :namespace) AND (namespace, name) > (:after_namespace, :after_name)
"""
ROWS_AFTER = """
    SELECT new.revision, new.namespace, new.name, new.replaced, new.ended = new.revision, new.value, old.value
    FROM log AS new LEFT JOIN log AS old ON old.revision = new.replaced
    WHERE new.revision > ? AND new.revision <= ? AND new.resource = ? ORDER BY new.revision
"""
END_ROW = """
    UPDATE log SET ended = :revision
    WHERE resource = :resource AND namespace = :namespace AND name = :name
      AND ended = 9223372036854775807 AND revision = :replaced
"""
ADD_FIRST_ROW = """
    INSERT INTO log (revision, ended, resource, namespace, name, uid, replaced, written, value)
    SELECT :revision, :ended, :resource, :namespace, :name, :uid, 0, :written, :value
    WHERE NOT EXISTS (SELECT 1 FROM log WHERE resource = :resource AND namespace = :namespace AND name = :name
                      AND ended = 9223372036854775807)
"""
ADD_ROW = """
    INSERT INTO log (revision, ended, resource, namespace, name, uid, replaced, written, value)
    VALUES (:revision, :ended, :resource, :namespace, :name, :uid, :replaced, :written, :value)
"""
REVISION_BEFORE = "SELECT coalesce(max(revision), 0) FROM log WHERE written < ?"
FORGET_ROWS = """
    DELETE FROM log WHERE revision IN (SELECT revision FROM log WHERE ended <= ? LIMIT ?)
"""
MARK_COMPACTED = "UPDATE mark SET revision = max(revision, ?) WHERE name = 'compacted'"


class StoreError(InferplaneError):
    """The database cannot be read or written."""


class Key(NamedTuple):
    """Where an object is: `resource` is `group/plural`, `namespace` is empty for cluster-wide kinds."""

    resource: str
    namespace: str
    name: str


class Row(NamedTuple):
    """One valid row. `written` is Unix time in seconds."""

    revision: int
    namespace: str
    name: str
    written: float
    value: bytes


class Past(NamedTuple):
    """One row of history and what it replaced (None for the first one, or when that has been compacted)."""

    revision: int
    namespace: str
    name: str
    replaced: int
    deleted: bool
    value: bytes
    previous: bytes | None


@dataclass(frozen=True, slots=True)
class Change:
    """A wish to write. `replaced` is the revision it was made from; 0 means that nothing may be there yet."""

    key: Key
    revision: int
    replaced: int
    uid: str
    value: bytes
    previous: bytes | None
    deleted: bool
    written: float

    def parameters(self) -> dict[str, object]:
        return {
            "revision": self.revision,
            "ended": self.revision if self.deleted else FOREVER,
            "resource": self.key.resource,
            "namespace": self.key.namespace,
            "name": self.key.name,
            "uid": self.uid,
            "replaced": self.replaced,
            "written": self.written,
            "value": self.value,
        }


class Log:
    """One connection to the database, used by one thread."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    @classmethod
    def open(cls, path: Path) -> "Log":
        """Opens or creates the database and brings its schema up to date; raises StoreError."""
        try:
            connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=64)
            connection.executescript(OPEN)
            _migrate(connection)
        except sqlite3.Error as error:
            raise StoreError(f"{path}: not a usable database: {error}", fix=remedy(error)) from error
        return cls(connection)

    def close(self) -> None:
        self._db.close()

    def last_revision(self) -> int:
        return self._number(LAST_REVISION)

    def compacted(self) -> int:
        """History up to this revision may be gone."""
        return self._number(COMPACTED)

    def live(self, key: Key) -> Row | None:
        found = self._read(LIVE_ROW, key)
        return Row(*found[0]) if found else None

    def rows_at(
        self, resource: str, namespace: str, at: int, after: tuple[str, str] = ("", ""), limit: int = -1
    ) -> list[Row]:
        """The objects of a resource as they were at revision `at`, by namespace and name, behind `after`."""
        place = _place(resource, namespace, at, after) | {"limit": limit}
        return [Row(*found) for found in self._read(ROWS_AT, place)]

    def count_at(self, resource: str, namespace: str, at: int, after: tuple[str, str] = ("", "")) -> int:
        return int(self._read(COUNT_AT, _place(resource, namespace, at, after))[0][0])

    def after(self, resource: str, revision: int, until: int) -> Iterator[Past]:
        for found in self._read(ROWS_AFTER, (revision, until, resource)):
            number, namespace, name, replaced, deleted, value, previous = found
            yield Past(number, namespace, name, replaced, bool(deleted), value, previous)

    def commit(self, changes: list[Change]) -> list[bool]:
        """Writes all in one transaction, durable on return. False for a change whose `replaced` is not current."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            accepted = [self._write(change) for change in changes]
            self._db.execute("COMMIT")
        except sqlite3.Error:
            # Some errors (no room, a damaged page) have ended the transaction already.
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        return accepted

    def _write(self, change: Change) -> bool:
        parameters = change.parameters()
        if change.replaced == 0:
            return self._db.execute(ADD_FIRST_ROW, parameters).rowcount == 1
        if self._db.execute(END_ROW, parameters).rowcount == 0:
            return False
        self._db.execute(ADD_ROW, parameters)
        return True

    def revision_before(self, moment: float) -> int:
        """The last revision written before Unix time `moment` (0 when there is none)."""
        return int(self._db.execute(REVISION_BEFORE, (moment,)).fetchone()[0])

    def compact(self, until: int, chunk: int = 500) -> int:
        """Forgets states that ended at or before revision `until`, in short transactions. Returns how many."""
        self._db.execute(MARK_COMPACTED, (until,))
        forgotten = 0
        while (count := self._db.execute(FORGET_ROWS, (until, chunk)).rowcount) > 0:
            forgotten += count
        return forgotten

    def _number(self, query: str) -> int:
        return int(self._read(query, ())[0][0])

    def _read(self, query: str, parameters: Sequence[object] | Mapping[str, object]) -> list[Any]:
        """The rows, as the caller's types say. Raises StoreError when the file can't be read any more."""
        try:
            return self._db.execute(query, parameters).fetchall()
        except sqlite3.Error as error:
            raise StoreError(f"the database cannot be read: {error}", fix=remedy(error)) from error


# What helps, by the name that SQLite has for what went wrong.
REMEDIES = {
    "SQLITE_FULL": "make room on the disk, then write again: nothing that was acknowledged is lost",
    "SQLITE_IOERR": "look at the disk: `dmesg` says more; nothing that was acknowledged is lost",
    "SQLITE_CORRUPT": "stop the platform and save what can be read: sqlite3 state.db .recover | sqlite3 new.db",
    "SQLITE_NOTADB": "move the file away to start empty",
    "SQLITE_READONLY": "look at the owner and mode of the file and its directory",
    "SQLITE_CANTOPEN": "look at the owner and mode of the file and its directory",
    "SQLITE_BUSY": "end the other process that has the file open",
}


def remedy(error: sqlite3.Error) -> str:
    name = getattr(error, "sqlite_errorname", "")
    return next((text for known, text in REMEDIES.items() if name.startswith(known)), "look at the disk")


def _place(resource: str, namespace: str, at: int, after: tuple[str, str]) -> dict[str, object]:
    return {
        "resource": resource,
        "namespace": namespace,
        "at": at,
        "after_namespace": after[0],
        "after_name": after[1],
    }


def _migrate(connection: sqlite3.Connection) -> None:
    done = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if done > len(MIGRATIONS):
        raise StoreError(f"the database has schema {done}, newer than {len(MIGRATIONS)}", fix="use a newer Inferplane")
    for number, step in enumerate(MIGRATIONS[done:], done + 1):
        connection.executescript(f"BEGIN IMMEDIATE; {step} PRAGMA user_version = {number}; COMMIT;")
