"""gRPC calls on the HTTP lane: what a bridge makes of a unary call, one message as the body of a POST over HTTP/1.1.

Envoy's grpc_http1_reverse_bridge takes the frame's five bytes off, so a compressed message is known by its content.
The answer's `grpc-status` and `grpc-message` become the call's trailers (docs/grpc.md).
"""

import gzip
import io
import zlib
from functools import partial

from inferplane.dataplane.server.answers import Handler, Outcome
from inferplane.dataplane.server.calls import Headers
from inferplane.dataplane.server.grpc import status
from inferplane.dataplane.server.grpc.paths import HEALTH_CHECK, PREFIX
from inferplane.dataplane.server.grpc.service import Service
from inferplane.dataplane.server.grpc.status import Code

_GZIP = b"\x1f\x8b"
"""No message begins like this: it would be field 3 with a wire type that there is not."""


BODY_LIMIT = 256 * 1024 * 1024


class CallRoutes:
    """Handlers by path. A compressed message may become `BODY_LIMIT` bytes, no more."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def handler(self, path: str) -> Handler:
        """For a path that `paths.is_call` knows; a call that there is not is answered UNIMPLEMENTED."""
        if path == HEALTH_CHECK:
            return self._service.health
        method = self._service.methods.get(path.removeprefix(PREFIX))
        if method is None:
            return partial(_unimplemented, f"no such call: {path}")
        return partial(self._call, method)

    def _call(self, method: Handler, body: bytes, headers: Headers) -> Outcome:
        if body[:2] == _GZIP and "grpc-encoding" in headers:
            try:
                body = unzipped(body, BODY_LIMIT)
            except (zlib.error, EOFError, OSError) as error:
                return status.refused(Code.INTERNAL, f"the message is not gzip: {error}", 400)
            except TooLarge as error:
                return status.refused(Code.RESOURCE_EXHAUSTED, str(error), 413)
        return method(body, headers)


class TooLarge(Exception):
    pass


def unzipped(body: bytes, limit: int) -> bytes:
    """The message inside; TooLarge as soon as it is more than `limit` bytes."""
    with gzip.GzipFile(fileobj=io.BytesIO(body)) as file:
        message = file.read(limit + 1)
    if len(message) > limit:
        raise TooLarge(f"the message is larger than {limit} bytes")
    return message


def _unimplemented(message: str, body: bytes, headers: Headers) -> Outcome:
    return status.refused(Code.UNIMPLEMENTED, message, 501)
