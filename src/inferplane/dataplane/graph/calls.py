"""One step's call: a message and the headers that go on → an answer, within the step's time, counted.

Connections are kept, some for each URL. A server that takes no connection is asked again a few times; a request that a
server may have begun to answer is never sent again.
"""

import ssl
from dataclasses import replace
from time import perf_counter

from inferplane.client.inference.connection import Received
from inferplane.client.inference.errors import ClientError, TimedOut
from inferplane.client.inference.pool import Pool
from inferplane.dataplane.graph.bodies import BINARY, JSON, Message
from inferplane.dataplane.graph.executor import Answered, StepFailed
from inferplane.dataplane.graph.forwarding import Forwarded
from inferplane.dataplane.graph.metrics import GraphMetrics
from inferplane.dataplane.graph.plan import Step

BINARY_HEADER = "inference-header-content-length"
RETRIES = 3
"""How often a connection that cannot be made is tried again."""

_JOINED = 64 * 1024
"""Bytes. A smaller body is written together with its head."""


class Calls:
    """`limit` in seconds is the longest of one call, None for no bound. Belongs to one event loop."""

    def __init__(self, metrics: GraphMetrics, limit: float | None) -> None:
        self._metrics = metrics
        self._limit = limit
        self._pools: dict[str, Pool] = {}
        self._tls: ssl.SSLContext | None = None

    async def __call__(self, step: Step, message: Message, forwarded: Forwarded) -> Answered:
        assert step.target is not None, "asked only for steps with a URL"
        pool = self._pools.get(step.target.url) or self._pool(step.target.url)
        head = b"%b%bcontent-length: %d\r\n\r\n" % (
            step.target.start,
            _lines(message, forwarded),
            len(message.body),
        )
        pieces = (head + message.body,) if len(message.body) <= _JOINED else (head, message.body)
        begun = perf_counter()
        try:
            received = await pool.exchange(pieces, self._limit)
        except ClientError as error:
            self._metrics.failed(step.place, perf_counter() - begun)
            raise StepFailed(step.place, _words(error)) from error
        self._metrics.answered(step.place, received.status, perf_counter() - begun)
        return _answered(received)

    def _pool(self, url: str) -> Pool:
        secure = url.startswith("https:")
        if secure and self._tls is None:
            self._tls = ssl.create_default_context()
        pool = self._pools[url] = Pool(url, retries=RETRIES, tls=self._tls if secure else None)
        if pool.origin.host.endswith(".localhost"):
            # Such names are loopback (RFC 6761, 6.3), which not every resolver knows.
            pool.origin = replace(pool.origin, host="127.0.0.1")
        return pool

    async def close(self) -> None:
        for pool in self._pools.values():
            await pool.close()


def _words(error: ClientError) -> str:
    return f"{error.message} (routerTimeouts.serviceClient)" if isinstance(error, TimedOut) else error.message


def _lines(message: Message, forwarded: Forwarded) -> bytes:
    if message.json_length is not None:
        return b"%bcontent-type: %b\r\n%b: %d\r\n" % (
            forwarded.lines,
            BINARY,
            BINARY_HEADER.encode(),
            message.json_length,
        )
    return b"%bcontent-type: %b\r\n" % (forwarded.lines, forwarded.content_type or JSON)


def _answered(received: Received) -> Answered:
    headers = received.headers
    length = headers.get(BINARY_HEADER, "")
    kind = headers.get("content-type", "").encode("latin-1")
    message = Message(received.body, int(length) if length.isdecimal() else None, kind)
    return Answered(received.status, message, headers.get("retry-after", "").encode("latin-1"))
