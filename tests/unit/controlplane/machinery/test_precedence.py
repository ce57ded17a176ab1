"""What stands back goes on when nobody waits any more, and is never held up for long."""

import asyncio

from tests.fakes.clock import FakeClock

from inferplane.controlplane.machinery.cache import Key
from inferplane.controlplane.machinery.controller import Controller
from inferplane.controlplane.machinery.precedence import TURN, Precedence


async def passes(first: Precedence) -> bool:
    """Whether one who stands back may go on now."""
    going = asyncio.create_task(first.calm())
    for _ in range(3):
        await asyncio.sleep(0)
    gone = going.done()
    going.cancel()
    await asyncio.gather(going, return_exceptions=True)
    return gone


async def test_while_nobody_waits_everybody_goes_on() -> None:
    assert await passes(Precedence(FakeClock()))


async def test_others_stand_back_until_the_last_one_who_waits_has_ended() -> None:
    first = Precedence(FakeClock())
    first.begin()
    first.begin()
    first.end()
    assert (first.taken, await passes(first)) == (True, False)
    first.end()
    assert (first.taken, await passes(first)) == (False, True)


async def test_nobody_stands_back_for_longer_than_a_turn_and_the_next_turn_is_theirs() -> None:
    clock = FakeClock()
    first = Precedence(clock)
    first.begin()
    await asyncio.sleep(0)
    clock.advance(TURN)
    assert await passes(first)
    first.begin()
    assert await passes(first)
    clock.advance(TURN)
    first.begin()
    assert not await passes(first)
    for _ in range(3):
        first.end()
    assert await passes(first)


async def test_a_turn_that_ended_early_does_not_open_the_next_one() -> None:
    clock = FakeClock()
    first = Precedence(clock)
    first.begin()
    await asyncio.sleep(0)
    first.end()
    await asyncio.sleep(0)
    first.begin()
    await asyncio.sleep(0)
    clock.advance(TURN / 2)
    assert not await passes(first)
    assert clock.sleepers == [TURN]
    first.end()


async def test_a_controller_that_stands_back_reconciles_afterwards() -> None:
    seen: list[Key] = []

    async def reconcile(key: Key) -> None:
        seen.append(key)

    clock = FakeClock()
    first, controller = Precedence(clock), Controller("test", reconcile, clock=clock)
    first.begin()
    controller.enqueue(Key("default", "a"))
    running = asyncio.create_task(controller.run(first))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not seen
    first.end()
    for _ in range(5):
        await asyncio.sleep(0)
    assert seen == [Key("default", "a")]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_what_was_left_is_enqueued_once_when_nobody_has_to_go_first() -> None:
    seen: list[Key] = []
    first, key = Precedence(FakeClock()), Key("default", "a")
    first.begin()
    first.afterwards(seen.append, key)
    first.afterwards(seen.append, key)
    assert not seen
    first.end()
    assert seen == [key]
    first.afterwards(seen.append, key)
    assert seen == [key, key]
