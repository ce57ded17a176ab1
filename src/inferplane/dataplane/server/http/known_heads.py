"""Heads that were read before. A client that sends one request after another sends the same head each time.

A head is known by its bytes, so what the parser and `heads.examine` found the first time holds again. Only the plain
ones are kept: HTTP/1.1, a Content-Length, the connection goes on, no id or trace of the client's (which would make each
one different).
"""

from collections.abc import Callable

from inferplane.dataplane.server.http.wire import Incoming

_END = b"\r\n\r\n"
_LONGEST = 2048
_KEPT = 256

# `copy.copy` takes a detour of 0.7 µs to it; msgspec's stub leaves it out.
_copied: Callable[[Incoming], Incoming] = Incoming.__copy__  # type: ignore[attr-defined]


class KnownHeads:
    """For all connections of a server."""

    def __init__(self) -> None:
        self._requests: dict[bytes, Incoming] = {}

    def read(self, data: bytes) -> Incoming | None:
        """The request, when `data` is exactly one whose head is known."""
        end = data.find(_END, 0, _LONGEST) + 4
        known = self._requests.get(data[:end])
        if known is None or len(data) != end + known.length:
            return None
        request = _copied(known)
        request.body = data[end:]
        return request

    def remember(self, data: bytes, request: Incoming) -> None:
        """`request` is what was read from all of `data`."""
        end = data.find(_END, 0, _LONGEST) + 4
        if end < 4 or len(data) != end + request.length or not request.length or not _is_plain(request):
            return
        if len(self._requests) >= _KEPT:
            self._requests.clear()  # heads are the client's to make up
        self._requests[data[:end]] = Incoming(
            method=request.method,
            target=request.target,
            headers=request.headers,
            accepts=request.accepts,
            length=request.length,
            own_id=True,
            known=request.header_map(),
        )


def _is_plain(request: Incoming) -> bool:
    # A traced request has headers of its own by now.
    odd = request.span or request.chunked or request.coding or request.expects_continue or request.refusal is not None
    traced = any(name == b"traceparent" for name, _ in request.headers)
    return request.own_id and request.keep_alive and request.version == "1.1" and not (odd or traced)
