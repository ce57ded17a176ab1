import asyncio

import msgspec
from tests.fakes.api import MemoryApi, Write
from tests.fakes.clock import FakeClock

from inferplane.client.kubernetes import kinds
from inferplane.client.kubernetes.api import ServerUnreachable
from inferplane.controlplane.node.registration import LEASE_NAMESPACE, RENEW_EVERY, Machine, Registration
from inferplane.kernel.json import text_at
from inferplane.resources.core import Node

MACHINE = Machine(
    name="here", address="127.7.0.1", cpus=2, memory=8 << 30, info={"operatingSystem": "linux", "architecture": "amd64"}
)


async def test_the_node_registers_as_ready_with_what_the_machine_has() -> None:
    api = MemoryApi()
    await Registration(api, FakeClock(), MACHINE).register()
    node = msgspec.convert(api.peek(kinds.NODE, "here"), Node)
    assert node.ready
    assert (node.status.capacity["cpu"], node.status.capacity["memory"]) == ("2", "8388608Ki")
    assert node.metadata.labels["kubernetes.io/arch"] == "amd64"
    assert [one.address for one in node.status.addresses] == ["127.7.0.1", "here"]


async def test_it_waits_for_an_api_server_that_is_not_there_yet() -> None:
    api, clock, refused = MemoryApi(), FakeClock(), [True, True]

    def refuse(write: Write) -> None:
        if refused:
            refused.pop()
            raise ServerUnreachable("refused")

    api.intercept = refuse
    task = asyncio.create_task(Registration(api, clock, MACHINE).register())
    for _ in range(2):
        while not clock.sleepers:  # noqa: ASYNC110 - the fake clock has no event for it
            await asyncio.sleep(0)
        clock.advance(10)
        await asyncio.sleep(0)
    await task
    assert api.peek(kinds.NODE, "here") is not None


async def test_the_lease_is_renewed_while_it_runs() -> None:
    api, clock = MemoryApi(), FakeClock()
    registration = Registration(api, clock, MACHINE)
    await registration.register()
    first = text_at(api.peek(kinds.LEASE, "here", LEASE_NAMESPACE) or {}, "spec", "renewTime")
    task = asyncio.create_task(registration.run())
    await asyncio.sleep(0)
    clock.advance(RENEW_EVERY)
    while len(clock.sleepers) < 1 or clock.sleepers[0] <= RENEW_EVERY:  # noqa: ASYNC110 - as above
        await asyncio.sleep(0)
    task.cancel()
    later = text_at(api.peek(kinds.LEASE, "here", LEASE_NAMESPACE) or {}, "spec", "renewTime")
    assert (first, later) == ("2026-01-01T00:00:00.000000Z", "2026-01-01T00:00:10.000000Z")
