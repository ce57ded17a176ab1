"""One line a request, as text or JSON, for those who ask for it.

A text format is KServe's `--access_log_format`: `%(name)s` fields as uvicorn's and asgi-logger's users know them.
`json` gives an object a line with all fields.
"""

import logging
from collections.abc import Mapping
from urllib.parse import unquote

import orjson

from inferplane.dataplane.server.http.wire import Incoming
from inferplane.kernel.errors import InferplaneError

log = logging.getLogger("inferplane.access")

JSON = "json"


class UnknownField(InferplaneError):
    """The format names a field that there is not."""


class AccessLog:
    """`format` is `json` or a text with `%(field)s` in it; UnknownField when it cannot be followed."""

    def __init__(self, format: str) -> None:
        self._format = format
        if format != JSON:
            try:
                format % fields(Incoming(), 0.0)
            except (KeyError, ValueError, TypeError) as error:
                known = ", ".join(fields(Incoming(), 0.0))
                raise UnknownField(f"access log format {format!r}: {error!r}", fix=f"use fields of {known}") from error

    def write(self, request: Incoming, seconds: float) -> None:
        found = fields(request, seconds)
        log.info("%s", orjson.dumps(found).decode() if self._format == JSON else self._format % found)


def fields(request: Incoming, seconds: float) -> Mapping[str, str | int | float]:
    headers = {name: value.decode("latin-1") for name, value in request.headers}
    method, target = request.method.decode("latin-1"), request.target.decode("latin-1")
    path, _, query = target.partition("?")
    return {
        "client_addr": request.client,
        "method": method,
        "path": unquote(path),
        "full_path": target,
        "query_string": query,
        "http_version": request.version,
        "protocol": f"HTTP/{request.version}",
        "request_line": f"{method} {target} HTTP/{request.version}",
        "status_code": request.status,
        "request_bytes": len(request.body),
        "response_bytes": request.sent,
        "seconds": round(seconds, 6),
        "request_time": round(seconds, 6),
        "request_id": request.id.decode("latin-1"),
        "trace_id": trace_id(headers.get(b"traceparent", "")),
        "user_agent": headers.get(b"user-agent", ""),
    }


def trace_id(traceparent: str) -> str:
    """The trace that a W3C `traceparent` names; empty for one that does not have the form."""
    parts = traceparent.strip().split("-")
    if len(parts) < 4 or [len(part) for part in parts[:4]] != [2, 32, 16, 2] or parts[0] == "ff":
        return ""
    digits = "".join(parts[:4])
    ok = all(digit in "0123456789abcdef" for digit in digits) and set(parts[1]) != {"0"} and set(parts[2]) != {"0"}
    return parts[1] if ok else ""
