"""PATCH: the four kinds of patch, made from the current state again when somebody else wrote in between."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from inferplane.controlplane.apiserver import bodies, errors, fieldmanagement, intake, objects, patching, rules, writes
from inferplane.controlplane.apiserver.calls import Call
from inferplane.controlplane.apiserver.core import Core
from inferplane.controlplane.apiserver.errors import Changed, StatusError, bad_request
from inferplane.controlplane.apiserver.kinds import Kind
from inferplane.controlplane.apiserver.storage import Stored, encode, stale
from inferplane.kernel.json import Json, JsonObject
from inferplane.resources.schemas import FieldError

JSON = "application/json-patch+json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
ATTEMPTS = 10
Result = TypeVar("Result")


async def patch(core: Core, call: Call) -> tuple[Stored, bool]:
    """The object after the patch, and whether it was created by it."""
    media = bodies.media_type(call.content_type)
    if media not in accepted(call.kind):
        raise errors.unsupported_media_type(accepted(call.kind))
    if media == APPLY:
        return await retried(lambda: _apply(core, call))
    if call.flag("force"):
        text = "Forbidden: may not be specified for non-apply patch"
        raise _bad_option(FieldError("force", "FieldValueForbidden", text))
    operations = bodies.read_json(call.body)
    return await retried(lambda: _patch(core, call, media, operations)), False


def accepted(kind: Kind) -> tuple[str, ...]:
    return (JSON, MERGE, APPLY) if kind.custom else (JSON, MERGE, STRATEGIC, APPLY)


async def retried(attempt: Callable[[], Awaitable[Result]]) -> Result:
    """Runs `attempt` again on the newest state as long as others write in between."""
    for _ in range(ATTEMPTS - 1):
        try:
            return await attempt()
        except Changed:
            continue
    return await attempt()


async def _patch(core: Core, call: Call, media: str, operations: Json) -> Stored:
    stored = core.storage.require(call.kind, call.namespace, call.name)
    patched = changed(call.kind, media, stored.object, operations)
    writes.check_place(call, patched)
    if (refusal := stale(call.kind, patched, stored)) is not None:
        raise refusal
    new = checked(call, stored.object, patched, lambda: _shown(call.kind, media, patched, operations))
    return await writes.update(core, call, stored, new)


def changed(kind: Kind, media: str, document: JsonObject, operations: Json) -> JsonObject:
    """The document after the patch. Raises what Kubernetes answers for one that can't be applied."""
    try:
        if media == JSON:
            return patching.json_patch(document, operations)
        if media == MERGE:
            return patching.merge_patch(document, operations)
        return patching.strategic_merge_patch(document, operations, rules.schema_of(kind))
    except patching.PatchError as error:
        raise _refused(error) from error


def _refused(error: patching.PatchError) -> StatusError:
    if error.status == 422:
        text = "the server rejected our request due to an error in our request"
        return StatusError(422, "Invalid", text, {})
    return bad_request(error.message) if error.status == 400 else StatusError(error.status, "", error.message)


def checked(call: Call, old: JsonObject, patched: JsonObject, shown: Callable[[], str]) -> JsonObject:
    """The patched document as an object of its kind; 422 when it is none, or has unknown fields and must not.

    `shown`: what the refusal quotes.
    """
    kind = call.kind
    if (patched.get("apiVersion"), patched.get("kind")) != (old.get("apiVersion"), old.get("kind")):
        raise _bad_patch(shown(), f"the type may not change from {old.get('kind')} of {old.get('apiVersion')}")
    found = [] if call.validation == "Ignore" else intake.strictness(kind, patched)
    if found and call.validation == "Strict":
        raise _bad_patch(shown(), f"strict decoding error: {', '.join(found)}")
    intake.warn(call, call.validation, found)
    # What the patch has not been in is as it was stored: there is nothing wrong with that.
    parts = objects.changed_parts(old, patched)
    wrong = rules.decoding_errors(kind, parts)
    if wrong:
        raise _bad_patch(shown(), str(wrong[0]))
    return objects.with_parts(patched, parts, rules.pruned(kind, parts))


def _bad_patch(shown: str, why: str) -> StatusError:
    cause = FieldError("patch", "FieldValueInvalid", f"Invalid value: {encode(shown).decode()}: {why}")
    return errors.invalid("", "", "", [cause])


def _shown(kind: Kind, media: str, patched: JsonObject, operations: Json) -> str:
    """What a refusal quotes: the patched document, or a strategic merge patch as Go prints it.

    A real server works on raw JSON: the objects that a patch has been in are sorted, others are in their own order.
    """
    if media == STRATEGIC:
        return _go_map(operations)
    if kind.custom:
        return encode(patched, order="sorted").decode()
    touched = operations if isinstance(operations, dict) else {}
    return encode(_sorted_where(patched, touched)).decode()


def _sorted_where(document: Json, touched: Json) -> Json:
    if not isinstance(document, dict) or not isinstance(touched, dict):
        return document
    return {key: _sorted_where(value, touched.get(key)) for key, value in sorted(document.items())}


def _go_map(value: Json) -> str:
    match value:
        case dict():
            return f"map[{' '.join(f'{key}:{_go_map(child)}' for key, child in sorted(value.items()))}]"
        case list():
            return f"[{' '.join(_go_map(child) for child in value)}]"
        case bool():
            return "true" if value else "false"
        case None:
            return "<nil>"
        case _:
            return str(value)


def _bad_option(cause: FieldError) -> StatusError:
    return errors.invalid("meta.k8s.io", "PatchOptions", "", [cause])


async def _apply(core: Core, call: Call) -> tuple[Stored, bool]:
    applied = read_applied(call)
    stored = core.storage.get(call.kind, call.namespace, call.name)
    if stored is None and call.subresource:
        raise errors.not_found(call.kind.resource, call.name)
    if stored is not None and (refusal := stale(call.kind, applied, stored)) is not None:
        raise refusal
    merged = merge(core, call, stored.object if stored else None, applied)
    if stored is not None and objects.uid(applied):
        merged = objects.with_metadata(merged, uid=objects.uid(applied))  # another one is refused by validation
    if stored is None:
        return await writes.create(core, call, objects.with_metadata(merged, resourceVersion=None), applied=True), True
    return await writes.update(core, call, stored, merged, applied=True), False


def read_applied(call: Call) -> JsonObject:
    """The body of an apply. Raises what Kubernetes answers for one that isn't acceptable."""
    if not call.query.get("fieldManager"):
        raise _bad_option(
            FieldError("fieldManager", "FieldValueRequired", "Required value: is required for apply patch")
        )
    body = bodies.read_object(call.body, APPLY)
    obj, kind = body.object, call.kind
    if not obj.get("apiVersion") or not obj.get("kind"):
        raise bad_request("an applied configuration must have apiVersion and kind")
    if (obj["apiVersion"], obj["kind"]) != (kind.resource.api_version, kind.resource.kind):
        raise bad_request(
            f"{obj['kind']} of {obj['apiVersion']} is not {kind.resource.kind} of {kind.resource.api_version}"
        )
    if objects.metadata(obj).get("managedFields"):
        raise bad_request("metadata.managedFields must be nil")
    writes.check_place(call, obj)
    if call.validation == "Strict" and body.duplicates:
        raise bad_request(f"strict decoding error: {', '.join(intake.strictness(kind, obj, body.duplicates))}")
    _check_fields(call, obj)
    return _half(call, obj)


def _half(call: Call, obj: JsonObject) -> JsonObject:
    """What this path may write: the status on its subresource, everything else on the object's own path."""
    if call.subresource == "status":
        return {key: value for key, value in obj.items() if key in ("apiVersion", "kind", "metadata", "status")}
    return objects.with_part(obj, "status", {}) if call.kind.has("status") else obj


def _check_fields(call: Call, obj: JsonObject) -> None:
    """An applied field that isn't in the schema can't be owned: 500 for a built-in kind, as the merge fails there."""
    kind = call.kind
    title = f"failed to create typed patch object ({call.namespace}/{call.name}; {_type(kind)})"
    found = [] if kind.custom and call.validation == "Ignore" else intake.strictness(kind, obj)
    if found and not kind.custom:
        raise errors.internal(f"{title}: {', '.join(found)}")
    wrong = rules.decoding_errors(kind, obj)
    if wrong:
        raise errors.internal(f"{title}: {wrong[0]}")
    if found and call.validation == "Strict":
        raise bad_request(f"strict decoding error: {', '.join(found)}")
    intake.warn(call, call.validation, found)


def _type(kind: Kind) -> str:
    return f"{kind.resource.api_version}, Kind={kind.resource.kind}"


def merge(core: Core, call: Call, live: JsonObject | None, applied: JsonObject) -> JsonObject:
    """Live and applied state together, with managedFields. Raises 409 when other managers own what is applied."""
    try:
        return fieldmanagement.apply(
            live,
            applied,
            manager=call.query["fieldManager"],
            subresource=call.subresource,
            force=call.flag("force"),
            now=core.now,
            schema=rules.schema_of(call.kind),
            api_version=call.kind.resource.api_version,
            fits=not call.kind.custom,  # `_check_fields` has seen to it
        )
    except fieldmanagement.ApplyInvalid as error:
        raise errors.internal(error.message) from error
    except fieldmanagement.ApplyConflict as conflict:
        causes: list[Json] = [
            {"reason": cause.reason, "message": cause.message, "field": cause.path} for cause in conflict.causes
        ]
        raise StatusError(409, "Conflict", conflict.message, {"causes": causes}) from conflict
