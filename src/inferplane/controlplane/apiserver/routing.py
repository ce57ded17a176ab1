"""From method and path to the function that answers. The table of verbs is at the bottom."""

from collections.abc import Awaitable, Callable

from inferplane.controlplane.apiserver import (
    accounts,
    answers,
    bodies,
    errors,
    intake,
    patches,
    reads,
    removals,
    reviews,
    streams,
    subresources,
    usage,
    watching,
    writes,
)
from inferplane.controlplane.apiserver.calls import Answer, Call, Stream
from inferplane.controlplane.apiserver.core import Core
from inferplane.controlplane.apiserver.errors import no_such_resource
from inferplane.controlplane.apiserver.kinds import Kind
from inferplane.controlplane.apiserver.negotiation import Form
from inferplane.controlplane.apiserver.paths import Target
from inferplane.controlplane.apiserver.registry import Registry
from inferplane.controlplane.apiserver.storage import stale
from inferplane.kernel.json import JsonObject

Handler = Callable[[Core, Call], Awaitable[Answer | Stream]]


def forms(method: str, target: Target) -> frozenset[Form]:
    """The forms besides the plain one that an answer may have."""
    if target.subresource and target.subresource != "status":
        return frozenset()
    return answers.ONE if target.name else answers.MANY


def kind_of(registry: Registry, target: Target) -> Kind:
    """Raises 404 when the path names nothing that is served."""
    kind = registry.find(target.group, target.version, target.plural)
    if kind is None:
        raise no_such_resource()
    if target.namespace and not kind.resource.namespaced:
        raise no_such_resource()
    if target.name and kind.resource.namespaced and not target.namespace:
        raise no_such_resource()
    if target.subresource and not kind.has(target.subresource):
        raise errors.not_found(kind.resource, target.name) if kind.custom else no_such_resource()
    return kind


def handler(call: Call, target: Target) -> Handler:
    """Raises 405 for a verb that the resource doesn't have."""
    if call.kind.computed:
        found = _computed(call, target)
    elif target.subresource:
        found = SUBRESOURCES[target.subresource].get(call.method)
    elif target.name:
        found = _watched(call, target) or NAMED.get(call.method)
    else:
        found = _collection(call, target)
    if found is None:
        raise errors.method_not_allowed()
    return found


def _computed(call: Call, target: Target) -> Handler | None:
    if call.method != "GET" or target.watch or call.flag("watch"):
        return None
    return usage.get if target.name else usage.listing


def _watched(call: Call, target: Target) -> Handler | None:
    return watching.watch if call.method == "GET" and (target.watch or call.flag("watch")) else None


def _collection(call: Call, target: Target) -> Handler | None:
    verbs, kind = call.kind.verbs, call.kind
    everywhere = kind.resource.namespaced and not target.namespace
    if call.method == "GET" and "list" in verbs:
        return _watched(call, target) or reads.listing
    if everywhere:
        return None
    if call.method == "POST":
        return create if "list" in verbs else review
    return removals.delete_collection if call.method == "DELETE" and "deletecollection" in verbs else None


async def create(core: Core, call: Call) -> Answer:
    obj = intake.take(call, bodies.read_object(call.body, call.content_type))
    writes.check_place(call, obj)
    return answers.one(core, call, await writes.create(core, call, obj), 201)


async def review(core: Core, call: Call) -> Answer:
    return reviews.review(core, call)


async def put(core: Core, call: Call) -> Answer:
    given = intake.take(call, bodies.read_object(call.body, call.content_type))
    writes.check_place(call, given)
    return await patches.retried(lambda: _put(core, call, given))


async def _put(core: Core, call: Call, given: JsonObject) -> Answer:
    stored = core.storage.get(call.kind, call.namespace, call.name)
    if stored is None:
        if not call.kind.created_by_update or call.subresource:
            raise errors.not_found(call.kind.resource, call.name)
        return answers.one(core, call, await writes.create(core, call, given), 201)
    writes.check_update(call, stored, given)
    if (refusal := stale(call.kind, given, stored)) is not None:
        raise refusal
    return answers.one(core, call, await writes.update(core, call, stored, given))


async def patch(core: Core, call: Call) -> Answer:
    stored, created = await patches.patch(core, call)
    return answers.one(core, call, stored, 201 if created else 200)


NAMED: dict[str, Handler] = {"GET": reads.get, "PUT": put, "PATCH": patch, "DELETE": removals.delete}
SUBRESOURCES: dict[str, dict[str, Handler]] = {
    "status": {"GET": reads.get, "PUT": put, "PATCH": patch},
    "scale": {"GET": subresources.get_scale, "PUT": subresources.put_scale, "PATCH": subresources.patch_scale},
    "binding": {"POST": subresources.bind},
    "eviction": {"POST": subresources.evict},
    "finalize": {"PUT": subresources.finalize},
    "log": {"GET": subresources.log},
    "token": {"POST": accounts.create_token},
    # As requests of their own; the conversations themselves are WebSockets (`App`).
    **{name: {"GET": streams.refuse, "POST": streams.refuse} for name in streams.SUBRESOURCES},
}
