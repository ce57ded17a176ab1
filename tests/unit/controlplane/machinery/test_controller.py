import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.fakes.api import MemoryApi
from tests.fakes.clock import FakeClock
from tests.fakes.settled import settled

from inferplane.controlplane.machinery.cache import Key
from inferplane.controlplane.machinery.controller import Controller, Result
from inferplane.kernel.backoff import Backoff
from inferplane.kernel.errors import InferplaneError

A, B = Key("default", "a"), Key("default", "b")


@asynccontextmanager
async def running(controller: Controller) -> AsyncIterator[None]:
    task = asyncio.create_task(controller.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def rest(controller: Controller) -> None:
    await settled(MemoryApi(), [controller])


async def test_a_key_added_many_times_while_it_waits_is_reconciled_once() -> None:
    seen: list[Key] = []

    async def reconcile(key: Key) -> None:
        seen.append(key)

    controller = Controller("test", reconcile, clock=FakeClock())
    for key in (A, A, B, A):
        controller.enqueue(key)
    async with running(controller):
        await rest(controller)
    assert seen == [A, B]


async def test_a_key_added_while_it_is_reconciled_runs_once_more_and_never_twice_at_once() -> None:
    started, proceed, running_now, most, runs = asyncio.Event(), asyncio.Event(), 0, 0, 0

    async def reconcile(_: Key) -> None:
        nonlocal running_now, most, runs
        running_now, runs = running_now + 1, runs + 1
        most = max(most, running_now)
        started.set()
        await proceed.wait()
        running_now -= 1

    controller = Controller("test", reconcile, clock=FakeClock(), workers=4)
    controller.enqueue(A)
    async with running(controller):
        await started.wait()
        controller.enqueue(A)
        controller.enqueue(A)
        proceed.set()
        await rest(controller)
    assert (runs, most) == (2, 1)


async def test_failures_come_back_after_a_growing_delay_and_are_said_once(caplog: pytest.LogCaptureFixture) -> None:
    clock, runs = FakeClock(), 0

    async def reconcile(_: Key) -> None:
        nonlocal runs
        runs += 1
        if runs < 4:
            raise InferplaneError("no runtime", fix="create one")

    controller = Controller("test", reconcile, clock=clock, backoff=Backoff(first=1.0, limit=3.0))
    controller.enqueue(A)
    delays: list[float] = []
    with caplog.at_level(logging.WARNING):
        async with running(controller):
            await rest(controller)
            while clock.sleepers:
                delays.append(clock.sleepers[0] - clock.monotonic())
                clock.advance(delays[-1])
                await rest(controller)
    assert (runs, delays) == (4, [1.0, 2.0, 3.0])
    assert [one.message for one in caplog.records] == [
        "reconcile failed controller=test key=default/a retry_in=1.000 error=no runtime: create one"
    ]


async def test_a_bug_is_logged_with_its_traceback_and_the_other_keys_go_on(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[Key] = []

    async def reconcile(key: Key) -> None:
        seen.append(key)
        if key == A:
            raise ZeroDivisionError

    controller = Controller("test", reconcile, clock=FakeClock(), workers=1)
    controller.enqueue(A)
    controller.enqueue(B)
    async with running(controller):
        await rest(controller)
    assert seen == [A, B]
    assert [(one.message, one.exc_info is not None) for one in caplog.records] == [
        ("reconcile broke controller=test key=default/a retry_in=0.005", True)
    ]


async def test_a_result_asks_for_another_look_later() -> None:
    clock, seen = FakeClock(), list[float]()

    async def reconcile(_: Key) -> Result | None:
        seen.append(clock.monotonic())
        return Result(requeue_after=30.0) if len(seen) == 1 else None

    controller = Controller("test", reconcile, clock=clock)
    controller.enqueue(A)
    async with running(controller):
        await rest(controller)
        clock.advance(29.0)
        await rest(controller)
        clock.advance(1.0)
        await rest(controller)
    assert seen == [0.0, 30.0]


async def test_of_two_delayed_adds_the_earlier_counts() -> None:
    clock, seen = FakeClock(), list[float]()

    async def reconcile(_: Key) -> None:
        seen.append(clock.monotonic())

    controller = Controller("test", reconcile, clock=clock)
    async with running(controller):
        for after in (10.0, 5.0, 20.0):
            controller.enqueue(A, after)
        for _ in range(5):
            await rest(controller)
            clock.advance(5.0)
        await rest(controller)
    assert seen == [5.0]
