"""HTTP/1.1 answers as bytes, and a request as it was read."""

from collections.abc import Iterable
from http import HTTPStatus

import msgspec

from inferplane.dataplane.server.answers import Answer, Pieces

STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode("ascii") for status in HTTPStatus}
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"

_JOINED = 32 * 1024
"""Bytes. A smaller body goes out with its head as one piece; a larger one is not copied for that."""

Header = tuple[bytes, bytes]


class Incoming(msgspec.Struct):
    """One request. `refusal` is the answer to a request that could not be read; the connection closes after it.

    `length` is that of the body as its head claims, 0 where it does not; `coding` and `accepts` are the
    Content-Encoding and the Accept-Encoding; `own_id` tells that the id is the server's, not the client's; `status` and
    `sent` tell what was answered. `client` and `since` are known only where requests are logged or traced; `span` is
    the `traceparent` of their span. `began` is known where payloads are logged, in seconds since the epoch.
    """

    method: bytes = b""
    target: bytes = b""
    headers: list[Header] = []
    body: bytes = b""
    version: str = "1.1"
    keep_alive: bool = True
    expects_continue: bool = False
    refusal: Answer | None = None
    id: bytes = b""
    own_id: bool = False
    length: int = 0
    chunked: bool = False
    strange_coding: bool = False
    coding: bytes = b""
    accepts: bytes = b""
    client: str = ""
    since: float = 0.0
    began: float = 0.0
    status: int = 0
    sent: int = 0
    span: str = ""
    known: dict[str, str] | None = None
    """The headers as a map, for a head that was read before."""

    def header_map(self) -> dict[str, str]:
        """Names in lower case; of a repeated one the last. The request's id is among them."""
        if self.known is None:
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in self.headers}
        else:
            headers = self.known.copy()
        headers["x-request-id"] = self.id.decode("latin-1")
        return headers


def address(name: object) -> str:
    return f"{name[0]}:{name[1]}" if isinstance(name, tuple) else ""


def origin_form(target: bytes) -> bytes:
    """`http://host/path` as a proxy may say it, as `/path`; anything else as it is."""
    scheme, separator, rest = target.partition(b"://")
    if not separator or scheme.lower() not in (b"http", b"https"):
        return target
    return b"/" + rest.partition(b"/")[2]


def status_line(status: int) -> bytes:
    return STATUS_LINES.get(status) or f"HTTP/1.1 {status} Unknown\r\n".encode("ascii")


def connection_header(request: Incoming) -> bytes:
    """Said only where it differs from what the version implies."""
    if not request.keep_alive:
        return b"connection: close\r\n"
    return b"connection: keep-alive\r\n" if request.version == "1.0" else b""


def whole(answer: Answer, body: bytes | Pieces, request: Incoming, date: bytes) -> bytes | Pieces:
    """Head and body of an answer, in one piece or, when it is large, in several; a HEAD request gets the head alone."""
    size = len(body) if type(body) is bytes else size_of(body)
    request.status = answer.status
    request.sent = size
    kind = b"content-type: %b\r\n" % answer.content_type if answer.content_type is not None else b""
    head = b"%b%b%b%b%bx-request-id: %b\r\ncontent-length: %d\r\n\r\n" % (
        status_line(answer.status),
        date,
        kind,
        lines(answer.headers) if answer.headers else b"",
        connection_header(request),
        request.id,
        size,
    )
    if request.method == b"HEAD":
        return head
    if isinstance(body, bytes):
        return head + body if size <= _JOINED else (head, body)
    return b"".join((head, *body)) if size <= _JOINED else (head, *body)


def size_of(body: bytes | Pieces) -> int:
    return len(body) if isinstance(body, bytes) else sum([len(piece) for piece in body])


def head(status: int, headers: list[Header], request: Incoming, date: bytes) -> bytes:
    """The head of an answer with these headers."""
    return b"%b%b%b%bx-request-id: %b\r\n\r\n" % (
        status_line(status),
        date,
        lines(headers),
        connection_header(request),
        request.id,
    )


def lines(headers: Iterable[Header]) -> bytes:
    return b"".join([b"%b: %b\r\n" % header for header in headers])


def without_upgrade(request: Incoming) -> bytes:
    """The request's head as it would be had it not offered another protocol."""
    lines = [b"%b %b HTTP/%b" % (request.method, request.target, request.version.encode("ascii"))]
    for name, value in request.headers:
        if name == b"connection":
            value = b", ".join(token for token in value.split(b",") if token.strip().lower() != b"upgrade")
        if name != b"upgrade":
            lines.append(b"%b: %b" % (name, value))
    return b"\r\n".join(lines) + b"\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)
