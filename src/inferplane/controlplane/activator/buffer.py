"""The activator's middle: the lines of all revisions, the times of all requests, and the reports about the load.

A way in (`http1`, `http2`) brings a request with `arrive` and is told `go`, with a pod, or `refuse`; it says what
becomes of it. There is nothing here about a revision that has no requests: who it is and which pods it has is looked up
when the first one comes, and forgotten a second after the last.
"""

import asyncio
from collections.abc import Callable, Sequence
from random import randrange
from typing import Protocol

from inferplane.controlplane.activator import timing
from inferplane.controlplane.activator.answers import CROWDED, ENDING, FULL, TIMED_OUT, unknown
from inferplane.controlplane.activator.decide import Limits, Patience, State, Throttle, Ticket
from inferplane.controlplane.activator.meter import Meter
from inferplane.controlplane.machinery.cache import Key
from inferplane.controlplane.machinery.precedence import Precedence
from inferplane.kernel.clock import Clock
from inferplane.relay.answers import Answer
from inferplane.relay.gate import Address, Request, Tap
from inferplane.resources.start_times import StartTimes
from inferplane.signals.stats import Stat

DEPTH = 10_000
"""Requests that may wait for one revision: what Knative names as its bound."""

_PERIOD = 1.0


class Revisions(Protocol):
    """What is known about revisions; asked about one when it has requests."""

    def limits(self, revision: Key) -> Limits | None:
        """None: there is no such revision."""

    def pods(self, revision: Key) -> Sequence[Address]:
        """Those that are ready."""

    def start_times(self, revision: Key, pod: Address) -> StartTimes: ...


Report = Callable[[Sequence[Stat]], None]
Woken = Callable[[dict[str, float]], None]


class _Line:
    """What there is about a revision as long as it has requests."""

    def __init__(self, revision: Key, limits: Limits, depth: int, now: float) -> None:
        self.revision = revision
        self.limits = limits
        self.meter = Meter(now)
        self.throttle: Throttle[Call] = Throttle(limits.concurrency, depth, randrange)
        self.again: asyncio.TimerHandle | None = None


class Call:
    """A request that was let in: a `relay.gate.Passage`."""

    tap: Tap | None = None
    gathers = False
    __slots__ = ("_arrived", "_buffer", "_line", "_patience", "_request", "_ticket", "_timer", "pod", "server_timing")

    def __init__(self, buffer: "Buffer", line: _Line, request: Request, now: float) -> None:
        self._buffer = buffer
        self._line = line
        self._request = request
        self._patience = Patience(line.limits, now)
        self._timer: asyncio.TimerHandle | None = None
        self._ticket: Ticket[Call] | None = None
        # Unix time in milliseconds, of one that finds the service asleep.
        self._arrived = 0.0
        self.pod: Address | None = None
        self.server_timing = b""
        """The header's value for the answer, when the request found the service asleep."""

    def start(self) -> None:
        """To be called once, when `go` may come: it may come at once."""
        self._watch()
        self._buffer.assign(self._line)

    def whole(self, body: bytes) -> None:
        """Bodies are of no interest here."""

    def accepted(self) -> None:
        """The pod took the connection."""
        if self._ticket is not None:
            self._line.throttle.accepted(self._ticket)

    def refused(self) -> None:
        """The pod took no connection and nothing was sent: `go` comes again."""
        if self._ticket is not None:
            self._line.throttle.refused(self._ticket, self._buffer.now())
            self._buffer.assign(self._line)

    def wrote(self) -> None:
        """A part of the answer went out."""
        self._patience.wrote = self._buffer.now()

    def is_a_tunnel(self) -> None:
        """From here on nobody knows what a request is: no times are kept (an upgraded connection)."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def finish(self) -> None:
        """Answered, or given up by either side. Said twice it is as said once."""
        ticket, self._ticket = self._ticket, None
        if ticket is not None:
            self.is_a_tunnel()
            self._buffer.finish(self._line, ticket)

    # --- for the buffer ---------------------------------------------------------------------------------------------

    def enter(self, ticket: Ticket["Call"], arrived: float) -> None:
        self._ticket, self._arrived = ticket, arrived

    def go(self, pod: Address) -> None:
        self.pod = pod
        if self._arrived and not self.server_timing:
            self.server_timing = self._buffer.woken(self._line.revision, pod, self._arrived)
        self._request.go(pod)

    def refuse(self, answer: Answer) -> None:
        self.finish()
        self._request.refuse(answer)

    def _watch(self) -> None:
        if (due := self._patience.due()) != float("inf"):
            self._timer = asyncio.get_running_loop().call_later(due - self._buffer.now(), self._look)

    def _look(self) -> None:
        self._timer = None
        if self._patience.due() > self._buffer.now():
            self._watch()
        else:
            self.refuse(TIMED_OUT)


class Buffer:
    """`report` gets what the autoscaler has to know, at once for a revision that had no requests, then each second.

    `capacity` bounds the calls of all revisions together. `woken` is told the phases of each cold start, in
    milliseconds; `first` is taken from the arrival of a request that found its service asleep to its end.
    """

    def __init__(
        self,
        revisions: Revisions,
        report: Report,
        clock: Clock,
        *,
        depth: int = DEPTH,
        capacity: int = 1 << 30,
        woken: Woken = lambda _: None,
        first: Precedence | None = None,
    ) -> None:
        self._revisions = revisions
        self._report = report
        self._clock = clock
        self._depth = depth
        self._capacity = capacity
        self._woken = woken
        self._first = first
        self._lines: dict[Key, _Line] = {}
        self._calls = 0
        self._closing = False
        self.now = clock.monotonic

    @property
    def calls(self) -> int:
        """In flight, those who wait included."""
        return self._calls

    def pods(self, revision: Key) -> Sequence[Address]:
        """Those that requests of the revision go to now; none of a revision without requests."""
        line = self._lines.get(revision)
        return line.throttle.pods if line else ()

    def arrive(self, revision: Key, request: Request) -> Call | Answer:
        """A call to be started, or the answer why not."""
        if self._closing or self._calls >= self._capacity:
            return ENDING if self._closing else CROWDED
        now = self.now()
        line = self._lines.get(revision) or self._open(revision, now)
        if line is None:
            return unknown(revision)
        call = Call(self, line, request, now)
        ticket = line.throttle.arrive(call)
        if ticket is None:
            return FULL
        call.enter(ticket, self._clock.now().timestamp() * 1000 if ticket.slept else 0.0)
        self._calls += 1
        line.meter.arrived(now)
        if ticket.slept and self._first is not None:
            self._first.begin()
        return call

    def pods_changed(self, revision: Key) -> None:
        if (line := self._lines.get(revision)) is not None:
            line.throttle.set_pods(self._revisions.pods(revision))
            self.assign(line)

    def gone(self, revision: Key) -> None:
        """The revision was deleted: nothing will ever come for those who wait. What runs goes on."""
        if (line := self._lines.get(revision)) is not None:
            self._forget(line)
            self._refuse_waiting(line, unknown(revision))

    def close(self) -> None:
        """Nobody is let in any more and those who wait are sent away; what runs goes on."""
        self._closing = True
        for line in self._lines.values():
            self._refuse_waiting(line, ENDING)

    async def run(self) -> None:
        """Reports each second, until cancelled."""
        while True:
            await self._clock.sleep(_PERIOD)
            self.report()

    def report(self) -> None:
        """About every revision that has or had requests since the last one. One that has none is then forgotten."""
        now = self.now()
        stats: list[Stat] = []
        for revision, line in list(self._lines.items()):
            concurrency, requests = line.meter.report(now)
            stats.append(Stat(revision.namespace, revision.name, concurrency, requests))
            if not concurrency and not requests and not line.meter.in_flight:
                self._forget(line)
        if stats:
            self._report(stats)

    # --- for calls --------------------------------------------------------------------------------------------------

    def assign(self, line: _Line) -> None:
        now = self.now()
        for ticket in line.throttle.assign(now):
            # Another one that was sent at the same moment may have ended this one.
            if ticket.state is State.RUNNING and ticket.pod is not None:
                ticket.request.go(ticket.pod.address)
        if line.again is None and (when := line.throttle.next_try(now)) is not None:
            line.again = asyncio.get_running_loop().call_later(when - now, self._assign_again, line)

    def finish(self, line: _Line, ticket: Ticket[Call]) -> None:
        line.throttle.finish(ticket)
        line.meter.left(self.now())
        self._calls -= 1
        if ticket.slept and self._first is not None:
            self._first.end()
        if line.throttle.waiting:
            self.assign(line)

    def woken(self, revision: Key, pod: Address, arrived: float) -> bytes:
        """The `Server-Timing` of a request that found the revision asleep."""
        released = self._clock.now().timestamp() * 1000
        phases = timing.phases(arrived, released, self._revisions.start_times(revision, pod))
        self._woken(dict(phases))
        return timing.server_timing(phases)

    def _assign_again(self, line: _Line) -> None:
        line.again = None
        self.assign(line)

    def _open(self, revision: Key, now: float) -> _Line | None:
        limits = self._revisions.limits(revision)
        if limits is None:
            return None
        line = self._lines[revision] = _Line(revision, limits, self._depth, now)
        line.throttle.set_pods(self._revisions.pods(revision))
        line.meter.told_first()
        # Nobody has heard of load on it: the decision to start a pod must not wait for the next second.
        self._report([Stat(revision.namespace, revision.name, 1.0, 1.0)])
        return line

    def _forget(self, line: _Line) -> None:
        if line.again is not None:
            line.again.cancel()
        del self._lines[line.revision]

    def _refuse_waiting(self, line: _Line, answer: Answer) -> None:
        for ticket in line.throttle.everybody_waiting():
            ticket.request.refuse(answer)
