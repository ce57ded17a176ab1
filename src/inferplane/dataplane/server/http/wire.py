"""HTTP/1.1 answers as bytes, and a request as it was read."""

from http import HTTPStatus

from inferplane.dataplane.server.answers import Answer

STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode("ascii") for status in HTTPStatus}
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"


class Incoming:
    """One request. `refusal` is the answer to a request that could not be read; the connection closes after it."""

    __slots__ = ("body", "expects_continue", "headers", "keep_alive", "method", "refusal", "target", "version")

    def __init__(self) -> None:
        self.method = b""
        self.target = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""
        self.version = "1.1"
        self.keep_alive = True
        self.expects_continue = False
        self.refusal: Answer | None = None

    def header_map(self) -> dict[str, str]:
        """Names in lower case; of a repeated one the last."""
        return {name.decode("latin-1"): value.decode("latin-1") for name, value in self.headers}


def status_line(status: int) -> bytes:
    return STATUS_LINES.get(status) or f"HTTP/1.1 {status} Unknown\r\n".encode("ascii")


def connection_header(request: Incoming) -> bytes:
    """Said only where it differs from what the version implies."""
    if not request.keep_alive:
        return b"connection: close\r\n"
    return b"connection: keep-alive\r\n" if request.version == "1.0" else b""


def whole(answer: Answer, body: bytes, request: Incoming, date: bytes) -> bytes:
    """Head and body of an answer in one piece; a HEAD request gets the head alone."""
    kind = b"content-type: %b\r\n" % answer.content_type if answer.content_type is not None else b""
    head = b"%b%b%b%bcontent-length: %d\r\n\r\n" % (
        status_line(answer.status),
        date,
        kind,
        connection_header(request),
        len(body),
    )
    return head if request.method == b"HEAD" else head + body


def head(status: int, headers: list[tuple[bytes, bytes]], request: Incoming, date: bytes) -> bytes:
    """The head of an answer with these headers."""
    lines = b"".join(b"%b: %b\r\n" % header for header in headers)
    return b"%b%b%b%b\r\n" % (status_line(status), date, lines, connection_header(request))


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
