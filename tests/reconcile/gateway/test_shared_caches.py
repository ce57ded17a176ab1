"""The gateway beside the controllers that share its caches, in the order in which a control plane makes them."""

import asyncio

from tests.fakes.api import MemoryApi
from tests.fakes.clock import FakeClock

from inferplane.client.kubernetes.kinds import ENDPOINT_SLICE
from inferplane.controlplane.gateway.controller import _SLICES_OF, GatewayController
from inferplane.controlplane.machinery.informers import Informers
from inferplane.controlplane.workloads.endpoints.controller import EndpointSliceController
from inferplane.kernel.json import JsonObject


async def test_slices_that_somebody_else_writes_are_routed_to() -> None:
    api, clock = MemoryApi(), FakeClock()
    informers = Informers(api, clock)
    EndpointSliceController(api, informers, clock)
    gateway = GatewayController(informers, clock)
    item: JsonObject = {
        "metadata": {"name": "own", "namespace": "default", "labels": {"kubernetes.io/service-name": "web"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.9.0.1"]}],
        "ports": [{"name": "http", "port": 80}],
    }
    await api.create(ENDPOINT_SLICE, item, "default")
    running = asyncio.create_task(informers.run())
    await asyncio.wait_for(informers.synced(), 30)
    found = gateway._slices.matching(_SLICES_OF, "default/web")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert [one.metadata.name for one in found] == ["own"]
