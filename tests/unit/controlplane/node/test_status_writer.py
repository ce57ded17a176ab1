import asyncio

import msgspec
from tests.fakes.api import MemoryApi, Write
from tests.fakes.clock import FakeClock

from inferplane.client.kubernetes import kinds
from inferplane.client.kubernetes.api import ServerUnreachable
from inferplane.controlplane.node.status_writer import StatusWriter
from inferplane.kernel.json import JsonObject, object_at
from inferplane.resources.core import Pod

STATUSES: list[JsonObject] = [{"phase": "Pending"}, {"phase": "Running"}, {"phase": "Succeeded"}]


def bound(api: MemoryApi) -> Pod:
    return msgspec.convert(api.add(kinds.POD, {"metadata": {"name": "iris"}, "spec": {"containers": []}}), Pod)


def phase(api: MemoryApi) -> object:
    return (api.peek(kinds.POD, "iris") or {}).get("status")


async def test_an_unchanged_status_is_written_once() -> None:
    api = MemoryApi()
    pod, writer = bound(api), StatusWriter(api, FakeClock())
    for _ in range(3):
        writer.put(pod, {"phase": "Running"}, urgent=True)
        await writer.flush()
    assert (len(api.writes), phase(api)) == (1, {"phase": "Running"})


async def test_statuses_put_during_a_write_are_skipped_but_for_the_newest() -> None:
    api = MemoryApi()
    pod, writer = bound(api), StatusWriter(api, FakeClock())
    for status in STATUSES:
        writer.put(pod, status, urgent=True)
    await writer.flush()
    assert (len(api.writes), phase(api)) == (1, STATUSES[-1])


async def test_a_status_put_in_the_moment_that_a_write_ends_is_not_lost() -> None:
    api = MemoryApi()
    pod, writer = bound(api), StatusWriter(api, FakeClock())
    for status in STATUSES:
        writer.put(pod, status, urgent=True)
        while phase(api) != status:  # noqa: ASYNC110 - step by step, to hit the moment
            await asyncio.sleep(0)
    await writer.flush()
    assert phase(api) == STATUSES[-1]


async def test_a_server_that_is_away_gets_the_newest_status_when_it_is_back() -> None:
    api, clock = MemoryApi(), FakeClock()
    pod, writer, away = bound(api), StatusWriter(api, clock), True

    def refuse(write: Write) -> None:
        if away:
            raise ServerUnreachable("refused")

    api.intercept = refuse
    writer.put(pod, STATUSES[0], urgent=True)
    while not clock.sleepers:  # noqa: ASYNC110 - the fake clock has no event for it
        await asyncio.sleep(0)
    writer.put(pod, STATUSES[1], urgent=True)
    away = False
    clock.advance(10)
    await writer.flush()
    assert phase(api) == STATUSES[1]


async def test_a_pod_that_is_gone_is_not_written_again_and_again() -> None:
    api = MemoryApi()
    pod, writer = bound(api), StatusWriter(api, FakeClock())
    api.remove(kinds.POD, "iris")
    writer.put(pod, STATUSES[0], urgent=True)
    await writer.flush()
    assert phase(api) is None


async def test_progress_waits_a_moment_and_is_overtaken_by_news() -> None:
    api, clock = MemoryApi(), FakeClock()
    pod, writer = bound(api), StatusWriter(api, clock)
    writer.put(pod, STATUSES[0], urgent=False)
    while not clock.sleepers:  # noqa: ASYNC110 - the fake clock has no event for it
        await asyncio.sleep(0)
    assert api.writes == []
    writer.put(pod, STATUSES[1], urgent=True)
    await writer.flush()
    assert (len(api.writes), phase(api)) == (1, STATUSES[1])


async def test_progress_is_written_when_nothing_else_comes() -> None:
    api, clock = MemoryApi(), FakeClock()
    pod, writer = bound(api), StatusWriter(api, clock)
    writer.put(pod, STATUSES[0], urgent=False)
    while not clock.sleepers:  # noqa: ASYNC110 - as above
        await asyncio.sleep(0)
    clock.advance(0.1)
    while not api.writes:  # noqa: ASYNC110 - as above
        await asyncio.sleep(0)
    assert phase(api) == STATUSES[0]


async def test_the_times_of_the_start_go_with_the_status_in_one_write() -> None:
    api = MemoryApi()
    pod, writer = bound(api), StatusWriter(api, FakeClock())
    writer.put(pod, {"phase": "Running"}, urgent=True, annotations={"inferplane.dev/start-times": "{}"})
    await writer.flush()
    [write] = api.writes
    assert isinstance(write.body, dict)
    assert object_at(write.body, "metadata")["annotations"] == {"inferplane.dev/start-times": "{}"}
