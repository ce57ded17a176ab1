"""Failures in the form that OpenAI's clients read: `{"error": {"message", "type", "param", "code"}}`."""

import logging

import orjson

from inferplane.dataplane.server import answers
from inferplane.dataplane.server.answers import Answer
from inferplane.inference.errors import InferenceFailure, InvalidInput, Kind

log = logging.getLogger("inferplane.server")

_TYPES = {
    400: "invalid_request_error",
    404: "not_found_error",
    413: "invalid_request_error",
    415: "invalid_request_error",
    501: "not_implemented_error",
    503: "overloaded_error",
    504: "timeout_error",
}
_CODES = {Kind.NOT_FOUND: "model_not_found", Kind.NOT_READY: "model_not_ready", Kind.OVERLOADED: "overloaded"}


class InvalidField(InvalidInput):
    """`param` is the field's path in the request, such as `messages[0].role`."""

    def __init__(self, param: str, reason: str, *, code: str | None = None, fix: str = "") -> None:
        super().__init__(reason, fix=fix)
        self.param = param
        self.code = code


def unsupported(name: str, api: str) -> InvalidInput:
    """`api` as KServe calls it: `Completions API`, `Chat Completion API`, `Embeddings API`, `Rerank API`."""
    return InvalidField("model", f"Model {name} does not support {api}", code="unsupported_api")


def answer(error: Exception) -> Answer:
    """The status is that of the other protocols, `retry-after` too."""
    plain = answers.of_error(error)
    status = plain.status
    return Answer(status, body(error, status), headers=plain.headers)


def body(error: Exception, status: int) -> bytes:
    param = error.param if isinstance(error, InvalidField) else None
    code = error.code if isinstance(error, InvalidField) else None
    message = f"{type(error).__name__} : {error}"
    if isinstance(error, InferenceFailure):
        code = code or _CODES.get(error.kind)
        message = str(error)
    told = {"message": message, "type": _TYPES.get(status, "server_error"), "param": param, "code": code}
    return orjson.dumps({"error": told})


def log_failure(error: Exception, status: int) -> None:
    """What the model's own code raised, with its traceback."""
    if status >= 500 and not isinstance(error, InferenceFailure):
        log.error("model failed protocol=openai", exc_info=error)
