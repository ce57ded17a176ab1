"""The recorded requests again, each once and in their order: as fast as they go, at a rate, or as they came.

At a rate, or as they came, a request has a moment at which it is due, and its latency counts from that moment where
no connection was free by then: a server that stalls cannot hide the requests that would have come meanwhile.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from inferplane.cli.replay.records import Answer, Entry, RecordError
from inferplane.client.inference.calls import JSON_LENGTH
from inferplane.client.inference.connection import Received
from inferplane.client.inference.errors import ClientError
from inferplane.kernel.clock import Clock


@dataclass(frozen=True, slots=True)
class Pace:
    """`rate` in requests a second, or `speed` as a multiple of how they came; neither: as fast as they go."""

    concurrency: int = 16
    rate: float | None = None
    speed: float | None = None
    timeout: float = 60.0

    def words(self) -> str:
        if self.rate:
            return f"{self.rate:g} requests a second"
        if self.speed:
            return "as they came" if self.speed == 1 else f"{self.speed:g} times as fast as they came"
        return f"{self.concurrency} at a time"

    def notes(self) -> list[str]:
        """What to know of the times."""
        if self.speed == 1:
            return []
        return ["times are of another load than the recorded ones: for times to compare, --rate recorded"]


class Asks(Protocol):
    """A request's bytes to an answer (`client.inference.pool.Pool`)."""

    async def exchange(self, request: Sequence[bytes], timeout: float | None) -> Received: ...


_LATE = 0.001
"""Seconds; less is the program's own doing."""

Prepare: TypeAlias = Callable[[Entry], bytes]
"""An entry's request as it goes over the wire. Raises RecordError for one that cannot be sent."""


class Done(Protocol):
    """Told of each entry once: its answer, or why there is none."""

    def answered(self, position: int, answer: Answer) -> None: ...
    def failed(self, position: int, reason: str) -> None: ...
    def left_out(self, position: int, reason: str) -> None: ...


def moments(entries: Sequence[Entry], pace: Pace) -> Iterator[float | None]:
    """Seconds after the start at which each is due; None is "when a connection is free". Pure. Raises RecordError."""
    if pace.rate:
        yield from (position / pace.rate for position in range(len(entries)))
    elif pace.speed:
        yield from _as_they_came(entries, pace.speed)
    else:
        yield from (None for _ in entries)


def _as_they_came(entries: Sequence[Entry], speed: float) -> Iterator[float]:
    first = min((one.when for one in entries if one.when is not None), default=0.0)
    for one in entries:
        if one.when is None:
            raise RecordError(f"line {one.line}: the event has no time", fix="give --rate a number")
        yield max(0.0, one.when - first) / speed


async def replay(
    entries: Sequence[Entry], ask: Asks, prepare: Prepare, pace: Pace, done: Done, clock: Clock
) -> tuple[float, int]:
    """Seconds that it took, and how many requests were due before a connection was free."""
    due = enumerate(zip(entries, list(moments(entries, pace)), strict=True))
    run = _Run(due, ask, prepare, pace, done, clock)
    async with asyncio.TaskGroup() as workers:
        for _ in range(min(pace.concurrency, len(entries))):
            workers.create_task(run.work())
    return clock.monotonic() - run.started, run.late


class _Run:
    """Workers take what is next from one list, so requests start in their order."""

    def __init__(
        self,
        due: Iterator[tuple[int, tuple[Entry, float | None]]],
        ask: Asks,
        prepare: Prepare,
        pace: Pace,
        done: Done,
        clock: Clock,
    ) -> None:
        self._due = due
        self._ask = ask
        self._prepare = prepare
        self._pace = pace
        self._done = done
        self._clock = clock
        self.started = clock.monotonic()
        self.late = 0

    async def work(self) -> None:
        for position, (entry, moment) in self._due:
            try:
                request = self._prepare(entry)
            except RecordError as error:
                self._done.left_out(position, error.message)
                continue
            since = await self._wait(moment)
            try:
                received = await self._ask.exchange((request,), self._pace.timeout)
            except ClientError as error:
                self._done.failed(position, error.message.removeprefix(f"{error.url}: "))
                continue
            self._done.answered(position, _answer(received, self._clock.monotonic() - since))

    async def _wait(self, moment: float | None) -> float:
        now = self._clock.monotonic()
        if moment is None:
            return now
        due = self.started + moment
        if due > now:
            await self._clock.sleep(due - now)
            # A timer may be a millisecond late: that is no time of the server's.
            return self._clock.monotonic()
        if now - due > _LATE:
            self.late += 1
        return due


def _answer(received: Received, seconds: float) -> Answer:
    length = received.headers.get(JSON_LENGTH, "")
    return Answer(
        received.status,
        received.body,
        received.headers.get("content-type", ""),
        int(length) if length.isdecimal() else None,
        seconds,
    )
