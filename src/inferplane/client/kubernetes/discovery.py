"""Which kinds a server has: what garbage collection, namespace deletion and the command line walk over."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from inferplane.client.kubernetes.api import Resource
from inferplane.kernel.json import JsonObject, list_at, text_at


@dataclass(frozen=True, slots=True)
class Served:
    """One kind in the version that its group prefers, and the verbs it understands."""

    resource: Resource
    verbs: frozenset[str]


class Discovery(Protocol):
    async def served(self) -> Sequence[Served]:
        """Every kind once, subresources left out. Raises ApiError and ServerUnreachable."""
        ...


def group_versions(groups: JsonObject) -> list[str]:
    """Every group and version of an `APIGroupList` (`apps/v1`), of each group the preferred one first.

    All of them, since the kinds of one group may be served in different versions, as KServe's are.
    """
    return [version for one in list_at(groups, "groups") if isinstance(one, dict) for version in _versions(one)]


def _versions(group: JsonObject) -> list[str]:
    preferred = text_at(group, "preferredVersion", "groupVersion")
    others = [text_at(one, "groupVersion") for one in list_at(group, "versions") if isinstance(one, dict)]
    return list(dict.fromkeys(one for one in (preferred, *others) if one))
