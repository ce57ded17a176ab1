"""What can go wrong between a client and a model. Every message names the URL and what to do."""

from collections.abc import Mapping
from typing import TypeAlias

import orjson

from inferplane.kernel.errors import InferplaneError

Headers: TypeAlias = Mapping[str, str]


class ClientError(InferplaneError):
    """Root of everything below. `url` is what was asked."""

    def __init__(self, url: str, message: str, *, fix: str = "") -> None:
        super().__init__(f"{url}: {message}", fix=fix)
        self.url = url


class Unreachable(ClientError):
    """No connection could be made: the request was certainly not run."""

    def __init__(self, url: str, cause: BaseException) -> None:
        super().__init__(
            url,
            f"cannot connect ({_words(cause)})",
            fix="check that it runs there and that the name resolves (a name that does not: host=)",
        )


class ConnectionLost(ClientError):
    """The connection broke before the answer was complete: the request may have run."""

    def __init__(self, url: str, cause: BaseException) -> None:
        super().__init__(
            url,
            f"the connection broke before the answer was complete ({_words(cause)})",
            fix="the request may have run; to have such requests repeated, say idempotent=True",
        )


class TimedOut(ClientError):
    """No complete answer in time: the request may have run."""

    def __init__(self, url: str, seconds: float | None) -> None:
        super().__init__(
            url, f"no answer within {seconds:g} s" if seconds else "no answer in time", fix="raise timeout="
        )


class BadAnswer(ClientError):
    """An answer of status 200 that is not what the protocol says."""


class Refused(ClientError):
    """The server answered with an error. `status` is HTTP's; `reason` is the server's own text."""

    def __init__(self, url: str, status: int, reason: str, *, fix: str = "", retry_after: float | None = None) -> None:
        super().__init__(url, f"{status}: {reason}", fix=fix)
        self.status = status
        self.reason = reason
        self.retry_after = retry_after


class RequestRefused(Refused):
    """400, 413, 422 and other 4xx: the request is at fault."""


class NotAuthorized(Refused):
    """401 or 403."""


class NoSuchModel(Refused):
    """404: no such model, version or path."""


class NotReady(Refused):
    """503, 429: not ready, or overloaded. `retry_after` in seconds when the server says it."""


class ServerFailed(Refused):
    """Any other 5xx: the model or the server is at fault."""


_FIXES = {
    401: "send credentials: headers={'Authorization': …}",
    403: "these credentials may not do this",
    404: "check the model's name and the URL's path",
    413: "send less at once, or raise the server's limit on request size",
    429: "send less at once, or try again later",
    503: "wait until it is ready, or try again later",
}


def refused(url: str, status: int, body: bytes, headers: Headers) -> Refused:
    """The exception for an answer that is no success; header names in lower case."""
    return _kind(status)(
        url,
        status,
        reason_of(body, status),
        fix=_FIXES.get(status, ""),
        retry_after=_seconds(headers.get("retry-after")),
    )


def _kind(status: int) -> type[Refused]:
    if status in (401, 403):
        return NotAuthorized
    if status == 404:
        return NoSuchModel
    if status in (429, 503):
        return NotReady
    return RequestRefused if 400 <= status < 500 else ServerFailed


def reason_of(body: bytes, status: int) -> str:
    """The server's words: `{"error": …}` or `{"detail": …}`, else the start of the body."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        text = " ".join(body[:300].decode(errors="replace").split())
        return text or f"status {status} with an empty body"
    if isinstance(value, dict):
        found = value.get("error") or value.get("detail")
        if found:
            return found if isinstance(found, str) else orjson.dumps(found).decode()
    return orjson.dumps(value).decode()[:300]


def _seconds(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None  # an HTTP date, which no inference server sends


def _words(cause: BaseException) -> str:
    words = " ".join(str(cause).split())
    return f"{type(cause).__name__}: {words}" if words else type(cause).__name__
