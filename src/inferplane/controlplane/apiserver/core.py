"""What every handler has at hand."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inferplane.controlplane.apiserver.addresses import Addresses
from inferplane.controlplane.apiserver.logs import LogSource
from inferplane.controlplane.apiserver.names import Names
from inferplane.controlplane.apiserver.registry import Registry
from inferplane.controlplane.apiserver.storage import Storage
from inferplane.kernel.clock import Clock, timestamp

if TYPE_CHECKING:
    # They answer requests themselves, so they need what is here.
    from inferplane.controlplane.apiserver.streams import NodeStreams
    from inferplane.controlplane.apiserver.usage import UsageSource


@dataclass(frozen=True, slots=True)
class Core:
    storage: Storage
    registry: Registry
    clock: Clock
    names: Names
    logs: LogSource | None = None
    usage: "UsageSource | None" = None
    signing_key: bytes = b""  # of ServiceAccounts' tokens; none are made without
    addresses: Addresses = field(default_factory=Addresses)
    streams: "NodeStreams | None" = None

    @property
    def now(self) -> str:
        return timestamp(self.clock.now())
