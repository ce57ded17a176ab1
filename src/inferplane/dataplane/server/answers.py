"""What a handler hands to a transport, and how failures become answers."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeAlias

import msgspec
import orjson

from inferplane.inference.errors import InferenceFailure, Malformed, Reason
from inferplane.kernel.errors import InferplaneError

JSON = b"application/json"


class Answer(msgspec.Struct, frozen=True):
    """A body in one piece, or the chunks of a stream. Without a content type none is sent."""

    status: int
    body: bytes | AsyncIterator[bytes]
    content_type: bytes | None = JSON


Outcome: TypeAlias = Answer | Awaitable[Answer]
"""An answer that is there already costs no task."""

Handler: TypeAlias = Callable[[bytes, dict[str, str]], Outcome]
"""(body, headers with lower-case names) → answer."""

HTTP_STATUS: dict[Reason, int] = {
    Reason.INVALID_INPUT: 400,
    Reason.MALFORMED: 400,
    Reason.NOT_FOUND: 404,
    Reason.NOT_READY: 503,
    Reason.UNIMPLEMENTED: 501,
    Reason.FAILED: 500,
}


def failed(status: int, message: str) -> Answer:
    return Answer(status, orjson.dumps({"error": message}))


INTERNAL = failed(500, "the server failed to answer; its log says why")


def of_error(error: Exception) -> Answer:
    """Our own errors by their reason; anything else is the model's fault and reads as KServe words it."""
    if isinstance(error, InferenceFailure):
        return failed(HTTP_STATUS[error.reason], str(error))
    if isinstance(error, NotImplementedError):
        return failed(501, str(error) or "not implemented")
    if isinstance(error, InferplaneError):
        return failed(500, str(error))
    return failed(500, f"{type(error).__name__} : {error}")


def of_v2_error(error: Exception) -> Answer:
    """As `of_error`, but a body without V2's form is 422 with KServe's `detail` list beside `error`."""
    if not isinstance(error, Malformed):
        return of_error(error)
    kind = "value_error" if error.where else "json_invalid"
    path = ["body", *(error.where.replace("[", ".").replace("]", "").split(".") if error.where else [])]
    location = [int(step) if step.isdigit() else step for step in path]
    detail = [{"type": kind, "loc": location, "msg": error.message}]
    return Answer(422, orjson.dumps({"error": str(error), "detail": detail}))
