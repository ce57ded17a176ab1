"""Get and list, at the newest revision or at the one that the client names."""

import asyncio
import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from inferplane.controlplane.apiserver import answers, errors, selectors
from inferplane.controlplane.apiserver.calls import Answer, Call
from inferplane.controlplane.apiserver.core import Core
from inferplane.controlplane.apiserver.errors import bad_request
from inferplane.controlplane.apiserver.selectors import Selector
from inferplane.controlplane.apiserver.storage import Stored
from inferplane.controlplane.apiserver.store.store import Compacted
from inferplane.kernel.json import Json, JsonObject

TOKEN_VERSION = "meta.k8s.io/v1"
FUTURE_PATIENCE = 3.0  # seconds that a read waits for a revision that isn't there yet
PAGE = 500


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page begins: behind `after`, at the revision of the first page."""

    revision: int
    after: tuple[str, str] = ("", "")


async def get(core: Core, call: Call) -> Answer:
    await _reach(core, _version(call))
    return answers.one(core, call, core.storage.require(call.kind, call.namespace, call.name))


async def listing(core: Core, call: Call) -> Answer:
    selector = selectors.parse(call.kind, call.query.get("labelSelector", ""), call.query.get("fieldSelector", ""))
    limit = max(call.number("limit") or 0, 0)
    position = await _start(core, call)
    try:
        found, more = _page(core, call, selector, position, limit)
    except Compacted as error:
        raise errors.expired(_too_old()) from error
    metadata: JsonObject = {"resourceVersion": str(position.revision)}
    if more:
        last = found[-1].row
        metadata["continue"] = _token(call, position.revision, last.namespace, last.name)
        if selector.empty:
            place = (last.namespace, last.name)
            metadata["remainingItemCount"] = core.storage.store.count(
                call.kind.key, call.namespace, position.revision, place
            )
    return answers.many(core, call, found, metadata)


def _too_old() -> str:
    return (
        "The provided continue parameter is too old to display a consistent list result. You can start a new list "
        "without the continue parameter."
    )


async def _start(core: Core, call: Call) -> Position:
    """Raises 400, 410 (by the read) or 504 for versions and tokens that can't be met."""
    token, version = call.query.get("continue", ""), _version(call)
    match = call.query.get("resourceVersionMatch", "")
    if token:
        if version:
            raise bad_request("specifying resource version is not allowed when using continue")
        return _parse(call, token)
    if match and match not in ("Exact", "NotOlderThan"):
        raise bad_request(f'resourceVersionMatch: Unsupported value: "{match}": expected "Exact" or "NotOlderThan"')
    await _reach(core, version)
    return Position(version if match == "Exact" and version else core.storage.store.revision)


def _version(call: Call) -> int:
    text = call.query.get("resourceVersion", "")
    if text and not text.isdigit():
        raise bad_request(f'invalid resource version "{text}": strconv.ParseUint: parsing "{text}": invalid syntax')
    return int(text or 0)


async def _reach(core: Core, version: int) -> None:
    """Waits a moment for a revision of the future; raises 504 when it doesn't come."""
    store, waited = core.storage.store, 0.0
    while version > store.revision and waited < FUTURE_PATIENCE:
        await asyncio.sleep(0.05)
        waited += 0.05
    if version > store.revision:
        raise errors.too_large_version(version, store.revision)


def _page(core: Core, call: Call, selector: Selector, start: Position, limit: int) -> tuple[list[Stored], bool]:
    """At most `limit` objects (0: all) that are selected, and whether there are more."""
    found: list[Stored] = []
    for stored in objects_at(core, call, start, limit):
        if selector.empty or selector.matches(stored.object):
            if limit and len(found) == limit:
                return found, True
            found.append(stored)
    return found, False


def objects_at(core: Core, call: Call, start: Position, limit: int = 0) -> Iterator[Stored]:
    """The objects of a kind at one revision, read in pages when only some are wanted."""
    after, size = start.after, max(limit + 1, PAGE) if limit else -1
    while True:
        rows = core.storage.store.rows(call.kind.key, call.namespace, at=start.revision, after=after, limit=size)
        yield from (Stored(call.kind, row) for row in rows)
        if size < 0 or len(rows) < size:
            return
        after = (rows[-1].namespace, rows[-1].name)


def _token(call: Call, revision: int, namespace: str, name: str) -> str:
    start = name if call.namespace or not call.kind.resource.namespaced else f"{namespace}/{name}"
    value: Json = {"v": TOKEN_VERSION, "rv": revision, "start": f"{start}\0"}
    return base64.urlsafe_b64encode(msgspec.json.encode(value)).decode().rstrip("=")


def _parse(call: Call, token: str) -> Position:
    try:
        value: Json = msgspec.json.decode(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (binascii.Error, ValueError, msgspec.DecodeError) as error:
        raise bad_request(f"invalid continue token: continue key is not valid: {error}") from error
    if not isinstance(value, dict) or value.get("v") != TOKEN_VERSION:
        raise bad_request(
            "invalid continue token: continue key is not valid: server does not recognize this encoded version"
        )
    revision, start = value.get("rv"), str(value.get("start", "")).rstrip("\0")
    if not isinstance(revision, int) or revision <= 0:
        why = f"incorrect encoded start resourceVersion (version {TOKEN_VERSION})"
        raise bad_request(f"invalid continue token: continue key is not valid: {why}")
    namespace, _, name = start.rpartition("/")
    return Position(revision, (call.namespace or namespace, name))
