"""What assembly starts."""

from inferplane.controlplane.gateway.controller import GatewayController
from inferplane.controlplane.gateway.plan import LOOPBACK
from inferplane.controlplane.machinery.informers import Informers
from inferplane.kernel.clock import Clock


async def run_gateway(
    informers: Informers, clock: Clock, *, xds_address: str, addresses: tuple[str, ...] = LOOPBACK
) -> None:
    """Until cancelled; `informers` are run by the caller. `xds_address`: a socket's path or host:port. `addresses`:
    where Envoy's listeners bind."""
    gateway = GatewayController(informers, clock, addresses)
    await informers.synced()
    await gateway.run(xds_address)
