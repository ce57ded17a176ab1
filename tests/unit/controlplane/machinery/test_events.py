import asyncio

from tests.fakes.api import MemoryApi
from tests.fakes.clock import FakeClock

from inferplane.client.kubernetes.kinds import EVENT, POD
from inferplane.controlplane.machinery.events import Recorder
from inferplane.controlplane.machinery.owners import object_reference
from inferplane.kernel.json import number_at, text_at
from inferplane.resources.meta import ObjectMeta

POD_A = object_reference(POD, ObjectMeta(name="a", namespace="default", uid="1"))


async def test_the_same_news_is_one_event_whose_count_and_last_time_grow() -> None:
    clock = FakeClock()
    api = MemoryApi(clock)
    recorder = Recorder(api, "node", clock)
    task = asyncio.create_task(recorder.run())
    for _ in range(3):
        recorder.event(POD_A, "Warning", "BackOff", "restarting")
        clock.advance(10)
        await recorder.flush()
    recorder.event(POD_A, "Normal", "Started", "started")
    await recorder.flush()
    task.cancel()
    found = {text_at(one, "reason"): one for one in api.objects(EVENT)}
    assert sorted(found) == ["BackOff", "Started"]
    again = found["BackOff"]
    assert (number_at(again, "count"), text_at(again, "firstTimestamp"), text_at(again, "lastTimestamp")) == (
        3,
        "2026-01-01T00:00:10Z",
        "2026-01-01T00:00:30Z",
    )
    assert again["involvedObject"] == {
        "apiVersion": "v1",
        "kind": "Pod",
        "namespace": "default",
        "name": "a",
        "uid": "1",
    }


async def test_an_event_that_was_deleted_is_told_anew() -> None:
    api = MemoryApi()
    recorder = Recorder(api, "node", FakeClock())
    task = asyncio.create_task(recorder.run())
    recorder.event(POD_A, "Normal", "Started", "started")
    await recorder.flush()
    api.remove(EVENT, text_at(api.objects(EVENT)[0], "metadata", "name"))
    recorder.event(POD_A, "Normal", "Started", "started")
    await recorder.flush()
    task.cancel()
    assert [number_at(one, "count") for one in api.objects(EVENT)] == [1]
