"""Create and update: the way of an object from a request into the store.

Body → typed and known fields (`intake`) → what we own (`preparing`, `strategies`) → defaults (`rules`) → who owns which
field (`fieldmanagement`) → validation → the store. A dry run stops before the last step.
"""

from inferplane.controlplane.apiserver import errors, fieldmanagement, objects, preparing, rules, strategies
from inferplane.controlplane.apiserver.calls import Call
from inferplane.controlplane.apiserver.core import Core
from inferplane.controlplane.apiserver.errors import bad_request, internal
from inferplane.controlplane.apiserver.kinds import Kind
from inferplane.controlplane.apiserver.names import generated
from inferplane.controlplane.apiserver.storage import Stored, unsaved
from inferplane.kernel.json import Json, JsonObject, text_at
from inferplane.resources.schemas import FieldError

GENERATE_ATTEMPTS = 8


def check_place(call: Call, obj: JsonObject) -> None:
    """The body's name and namespace are those of the path. Raises 400."""
    named, placed = objects.name(obj), objects.namespace(obj)
    if call.name and not named:
        raise bad_request(
            f"the name of the object ({call.name} based on URL) was undeterminable: name must be provided"
        )
    if call.name and named != call.name:
        raise bad_request(f"the name of the object ({named}) does not match the name on the URL ({call.name})")
    if placed and placed != call.namespace:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")


async def create(core: Core, call: Call, obj: JsonObject, *, applied: bool = False) -> Stored:
    """Creates what `intake` made of the body. With `applied`, managedFields are already those of an apply."""
    if objects.resource_version(obj) and not applied:
        raise internal("resourceVersion should not be set on objects to be created")
    _check_namespace(core, call, obj)
    prefix = text_at(obj, "metadata", "generateName")
    if objects.name(obj) or not prefix:
        return await _create_named(core, call, obj, applied=applied)
    for attempt in range(GENERATE_ATTEMPTS):
        named = objects.with_metadata(obj, name=generated(prefix, core.names.suffix()))
        try:
            return await _create_named(core, call, named, applied=applied)
        except errors.StatusError as error:
            # Another object has that name by chance; a new suffix is tried, as a real server does.
            if error.reason != "AlreadyExists" or attempt == GENERATE_ATTEMPTS - 1:
                raise
    raise internal(f"no free name with the prefix {prefix!r}")


async def _create_named(core: Core, call: Call, obj: JsonObject, *, applied: bool) -> Stored:
    kind = call.kind
    managed = objects.metadata(obj).get("managedFields") if applied else None
    obj = preparing.for_create(kind, obj, namespace=call.namespace, uid=core.names.uid(), now=core.now)
    if kind.definition is not None and kind.definition.terminating:
        why = "create not allowed while custom resource definition is terminating"
        raise errors.forbidden(kind.resource, objects.name(obj), why)
    obj = rules.defaulted(kind, strategies.created(core, kind, obj))
    obj = objects.with_metadata(obj, managedFields=managed) if applied else owned(core, call, None, obj)
    refuse(kind, obj, rules.creation_errors(kind, obj))
    call.warnings.extend(strategies.warnings(kind, obj))
    if call.dry_run:
        if core.storage.get(kind, call.namespace, objects.name(obj)) is not None:
            raise errors.already_exists(kind.resource, objects.name(obj))
        return unsaved(kind, obj)
    return await core.storage.create(kind, obj)


def _check_namespace(core: Core, call: Call, obj: JsonObject) -> None:
    """Raises 404 when the namespace doesn't exist and 403 when it is being deleted."""
    if not call.namespace:
        return
    kind = core.registry.find("", "v1", "namespaces")
    assert kind is not None  # built in
    found = core.storage.require(kind, "", call.namespace).object
    if not objects.deleting(found):
        return
    why = f"unable to create new content in namespace {call.namespace} because it is being terminated"
    message = f"namespace {call.namespace} is being terminated"
    cause: Json = {"reason": "NamespaceTerminating", "message": message, "field": "metadata.namespace"}
    raise errors.forbidden(call.kind.resource, objects.name(obj), why, [cause])


def check_update(call: Call, stored: Stored, new: JsonObject) -> None:
    """What a PUT must carry: the uid of the object, if any, and a resourceVersion for a custom resource."""
    kind, given = call.kind, objects.uid(new)
    if given and given != objects.uid(stored.object):
        why = f"Precondition failed: UID in precondition: {given}, UID in object meta: {objects.uid(stored.object)}"
        raise errors.conflict(kind.resource, call.name, why)
    if kind.custom and not objects.resource_version(new):
        text = "Invalid value: 0: must be specified for an update"
        refuse(kind, new, [FieldError("metadata.resourceVersion", "FieldValueInvalid", text)])


async def update(core: Core, call: Call, stored: Stored, new: JsonObject, *, applied: bool = False) -> Stored:
    """Puts `new` in the place of `stored`. The same content writes nothing; what nothing holds any more is removed."""
    kind, old = call.kind, stored.object
    given = new
    new = preparing.for_update(kind, old, new, call.subresource)
    if not call.subresource:
        new = strategies.updated(core, kind, old, new)
    new = preparing.counted(kind, old, rules.defaulted(kind, new, old))
    if applied:
        new = objects.with_metadata(new, managedFields=objects.metadata(given).get("managedFields"))
    else:
        new = owned(core, call, old, new)
    refuse(kind, new, rules.update_errors(kind, old, new, call.subresource))
    if objects.same_content(old, new):
        return stored
    if call.dry_run:
        return unsaved(kind, new, stored.row.revision)
    if preparing.gone(new):
        # Watchers see the last state that was there, not the one that ended it.
        await core.storage.remove(kind, stored, old)
        return unsaved(kind, new, stored.row.revision)
    return await core.storage.replace(kind, stored, new)


def owned(core: Core, call: Call, old: JsonObject | None, new: JsonObject) -> JsonObject:
    """The new state with managedFields that say what this write set."""
    return fieldmanagement.record_update(
        old,
        new,
        manager=call.manager,
        subresource=call.subresource,
        now=core.now,
        schema=rules.schema_of(call.kind),
        api_version=call.kind.resource.api_version,
    )


def refuse(kind: Kind, obj: JsonObject, found: list[FieldError]) -> None:
    """Raises 422 when there is anything to refuse."""
    if found:
        raise errors.invalid(kind.resource.group, kind.resource.kind, objects.name(obj), found)
