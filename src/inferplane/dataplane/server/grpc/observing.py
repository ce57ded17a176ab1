"""What is told of the calls that came over HTTP/2: their spans, and their lines in the access log.

Health and reflection are neither traced nor logged. A traced call sees metadata in which `traceparent` is the server's
own span.
"""

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inferplane.dataplane.server.calls import Headers
from inferplane.dataplane.server.grpc.head import CallHead
from inferplane.dataplane.server.grpc.paths import PREFIX
from inferplane.dataplane.server.grpc.status import Code, http_status
from inferplane.dataplane.server.http.access_log import AccessLog
from inferplane.dataplane.server.http.wire import Incoming

if TYPE_CHECKING:
    from inferplane.dataplane.server.tracing import Spans

_TRACEPARENT = "traceparent"
_REQUEST_ID = "x-request-id"

_FAULTS = frozenset({"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"})
"""Codes that are the server's fault, by OpenTelemetry's conventions; the others are not errors of its span."""


@dataclass(slots=True)
class Noted:
    """A call under way."""

    head: CallHead
    since: float
    id: str
    peer: str
    body: bytes
    span: str = ""


class Observer:
    """Either may be missing."""

    def __init__(self, spans: "Spans | None" = None, access_log: AccessLog | None = None) -> None:
        self._spans = spans
        self._log = access_log

    def began(self, head: CallHead, headers: Headers, body: bytes, peer: str, now: float) -> Noted | None:
        """The call goes on with these headers, which get its id and its span. None for what is not observed."""
        if not head.path.startswith(PREFIX):
            return None
        noted = Noted(head, now, headers.setdefault(_REQUEST_ID, os.urandom(16).hex()), peer, body)
        if self._spans is not None:
            noted.span = self._span(self._spans, head.path, headers, peer)
            if noted.span:
                headers[_TRACEPARENT] = noted.span
        return noted

    def _span(self, spans: "Spans", path: str, headers: Headers, peer: str) -> str:
        # OpenTelemetry is there where there are spans, and only there.
        from inferplane.dataplane.server.tracing import call_attributes

        name, attributes = call_attributes(path)
        attributes["inferplane.request_id"] = headers[_REQUEST_ID]
        attributes["network.peer.address"] = peer.rpartition(":")[0]
        return spans.start(name, headers, attributes)

    def ended(self, noted: Noted, code: str, size: int, now: float) -> None:
        """`code` by name; `size` is the answer's."""
        if self._spans is not None:
            failure = code if code in _FAULTS else ""
            self._spans.end(noted.span, {"rpc.response.status_code": code}, failure)
        if self._log is not None:
            self._log.write(_line(noted, code, size), now - noted.since)


def _line(noted: Noted, code: str, size: int) -> Incoming:
    """As if it were HTTP/1.1."""
    head = noted.head
    return Incoming(
        method=b"POST",
        target=head.path.encode("latin-1"),
        headers=[field for field in head.fields if field[0][:1] != b":"],
        body=noted.body,
        version="2",
        id=noted.id.encode("latin-1"),
        client=noted.peer,
        status=http_status(Code[code]),
        sent=size,
    )
