"""Errors of the clients that a model's hooks use, as answers: the status of the one behind is handed on.

Authors use httpx and grpc themselves too, so this looks at the error and not at who raised it. Neither library is
imported for it: what was never imported has raised nothing.
"""

import sys
from typing import Any

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
        return UpstreamFailed(_http_status(httpx, error), f"{type(error).__name__} : {error}")
    grpc: Any = sys.modules.get("grpc")
    if grpc is not None and isinstance(error, grpc.RpcError) and hasattr(error, "code"):
        details = error.details() if hasattr(error, "details") else error
        return UpstreamFailed(HTTP_OF_GRPC.get(error.code().name, 500), f"{error.code().name} : {details}")
    return error


def _http_status(httpx: Any, error: Any) -> int:
    if isinstance(error, httpx.HTTPStatusError):
        status = int(error.response.status_code)
        return status if status >= 400 else 502
    if isinstance(error, httpx.TimeoutException):
        return 504
    return 503 if isinstance(error, httpx.ConnectError) else 502
