"""Addresses of Services that pods of this node reach by name.

The first pod that names a Service makes the node take an address for it and write it into the Service's annotation;
the gateway then listens there. The address stays the Service's own as long as this platform lives: a Service that is
made anew under the same name gets it back, since processes hold it.
"""

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from inferplane.client.kubernetes import kinds
from inferplane.client.kubernetes.api import Api, ApiError, NotFound, ServerUnreachable
from inferplane.controlplane.machinery.cache import Cache, Key
from inferplane.controlplane.node.addresses import Addresses
from inferplane.controlplane.node.hosts import Listening, Mention
from inferplane.kernel.json import JsonObject
from inferplane.resources.core import Service
from inferplane.resources.local_services import LOCAL_ADDRESS

log = logging.getLogger(__name__)

_MANAGER = "inferplane-node"
# Services that are gone keep their address until there are so many of them.
_REMEMBERED = 1000


@dataclass(slots=True)
class ServiceAddresses:
    api: Api
    cache: Cache[Service]
    addresses: Addresses
    _given: dict[Key, str] = field(default_factory=dict)
    _writing: set[asyncio.Task[None]] = field(default_factory=set)

    def settle(self) -> None:
        """Takes up what a former node gave; call it when the cache is synced."""
        for service in self.cache.list():
            address = service.metadata.annotations.get(LOCAL_ADDRESS, "")
            if self.addresses.owns(address) and address not in self._given.values():
                self._given[_key(service)] = address
                self.addresses.reserve(address)
        self.cache.on_change(self._changed)

    async def find(self, wanted: Iterable[Mention], own: str) -> dict[tuple[str, str], Listening]:
        """Those that exist and have ports, by namespace and name; `own` is the namespace of who asks.

        Raises ApiError and ServerUnreachable.
        """
        found: dict[tuple[str, str], Listening] = {}
        for one in sorted(wanted):
            key = Key(one.namespace, one.name)
            service = self.cache.get(key)
            if service is None and (one.certain or one.namespace == own):
                service = await self._ask(key)
            if service is not None and service.spec.ports and service.spec.type != "ExternalName":
                ports = frozenset(port.port for port in service.spec.ports)
                found[one.namespace, one.name] = Listening(await self._address(key, service), ports)
        return found

    async def _ask(self, key: Key) -> Service | None:
        """The watch may be behind: a Service that was made a moment ago."""
        try:
            return msgspec.convert(await self.api.get(kinds.SERVICE, key.name, key.namespace), Service)
        except NotFound:
            return None

    async def _address(self, key: Key, service: Service) -> str:
        address = self._given.get(key)
        if address is None:
            self._forget_some()
            address = self._given[key] = self.addresses.take()
        if service.metadata.annotations.get(LOCAL_ADDRESS) != address:
            await self._write(key, address)
        return address

    async def _write(self, key: Key, address: str) -> None:
        meta: JsonObject = {"name": key.name, "namespace": key.namespace, "annotations": {LOCAL_ADDRESS: address}}
        await self.api.apply(kinds.SERVICE, {"metadata": meta}, key.namespace, manager=_MANAGER)

    def _changed(self, _: Service | None, new: Service | None) -> None:
        """A Service that came back, or whose annotation somebody took away."""
        if new is None or (address := self._given.get(_key(new))) is None:
            return
        if new.metadata.annotations.get(LOCAL_ADDRESS) != address and not new.metadata.deleting:
            task = asyncio.create_task(self._write_again(_key(new), address), name=f"address of service {_key(new)}")
            self._writing.add(task)
            task.add_done_callback(self._writing.discard)

    async def _write_again(self, key: Key, address: str) -> None:
        try:
            await self._write(key, address)
        except (ApiError, ServerUnreachable) as error:
            log.warning("service keeps no listener service=%s error=%s", key, error)

    def _forget_some(self) -> None:
        gone = [key for key in self._given if self.cache.get(key) is None]
        for key in gone if len(gone) > _REMEMBERED else []:
            self.addresses.release(self._given.pop(key))


def _key(service: Service) -> Key:
    return Key(service.metadata.namespace, service.metadata.name)
