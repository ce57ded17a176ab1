"""DELETE of one object and of a collection."""

import asyncio

from inferplane.controlplane.apiserver import answers, bodies, deleting, errors, objects, patches, reads, selectors
from inferplane.controlplane.apiserver.calls import Answer, Call
from inferplane.controlplane.apiserver.core import Core
from inferplane.controlplane.apiserver.deleting import Outcome, Wish
from inferplane.controlplane.apiserver.kinds import Kind
from inferplane.controlplane.apiserver.storage import Stored, unsaved
from inferplane.kernel.json import JsonObject

WORKERS = 32  # deletions of one collection under way


def wish_of(call: Call) -> Wish:
    body: JsonObject = bodies.read_object(call.body, call.content_type).object if call.body.strip() else {}
    grace, policy = call.number("gracePeriodSeconds"), call.query.get("propagationPolicy", "")
    return deleting.wish(grace, policy, call.dry_run, body)


async def delete(core: Core, call: Call) -> Answer:
    wanted = wish_of(call)
    stored, removed = await delete_one(core, call.kind, call.namespace, call.name, wanted)
    return answer(core, call, stored, removed)


def answer(core: Core, call: Call, stored: Stored, removed: bool) -> Answer:
    if removed and call.kind.key not in deleting.SHOWN:
        return answers.plain(
            call.wanted, errors.success(call.kind.resource, stored.row.name, objects.uid(stored.object))
        )
    return answers.one(core, call, stored)


async def delete_one(core: Core, kind: Kind, namespace: str, name: str, wanted: Wish) -> tuple[Stored, bool]:
    """The last state, and whether it is gone. Raises 404, and 409 for a precondition that doesn't hold."""
    return await patches.retried(lambda: _delete_once(core, kind, namespace, name, wanted))


async def _delete_once(core: Core, kind: Kind, namespace: str, name: str, wanted: Wish) -> tuple[Stored, bool]:
    stored = core.storage.require(kind, namespace, name)
    if (refusal := deleting.unmet(kind, stored.object, wanted)) is not None:
        raise refusal
    removal = deleting.decide(kind, stored.object, wanted, core.clock.now())
    removed = removal.outcome is Outcome.REMOVE
    if removal.outcome is Outcome.KEEP:
        return stored, False
    if wanted.dry_run:
        return unsaved(kind, removal.object, stored.row.revision), removed
    if removed:
        return await core.storage.remove(kind, stored, removal.object), True
    return await core.storage.replace(kind, stored, removal.object), False


async def delete_collection(core: Core, call: Call) -> Answer:
    """Deletes what the selectors match and answers with the list of it."""
    wanted = wish_of(call)
    selector = selectors.parse(call.kind, call.query.get("labelSelector", ""), call.query.get("fieldSelector", ""))
    start = reads.Position(core.storage.store.revision)
    found = [stored for stored in reads.objects_at(core, call, start) if selector.matches(stored.object)]
    # At the same time, as a real server does: what is written together costs one fsync.
    workers = asyncio.Semaphore(WORKERS)
    removed = await asyncio.gather(*(_delete_if_there(core, call.kind, stored, wanted, workers) for stored in found))
    deleted = [last for last in removed if last is not None]
    return answers.many(core, call, deleted, {"resourceVersion": str(core.storage.store.revision)})


async def _delete_if_there(
    core: Core, kind: Kind, stored: Stored, wanted: Wish, workers: asyncio.Semaphore
) -> Stored | None:
    """None when somebody else was faster, which is what was wanted."""
    async with workers:
        try:
            return (await delete_one(core, kind, stored.row.namespace, stored.row.name, wanted))[0]
        except errors.StatusError as error:
            if error.reason != "NotFound":
                raise
            return None
