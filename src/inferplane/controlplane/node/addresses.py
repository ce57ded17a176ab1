"""Pods' addresses: one 127.N.0.0/16 for each platform, one address of it for each pod.

Linux answers on all of 127.0.0.0/8, so every pod can listen on port 8080. N is recorded in the home and held by a bound
socket on 127.N.0.1, so that two platforms never share it.
"""

import hashlib
import socket
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path

import msgspec

from inferplane.kernel.errors import InferplaneError

# Bound, never listened on; a port that kubelets use, so it means "a node is here".
_GUARD_PORT = 10250
# 127.0 has localhost and resolvers on it.
_CHOICES = range(1, 255)
_FIRST_HOST, _LAST_HOST = 2, 0xFFFE


class _Recorded(msgspec.Struct, frozen=True):
    network: int
    last: int


@dataclass(slots=True)
class Addresses:
    """`network` is N. Addresses are handed out in turn, so that one just freed is not the next one given."""

    path: Path
    network: int
    guard: socket.socket
    last: int
    used: set[str] = field(default_factory=set)

    @property
    def host(self) -> str:
        """The node's own address."""
        return f"127.{self.network}.0.1"

    def take(self) -> str:
        """A free address. Raises InferplaneError when all 65,533 are in use."""
        for _ in range(_LAST_HOST - _FIRST_HOST + 1):
            self.last = _FIRST_HOST if self.last >= _LAST_HOST else self.last + 1
            address = str(IPv4Address((127 << 24) + (self.network << 16) + self.last))
            if address not in self.used:
                self.used.add(address)
                self._record()
                return address
        raise InferplaneError(f"no address left in 127.{self.network}.0.0/16", fix="delete pods")

    def owns(self, address: str) -> bool:
        """Whether it is one that this platform hands out."""
        return address.startswith(f"127.{self.network}.")

    def reserve(self, address: str) -> None:
        """An address that an adopted pod, or a Service, already has."""
        self.used.add(address)

    def release(self, address: str) -> None:
        self.used.discard(address)

    def close(self) -> None:
        self.guard.close()

    def _record(self) -> None:
        draft = self.path.with_suffix(".new")
        draft.write_bytes(msgspec.json.encode(_Recorded(self.network, self.last)))
        draft.replace(self.path)


def claim(path: Path, root: Path) -> Addresses:
    """The network recorded in `path`; for a new home a free one, starting from a hash of the home's `root`.

    Raises InferplaneError when the recorded one is held by another platform or none is free.
    """
    try:
        recorded = msgspec.json.decode(path.read_bytes(), type=_Recorded)
    except FileNotFoundError:
        return _claim_any(path, root)
    guard = _hold(recorded.network)
    if guard is None:
        raise InferplaneError(
            f"the addresses 127.{recorded.network}.0.0/16 of this platform are in use by another process",
            fix=f"stop the other platform, or (with no pod running) remove {path}",
        )
    return Addresses(path, recorded.network, guard, recorded.last)


def _claim_any(path: Path, root: Path) -> Addresses:
    for network in _rotated(int.from_bytes(hashlib.sha256(bytes(root)).digest()[:4], "big")):
        if (guard := _hold(network)) is not None:
            found = Addresses(path, network, guard, _FIRST_HOST - 1)
            found._record()
            return found
    raise InferplaneError("no free network in 127.0.0.0/8 for this platform's pods", fix="stop other platforms")


def _rotated(seed: int) -> Iterable[int]:
    start = seed % len(_CHOICES)
    return [*_CHOICES[start:], *_CHOICES[:start]]


def _hold(network: int) -> socket.socket | None:
    guard = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        guard.bind((f"127.{network}.0.1", _GUARD_PORT))
    except OSError:
        guard.close()
        return None
    return guard
