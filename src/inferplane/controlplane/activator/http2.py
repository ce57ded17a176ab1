"""The way in for HTTP/2 without TLS, gRPC above all: many streams on a client's connection, each to its pod.

A stream waits with its headers and what its window lets in (64 KiB), then it becomes a stream on a connection to its
pod; from then on each side's data, trailers and resets go to the other.
"""

import asyncio
from functools import partial

from h2.errors import ErrorCodes

from inferplane.controlplane.activator import sockets
from inferplane.controlplane.activator.answers import (
    BROKEN,
    NAMESPACE,
    REVISION,
    Answer,
    as_http2,
    probed,
    revision_named,
    unknown,
)
from inferplane.controlplane.activator.buffer import Buffer, Call
from inferplane.controlplane.activator.decide import Address
from inferplane.controlplane.activator.pods import IDLE
from inferplane.controlplane.activator.wire import Headers, Wire
from inferplane.kernel.clock import Clock

# Seconds until the first frame of a pod that accepted a connection.
_SETTINGS_TIMEOUT = 2.0
_OURS = frozenset((REVISION, NAMESPACE))


class PodConnection(Wire):
    """A connection to a pod, shared by streams."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(client=True)
        self._clock = clock
        self.used = clock.monotonic()
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def settled(self) -> None:
        if not self.ready.done():
            self.ready.set_result(None)

    def closed(self) -> None:
        self.settled()

    @property
    def takes_more(self) -> bool:
        fresh = bool(self.parties) or self._clock.monotonic() - self.used < IDLE
        return fresh and self.has_room and sockets.peer_is_there(self.transport)

    def let_go(self, stream: int) -> None:
        self.forget(stream)
        self.used = self._clock.monotonic()


class Pods:
    """Connections to all pods."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._open: dict[Address, list[PodConnection]] = {}
        self._opening: dict[Address, asyncio.Task[PodConnection]] = {}

    def take(self, pod: Address) -> PodConnection | None:
        """One that takes another stream now."""
        return next((one for one in self._open.get(pod, ()) if one.takes_more), None)

    async def connect(self, pod: Address) -> PodConnection:
        """One for all who ask at the same moment. Raises OSError."""
        task = self._opening.get(pod)
        if task is None:
            task = self._opening[pod] = asyncio.get_running_loop().create_task(self._connect(pod))
            task.add_done_callback(lambda _: self._opening.pop(pod, None))
        # One who gives up must not take the connection away from the others.
        return await asyncio.shield(task)

    async def _connect(self, pod: Address) -> PodConnection:
        connected = await sockets.connect(pod)
        try:
            loop = asyncio.get_running_loop()
            _, made = await loop.create_connection(lambda: PodConnection(self._clock), sock=connected)
        except BaseException:
            connected.close()
            raise
        try:
            # How many streams it takes is in its settings: more would be refused.
            async with asyncio.timeout(_SETTINGS_TIMEOUT):
                await made.ready
        except BaseException:
            made.transport.abort()
            raise
        if made.leaving:
            raise ConnectionResetError(f"{pod.host}:{pod.port} closed the connection before it said anything")
        self._open.setdefault(pod, []).append(made)
        return made

    def sweep(self) -> None:
        """Closes what has been idle for too long, and forgets what is closed."""
        now = self._clock.monotonic()
        for pod, found in list(self._open.items()):
            for one in found:
                if not one.parties and now - one.used >= IDLE:
                    one.transport.close()
            self._open[pod] = [one for one in found if not one.transport.is_closing()]
            if not self._open[pod]:
                del self._open[pod]

    def close(self) -> None:
        for task in self._opening.values():
            task.cancel()
        for found in self._open.values():
            for one in found:
                one.transport.abort()


class Connection(Wire):
    """A client's connection."""

    def __init__(self, buffer: Buffer, pods: Pods, everybody: "set[Connection]") -> None:
        super().__init__(client=False)
        self.buffer = buffer
        self.pods = pods
        self._everybody = everybody

    @property
    def is_idle(self) -> bool:
        return not self.parties

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._everybody.add(self)
        super().connection_made(transport)

    def closed(self) -> None:
        self._everybody.discard(self)

    def opened(self, stream: int, headers: Headers, *, ended: bool) -> None:
        party = self.parties[stream] = Stream(self, stream, headers, ended=ended)
        party.arrive()


class Stream:
    """A client's stream: the request of `buffer`, and the client's `wire.Party`; `_Reply` is the pod's."""

    def __init__(self, client: Connection, number: int, headers: Headers, *, ended: bool) -> None:
        self.client = client
        self.number = number
        self.answered = False
        self.call: Call | None = None
        self._headers = headers
        self._names = dict(headers)
        self._held: list[tuple[bytes, int]] = []
        self._trailers: Headers | None = None
        self._ended = ended
        self._pod: PodConnection | None = None
        self._pod_stream = 0
        self._connecting: asyncio.Task[None] | None = None

    def arrive(self) -> None:
        refused = probed(self._names) or self._ask()
        if refused is not None:
            self._answer(refused)
        elif self.call is not None:
            self.call.start()

    def _ask(self) -> Answer | None:
        revision = revision_named(self._names, self._names.get(b":authority", b""))
        if revision is None:
            return unknown(None)
        found = self.client.buffer.arrive(revision, self)
        if isinstance(found, Answer):
            return found
        self.call = found
        return None

    # --- wire.Party: what the client says ---------------------------------------------------------------------------

    def headers(self, headers: Headers, *, ended: bool) -> None:
        """A client's stream has them from the beginning."""

    def interim(self, headers: Headers) -> None:
        """Only servers send these."""

    def data(self, data: bytes, taken: int, *, ended: bool) -> None:
        self._ended = self._ended or ended
        if self._pod is None:
            self._held.append((data, taken))
        else:
            self._pass(self._pod, data, taken, end=ended)

    def trailers(self, headers: Headers) -> None:
        self._ended, self._trailers = True, headers
        if self._pod is not None:
            self._pod.end(self._pod_stream, headers)

    def reset(self, code: int) -> None:
        """The client has gone."""
        self._throw_away()
        self._leave_pod()
        self.finish()

    # --- buffer.Request ---------------------------------------------------------------------------------------------

    def go(self, pod: Address) -> None:
        if (found := self.client.pods.take(pod)) is not None:
            self._attach(found)
        else:
            self._connecting = asyncio.get_running_loop().create_task(self._connect(pod))

    def refuse(self, answer: Answer) -> None:
        self._leave_pod()
        if self.answered:
            self.client.reset(self.number, ErrorCodes.CANCEL)
        else:
            self._answer(answer)

    async def _connect(self, pod: Address) -> None:
        try:
            found = await self.client.pods.connect(pod)
            while not found.has_room:
                found = await self.client.pods.connect(pod)
        except OSError:
            self._connecting = None
            if self.call is not None:
                self.call.refused()
            return
        self._connecting = None
        self._attach(found)

    def _attach(self, pod: PodConnection) -> None:
        if self.call is not None:
            self.call.accepted()
        self._pod = pod
        headers = [one for one in self._headers if one[0] not in _OURS]
        alone = self._ended and not self._held and self._trailers is None
        self._pod_stream = pod.open(_Reply(self), headers, end=alone)
        held, self._held = self._held, []
        for index, (data, taken) in enumerate(held):
            self._pass(pod, data, taken, end=self._ended and self._trailers is None and index == len(held) - 1)
        if self._trailers is not None:
            pod.end(self._pod_stream, self._trailers)

    def _pass(self, pod: PodConnection, data: bytes, taken: int, *, end: bool) -> None:
        pod.send(self._pod_stream, data, partial(self.client.consumed, self.number, taken), end=end)

    # --- what the pod says ------------------------------------------------------------------------------------------

    def completed(self) -> None:
        """The answer's end is on its way to the client."""
        pod, self._pod = self._pod, None
        if pod is not None:
            if self._ended:
                pod.let_go(self._pod_stream)
            else:
                pod.reset(self._pod_stream, ErrorCodes.CANCEL)
        self._hang_up()
        self.finish()

    def _hang_up(self) -> None:
        if self._ended:
            self.client.forget(self.number)
        else:
            self.client.stop(self.number)

    def broken(self, code: int) -> None:
        """The pod gave it up. Where nothing came back the client is told what it means, else that it is over."""
        self._pod = None
        self.finish()
        if self.answered or code == ErrorCodes.REFUSED_STREAM:
            self.client.reset(self.number, code)
        else:
            self._answer(BROKEN)

    def answer(self, data: bytes, taken: int, *, ended: bool) -> None:
        assert self._pod is not None, "what a pod says has a pod"
        self.client.send(self.number, data, partial(self._pod.consumed, self._pod_stream, taken), end=ended)

    # --- ends -------------------------------------------------------------------------------------------------------

    def _answer(self, answer: Answer) -> None:
        grpc = self._names.get(b"content-type", b"").startswith(b"application/grpc")
        headers, body = as_http2(answer, grpc=grpc)
        if self._names.get(b":method") == b"HEAD":
            body = b""
        self.client.send_headers(self.number, headers, end=not body)
        if body:
            self.client.send(self.number, body, _nothing, end=True)
        self._throw_away()
        self._hang_up()

    def _throw_away(self) -> None:
        held, self._held = self._held, []
        for _, taken in held:
            self.client.consumed(self.number, taken)

    def _leave_pod(self) -> None:
        if self._connecting is not None:
            self._connecting.cancel()
            self._connecting = None
        pod, self._pod = self._pod, None
        if pod is not None:
            pod.reset(self._pod_stream, ErrorCodes.CANCEL)

    def finish(self) -> None:
        call, self.call = self.call, None
        if call is not None:
            call.finish()


class _Reply:
    """What the pod says, on its way to the client."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def headers(self, headers: Headers, *, ended: bool) -> None:
        stream = self._stream
        stream.answered = True
        if stream.call is not None:
            stream.call.wrote()
            if stream.call.server_timing:
                headers = [*headers, (b"server-timing", stream.call.server_timing)]
        stream.client.send_headers(stream.number, headers, end=ended)
        if ended:
            stream.completed()

    def interim(self, headers: Headers) -> None:
        self._stream.client.send_headers(self._stream.number, headers, end=False)

    def data(self, data: bytes, taken: int, *, ended: bool) -> None:
        stream = self._stream
        if stream.call is not None:
            stream.call.wrote()
        stream.answer(data, taken, ended=ended)
        if ended:
            stream.completed()

    def trailers(self, headers: Headers) -> None:
        self._stream.client.end(self._stream.number, headers)
        self._stream.completed()

    def reset(self, code: int) -> None:
        self._stream.broken(code)


def _nothing() -> None:
    """Nobody waits for it."""
