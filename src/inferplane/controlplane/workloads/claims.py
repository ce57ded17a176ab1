"""Which objects a controller owns, which it takes over and which it lets go (Kubernetes' `ControllerRefManager`).

An owner claims what matches its selector: its own that match stay, its own that no longer match are released, and
matching ones without a controller are adopted. Pure.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from inferplane.client.kubernetes.api import Resource
from inferplane.controlplane.machinery.cache import Cache
from inferplane.controlplane.machinery.owners import owner_reference
from inferplane.kernel.json import Json, JsonObject
from inferplane.resources.meta import LabelSelector, ObjectMeta, OwnerReference


class Owned(Protocol):
    @property
    def metadata(self) -> ObjectMeta: ...


Item = TypeVar("Item", bound=Owned)


@dataclass(frozen=True, slots=True)
class Claim(Generic[Item]):
    mine: list[Item]
    adopt: list[Item]
    release: list[Item]


_CLAIMANT = "claimant"


def index_claimants(cache: Cache[Item]) -> None:
    """Makes `candidates` quick: by the controller's uid, or by namespace for those that have none."""
    cache.add_index(_CLAIMANT, _claimant)


def candidates(cache: Cache[Item], owner: ObjectMeta) -> list[Item]:
    """What `owner` may claim: its own, and those in its namespace that have no controller."""
    return [*cache.matching(_CLAIMANT, owner.uid), *cache.matching(_CLAIMANT, f"orphans of {owner.namespace}")]


def _claimant(item: Owned) -> list[str]:
    controller = item.metadata.controller_of()
    return [controller.uid if controller is not None else f"orphans of {item.metadata.namespace}"]


def claim(owner: ObjectMeta, selector: LabelSelector, items: Iterable[Item]) -> Claim[Item]:
    found: Claim[Item] = Claim([], [], [])
    # The API refuses an empty selector; claiming everything because of one would be a disaster.
    empty = not selector.match_labels and not selector.match_expressions
    for item in items:
        controller = item.metadata.controller_of()
        matches = not empty and selector.matches(item.metadata.labels)
        if controller is not None and controller.uid == owner.uid:
            if matches:
                found.mine.append(item)
            elif not owner.deleting:
                found.release.append(item)
        elif controller is None and matches and not owner.deleting and not item.metadata.deleting:
            found.adopt.append(item)
    return found


def adoption(resource: Resource, owner: ObjectMeta, item: ObjectMeta) -> JsonObject:
    """Merge patch that makes `owner` the controller; refused when the item changed since it was read."""
    return _owners(item, [*(_json(one) for one in item.owner_references), owner_reference(resource, owner)])


def releasing(owners: Collection[str], item: ObjectMeta) -> JsonObject:
    """Merge patch that removes the owners with these uids from the item."""
    return _owners(item, [_json(one) for one in item.owner_references if one.uid not in owners])


def _owners(item: ObjectMeta, owners: list[Json]) -> JsonObject:
    return {"metadata": {"uid": item.uid, "resourceVersion": item.resource_version, "ownerReferences": owners}}


def _json(reference: OwnerReference) -> JsonObject:
    body: JsonObject = {
        "apiVersion": reference.api_version,
        "kind": reference.kind,
        "name": reference.name,
        "uid": reference.uid,
    }
    flags: JsonObject = {
        k: v
        for k, v in {"controller": reference.controller, "blockOwnerDeletion": reference.block_owner_deletion}.items()
        if v is not None
    }
    return body | flags
