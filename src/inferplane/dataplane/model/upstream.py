"""What goes wrong behind a model's hooks, as answers: the status and the words of the one behind are handed on.

Authors know KServe's ways: `except httpx.HTTPStatusError` around `super().predict(…)`. So what the predictor refused is
raised as httpx's errors where the author has imported that, with our own as its cause. They use httpx and grpc
themselves too; neither library is imported for it: what was never imported has raised nothing.
"""

import sys
from typing import Any

from inferplane.client.inference.connection import Received
from inferplane.client.inference.errors import ClientError, TimedOut, Unreachable, reason_of
from inferplane.inference.errors import UpstreamFailed

HTTP_OF_GRPC = {
    "INVALID_ARGUMENT": 400,
    "OUT_OF_RANGE": 400,
    "FAILED_PRECONDITION": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "RESOURCE_EXHAUSTED": 429,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
"""Any other code is the predictor's fault: 500."""


def translated(error: Exception) -> Exception:
    """UpstreamFailed for an error of httpx or grpc; any other error as it is."""
    httpx: Any = sys.modules.get("httpx")
    if httpx is not None and isinstance(error, httpx.HTTPError):
        if isinstance(error.__cause__, UpstreamFailed):
            return error.__cause__
        return UpstreamFailed(_http_status(httpx, error), f"{type(error).__name__} : {error}")
    grpc: Any = sys.modules.get("grpc")
    if grpc is not None and isinstance(error, grpc.RpcError) and hasattr(error, "code"):
        code = error.code()
        details = error.details() if hasattr(error, "details") else error
        return UpstreamFailed(HTTP_OF_GRPC.get(code.name, 500), str(details or code.name), code=code.value[0])
    return error


def refused(answer: Received) -> UpstreamFailed:
    """What an answer that is no success is to a client: itself, but for a redirection, which is not for it."""
    words = reason_of(answer.body, answer.status)
    if answer.status < 400:
        return UpstreamFailed(502, f"the predictor answered with status {answer.status}: {words}")
    kind, retry = answer.headers.get("content-type", ""), answer.headers.get("retry-after", "")
    return UpstreamFailed(answer.status, words, body=answer.body, content_type=kind, retry_after=retry)


def unanswered(error: ClientError) -> UpstreamFailed:
    """503 where no connection could be made, 504 where the time was over, 502 for anything else."""
    status = 503 if isinstance(error, Unreachable) else 504 if isinstance(error, TimedOut) else 502
    return UpstreamFailed(status, f"the predictor at {error.message}")


def rubbish(url: str, error: Exception) -> UpstreamFailed:
    """An answer of status 200 that is not what the protocol says."""
    return UpstreamFailed(502, f"the predictor at {url} did not answer in the protocol that it is asked in: {error}")


def as_authors_know_it(failure: UpstreamFailed, url: str) -> Exception:
    """httpx's error where the author has imported that and there is one, to be raised from `failure`; else that."""
    httpx: Any = sys.modules.get("httpx")
    if httpx is None:
        return failure
    request = httpx.Request("POST", url)
    cause = failure.__cause__
    if isinstance(cause, ClientError):
        name = _HTTPX.get(type(cause), "RemoteProtocolError")
        error: Exception = getattr(httpx, name)(cause.message, request=request)
        return error
    if not failure.body:
        return failure
    response = httpx.Response(
        failure.status, headers={"content-type": failure.content_type}, content=failure.body, request=request
    )
    words = f"{failure.reason}, '{failure.status} {response.reason_phrase}' for url '{url}'"
    refusal: Exception = httpx.HTTPStatusError(words, request=request, response=response)
    return refusal


_HTTPX: dict[type[ClientError], str] = {Unreachable: "ConnectError", TimedOut: "ReadTimeout"}


def _http_status(httpx: Any, error: Any) -> int:
    if isinstance(error, httpx.HTTPStatusError):
        status = int(error.response.status_code)
        return status if status >= 400 else 502
    if isinstance(error, httpx.TimeoutException):
        return 504
    return 503 if isinstance(error, httpx.ConnectError) else 502
