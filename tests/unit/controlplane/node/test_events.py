import asyncio

from tests.fakes.api import MemoryApi
from tests.fakes.clock import FakeClock

from inferplane.client.kubernetes import kinds
from inferplane.controlplane.machinery.events import Recorder
from inferplane.controlplane.node.events import PodEvents
from inferplane.kernel.json import text_at
from inferplane.resources.core import Pod
from inferplane.resources.meta import ObjectMeta

POD = Pod(metadata=ObjectMeta(name="iris", namespace="default", uid="u"))


async def test_an_event_names_its_pod_and_container_and_is_written_a_moment_later() -> None:
    api, clock = MemoryApi(), FakeClock()
    recorder = Recorder(api, "inferplane-node", clock)
    events = PodEvents(recorder, clock)
    tasks = [asyncio.create_task(recorder.run()), asyncio.create_task(events.run())]
    events.warning(POD, "Unhealthy", "no answer", "main")
    while not clock.sleepers:  # noqa: ASYNC110 - the fake clock has no event for it
        await asyncio.sleep(0)
    assert api.objects(kinds.EVENT) == []
    clock.advance(1)
    while not api.objects(kinds.EVENT):  # noqa: ASYNC110 - as above
        await asyncio.sleep(0)
    (event,) = api.objects(kinds.EVENT)
    assert (event["type"], event["reason"], event["message"]) == ("Warning", "Unhealthy", "no answer")
    assert text_at(event, "involvedObject", "fieldPath") == "spec.containers{main}"
    assert text_at(event, "involvedObject", "uid") == "u"
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
