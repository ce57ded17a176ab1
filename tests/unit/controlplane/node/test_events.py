from tests.fakes.api import MemoryApi, Write
from tests.fakes.clock import FakeClock

from inferplane.client.kubernetes import kinds
from inferplane.client.kubernetes.api import ServerUnreachable
from inferplane.controlplane.node.events import Recorder
from inferplane.kernel.json import object_at
from inferplane.resources.core import Pod
from inferplane.resources.meta import ObjectMeta

POD = Pod(metadata=ObjectMeta(name="iris", namespace="default", uid="u"))


async def test_an_event_names_its_pod_and_container() -> None:
    api = MemoryApi()
    recorder = Recorder(api, FakeClock(), "here")
    recorder.warning(POD, "Unhealthy", "no answer", "main")
    await recorder.flush()
    (event,) = api.objects(kinds.EVENT)
    assert (event["type"], event["reason"], event["message"], event["count"]) == (
        "Warning",
        "Unhealthy",
        "no answer",
        1,
    )
    assert object_at(event, "involvedObject")["fieldPath"] == "spec.containers{main}"
    assert object_at(event, "involvedObject")["uid"] == "u"


async def test_a_repetition_is_counted_not_written_again() -> None:
    api = MemoryApi()
    recorder = Recorder(api, FakeClock(), "here")
    for _ in range(3):
        recorder.warning(POD, "Unhealthy", "no answer", "main")
    await recorder.flush()
    assert [one["count"] for one in api.objects(kinds.EVENT)] == [3]


async def test_events_wait_for_a_server_that_is_away() -> None:
    api = MemoryApi()
    recorder, away = Recorder(api, FakeClock(), "here"), True

    def refuse(write: Write) -> None:
        if away:
            raise ServerUnreachable("refused")

    api.intercept = refuse
    recorder.normal(POD, "Started", "Started container main", "main")
    await recorder.flush()
    assert api.objects(kinds.EVENT) == []
    away = False
    await recorder.flush()
    assert [one["reason"] for one in api.objects(kinds.EVENT)] == ["Started"]
