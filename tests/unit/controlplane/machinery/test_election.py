import asyncio

import pytest
from tests.fakes.api import MemoryApi, Write
from tests.fakes.clock import FakeClock
from tests.fakes.settled import settled

from inferplane.client.kubernetes.api import ServerUnreachable
from inferplane.client.kubernetes.kinds import LEASE
from inferplane.controlplane.machinery.cache import Key
from inferplane.controlplane.machinery.election import Election, LeadershipLost, Move, Observed, decide
from inferplane.kernel.json import JsonObject, text_at

LEADER = Key("kube-system", "inferplane")


def lease(holder: str) -> JsonObject:
    return {"metadata": {"resourceVersion": "1"}, "spec": {"holderIdentity": holder, "leaseDurationSeconds": 15}}


@pytest.mark.parametrize(
    ("found", "idle", "move"),
    [
        (None, 0.0, Move.CREATE),
        (lease("me"), 100.0, Move.RENEW),
        (lease("you"), 15.0, Move.WAIT),
        (lease("you"), 15.1, Move.TAKE),
        (lease(""), 0.0, Move.TAKE),
    ],
)
def test_a_lease_is_taken_only_when_it_is_free_or_was_idle_for_its_duration(
    found: JsonObject | None, idle: float, move: Move
) -> None:
    assert decide(found, Observed("1", 100.0) if found else None, "me", 100.0 + idle) is move


def holder(api: MemoryApi) -> str:
    return text_at(api.peek(LEASE, LEADER.name, LEADER.namespace) or {}, "spec", "holderIdentity")


async def test_a_second_candidate_takes_over_when_the_first_gives_up() -> None:
    api, clock = MemoryApi(), FakeClock()
    led: list[str] = []

    async def work(name: str) -> None:
        led.append(name)
        await asyncio.Event().wait()

    first = asyncio.create_task(Election(api, LEADER, "one", clock).lead(lambda: work("one")))
    await settled(api, [])
    second = asyncio.create_task(Election(api, LEADER, "two", clock).lead(lambda: work("two")))
    await settled(api, [])
    assert (led, holder(api)) == (["one"], "one")
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    clock.advance(2)
    await settled(api, [])
    assert (led, holder(api)) == (["one", "two"], "two")
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    assert holder(api) == ""


async def test_a_leader_that_cannot_renew_stops_its_work_before_others_may_start() -> None:
    api, clock, stopped = MemoryApi(), FakeClock(), list[float]()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.append(clock.monotonic())

    def refuse(_: Write) -> None:
        raise ServerUnreachable("refused")

    leader = asyncio.create_task(Election(api, LEADER, "one", clock).lead(work))
    await settled(api, [])
    api.intercept = refuse
    for _ in range(6):
        clock.advance(2)
        await settled(api, [])
    with pytest.raises(LeadershipLost, match="not renewed within 10 s"):
        await leader
    assert stopped == [10.0]
