"""Many services in a platform's store without making each: the objects of one, written once more for every name.

To make 10,000 services takes hours on a busy machine, and what is measured with them is another thing. A service is
some twenty objects; each copy has its own names, uids and versions, so that a platform started with the store finds it
as if it had made it. The platform must be stopped.
"""

import json
import sqlite3
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

_LIVE = "SELECT resource, namespace, name, uid, revision, written, value FROM log WHERE ended = 9223372036854775807"
_LAST = "SELECT max(revision) FROM log"
_ADD = "INSERT INTO log VALUES (?, 9223372036854775807, ?, ?, ?, ?, 0, ?, ?)"
_LEFT_OUT = frozenset({"/events", "events.k8s.io/events"})


class Row(NamedTuple):
    resource: str
    namespace: str
    name: str
    uid: str
    revision: int
    written: float
    value: bytes


def multiply(state: Path, template: str, names: Sequence[str]) -> int:
    """Copies of the service `template`, whose name must be part of nothing else in its objects.

    Returns how many objects each has.
    """
    with closing(sqlite3.connect(state)) as store:
        rows = [row for row in map(Row._make, store.execute(_LIVE)) if _belongs(row, template)]
        last = int(store.execute(_LAST).fetchone()[0])
        with store:
            store.executemany(_ADD, _copies(rows, template, names, last))
    return len(rows)


def _belongs(row: Row, template: str) -> bool:
    return template in row.name and row.resource not in _LEFT_OUT


def _copies(rows: Sequence[Row], template: str, names: Sequence[str], last: int) -> Iterator[tuple[object, ...]]:
    for name in names:
        uids = {row.uid.encode(): str(uuid.uuid4()).encode() for row in rows}
        for row in rows:
            last += 1
            value = row.value.replace(template.encode(), name.encode())
            for old, new in uids.items():
                value = value.replace(old, new)
            value = value.replace(_version(row.revision), _version(last), 1)
            assert json.loads(value)["metadata"]["resourceVersion"] == str(last), row
            new_uid = uids[row.uid.encode()].decode()
            yield last, row.resource, row.namespace, row.name.replace(template, name), new_uid, row.written, value


def _version(revision: int) -> bytes:
    return b'"resourceVersion":"%d"' % revision
