"""Addresses of Services that pods name, over an API server in memory."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.fakes.api import MemoryApi
from tests.fakes.clock import FakeClock

from inferplane.client.kubernetes.kinds import SERVICE
from inferplane.controlplane.machinery.informers import Informers
from inferplane.controlplane.node.addresses import Addresses, claim
from inferplane.controlplane.node.hosts import Listening, Mention
from inferplane.controlplane.node.services import ServiceAddresses
from inferplane.kernel.json import JsonObject, object_at
from inferplane.resources.core import Service
from inferplane.resources.local_services import LOCAL_ADDRESS


def service(name: str = "iris", address: str = "", **spec: str) -> JsonObject:
    meta: JsonObject = {"name": name, "namespace": "ml"}
    if address:
        meta["annotations"] = {LOCAL_ADDRESS: address}
    return {"metadata": meta, "spec": {"ports": [{"port": 80}], **spec}}


@asynccontextmanager
async def addressed(api: MemoryApi, addresses: Addresses) -> AsyncIterator[ServiceAddresses]:
    informers = Informers(api, FakeClock())
    made = ServiceAddresses(api, informers.cache(SERVICE, Service), addresses)
    running = asyncio.create_task(informers.run())
    try:
        await informers.synced()
        made.settle()
        yield made
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def recorded(api: MemoryApi, name: str = "iris") -> object:
    found = api.peek(SERVICE, name, "ml")
    return object_at(found, "metadata", "annotations").get(LOCAL_ADDRESS) if found else None


async def test_a_service_that_is_named_gets_an_address_once(tmp_path: Path) -> None:
    api, addresses = MemoryApi(FakeClock()), claim(tmp_path / "network", tmp_path)
    api.add(SERVICE, service())
    async with addressed(api, addresses) as services:
        first = await services.find([Mention("ml", "iris"), Mention("ml", "nobody")], "ml")
        again = await services.find([Mention("ml", "iris", certain=True)], "other")
    addresses.close()
    listening = first["ml", "iris"]
    assert first == again == {("ml", "iris"): Listening(listening.address, frozenset({80}))}
    assert listening.address.startswith(f"127.{addresses.network}.")
    assert recorded(api) == listening.address


async def test_a_name_that_leads_elsewhere_or_to_no_port_gets_none(tmp_path: Path) -> None:
    api, addresses = MemoryApi(FakeClock()), claim(tmp_path / "network", tmp_path)
    api.add(SERVICE, service(type="ExternalName"))
    api.add(SERVICE, service("head") | {"spec": {"clusterIP": "None"}})
    async with addressed(api, addresses) as services:
        assert await services.find([Mention("ml", "iris"), Mention("ml", "head")], "ml") == {}
    addresses.close()


async def test_the_next_node_keeps_what_was_given_and_takes_nothing_foreign_or_twice(tmp_path: Path) -> None:
    api, addresses = MemoryApi(FakeClock()), claim(tmp_path / "network", tmp_path)
    own = addresses.take()
    for name, address in (("a", own), ("b", own), ("c", "10.0.0.1")):
        api.add(SERVICE, service(name, address))
    async with addressed(api, addresses) as services:
        found = await services.find([Mention("ml", name) for name in "abc"], "ml")
    addresses.close()
    given = [found["ml", name].address for name in "abc"]
    assert given[0] == own
    assert len(set(given)) == 3
    assert all(address.startswith(f"127.{addresses.network}.") for address in given)
    assert [recorded(api, name) for name in "abc"] == given


async def test_a_service_that_comes_back_gets_its_address_back(tmp_path: Path) -> None:
    api, addresses = MemoryApi(FakeClock()), claim(tmp_path / "network", tmp_path)
    api.add(SERVICE, service())
    async with addressed(api, addresses) as services:
        await services.find([Mention("ml", "iris")], "ml")
        before = recorded(api)
        api.remove(SERVICE, "iris", "ml")
        back = asyncio.Event()
        services.cache.on_change(
            lambda _, new: back.set() if new and LOCAL_ADDRESS in new.metadata.annotations else None
        )
        api.add(SERVICE, service())
        await asyncio.wait_for(back.wait(), 60)
    addresses.close()
    assert recorded(api) == before
