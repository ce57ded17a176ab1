"""Subresources: scale, binding, eviction, finalize, log. (`status` is an update like any other; see `writes`.)"""

from collections.abc import AsyncIterator, Callable, Mapping

from inferplane.controlplane.apiserver import (
    answers,
    bodies,
    deleting,
    errors,
    intake,
    objects,
    patches,
    preparing,
    removals,
    writes,
)
from inferplane.controlplane.apiserver.calls import Answer, Call, Stream
from inferplane.controlplane.apiserver.containers import container_of
from inferplane.controlplane.apiserver.core import Core
from inferplane.controlplane.apiserver.errors import StatusError, bad_request
from inferplane.controlplane.apiserver.kinds import Kind, ScalePaths
from inferplane.controlplane.apiserver.logs import LogRefused, NodeGone
from inferplane.controlplane.apiserver.storage import Stored, stale
from inferplane.controlplane.apiserver.tables.built_in import label_selector
from inferplane.kernel.json import Json, JsonObject, list_at, object_at, text_at
from inferplane.resources.schemas import FieldError

BUILT_IN_SCALE = ScalePaths("spec.replicas", "status.replicas")


# scale


def scale_paths(kind: Kind) -> ScalePaths:
    return (kind.definition.scale if kind.definition else None) or BUILT_IN_SCALE


def scale_of(kind: Kind, obj: JsonObject) -> JsonObject:
    """The `autoscaling/v1` Scale of an object. Raises 500 for a custom one without its replicas."""
    paths = scale_paths(kind)
    replicas = _value(obj, paths.spec_replicas)
    if not isinstance(replicas, int):
        raise errors.internal(f'the spec replicas field ".{paths.spec_replicas}" does not exist')
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    metadata = {key: value for key, value in objects.metadata(obj).items() if key in kept}
    status: JsonObject = {"replicas": _value(obj, paths.status_replicas) or 0}
    selector = _selector(kind, obj, paths)
    if selector:
        status["selector"] = selector
    head: JsonObject = {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata}
    return head | {"spec": {"replicas": replicas} if replicas else {}, "status": status}


def _selector(kind: Kind, obj: JsonObject, paths: ScalePaths) -> str:
    if not kind.custom:
        return label_selector(object_at(obj, "spec", "selector"))
    found = _value(obj, paths.selector) if paths.selector else None
    return found if isinstance(found, str) else ""


def _value(obj: JsonObject, path: str) -> Json:
    *way, last = path.split(".")
    return object_at(obj, *way).get(last)


def scaled(kind: Kind, obj: JsonObject, replicas: Json) -> JsonObject:
    return _placed(obj, scale_paths(kind).spec_replicas.split("."), replicas)


def _placed(obj: JsonObject, path: list[str], value: Json) -> JsonObject:
    if len(path) == 1:
        return obj | {path[0]: value}
    return obj | {path[0]: _placed(object_at(obj, path[0]), path[1:], value)}


async def get_scale(core: Core, call: Call) -> Answer:
    stored = core.storage.require(call.kind, call.namespace, call.name)
    return answers.plain(call.wanted, scale_of(call.kind, stored.object))


async def put_scale(core: Core, call: Call) -> Answer:
    given = bodies.read_object(call.body, call.content_type).object
    writes.check_place(call, given)
    return await patches.retried(lambda: _set_scale(core, call, lambda _: given))


async def patch_scale(core: Core, call: Call) -> Answer:
    media = bodies.media_type(call.content_type)
    if media == patches.APPLY:
        given = bodies.read_object(call.body, call.content_type).object
        return await patches.retried(lambda: _set_scale(core, call, lambda scale: scale | given))
    operations = bodies.read_json(call.body)
    # A Scale is flat: a strategic merge patch of it is a merge patch.
    way = patches.JSON if media == patches.JSON else patches.MERGE
    return await patches.retried(
        lambda: _set_scale(core, call, lambda scale: patches.changed(call.kind, way, scale, operations))
    )


async def _set_scale(core: Core, call: Call, change: Callable[[JsonObject], JsonObject]) -> Answer:
    stored = core.storage.require(call.kind, call.namespace, call.name)
    wanted = change(scale_of(call.kind, stored.object))
    if (refusal := stale(call.kind, wanted, stored)) is not None:
        raise refusal
    replicas = object_at(wanted, "spec").get("replicas", 0)
    if not isinstance(replicas, int) or isinstance(replicas, bool):
        raise bad_request(f'Scale in version "v1" cannot be handled as a Scale: spec.replicas: {replicas!r}')
    if replicas < 0:
        text = f"Invalid value: {replicas}: must be greater than or equal to 0"
        cause = FieldError("spec.replicas", "FieldValueInvalid", text)
        raise errors.invalid("autoscaling", "Scale", call.name, [cause])
    new = await writes.update(core, call, stored, scaled(call.kind, stored.object, replicas))
    return answers.plain(call.wanted, scale_of(call.kind, new.object), 200, call.warnings)


# binding and eviction of Pods


async def bind(core: Core, call: Call) -> Answer:
    body = bodies.read_object(call.body, call.content_type).object
    node = text_at(body, "target", "name")
    if not node:
        cause = FieldError("target.name", "FieldValueRequired", "Required value")
        raise errors.invalid("", "Binding", call.name, [cause])
    await patches.retried(lambda: _bind(core, call, body, node))
    status: JsonObject = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}
    return answers.plain(call.wanted, status, 201)


async def _bind(core: Core, call: Call, body: JsonObject, node: str) -> None:
    stored = core.storage.require(call.kind, call.namespace, call.name)
    pod = stored.object
    if objects.deleting(pod):
        raise _not_bound(call.name, f"pod {call.name} is being deleted, cannot be assigned to a host")
    if text_at(pod, "spec", "nodeName"):
        assigned = text_at(pod, "spec", "nodeName")
        raise _not_bound(call.name, f'pod {call.name} is already assigned to node "{assigned}"')
    if not call.dry_run:
        await core.storage.replace(call.kind, stored, bound(pod, body, node, core.now))


def _not_bound(name: str, why: str) -> StatusError:
    text = f'Operation cannot be fulfilled on pods/binding "{name}": {why}'
    return StatusError(409, "Conflict", text, {"name": name, "kind": "pods/binding"})


def bound(pod: JsonObject, binding: JsonObject, node: str, now: str) -> JsonObject:
    """The pod with its node, the binding's annotations, and PodScheduled true."""
    annotations = object_at(pod, "metadata", "annotations") | object_at(binding, "metadata", "annotations")
    if annotations:
        pod = objects.with_metadata(pod, annotations=annotations)
    others = [one for one in list_at(pod, "status", "conditions") if not _is_scheduled(one)]
    scheduled: Json = {"type": "PodScheduled", "status": "True", "lastProbeTime": None, "lastTransitionTime": now}
    status = object_at(pod, "status") | {"conditions": [*others, scheduled]}
    return pod | {"spec": object_at(pod, "spec") | {"nodeName": node}, "status": status}


def _is_scheduled(condition: Json) -> bool:
    return isinstance(condition, dict) and condition.get("type") == "PodScheduled"


async def evict(core: Core, call: Call) -> Answer:
    body = bodies.read_object(call.body, call.content_type).object
    options = object_at(body, "deleteOptions")
    wanted = deleting.wish(None, "", call.dry_run, options)
    await removals.delete_one(core, call.kind, call.namespace, call.name, wanted)
    status: JsonObject = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}
    return answers.plain(call.wanted, status, 201)


# namespaces


async def finalize(core: Core, call: Call) -> Answer:
    """PUT of a Namespace's `spec.finalizers`; the last one taken away removes a terminating namespace."""
    given = intake.take(call, bodies.read_object(call.body, call.content_type))
    writes.check_place(call, given)
    return answers.one(core, call, await patches.retried(lambda: _finalize(core, call, given)))


async def _finalize(core: Core, call: Call, given: JsonObject) -> Stored:
    stored = core.storage.require(call.kind, "", call.name)
    if (refusal := stale(call.kind, given, stored)) is not None:
        raise refusal
    finalizers = list_at(given, "spec", "finalizers")
    new = stored.object | {"spec": {"finalizers": finalizers} if finalizers else {}}
    if preparing.gone(new):
        return await core.storage.remove(call.kind, stored, new)
    return await core.storage.replace(call.kind, stored, new)


# logs


async def log(core: Core, call: Call) -> Stream:
    pod = core.storage.require(call.kind, call.namespace, call.name).object
    container = container_of(pod, call.query.get("container", ""))
    if core.logs is None or not text_at(pod, "spec", "nodeName"):
        raise bad_request(f"pod {call.name} does not have a host assigned")
    chunks = core.logs.stream(call.namespace, call.name, container, _log_query(call.query))
    try:
        first = await anext(chunks, b"")
    except LogRefused as error:
        reason = "NotFound" if error.status == 404 else "BadRequest"
        raise StatusError(error.status, reason, error.message) from error
    except NodeGone as error:
        raise errors.internal(str(error)) from error
    return Stream(_with_first(first, chunks), "text/plain")


async def _with_first(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if first:
        yield first
    async for chunk in rest:
        yield chunk


def _log_query(query: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in query.items() if name != "container"}
