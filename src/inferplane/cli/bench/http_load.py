"""HTTP/1.1 load from one event loop: prebuilt requests, answers parsed by httptools, nothing allocated in between.

Closed loop: each connection sends its next request when an answer is there. Open loop: requests are due at fixed
times whether or not earlier ones were answered, and a latency counts from the time at which its request was due, so
that a server that stalls cannot hide the requests that would have come meanwhile (coordinated omission).
"""

import asyncio
import ssl
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import cast

import httptools

from inferplane.cli.bench.tally import Load, Tally

SAMPLE = 400
"""How much of a failure's body is kept."""


@dataclass(frozen=True, slots=True)
class HttpTarget:
    host: str
    port: int
    tls: ssl.SSLContext | None
    server_name: str
    request: bytes
    """Head and body as they go over the wire."""


@dataclass(frozen=True, slots=True)
class Shape:
    """`rate` in requests a second makes an open loop; None is a closed one. Times in seconds."""

    concurrency: int
    duration: float
    warmup: float
    rate: float | None
    timeout: float


class _Run:
    """What the connections of a run share."""

    def __init__(self, target: HttpTarget, shape: Shape, loop: asyncio.AbstractEventLoop) -> None:
        self.target = target
        self.shape = shape
        self.loop = loop
        self.tally = Tally()
        self.sample = b""
        self.running = True
        self.late = 0
        self.idle: deque[_Connection] = deque()
        self.due: deque[float] = deque()
        self.open = shape.rate is not None
        self.connections: set[_Connection] = set()
        self.connecting: set[asyncio.Task[None]] = set()

    def reconnect(self) -> None:
        """Another connection in the place of one that is gone."""
        if self.running:
            task = self.loop.create_task(_connect(self))
            self.connecting.add(task)
            task.add_done_callback(self.connecting.discard)

    def cut_overdue(self) -> None:
        """Gives up on answers that take longer than the timeout."""
        now = time.perf_counter()
        for connection in [one for one in self.connections if one.overdue(now)]:
            connection.fail(f"no answer within {self.shape.timeout:g} s")

    async def end(self) -> None:
        self.running = False
        for task in self.connecting:
            task.cancel()
        await asyncio.gather(*self.connecting, return_exceptions=True)
        for connection in list(self.connections):
            connection.abort()
        await asyncio.sleep(0)  # transports close in the loop's next round

    def free(self, connection: "_Connection") -> None:
        """A connection can take a request."""
        if not self.running:
            return
        if not self.open:
            connection.send(time.perf_counter())
        elif self.due:
            connection.send(self.due.popleft())
        else:
            self.idle.append(connection)

    def request_due(self, moment: float) -> None:
        while self.idle:
            connection = self.idle.popleft()
            if connection.usable:
                connection.send(moment)
                return
        self.late += 1
        self.due.append(moment)


class _Connection(asyncio.Protocol):
    def __init__(self, run: _Run) -> None:
        self._run = run
        self._request = run.target.request
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._since = 0.0
        self._waiting = False
        self._body = b""
        self.usable = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.usable = True
        self._run.connections.add(self)
        self._run.free(self)

    def send(self, due: float) -> None:
        assert self._transport is not None
        # A timer may wake the loop up to a millisecond early; what is sent early has not waited.
        self._since = min(due, time.perf_counter())
        self._waiting = True
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._run.tally.received += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self.fail(f"the answer is not HTTP/1.1: {error}")

    def on_body(self, body: bytes) -> None:
        if len(self._body) < SAMPLE:
            self._body += body[:SAMPLE]

    def on_message_complete(self) -> None:
        run = self._run
        status = self._parser.get_status_code()
        self._waiting = False
        if run.running:
            run.tally.answered(str(status), time.perf_counter() - self._since)
            if not run.sample and not 200 <= status < 300:
                run.sample = self._body
        self._body = b""
        if self._parser.should_keep_alive():
            run.free(self)
        else:
            self._close()
            run.reconnect()

    def connection_lost(self, error: Exception | None) -> None:
        was_usable, self.usable = self.usable, False
        self._run.connections.discard(self)
        # A connection that the end of the load cuts, just made or long there, is no failure of the server's.
        if self._waiting and self._run.running:
            self._waiting = False
            self._run.tally.failed("connection broken before the answer" + (f" ({error})" if error else ""))
        if was_usable:
            self._run.reconnect()

    def overdue(self, now: float) -> bool:
        return self._waiting and now - self._since > self._run.shape.timeout

    def abort(self) -> None:
        self._waiting = False
        if self._transport is not None:
            self._transport.abort()

    def fail(self, reason: str) -> None:
        self._waiting = False
        self._run.tally.failed(reason)
        if self._transport is not None:
            self._transport.abort()

    def _close(self) -> None:
        self.usable = False
        if self._transport is not None:
            self._transport.close()


async def _connect(run: _Run) -> None:
    target = run.target
    pause = 0.01
    while run.running:
        try:
            await run.loop.create_connection(
                lambda: _Connection(run),
                target.host,
                target.port,
                ssl=target.tls,
                server_hostname=target.server_name if target.tls else None,
            )
            return
        except OSError as error:
            run.tally.failed(f"cannot connect ({error.strerror or type(error).__name__})")
            await asyncio.sleep(pause)  # a server that is down is not to be hammered by connects
            pause = min(1.0, pause * 2)


async def load(target: HttpTarget, shape: Shape, tick: Callable[[float, Tally], None]) -> tuple[Load, bytes]:
    """Runs the load; `tick` is told the seconds that have passed, about every quarter of one.

    Returns what was measured after the warm-up, and the body of the first answer that was no success.
    """
    run = _Run(target, shape, asyncio.get_running_loop())
    await asyncio.gather(*(_connect(run) for _ in range(shape.concurrency)))
    pacer = asyncio.create_task(_pace(run, shape.rate)) if shape.rate else None
    await asyncio.sleep(shape.warmup)
    run.tally.clear()
    run.late = 0
    started, cpu = time.perf_counter(), time.process_time()
    while (passed := time.perf_counter() - started) < shape.duration:
        tick(passed, run.tally)
        run.cut_overdue()
        await asyncio.sleep(min(0.25, shape.duration - passed))
    seconds, busy = time.perf_counter() - started, time.process_time() - cpu
    if pacer is not None:
        pacer.cancel()
    await run.end()
    return Load(run.tally, seconds, busy / seconds, run.late), run.sample


async def _pace(run: _Run, rate: float) -> None:
    """Makes requests due at even times, also those whose time has passed while the loop was busy."""
    start = time.perf_counter()
    for number in count():
        moment = start + number / rate
        wait = moment - time.perf_counter()
        if wait > 0:
            await asyncio.sleep(wait)
        elif number % 100 == 0:
            await asyncio.sleep(0)
        run.request_due(moment)
