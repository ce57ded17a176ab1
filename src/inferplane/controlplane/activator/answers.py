"""What the activator itself answers, and how it knows which revision a request is for. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from inferplane.controlplane.machinery.cache import Key
from inferplane.resources.activator import NAMESPACE_HEADER, REVISION_HEADER

REVISION = REVISION_HEADER.lower().encode()
NAMESPACE = NAMESPACE_HEADER.lower().encode()
PROBE = b"k-network-probe"

_NAME = "activator"
_PLAIN, _JSON = b"text/plain; charset=utf-8", b"application/json"
_REASONS = {
    200: b"OK",
    400: b"Bad Request",
    404: b"Not Found",
    431: b"Request Header Fields Too Large",
    501: b"Not Implemented",
    502: b"Bad Gateway",
    503: b"Service Unavailable",
    504: b"Gateway Timeout",
}
# gRPC's own names for what went wrong; a status that is not here is INTERNAL.
_GRPC = {400: b"3", 404: b"5", 501: b"12", 502: b"14", 503: b"14", 504: b"4"}


@dataclass(frozen=True, slots=True)
class Answer:
    """`retry_after` in seconds, 0 for none."""

    status: int
    text: str
    retry_after: int = 0

    @property
    def body(self) -> tuple[bytes, bytes]:
        """Content type and bytes."""
        if self.status == 200:
            return _PLAIN, self.text.encode()
        return _JSON, msgspec.json.encode({"error": self.text})


TIMED_OUT = Answer(504, "activator request timeout")
FULL = Answer(503, "too many requests wait for this revision", retry_after=1)
CROWDED = Answer(503, "the activator holds as many requests as it may", retry_after=1)
ENDING = Answer(503, "the control plane is shutting down", retry_after=1)
BROKEN = Answer(502, "the replica closed the connection before it answered")


def unknown(revision: Key | None) -> Answer:
    return Answer(404, f"there is no revision {revision}" if revision else "the request names no revision")


def probed(names: Mapping[bytes, bytes]) -> Answer | None:
    """The answer to a probe of the network, None for a request that is none."""
    if (asked := names.get(PROBE)) is None:
        return None
    if asked == _NAME.encode():
        return Answer(200, _NAME)
    return Answer(400, f"unexpected probe header value: {asked.decode('latin-1')}")


def revision_named(names: Mapping[bytes, bytes], host: bytes) -> Key | None:
    """By the headers that routes add, else by the host name of the revision's Service within a cluster."""
    if names.get(REVISION) and names.get(NAMESPACE):
        return Key(names[NAMESPACE].decode("latin-1"), names[REVISION].decode("latin-1"))
    name, _, rest = host.partition(b":")[0].partition(b".")
    namespace, _, domain = rest.partition(b".")
    if name and namespace and domain.partition(b".")[0] == b"svc":
        return Key(namespace.decode("latin-1"), name.decode("latin-1"))
    return None


def as_http1(answer: Answer, *, head_only: bool, close: bool) -> bytes:
    kind, body = answer.body
    lines = [
        b"HTTP/1.1 %d %s" % (answer.status, _REASONS[answer.status]),
        b"content-type: " + kind,
        b"content-length: %d" % len(body),
    ]
    if answer.retry_after:
        lines.append(b"retry-after: %d" % answer.retry_after)
    if close:
        lines.append(b"connection: close")
    return b"\r\n".join([*lines, b"", b"" if head_only else body])


def as_http2(answer: Answer, *, grpc: bool) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Headers and body. A gRPC call gets its status in the headers, and no body."""
    if grpc and answer.status != 200:
        status = [(b"grpc-status", _GRPC[answer.status]), (b"grpc-message", answer.text.encode())]
        return [(b":status", b"200"), (b"content-type", b"application/grpc"), *status], b""
    kind, body = answer.body
    headers = [
        (b":status", b"%d" % answer.status),
        (b"content-type", kind),
        (b"content-length", b"%d" % len(body)),
    ]
    if answer.retry_after:
        headers.append((b"retry-after", b"%d" % answer.retry_after))
    return headers, body
