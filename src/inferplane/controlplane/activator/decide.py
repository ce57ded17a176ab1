"""Who waits, who may go, and to which pod: one line per revision, in the order of arrival. Pure.

In come arrivals, pods and ends of requests, with the time of each; out come the tickets that may go now (`assign`). The
rules are Knative's throttler's: containerConcurrency is a limit of each pod, and how pods are chosen depends on it.

    arrive ─▶ WAITING ─assign─▶ RUNNING ─finish─▶ OVER        (WAITING ─finish─▶ OVER: gone, or out of time)
                 ▲──── refused ────┘                          nothing was sent, so its place is the old one
"""

import heapq
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeAlias, TypeVar

from inferplane.kernel.backoff import Backoff
from inferplane.relay.gate import Address

T = TypeVar("T")

Pick: TypeAlias = Callable[[int], int]
"""A random number below the given one."""

# Up to this concurrency pods are filled one after the other, above they take turns.
_PACKED = 3
# A pod that is announced ready and refuses connections is on its way, or has just gone: nobody tells us which.
_REFUSED = Backoff(first=0.004, limit=0.1)
# Places of those who left behind somebody who still waits, before they are cleared away.
_SPARE = 64


@dataclass(slots=True, eq=False)
class Pod:
    """A ready pod. `not_before`: it refused a connection and is left alone until then. Seconds."""

    address: Address
    in_flight: int = 0
    not_before: float = 0.0
    refusals: int = 0

    def takes_more(self, concurrency: int, now: float) -> bool:
        return self.not_before <= now and (concurrency == 0 or self.in_flight < concurrency)


class State(Enum):
    WAITING = "waiting"
    RUNNING = "running"
    OVER = "over"


@dataclass(slots=True, eq=False)
class Ticket(Generic[T]):
    """One request. `slept`: no pod was ready when it came. `pod` while it is running."""

    request: T
    order: int
    slept: bool
    state: State = State.WAITING
    pod: Pod | None = None


class Throttle(Generic[T]):
    """The line of one revision. `depth`: how many may wait. `concurrency` 0: a pod takes any number."""

    def __init__(self, concurrency: int, depth: int, pick: Pick) -> None:
        self._concurrency = concurrency
        self._depth = depth
        self._pick = pick
        self._pods: list[Pod] = []
        self._line: list[tuple[int, Ticket[T]]] = []
        self._waiting = 0
        self._arrived = 0
        self._last = -1

    @property
    def waiting(self) -> int:
        return self._waiting

    @property
    def pods(self) -> Sequence[Address]:
        """Those that are ready, in order."""
        return [one.address for one in self._pods]

    def set_pods(self, addresses: Iterable[Address]) -> None:
        """These are ready. What runs on others goes on there."""
        known = {one.address: one for one in self._pods}
        self._pods = [known.get(one) or Pod(one) for one in sorted(set(addresses))]

    def arrive(self, request: T) -> Ticket[T] | None:
        """None: the line is full."""
        if self._waiting >= self._depth:
            return None
        self._arrived += 1
        ticket = Ticket(request, self._arrived, slept=not self._pods)
        self._enter(ticket)
        return ticket

    def assign(self, now: float) -> list[Ticket[T]]:
        """Those that go now, first come first served; each one's `pod` is set and has room for it."""
        going: list[Ticket[T]] = []
        while (ticket := self._first()) is not None:
            pod = self._choose(now)
            if pod is None:
                break
            heapq.heappop(self._line)
            self._waiting -= 1
            ticket.state, ticket.pod = State.RUNNING, pod
            pod.in_flight += 1
            going.append(ticket)
        return going

    def finish(self, ticket: Ticket[T]) -> None:
        """Answered, given up by its client, or out of time. Said twice it is as said once."""
        if ticket.state is State.WAITING:
            self._waiting -= 1
        self._release(ticket)
        ticket.state = State.OVER
        if len(self._line) > 2 * self._waiting + _SPARE:
            self._line = [one for one in self._line if one[1].state is State.WAITING]
            heapq.heapify(self._line)

    def refused(self, ticket: Ticket[T], now: float) -> None:
        """Its pod took no connection, so that nothing of the request was sent: it waits again, at its old place."""
        if ticket.state is not State.RUNNING or ticket.pod is None:
            return
        pod = ticket.pod
        if pod.not_before <= now:
            pod.not_before, pod.refusals = now + _REFUSED.delay(pod.refusals + 1), pod.refusals + 1
        self._release(ticket)
        ticket.state = State.WAITING
        self._enter(ticket)

    def accepted(self, ticket: Ticket[T]) -> None:
        """Its pod took a connection."""
        if ticket.pod is not None:
            ticket.pod.refusals = 0

    def next_try(self, now: float) -> float | None:
        """When a pod that refused may be tried again, if somebody waits for that."""
        moments = [one.not_before for one in self._pods if one.not_before > now]
        return min(moments) if moments and self._waiting else None

    def everybody_waiting(self) -> list[Ticket[T]]:
        return [ticket for _, ticket in sorted(self._line) if ticket.state is State.WAITING]

    # --- the line ---------------------------------------------------------------------------------------------------

    def _enter(self, ticket: Ticket[T]) -> None:
        self._waiting += 1
        heapq.heappush(self._line, (ticket.order, ticket))

    def _first(self) -> Ticket[T] | None:
        """Those who left are taken out when they come to the front."""
        while self._line and self._line[0][1].state is not State.WAITING:
            heapq.heappop(self._line)
        return self._line[0][1] if self._line else None

    def _release(self, ticket: Ticket[T]) -> None:
        if ticket.pod is not None:
            ticket.pod.in_flight -= 1
            ticket.pod = None

    # --- the choice of a pod ----------------------------------------------------------------------------------------

    def _choose(self, now: float) -> Pod | None:
        if self._concurrency == 0:
            return self._lighter_of_two(now)
        if self._concurrency <= _PACKED:
            return next((one for one in self._pods if one.takes_more(self._concurrency, now)), None)
        return self._next_in_turn(now)

    def _lighter_of_two(self, now: float) -> Pod | None:
        free = self._pods if all(one.not_before <= now for one in self._pods) else self._available(now)
        if len(free) < 2:
            return free[0] if free else None
        first = self._pick(len(free))
        second = (first + 1 + self._pick(len(free) - 1)) % len(free)
        one, other = free[first], free[second]
        return one if one.in_flight <= other.in_flight else other

    def _available(self, now: float) -> list[Pod]:
        return [one for one in self._pods if one.not_before <= now]

    def _next_in_turn(self, now: float) -> Pod | None:
        count = len(self._pods)
        for step in range(1, count + 1):
            index = (self._last + step) % count
            if self._pods[index].takes_more(self._concurrency, now):
                self._last = index
                return self._pods[index]
        return None


@dataclass(frozen=True, slots=True)
class Limits:
    """What a revision says about its requests. Times in seconds; 0 is none."""

    concurrency: int = 0
    timeout: float = 300.0
    response_start: float = 0.0
    idle: float = 0.0


@dataclass(slots=True)
class Patience:
    """How long one request may go on: in all, until its answer starts, and since its answer last went on.

    Before the answer starts the last one counts from the arrival, so it limits that time as well (as in Knative).
    """

    limits: Limits
    arrived: float
    wrote: float | None = None

    def due(self) -> float:
        """The moment at which it is over if nothing happens before; infinite without any limit."""
        limits, ends = self.limits, [float("inf")]
        if limits.timeout:
            ends.append(self.arrived + limits.timeout)
        if limits.response_start and self.wrote is None:
            ends.append(self.arrived + limits.response_start)
        if limits.idle:
            ends.append((self.arrived if self.wrote is None else self.wrote) + limits.idle)
        return min(ends)
