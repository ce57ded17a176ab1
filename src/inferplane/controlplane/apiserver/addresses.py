"""Addresses of Services and their node ports: the same name gets the same one, as long as it is free.

On one machine they are only shown; what is reached are the addresses in EndpointSlices.
"""

import hashlib
from ipaddress import IPv4Address, IPv4Network

from inferplane.kernel.errors import InferplaneError
from inferplane.kernel.json import Json, JsonObject, list_at, object_at, text_at

RANGE = IPv4Network("10.96.0.0/12")
NODE_PORTS = range(30000, 32768)


class Exhausted(InferplaneError):
    """No address or port is left."""


class Addresses:
    """What is in use now. `note` and `release` follow the Services in the store."""

    def __init__(self) -> None:
        self._addresses: set[str] = set()
        self._ports: set[int] = set()

    def note(self, service: JsonObject) -> None:
        self._addresses |= _addresses_of(service)
        self._ports |= _ports_of(service)

    def release(self, service: JsonObject) -> None:
        self._addresses -= _addresses_of(service)
        self._ports -= _ports_of(service)

    def assign(self, service: JsonObject) -> JsonObject:
        """The Service with a cluster IP and node ports where its type wants them; they count as used at once."""
        spec = object_at(service, "spec")
        kind = text_at(spec, "type") or "ClusterIP"
        if kind == "ExternalName":
            return service
        seed = f"{text_at(service, 'metadata', 'namespace')}/{text_at(service, 'metadata', 'name')}"
        address = text_at(spec, "clusterIP") or self._free_address(seed)
        spec = spec | {"clusterIP": address, "clusterIPs": spec.get("clusterIPs") or [address]}
        if kind in ("NodePort", "LoadBalancer"):
            spec |= {"ports": [self._with_node_port(port, seed) for port in list_at(spec, "ports")]}
        service = service | {"spec": spec}
        self.note(service)
        return service

    def _free_address(self, seed: str) -> str:
        # The first address is the network, the last the broadcast; .1 is the `kubernetes` Service's by custom.
        size = RANGE.num_addresses - 3
        start = _number(seed) % size
        for step in range(size):
            address = str(IPv4Address(int(RANGE.network_address) + 2 + (start + step) % size))
            if address not in self._addresses:
                return address
        raise Exhausted(f"no address is left in {RANGE}", fix="delete Services that are not needed")

    def _with_node_port(self, port: Json, seed: str) -> Json:
        if not isinstance(port, dict) or port.get("nodePort"):
            return port
        start = _number(f"{seed}:{port.get('port')}") % len(NODE_PORTS)
        for step in range(len(NODE_PORTS)):
            number = NODE_PORTS[(start + step) % len(NODE_PORTS)]
            if number not in self._ports:
                self._ports.add(number)
                return port | {"nodePort": number}
        raise Exhausted(f"no node port is left in {NODE_PORTS}", fix="delete Services that are not needed")


def _number(seed: str) -> int:
    return int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8])


def _addresses_of(service: JsonObject) -> set[str]:
    address = text_at(service, "spec", "clusterIP")
    return {address} if address and address != "None" else set()


def _ports_of(service: JsonObject) -> set[int]:
    ports = [port for port in list_at(service, "spec", "ports") if isinstance(port, dict)]
    return {number for port in ports if isinstance(number := port.get("nodePort"), int)}
