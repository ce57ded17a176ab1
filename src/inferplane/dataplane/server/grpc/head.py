"""The headers of a call: what it asks for, how long it has, how its messages are compressed, and its metadata."""

import binascii
from base64 import b64decode
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from inferplane.dataplane.server.calls import Headers
from inferplane.dataplane.server.grpc.calls import Method
from inferplane.dataplane.server.grpc.http2.hpack import Field
from inferplane.dataplane.server.grpc.timeout import seconds

CODINGS = ("gzip", "deflate", "identity")

_REQUIRED = (b":method", b":scheme", b":path")
_PSEUDO = (*_REQUIRED, b":authority")
_OF_CONNECTIONS = frozenset({b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"})
_NOT_METADATA = frozenset(
    {b"te", b"content-type", b"grpc-timeout", b"grpc-encoding", b"grpc-accept-encoding", b"content-length"}
)


@dataclass(slots=True)
class CallHead:
    """`method` is None for a call that there is not; `status` is HTTP's where it is no call at all.

    `timeout` is in seconds. Metadata under names that end in `-bin` are bytes, as in grpcio.
    """

    malformed: bool = False
    at_once: bool = True
    path: str = ""
    method: Method | None = None
    status: int = 200
    timeout: float | None = None
    coding: str = "identity"
    takes_gzip: bool = False
    length: int | None = None
    fields: list[Field] = field(default_factory=list)
    metadata: Headers = field(default_factory=dict)


def read(fields: list[Field], find: Callable[[str], Method | None]) -> CallHead:
    pseudo, others = _parted(fields)
    if pseudo is None or not _are_well_formed(others):
        return CallHead(malformed=True)
    head = CallHead(path=pseudo[b":path"].decode("latin-1"), fields=fields)
    given = dict(others)
    if pseudo[b":method"] != b"POST":
        head.status = 405
    elif not given.get(b"content-type", b"").startswith(b"application/grpc"):
        head.status = 415
    else:
        head.method = find(head.path)
    head.timeout = seconds(given[b"grpc-timeout"].decode("latin-1")) if b"grpc-timeout" in given else None
    head.coding = given.get(b"grpc-encoding", b"identity").decode("latin-1")
    head.takes_gzip = b"gzip" in given.get(b"grpc-accept-encoding", b"")
    if (length := given.get(b"content-length")) is not None:
        if not length.isdigit() or len(length) > _LONGEST_LENGTH:
            return CallHead(malformed=True)
        head.length = int(length)
    head.metadata = dict(_metadata(others))
    head.at_once = head.method is None or head.method.unary is None or head.coding not in CODINGS
    return head


_LONGEST_LENGTH = 18


def _parted(fields: list[Field]) -> tuple[dict[bytes, bytes] | None, list[Field]]:
    """The pseudo-headers, which come first and once, and the others; None where they are not as they must be."""
    pseudo: dict[bytes, bytes] = {}
    for number, (name, value) in enumerate(fields):
        if name[:1] != b":":
            others = fields[number:]
            break
        if name not in _PSEUDO or name in pseudo:
            return None, []
        pseudo[name] = value
    else:
        others = []
    return (pseudo if all(pseudo.get(name) for name in _REQUIRED) else None), others


def _are_well_formed(fields: Iterable[Field]) -> bool:
    for name, value in fields:
        if name != name.lower() or name[:1] == b":" or not name or name in _OF_CONNECTIONS:
            return False
        if name == b"te" and value != b"trailers":
            return False
        if b"\0" in value or b"\r" in value or b"\n" in value:
            return False
    return True


def _metadata(fields: Iterable[Field]) -> Iterable[tuple[str, str]]:
    for name, value in fields:
        if name in _NOT_METADATA:
            continue
        text = name.decode("latin-1")
        if text.endswith("-bin"):
            yield text, _bytes(value)  # type: ignore[misc]  # bytes, as KServe hands them to hooks
        else:
            yield text, value.decode("latin-1")


def _bytes(value: bytes) -> bytes:
    try:
        return b64decode(value + b"=" * (-len(value) % 4))
    except (binascii.Error, ValueError):
        return value
