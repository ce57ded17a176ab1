"""Which kinds a server has: what garbage collection, namespace deletion and the command line walk over."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from inferplane.client.kubernetes.api import Resource


@dataclass(frozen=True, slots=True)
class Served:
    """One kind in the version that its group prefers, and the verbs it understands."""

    resource: Resource
    verbs: frozenset[str]


class Discovery(Protocol):
    async def served(self) -> Sequence[Served]:
        """Every kind once, subresources left out. Raises ApiError and ServerUnreachable."""
        ...
