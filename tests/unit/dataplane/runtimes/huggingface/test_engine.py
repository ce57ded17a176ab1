"""Who takes part in a step, and who is told what; the model is one that counts."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence

import pytest

from inferplane.dataplane.runtimes.huggingface.batching import Chosen, Limits, Piece, Run, Sampling
from inferplane.dataplane.runtimes.huggingface.engine import Engine, Replies, Sizes
from inferplane.inference.errors import InferenceError, Overloaded


class Counting:
    """Its next token is one more than the last. Takes a step when it is let, and notes how many rows each has."""

    def __init__(self, *, held: bool = False) -> None:
        self.rows: list[Run] = []
        self.steps: list[int] = []
        self.begun: list[Run] = []
        self.read = 0
        self.fails: Exception | None = None
        self.may = threading.Semaphore(0)
        self._held = held

    def begin(self, runs: Sequence[Run]) -> None:
        self.begun, self.read = [*runs], 0

    def advance(self, most: int) -> list[Chosen] | None:
        self.read += most
        if self.read < sum(len(run.prompt) for run in self.begun):
            return None
        joined, self.begun = self.begun, []
        self.rows += joined
        return [Chosen(run.prompt[-1] + 1) for run in joined]

    def abandon(self) -> None:
        self.begun = []

    def step(self) -> list[Chosen]:
        if self._held:
            assert self.may.acquire(timeout=10)
        if self.fails is not None:
            raise self.fails
        self.steps.append(len(self.rows))
        return [Chosen(run.tokens[-1] + 1) for run in self.rows]

    def leave(self, rows: Sequence[int]) -> None:
        self.rows = [run for row, run in enumerate(self.rows) if row not in set(rows)]

    def clear(self) -> None:
        self.rows = []


def numbers(tokens: Sequence[int]) -> str:
    return "".join(f"{token};" for token in tokens)


def run(start: int, count: int, index: int = 0) -> Run:
    return Run(index, [start], Sampling(), Limits(count), numbers)


Started = Callable[..., Engine]


@pytest.fixture
async def started() -> AsyncIterator[Started]:
    engines: list[Engine] = []

    def start(model: Counting, sizes: Sizes | None = None) -> Engine:
        engines.append(Engine("m", model, sizes or Sizes()))
        return engines[-1]

    yield start
    for engine in engines:
        await asyncio.to_thread(engine.close)


async def text(replies: Replies) -> str:
    return "".join([piece.text async for pieces in replies for piece in pieces])


async def until(claim: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not claim():  # noqa: ASYNC110  # the engine's thread sets no events of this loop
            await asyncio.sleep(0.001)


async def test_each_gets_its_own_text(started: Started) -> None:
    engine = started(Counting())
    found = await asyncio.gather(*(text(engine.submit([run(start, 4)])) for start in (10, 20, 30)))
    assert found == ["11;12;13;14;", "21;22;23;24;", "31;32;33;34;"]


async def test_texts_of_one_request_go_by_their_number(started: Started) -> None:
    engine = started(Counting())
    pieces: list[Piece] = []
    async for some in engine.submit([run(10, 2, index=0), run(20, 2, index=1)]):
        pieces += some
    texts = {index: "".join(one.text for one in pieces if one.index == index) for index in (0, 1)}
    assert texts == {0: "11;12;", 1: "21;22;"}


async def test_waiting_texts_share_their_steps(started: Started) -> None:
    model = Counting()
    engine = started(model)
    await text(engine.submit([run(start, 11, index) for index, start in enumerate(range(0, 1600, 100))]))
    assert model.steps == [16] * 10


async def test_one_that_comes_later_joins_the_steps_of_those_under_way(started: Started) -> None:
    model = Counting(held=True)
    engine = started(model)
    first = engine.submit([run(10, 4)])
    await until(lambda: engine.state.running == 1)
    second = engine.submit([run(20, 3)])
    for _ in range(8):
        model.may.release()
    assert [await text(first), await text(second)] == ["11;12;13;14;", "21;22;23;"]
    assert model.steps == [1, 2, 2]


async def test_no_more_are_generated_together_than_may_be(started: Started) -> None:
    model = Counting()
    engine = started(model, Sizes(batch=2))
    await text(engine.submit([run(start, 3, index) for index, start in enumerate((10, 20, 30))]))
    assert max(model.steps) == 2


async def test_one_too_many_is_refused_and_told_when_to_come_again(started: Started) -> None:
    model = Counting(held=True)
    engine = started(model, Sizes(batch=1, waiting=2))
    replies = [engine.submit([run(10, 3)])]
    await until(lambda: engine.state.running == 1)
    replies += [engine.submit([run(20, 3)]), engine.submit([run(30, 3)])]
    with pytest.raises(Overloaded) as refused:
        engine.submit([run(40, 3)])
    assert refused.value.retry_after >= 1
    for _ in range(9):
        model.may.release()
    assert [await text(one) for one in replies] == ["11;12;13;", "21;22;23;", "31;32;33;"]


async def test_one_whose_client_leaves_makes_room_for_the_next(started: Started) -> None:
    model = Counting(held=True)
    engine = started(model, Sizes(batch=1))
    with engine.submit([run(10, 1000)]) as first:
        await anext(first)
        second = engine.submit([run(20, 2)])
    for _ in range(4):
        model.may.release()
    assert await text(second) == "21;22;"
    assert len(first.runs[0].tokens) < 10


async def test_one_that_leaves_while_it_waits_is_never_begun(started: Started) -> None:
    model = Counting(held=True)
    engine = started(model, Sizes(batch=1))
    first = engine.submit([run(10, 3)])
    await until(lambda: engine.state.running == 1)
    waiting = engine.submit([run(20, 3)])
    waiting.close()
    for _ in range(4):
        model.may.release()
    assert await text(first) == "11;12;13;"
    await until(lambda: engine.state.waiting == 0)
    assert waiting.runs[0].tokens == []


async def test_one_that_leaves_while_its_prompt_is_read_with_others_goes_no_further(started: Started) -> None:
    model = Counting(held=True)
    engine = started(model, Sizes(reading=10))
    first = engine.submit([run(10, 1_000)])
    await until(lambda: engine.state.running == 1)
    stays, leaves = (engine.submit([Run(0, [start] * 20, Sampling(), Limits(5), numbers)]) for start in (20, 30))
    model.may.release()
    await until(lambda: model.read >= 10 and len(model.begun) == 2)
    leaves.close()
    for _ in range(12):
        model.may.release()
    assert await text(stays) == "21;22;23;24;25;"
    assert len(leaves.runs[0].tokens) <= 1
    first.close()


async def test_a_long_prompt_is_read_between_the_steps_of_others(started: Started) -> None:
    model = Counting()
    engine = started(model, Sizes(reading=10))
    short = engine.submit([run(10, 1_000)])
    await anext(short)
    before = engine.state.steps
    long = Run(0, [7] * 100, Sampling(), Limits(1), numbers)
    assert await text(engine.submit([long])) == "8;"
    assert engine.state.steps - before >= 9
    short.close()


async def test_a_failure_is_told_to_those_under_way_and_the_next_are_served(started: Started) -> None:
    model = Counting()
    engine = started(model)
    model.fails = ValueError("no memory")
    with pytest.raises(ValueError, match="no memory"):
        await text(engine.submit([run(10, 3)]))
    model.fails = None
    assert await text(engine.submit([run(10, 3)])) == "11;12;13;"


async def test_closing_fails_what_is_under_way_and_what_waits(started: Started) -> None:
    model = Counting(held=True)
    engine = started(model, Sizes(batch=1))
    replies = [engine.submit([run(10, 100)]), engine.submit([run(20, 3)])]
    await anext(replies[0])
    closing = asyncio.create_task(asyncio.to_thread(engine.close))
    await until(lambda: engine._closed)
    model.may.release()
    await closing
    for one in replies:
        with pytest.raises(InferenceError, match="has been stopped"):
            await text(one)
    with pytest.raises(InferenceError, match="has been stopped"):
        engine.submit([run(30, 3)])
