import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.fakes.clock import FakeClock

from inferplane.controlplane.machinery.cache import Key
from inferplane.controlplane.machinery.queue import WorkQueue
from inferplane.kernel.backoff import Backoff

A, B, C = Key("default", "a"), Key("default", "b"), Key("default", "c")


@pytest.fixture
async def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def queue(clock: FakeClock) -> AsyncIterator[WorkQueue]:
    queue = WorkQueue(clock, Backoff(first=1.0, limit=60.0))
    yield queue
    queue.close()


async def passed(clock: FakeClock, seconds: float) -> None:
    for _ in range(3):
        await asyncio.sleep(0)
    clock.advance(seconds)
    for _ in range(3):
        await asyncio.sleep(0)


async def taken(queue: WorkQueue) -> list[Key]:
    """Everything that is due."""
    found = []
    while not queue.idle:
        found.append(await queue.take())
        queue.done(found[-1])
    return found


async def test_delayed_keys_come_in_the_order_of_their_moments(queue: WorkQueue, clock: FakeClock) -> None:
    for key, after in ((A, 3.0), (B, 1.0), (C, 2.0)):
        queue.add(key, after)
    await passed(clock, 1.5)
    assert await taken(queue) == [B]
    await passed(clock, 2.0)
    assert await taken(queue) == [C, A]


async def test_of_several_moments_the_earliest_counts_and_the_others_are_forgotten(
    queue: WorkQueue, clock: FakeClock
) -> None:
    for after in (5.0, 2.0, 9.0):
        queue.add(A, after)
    await passed(clock, 2.0)
    assert await taken(queue) == [A]
    await passed(clock, 10.0)
    assert await taken(queue) == []


async def test_a_key_may_be_delayed_again_after_it_came(queue: WorkQueue, clock: FakeClock) -> None:
    queue.add(A, 5.0)
    queue.add(A, 1.0)
    await passed(clock, 1.0)
    queue.add(A, 4.0)
    assert await taken(queue) == [A]
    await passed(clock, 3.9)
    assert await taken(queue) == []
    await passed(clock, 0.1)
    assert await taken(queue) == [A]


async def test_a_delay_that_is_shorter_than_all_others_is_kept(queue: WorkQueue, clock: FakeClock) -> None:
    queue.add(A, 10.0)
    await passed(clock, 1.0)
    queue.add(B, 2.0)
    await passed(clock, 2.0)
    assert await taken(queue) == [B]


async def test_a_thousand_delays_wait_in_one_task(queue: WorkQueue, clock: FakeClock) -> None:
    before = len(asyncio.all_tasks())
    for number in range(1000):
        queue.add(Key("default", str(number)), 15.0 + number / 1000)
    await passed(clock, 0.0)
    assert len(asyncio.all_tasks()) == before + 1
    await passed(clock, 16.0)
    assert len(await taken(queue)) == 1000


async def test_a_failed_key_comes_back_after_its_back_off(queue: WorkQueue, clock: FakeClock) -> None:
    assert (queue.failed(A), queue.failed(A)) == (1.0, 2.0)
    await passed(clock, 1.0)
    assert await taken(queue) == [A]
