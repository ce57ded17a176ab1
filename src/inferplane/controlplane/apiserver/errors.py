"""Refusals as the Kubernetes API words them: a `Status` with a code, a reason, a message and details.

Handlers raise `StatusError`; the application turns it into the answer. The texts are those of a real API server since
clients (and people) match on them.
"""

from collections.abc import Sequence

from inferplane.client.kubernetes.api import Resource
from inferplane.kernel.errors import InferplaneError
from inferplane.kernel.json import Json, JsonObject
from inferplane.resources.schemas import FieldError


class StatusError(InferplaneError):
    """An answer with `kind: Status`."""

    def __init__(self, code: int, reason: str, message: str, details: JsonObject | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.details = details

    def body(self) -> JsonObject:
        body: JsonObject = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
        body["message"] = self.message
        if self.reason:
            body["reason"] = self.reason
        if self.details is not None:
            body["details"] = self.details
        body["code"] = self.code
        return body


class Changed(StatusError):
    """Somebody else wrote first; what was made from the old state may be made again from the new one."""


def success(resource: Resource, name: str, uid: str) -> JsonObject:
    """The Status that answers a deletion."""
    details = named(resource, name) | {"uid": uid}
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


def qualified(resource: Resource) -> str:
    """`deployments.apps`, or just `pods` in the core group."""
    return f"{resource.plural}.{resource.group}" if resource.group else resource.plural


def named(resource: Resource, name: str) -> JsonObject:
    details: JsonObject = {"name": name} if name else {}
    if resource.group:
        details["group"] = resource.group
    details["kind"] = resource.plural
    return details


def not_found(resource: Resource, name: str) -> StatusError:
    return StatusError(404, "NotFound", f'{qualified(resource)} "{name}" not found', named(resource, name))


def already_exists(resource: Resource, name: str, *, deleting: bool = False) -> StatusError:
    prefix = "object is being deleted: " if deleting else ""
    text = f'{prefix}{qualified(resource)} "{name}" already exists'
    return StatusError(409, "AlreadyExists", text, named(resource, name))


MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def conflict(resource: Resource, name: str, why: str = MODIFIED, *, raced: bool = False) -> StatusError:
    text = f'Operation cannot be fulfilled on {qualified(resource)} "{name}": {why}'
    return (Changed if raced else StatusError)(409, "Conflict", text, named(resource, name))


def forbidden(resource: Resource, name: str, why: str, causes: list[Json] | None = None) -> StatusError:
    details = named(resource, name)
    if causes:
        details["causes"] = causes
    return StatusError(403, "Forbidden", f'{qualified(resource)} "{name}" is forbidden: {why}', details)


def bad_request(message: str) -> StatusError:
    return StatusError(400, "BadRequest", message)


def unauthorized() -> StatusError:
    return StatusError(401, "Unauthorized", "Unauthorized")


def no_such_resource() -> StatusError:
    return StatusError(404, "NotFound", "the server could not find the requested resource", {})


def method_not_allowed() -> StatusError:
    text = "the server does not allow this method on the requested resource"
    return StatusError(405, "MethodNotAllowed", text, {})


def internal(message: str) -> StatusError:
    return StatusError(500, "", message)


def internal_error(message: str) -> StatusError:
    """A fault of the server's own, with the reason that clients know it by."""
    cause: Json = {"message": message}
    return StatusError(500, "InternalError", f"Internal error occurred: {message}", {"causes": [cause]})


def expired(message: str) -> StatusError:
    return StatusError(410, "Expired", message)


def unsupported_media_type(accepted: Sequence[str]) -> StatusError:
    text = f"the body of the request was in an unknown format - accepted media types include: {', '.join(accepted)}"
    return StatusError(415, "UnsupportedMediaType", text)


def not_acceptable(message: str) -> StatusError:
    return StatusError(406, "NotAcceptable", message)


def too_large_version(asked: int, current: int) -> StatusError:
    """The client has seen a version that we haven't: it is told to come back."""
    text = f"Timeout: Too large resource version: {asked}, current: {current}"
    cause: Json = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    return StatusError(504, "Timeout", text, {"causes": [cause], "retryAfterSeconds": 1})


def invalid(group: str, kind: str, name: str, causes: Sequence[FieldError]) -> StatusError:
    """422 with every cause; one cause stands alone in the message, several stand in brackets."""
    # Kubernetes drops repeated texts from the message but not from the causes.
    unique = list(dict.fromkeys(str(cause) for cause in causes))
    listed = unique[0] if len(unique) == 1 else f"[{', '.join(unique)}]"
    details: JsonObject = {"name": name} if name else {}
    if group:
        details["group"] = group
    if kind:
        details["kind"] = kind
    details["causes"] = [_cause(one) for one in causes]
    title = f"{kind}.{group}" if group else kind
    return StatusError(422, "Invalid", f'{title} "{name}" is invalid: {listed}', details)


def _cause(cause: FieldError) -> Json:
    return {"reason": cause.reason, "message": cause.message, "field": cause.path}
