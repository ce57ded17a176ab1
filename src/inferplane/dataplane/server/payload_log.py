"""Who is told of requests and their answers, where payloads are logged: see `dataplane.agent`."""

from typing import Protocol

from inferplane.dataplane.server.answers import Answer, Pieces
from inferplane.dataplane.server.calls import Headers
from inferplane.dataplane.server.http.wire import Incoming


class PayloadLog(Protocol):
    """Takes what it is given and returns at once; what becomes of it is no matter of the request's. On the loop."""

    def wants(self, method: bytes, target: bytes) -> bool:
        """Whether requests for this target are logged at all."""
        ...

    def answered(self, request: Incoming, answer: Answer | None, body: bytes | Pieces | None) -> None:
        """A request over HTTP/1.1, whatever it is for, is over, without an answer if it has none that was complete.
        `body` is the answer's before compression, None where it was too large to keep."""
        ...

    def called(self, path: str, metadata: Headers, began: float, body: bytes, answer: bytes | None) -> None:
        """A call over HTTP/2 has ended; without an answer it has failed. `began` in seconds since the epoch."""
        ...

    def message(
        self, path: str, metadata: Headers, id: str, number: int, *, sent: bytes | None, got: bytes | None
    ) -> None:
        """A message of a stream, the `number`-th in its direction; all messages of a stream have its `id`."""
        ...
