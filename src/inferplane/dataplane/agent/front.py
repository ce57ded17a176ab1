"""The sidecar's gate: all requests go to the one server behind it; probes are answered here.

probe ────────────────────────▶ answered, for the server
V1 predict, with a batcher ───▶ gathered, answered by its batch
everything else ──────────────▶ passed on as it comes
"""

import asyncio
from typing import Protocol

from inferplane.dataplane.agent.batcher import Batcher, form_of
from inferplane.dataplane.agent.component import Component
from inferplane.dataplane.agent.listening import Listening
from inferplane.dataplane.agent.recording import Recording
from inferplane.dataplane.server.answers import Answer as ServerAnswer
from inferplane.dataplane.server.batching.bodies import Form
from inferplane.kernel.clock import Clock
from inferplane.relay.answers import Answer
from inferplane.relay.gate import Asked, Request, Tap

NETWORK_PROBE = b"k-network-probe"
_QUEUE = b"queue"
_KUBELET, _ACTIVATOR = b"kube-probe/", b"Knative-Activator-Probe"

READY = Answer(200, "queue")
NOT_READY = Answer(503, "", content=(b"text/plain; charset=utf-8", b""))
UNREACHED = Answer(502, "the server behind the agent takes no connection", retry_after=1)


def is_probe(asked: Asked) -> bool:
    """As KServe's agent tells: by who asks, or by the header that says what for."""
    agent = asked.names.get(b"user-agent", b"")
    named = NETWORK_PROBE in asked.names or b"k-kubelet-probe" in asked.names
    return named or agent.startswith((_KUBELET, _ACTIVATOR))


class Front:
    """A `relay.gate.Gate`. `draining`: probes say no, everything else still passes."""

    hidden: frozenset[bytes] = frozenset()

    def __init__(
        self, component: Component, recording: Recording | None, batcher: Batcher | None, clock: Clock
    ) -> None:
        self.component = component
        self.batcher = batcher
        self.calls = 0
        self.draining = False
        self.last = clock.monotonic()
        self.tasks: set[asyncio.Task[None]] = set()
        self._recording = recording
        self._clock = clock

    def admit(self, asked: Asked, request: Request) -> "Crossing | Probing | Answer":
        if is_probe(asked):
            return self._probed(asked, request)
        self.calls += 1
        tap = None
        if self._recording is not None and self._recording.wants(asked.method, asked.target):
            tap = Listening(self._recording, asked)
        form = None
        if self.batcher is not None:
            form = form_of(asked.method.decode("latin-1"), asked.target.decode("latin-1"))
        return Crossing(self, asked, request, tap, form)

    def _probed(self, asked: Asked, request: Request) -> "Probing | Answer":
        value = asked.names.get(NETWORK_PROBE, b"")
        if value != _QUEUE:
            return Answer(400, f"unexpected probe header value: {value.decode('latin-1')}")
        return NOT_READY if self.draining else Probing(self, request)

    def crossed(self) -> None:
        self.calls -= 1
        self.last = self._clock.monotonic()

    def start(self, work: "Work") -> None:
        task = asyncio.get_running_loop().create_task(work.run())
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def quiet(self, seconds: float, at_most: float) -> None:
        """Returns when nothing has passed for so long, or after `at_most`."""
        until = self._clock.monotonic() + at_most
        self.last = self._clock.monotonic()
        while (now := self._clock.monotonic()) < until:
            if not self.calls and now - self.last >= seconds:
                return
            await self._clock.sleep(min(0.05, seconds))

    def close(self) -> None:
        """What runs goes on; the listener takes no more."""


class Work(Protocol):
    async def run(self) -> None: ...


class Probing:
    """A probe, answered when the server has answered."""

    server_timing = b""
    tap: Tap | None = None
    gathers = False

    def __init__(self, front: Front, request: Request) -> None:
        self._front = front
        self._request: Request | None = request

    def start(self) -> None:
        self._front.start(self)

    async def run(self) -> None:
        ready = await self._front.component.is_ready()
        if self._request is not None:
            self._request.refuse(READY if ready and not self._front.draining else NOT_READY)

    def whole(self, body: bytes) -> None: ...

    def accepted(self) -> None: ...

    def refused(self) -> None: ...

    def wrote(self) -> None: ...

    def is_a_tunnel(self) -> None: ...

    def finish(self) -> None:
        self._request = None


class Crossing:
    """A request on its way to the server, or, with a `form`, into a batch."""

    server_timing = b""

    def __init__(
        self, front: Front, asked: Asked, request: Request, listening: Listening | None, form: Form | None
    ) -> None:
        self.tap: Tap | None = listening
        self.gathers = form is not None
        self._front = front
        self._asked = asked
        self._request: Request | None = request
        self._listening = listening
        self._form = form
        self._body = b""

    def start(self) -> None:
        if not self.gathers and self._request is not None:
            self._request.go(self._front.component.address)

    def whole(self, body: bytes) -> None:
        self._body = body
        self._front.start(self)

    async def run(self) -> None:
        """The answer of the batch."""
        batcher, form, asked = self._front.batcher, self._form, self._asked
        if batcher is None or form is None:
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in asked.names.items()}
        answer = await batcher.answer(form, asked.target.decode("latin-1"), self._body, headers)
        if self._request is not None:
            self._request.refuse(_as_relayed(answer))

    def accepted(self) -> None: ...

    def refused(self) -> None:
        if self._request is not None:
            self._request.refuse(UNREACHED)

    def wrote(self) -> None: ...

    def is_a_tunnel(self) -> None: ...

    def finish(self) -> None:
        if self._request is None:
            return
        self._request = None
        self._front.crossed()
        if self._listening is not None:
            self._listening.ended()


def _as_relayed(answer: ServerAnswer) -> Answer:
    body = answer.body
    whole = body if isinstance(body, bytes) else b"".join(body) if isinstance(body, tuple) else b""
    return Answer(answer.status, "", content=(answer.content_type or b"", whole), headers=answer.headers)
