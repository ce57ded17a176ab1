"""Status answers of the API server as typed errors. Pure: a status code and a body in, an error out."""

from http import HTTPStatus

import orjson

from inferplane.client.kubernetes.api import AlreadyExists, ApiError, Conflict, Gone, Invalid, NotFound
from inferplane.kernel.json import Json, JsonObject, number_at, object_at, text_at

_BY_STATUS: dict[int, type[ApiError]] = {404: NotFound, 409: Conflict, 410: Gone, 422: Invalid}


def error_of(status: JsonObject, fallback_code: int = 0) -> ApiError:
    """The error that a `Status` object stands for."""
    code = number_at(status, "code") or fallback_code
    reason = text_at(status, "reason") or _phrase(code)
    kind = AlreadyExists if reason == "AlreadyExists" else _BY_STATUS.get(code, ApiError)
    return kind(code, reason, text_at(status, "message") or reason, object_at(status, "details"))


def error_of_response(code: int, body: bytes) -> ApiError:
    """Proxies and broken servers answer with something that is not a Status; its text is the message then."""
    try:
        found: Json = orjson.loads(body)
    except orjson.JSONDecodeError:
        found = None
    if isinstance(found, dict) and found.get("kind") == "Status":
        return error_of(found, code)
    text = " ".join(body.decode(errors="replace").split())[:200]
    return error_of({"code": code, "message": f"HTTP {code}: {text or _phrase(code)}"})


def _phrase(code: int) -> str:
    try:
        return HTTPStatus(code).phrase.replace(" ", "")
    except ValueError:
        return "Unknown"
