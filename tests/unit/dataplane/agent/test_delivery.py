"""What becomes of events when a sink is slow, down or wrong, over made-up time."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from msgspec import structs
from tests.fakes.clock import FakeClock

from inferplane.dataplane.agent.delivery import Delivery
from inferplane.dataplane.agent.events import REQUEST, Event, Exchange
from inferplane.dataplane.agent.logger import Logger
from inferplane.dataplane.agent.settings import Bounds, LoggerSettings
from inferplane.dataplane.agent.sinks.sink import Batch, Refused, Unavailable


@dataclass
class Count:
    value: float = 0.0

    def add(self, amount: float = 1.0) -> None:
        self.value += amount

    def set(self, value: float) -> None:
        self.value = value


@dataclass
class Counted:
    queued: Count = field(default_factory=Count)
    sent: Count = field(default_factory=Count)
    dropped: Count = field(default_factory=Count)
    failed: Count = field(default_factory=Count)

    @property
    def all(self) -> list[float]:
        """Queued, sent, dropped, failed."""
        return [self.queued.value, self.sent.value, self.dropped.value, self.failed.value]


@dataclass
class Sink:
    """Takes events unless `error` says otherwise; with `holds` a call of `send` does not end by itself."""

    batch: Batch = field(default_factory=Batch)
    senders: int = 1
    error: Callable[[], Exception] | None = None
    holds: bool = False
    name: str = "sink"
    got: list[str] = field(default_factory=list)
    tries: int = 0
    is_closed: bool = False

    async def send(self, events: Sequence[Event]) -> None:
        self.tries += 1
        if self.holds:
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error()
        self.got += [event.id for event in events]

    async def close(self) -> None:
        self.is_closed = True


@dataclass
class Case:
    sink: Sink
    delivery: Delivery
    counts: Counted
    clock: FakeClock

    def offer(self, *names: str) -> None:
        self.delivery.offer([Event({"id": name, "type": REQUEST}, b"x") for name in names])


@asynccontextmanager
async def delivering(sink: Sink, bounds: Bounds | None = None) -> AsyncIterator[Case]:
    counts, clock = Counted(), FakeClock()
    delivery = Delivery(sink, bounds or Bounds(), counts, clock)
    delivery.start()
    try:
        yield Case(sink, delivery, counts, clock)
    finally:
        await delivery.finish(0.0)


async def settled() -> None:
    """Everything that can be done without time passing has been done."""
    for _ in range(50):
        await asyncio.sleep(0)


def down() -> Exception:
    return Unavailable("connection refused")


async def test_what_is_offered_is_sent_in_order() -> None:
    async with delivering(Sink()) as case:
        case.offer("a", "b")
        case.offer("c")
        await settled()
        assert (case.sink.got, case.counts.all) == (["a", "b", "c"], [0, 3, 0, 0])


async def test_a_sink_that_is_down_for_an_hour_costs_what_does_not_fit_and_nothing_else() -> None:
    async with delivering(Sink(error=down), Bounds(events=3)) as case:
        case.offer("a", "b", "c", "d", "e")
        await settled()
        for _ in range(3600):
            case.clock.advance(1.0)
            await settled()
        case.offer("f")
        while_down = case.counts.all
        assert case.sink.tries < 400
        case.sink.error = None
        case.clock.advance(10.0)
        await settled()
        assert while_down == [3, 0, 3, 0]
        assert (case.sink.got, case.counts.all) == (["a", "b", "c"], [0, 3, 3, 0])
        case.offer("g")
        await settled()
        assert case.sink.got[-1] == "g"


async def test_pauses_between_tries_grow() -> None:
    async with delivering(Sink(error=down)) as case:
        case.offer("a")
        await settled()
        pauses = []
        for _ in range(9):
            before = case.clock.monotonic()
            case.clock.advance(case.clock.sleepers[0] - before)
            pauses.append(round(case.clock.monotonic() - before, 1))
            await settled()
        assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]


async def test_a_sink_that_asks_for_time_gets_it() -> None:
    async with delivering(Sink(error=lambda: Unavailable("busy", after=7.0))) as case:
        case.offer("a")
        await settled()
        assert case.clock.sleepers == [7.0]


async def test_what_a_sink_refuses_is_not_tried_again_and_the_next_ones_go_on() -> None:
    async with delivering(Sink(error=lambda: Refused("HTTP status 400"))) as case:
        case.offer("a")
        await settled()
        case.sink.error = None
        case.offer("b")
        await settled()
        assert (case.sink.got, case.sink.tries, case.counts.all) == (["b"], 2, [0, 1, 0, 1])


async def test_a_mistake_of_ours_costs_one_batch() -> None:
    async with delivering(Sink(error=lambda: KeyError("x"))) as case:
        case.offer("a")
        await settled()
        case.sink.error = None
        case.offer("b")
        await settled()
        assert (case.sink.got, case.counts.all) == (["b"], [0, 1, 0, 1])


async def test_a_slow_sink_keeps_nobody_waiting() -> None:
    async with delivering(Sink(holds=True), Bounds(events=2)) as case:
        case.offer("a", "b", "c")
        await settled()
        assert case.counts.all == [2, 0, 1, 0]


async def test_several_senders_send_at_the_same_time() -> None:
    async with delivering(Sink(holds=True, senders=3)) as case:
        case.offer("a", "b", "c", "d")
        await settled()
        assert case.sink.tries == 3


async def test_a_small_batch_goes_when_its_time_has_come() -> None:
    async with delivering(Sink(batch=Batch(10, 10, wait=5.0))) as case:
        case.offer("a", "b")
        await settled()
        assert case.sink.got == []
        case.clock.advance(5.0)
        await settled()
        assert case.sink.got == ["a", "b"]


async def test_the_end_sends_what_is_left_however_small_and_closes_the_sink() -> None:
    async with delivering(Sink(batch=Batch(10, 10))) as case:
        case.offer("a", "b")
        await case.delivery.finish(60.0)
        assert (case.sink.got, case.sink.is_closed, case.counts.all) == (["a", "b"], True, [0, 2, 0, 0])


async def test_the_end_does_not_wait_out_a_pause() -> None:
    async with delivering(Sink(error=down)) as case:
        case.offer("a")
        await settled()
        case.sink.error = None
        await case.delivery.finish(60.0)
        assert (case.sink.got, case.counts.all) == (["a"], [0, 1, 0, 0])


async def test_what_cannot_be_sent_in_time_is_counted_as_dropped() -> None:
    async with delivering(Sink(holds=True)) as case:
        case.offer("a", "b")
        await settled()
        await case.delivery.finish(0.01)
        assert case.counts.all == [0, 0, 2, 0]


async def test_for_what_nobody_has_room_no_event_is_made_and_all_are_counted() -> None:
    one = Exchange("", "POST", "/", {}, b"x", 0.0, 200, "", 0, b"y", 0.0)
    counted: dict[str, Counted] = {}
    made: list[str] = []

    def new_id() -> str:
        made.append("id")
        return "id"

    settings = LoggerSettings(("down",), bounds=Bounds(events=2, flush=0.0))
    logger = Logger(settings, [Sink(error=down)], lambda name: counted.setdefault(name, Counted()), FakeClock(), new_id)
    logger.start()
    logger.take([one])
    logger.take([one, one, replace_status(one)])
    assert (counted["sink"].all, len(made)) == ([2, 0, 5, 0], 1)
    await logger.finish()
    assert counted["sink"].all == [0, 0, 7, 0]


def replace_status(one: Exchange) -> Exchange:
    return structs.replace(one, status=500)
