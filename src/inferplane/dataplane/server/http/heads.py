"""A request's head, judged before its body is read. Sizes, framing and Host are checked beyond what the parser does.

The parser (llhttp, strict) already refuses bare line feeds, folded lines, two lengths, a length beside a transfer
coding, and codings that do not end in `chunked`.
"""

from typing import NamedTuple

from inferplane.dataplane.server.http.limits import Limits
from inferplane.dataplane.server.http.wire import Incoming


class Fault(NamedTuple):
    status: int
    message: str


_NOTED = frozenset(
    {
        b"host",
        b"content-length",
        b"transfer-encoding",
        b"content-encoding",
        b"accept-encoding",
        b"expect",
        b"x-request-id",
    }
)
_LONGEST_ID = 256
_VERSIONS = ("1.0", "1.1")


def examine(request: Incoming, limits: Limits) -> Fault | None:
    """Notes in the request what the lane needs of its head; says what is wrong with it, if anything is."""
    size = hosts = 0
    for name, value in request.headers:
        size += len(name) + len(value) + 4
        if name in _NOTED:
            if name == b"host":
                hosts += 1
            elif name == b"content-length":
                request.length = int(value)
            elif name == b"x-request-id":
                request.id = value if len(value) <= _LONGEST_ID else b""
            else:
                _note(request, name, value)
    if request.version == "1.1" and hosts == 1 and size <= limits.head and request.length <= limits.body:
        return Fault(501, "only chunked is known as a transfer coding") if request.strange_coding else None
    return _fault(request, limits, size, hosts)


def _note(request: Incoming, name: bytes, value: bytes) -> None:
    """The rarer ones."""
    if name == b"content-encoding":
        request.coding = value
    elif name == b"accept-encoding":
        request.accepts = value
    elif name == b"expect":
        request.expects_continue = value.lower() == b"100-continue"
    elif name == b"transfer-encoding":
        request.chunked = True
        request.strange_coding = value.strip().lower() != b"chunked"


def _fault(request: Incoming, limits: Limits, size: int, hosts: int) -> Fault | None:
    if request.version not in _VERSIONS:
        return Fault(505, f"HTTP/{request.version} is not spoken here, HTTP/1.1 is")
    if size > limits.head:
        return Fault(431, f"request head too large: the limit is {limits.head} bytes")
    if hosts > 1 or (hosts == 0 and request.version == "1.1"):
        return Fault(400, f"malformed HTTP request: expected one Host header, got {hosts}")
    if request.chunked and request.version == "1.0":
        return Fault(400, "malformed HTTP request: HTTP/1.0 has no Transfer-Encoding")
    if request.length > limits.body:
        return Fault(413, f"request body too large: the limit is {limits.body} bytes")
    return None
