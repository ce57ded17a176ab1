"""What assembly starts."""

import socket

from inferplane.controlplane.gateway.controller import GatewayController
from inferplane.controlplane.gateway.plan import LOOPBACK
from inferplane.controlplane.machinery.informers import Informers
from inferplane.controlplane.machinery.precedence import Precedence
from inferplane.kernel.clock import Clock


async def run_gateway(
    informers: Informers,
    clock: Clock,
    *,
    xds_address: str,
    addresses: tuple[str, ...] | None = None,
    first: Precedence | None = None,
    gateway: GatewayController | None = None,
) -> None:
    """Until cancelled; `informers` are run by the caller. `xds_address`: a socket's path or host:port. `addresses`:
    where Envoy's listeners bind, by default this machine's loopback addresses. `first`: what statuses stand back for.
    `gateway`: one that was made before, by `made`.
    """
    gateway = gateway or made(informers, clock, addresses)
    await informers.synced()
    await gateway.run(xds_address, first)


def made(informers: Informers, clock: Clock, addresses: tuple[str, ...] | None = None) -> GatewayController:
    """To be made before the informers run."""
    return GatewayController(informers, clock, addresses or loopback_addresses())


def loopback_addresses() -> tuple[str, ...]:
    """127.0.0.1, and ::1 where there is one: Envoy refuses a listener of which it can't bind every address."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return LOOPBACK[:1]
    return LOOPBACK
