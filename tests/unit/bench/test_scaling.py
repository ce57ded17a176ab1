"""The recorder of a real run, over made-up time: each second's requests, what was in flight, what was seen."""

import asyncio

from bench.scaling import Sent, record, summary
from tests.fakes.clock import FakeClock

from inferplane.controlplane.autoscaling.curves import parse
from inferplane.kernel.json import JsonObject


async def recorded(load: str, seconds: int, answer_after: float) -> tuple[list[JsonObject], Sent]:
    clock = FakeClock()

    async def ask() -> str:
        await clock.sleep(answer_after)
        return "200"

    async def look() -> JsonObject:
        return {"ready": int(clock.monotonic())}

    task = asyncio.create_task(record(ask, look, parse(load, "load"), seconds, clock))
    while not task.done():
        for _ in range(5):
            await asyncio.sleep(0)
        clock.advance(0.005)
    return task.result()


async def test_each_second_has_its_requests_and_their_average_in_flight() -> None:
    frames, sent = await recorded("0:10,2:40", 4, 0.1)
    assert [frame["t"] for frame in frames] == [1, 2, 3, 4]
    assert [round(float(str(frame["rate"])), -1) for frame in frames] == [10, 10, 40, 40]
    assert abs(float(str(frames[3]["inFlight"])) - 4) < 0.3
    assert sent.statuses == {"200": len(sent.latencies)}


async def test_what_is_seen_goes_with_the_second_in_which_it_was() -> None:
    frames, _ = await recorded("0:1", 3, 0.01)
    assert [frame["ready"] for frame in frames] == [0, 1, 2]


def test_the_sum_names_each_status() -> None:
    sent = Sent(latencies=[1.0, 2.0, 30.0])
    sent.statuses.update({"200": 2, "503": 1})
    assert summary(sent) == "2 × 200, 1 × 503; p50 2.0 ms, p99 30.0 ms, longest 30.0 ms"
    assert summary(Sent()) == "no request"
