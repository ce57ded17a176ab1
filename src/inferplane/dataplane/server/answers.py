"""What a handler hands to a transport, and how failures become answers."""

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator, Mapping
from typing import TypeAlias

import msgspec
import orjson

from inferplane.inference.errors import (
    InferenceError,
    InferenceFailure,
    Kind,
    Malformed,
    Overloaded,
    UpstreamFailed,
)
from inferplane.kernel.errors import InferplaneError

JSON = b"application/json"


Pieces: TypeAlias = tuple[bytes | bytearray | memoryview, ...]
"""A body in parts that need not be joined, such as a JSON head and the arrays behind it."""


class Answer(msgspec.Struct, frozen=True):
    """A body in one piece or several, or the chunks of a stream. Without a content type none is sent.

    `headers` are further ones, names in lower case.
    """

    status: int
    body: bytes | Pieces | AsyncIterator[bytes]
    content_type: bytes | None = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()


class WhileHeard:
    """An answer that takes long to make, and is not made for nobody: given up once the client has closed its side."""

    __slots__ = ("_answer",)

    def __init__(self, answer: Coroutine[None, None, Answer]) -> None:
        self._answer = answer

    def __await__(self) -> Generator[None, None, Answer]:
        return self._answer.__await__()


Outcome: TypeAlias = Answer | Awaitable[Answer]
"""An answer that is there already costs no task."""

Handler: TypeAlias = Callable[[bytes, dict[str, str]], Outcome]
"""(body, headers with lower-case names) → answer."""

_FRAMING = ("content-length", "transfer-encoding", "connection")


def with_headers(answer: Answer, headers: Mapping[str, str]) -> Answer:
    """The answer with what its model put into `response_headers`. How the body is framed is not the model's to say."""
    if not headers:
        return answer
    further = {name.lower(): value for name, value in headers.items()}
    for name, value in further.items():
        if any(sign in f"{name}{value}" for sign in "\r\n\0"):
            raise InferenceError(f"response header {name!r}: a line break cannot be sent")
    kind = further.pop("content-type", None)
    lines = ((name.encode("latin-1"), str(value).encode("latin-1", "replace")) for name, value in further.items())
    return Answer(
        answer.status,
        answer.body,
        answer.content_type if kind is None else kind.encode("latin-1"),
        answer.headers + tuple(line for line in lines if line[0].decode("latin-1") not in _FRAMING),
    )


HTTP_STATUS: dict[Kind, int] = {
    Kind.INVALID_INPUT: 400,
    Kind.MALFORMED: 400,
    Kind.NOT_FOUND: 404,
    Kind.NOT_READY: 503,
    Kind.UNIMPLEMENTED: 501,
    Kind.DEADLINE: 504,
    Kind.OVERLOADED: 503,
    Kind.UNSUPPORTED_MEDIA: 415,
    Kind.FAILED: 500,
}


def failed(status: int, message: str) -> Answer:
    return Answer(status, orjson.dumps({"error": message}))


INTERNAL = failed(500, "the server failed to answer; its log says why")


def of_error(error: Exception) -> Answer:
    """Our own errors by their kind; anything else is the model's fault and reads as KServe words it."""
    if isinstance(error, Overloaded):
        retry = (b"retry-after", b"%d" % error.retry_after)
        return Answer(503, orjson.dumps({"error": str(error)}), headers=(retry,))
    if isinstance(error, UpstreamFailed):
        return _handed_on(error)
    if isinstance(error, InferenceFailure) and error.kind is Kind.NOT_READY:
        return Answer(503, orjson.dumps({"error": str(error)}), headers=((b"retry-after", b"1"),))
    if isinstance(error, InferenceFailure):
        return failed(HTTP_STATUS[error.kind], str(error))
    if isinstance(error, NotImplementedError):
        return failed(501, str(error) or "not implemented")
    if isinstance(error, InferplaneError):
        return failed(500, str(error))
    return failed(500, f"{type(error).__name__} : {error}")


def _handed_on(error: UpstreamFailed) -> Answer:
    """What the one behind answered, word for word; what there is to say of it where it gave no answer."""
    retry = ((b"retry-after", error.retry_after.encode("latin-1")),) if error.retry_after else ()
    if error.body:
        return Answer(error.status, error.body, error.content_type.encode("latin-1") or None, retry)
    return Answer(error.status, orjson.dumps({"error": str(error)}), headers=retry)


def of_v2_error(error: Exception) -> Answer:
    """As `of_error`, but a body without V2's form is 422 with KServe's `detail` list beside `error`."""
    if not isinstance(error, Malformed):
        return of_error(error)
    kind = "value_error" if error.where else "json_invalid"
    path = ["body", *(error.where.replace("[", ".").replace("]", "").split(".") if error.where else [])]
    location = [int(step) if step.isdigit() else step for step in path]
    detail = [{"type": kind, "loc": location, "msg": error.message}]
    return Answer(422, orjson.dumps({"error": str(error), "detail": detail}))
