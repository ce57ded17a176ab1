"""What a proxy answers itself, as HTTP/1.1 and as HTTP/2. Pure."""

from dataclasses import dataclass
from http import HTTPStatus

import msgspec

_PLAIN, _JSON = b"text/plain; charset=utf-8", b"application/json"
# gRPC's own names for what went wrong; a status that is not here is INTERNAL.
_GRPC = {400: b"3", 404: b"5", 413: b"8", 501: b"12", 502: b"14", 503: b"14", 504: b"4"}


@dataclass(frozen=True, slots=True)
class Answer:
    """An error with its text, or, with `content`, a body of that type and further headers.

    `retry_after` in seconds, 0 for none.
    """

    status: int
    text: str
    retry_after: int = 0
    content: tuple[bytes, bytes] | None = None
    headers: tuple[tuple[bytes, bytes], ...] = ()

    @property
    def body(self) -> tuple[bytes, bytes]:
        """Content type and bytes."""
        if self.content is not None:
            return self.content
        if self.status == 200:
            return _PLAIN, self.text.encode()
        return _JSON, msgspec.json.encode({"error": self.text})


BROKEN = Answer(502, "the replica closed the connection before it answered")


def as_http1(answer: Answer, *, head_only: bool, close: bool) -> bytes:
    kind, body = answer.body
    lines = [
        b"HTTP/1.1 %d %s" % (answer.status, _reason(answer.status)),
        b"content-type: " + kind,
        b"content-length: %d" % len(body),
    ]
    if answer.retry_after:
        lines.append(b"retry-after: %d" % answer.retry_after)
    lines += [b"%b: %b" % header for header in answer.headers]
    if close:
        lines.append(b"connection: close")
    return b"\r\n".join([*lines, b"", b"" if head_only else body])


def as_http2(answer: Answer, *, grpc: bool) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Headers and body. A gRPC call gets its status in the headers, and no body."""
    if grpc and answer.status != 200:
        status = [(b"grpc-status", _GRPC.get(answer.status, b"13")), (b"grpc-message", answer.text.encode())]
        return [(b":status", b"200"), (b"content-type", b"application/grpc"), *status], b""
    kind, body = answer.body
    headers = [
        (b":status", b"%d" % answer.status),
        (b"content-type", kind),
        (b"content-length", b"%d" % len(body)),
        *answer.headers,
    ]
    if answer.retry_after:
        headers.append((b"retry-after", b"%d" % answer.retry_after))
    return headers, body


def _reason(status: int) -> bytes:
    try:
        return HTTPStatus(status).phrase.encode()
    except ValueError:
        return b"Unknown"
