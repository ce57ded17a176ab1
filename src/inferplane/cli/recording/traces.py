"""What the gateway saw of a request and its answer → two lines of a file of records. Pure.

It comes as Envoy's `HttpBufferedTrace` in JSON, one document after the other. Of the headers only those are kept that a
body cannot be read without: credentials never reach the file.
"""

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from inferplane.cli.recording.ways import PROBE, Way
from inferplane.cli.replay import grpc_records
from inferplane.cli.replay.records import written
from inferplane.client.inference.calls import JSON_LENGTH
from inferplane.dataplane.agent.events import REQUEST, RESPONSE
from inferplane.kernel.errors import InferplaneError
from inferplane.kernel.json import JsonObject

_ADMINISTRATION = "/v2/repository/"
_CODINGS = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
_FORM = "application/x-www-form-urlencoded"
_END = b"\n}\n"


class LeftOut(InferplaneError):
    """An exchange that cannot be recorded."""


class _Header(msgspec.Struct, frozen=True):
    key: str
    value: str = ""
    raw_value: bytes = b""


class _Body(msgspec.Struct, frozen=True):
    as_bytes: bytes = b""
    truncated: bool = False


class _Message(msgspec.Struct, frozen=True):
    headers: list[_Header] = []
    body: _Body | None = None
    trailers: list[_Header] = []
    headers_received_time: datetime | None = None


class _Exchange(msgspec.Struct, frozen=True):
    request: _Message = _Message()
    response: _Message | None = None


class _Trace(msgspec.Struct, frozen=True):
    http_buffered_trace: _Exchange


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose requests these are."""

    name: str
    namespace: str
    ways: Sequence[Way]

    def inner(self, host: str, path: str) -> str:
        return next((made for one in self.ways if one.host == host and (made := one.inner(path)) != path), path)


class Documents:
    """Bytes of a stream → JSON documents. Envoy indents them, so that only their last line is a brace alone."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        *whole, self._held = (self._held + data).split(_END)
        yield from (one + b"\n}" for one in whole)


def lines(document: bytes, subject: Subject, id: str) -> bytes:
    """The request's line and the answer's. Empty for what is no inference. Raises LeftOut."""
    trace = msgspec.json.decode(document, type=_Trace).http_buffered_trace
    asked, answer = _headers(trace.request.headers), trace.response
    answered = _headers(answer.headers) if answer else {}
    path = subject.inner(asked.get(":authority", ""), asked.get(":path", ""))
    if PROBE in asked or path.startswith(_ADMINISTRATION) or answer is None or not answered:
        # Without an answer the client has gone away.
        return b""
    common: JsonObject = {
        "id": id,
        "source": f"http://{asked.get(':authority', '')}",
        "inferenceservicename": subject.name,
        "namespace": subject.namespace,
        "component": "explainer" if path.endswith((":explain", "/explain")) else "predictor",
        "endpoint": "default",
        "path": path,
        "method": asked.get(":method", "POST"),
    }
    since, until = trace.request.headers_received_time, answer.headers_received_time
    request = _line(common | {"type": REQUEST, **_time(since)}, asked, trace.request)
    took: JsonObject = {"latencyms": round((until - since).total_seconds() * 1e3, 3)} if since and until else {}
    outcome: JsonObject = {"type": RESPONSE, **_time(until), "status": _status(answered, answer), **took}
    return request + _line(common | outcome, answered, answer)


def _headers(found: Iterable[_Header]) -> dict[str, str]:
    """Names in lower case, as Envoy has them."""
    return {one.key: one.value or one.raw_value.decode("latin-1") for one in found}


def _line(attributes: JsonObject, headers: Mapping[str, str], message: _Message) -> bytes:
    content = message.body or _Body()
    if content.truncated:
        raise LeftOut("a body is larger than --max-body")
    body = _payload(content.as_bytes, headers)
    length = headers.get(JSON_LENGTH, "")
    # What curl says of a body when nobody tells it: model servers read it as JSON.
    content_type = headers.get("content-type", _FORM).replace(_FORM, "application/json")
    return written(attributes, body, content_type, int(length) if length.isdecimal() else None)


def _payload(body: bytes, headers: Mapping[str, str]) -> bytes:
    if not headers.get("content-type", "").startswith(grpc_records.CONTENT_TYPE):
        return _decoded(body, headers.get("content-encoding", ""))
    try:
        # A call that failed is answered without a message.
        return grpc_records.message_of(body) if body else b""
    except ValueError as error:
        raise LeftOut(f"a call over gRPC: {error}") from error


def _decoded(body: bytes, coding: str) -> bytes:
    if coding in ("", "identity"):
        return body
    if coding not in _CODINGS:
        raise LeftOut(f"a body is coded as {coding}")
    try:
        return zlib.decompress(body, _CODINGS[coding])
    except zlib.error as error:
        raise LeftOut(f"a body that is said to be {coding} is not") from error


def _status(headers: Mapping[str, str], message: _Message) -> int:
    """HTTP's. A call over gRPC that failed has status 200 and says so elsewhere."""
    status = int(headers.get(":status", "0"))
    if not headers.get("content-type", "").startswith(grpc_records.CONTENT_TYPE):
        return status
    said = {**headers, **_headers(message.trailers)}.get("grpc-status", "0")
    return status if said == "0" else 500


def _time(moment: datetime | None) -> JsonObject:
    """RFC 3339 to the microsecond."""
    if moment is None:
        return {}
    return {"time": moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")}
