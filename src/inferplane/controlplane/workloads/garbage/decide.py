"""What happens to an object because of its owners or its dependents. Pure.

The rules are Kubernetes' (`pkg/controller/garbagecollector`): an object goes when none of its owners is left; a
foreground deletion waits for the dependents that block it; an orphaning one lets go of them first.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from inferplane.client.kubernetes.api import Propagation
from inferplane.resources.meta import ObjectMeta

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"


class Owner(Enum):
    """What is known about an owner."""

    PRESENT = auto()
    ABSENT = auto()
    ENDING = auto()  # being deleted in the foreground: it waits for this very object
    UNKNOWN = auto()  # its kind is not served (any more)


@dataclass(frozen=True, slots=True)
class Verdict:
    """`delete` the object, or `forget` these owners (uids) of it, or neither."""

    delete: Propagation | None = None
    forget: Sequence[str] = field(default_factory=list)


def judge(item: ObjectMeta, owners: dict[str, Owner]) -> Verdict:
    """`owners` has what is known of each owner's uid."""
    if item.deleting or not item.owner_references:
        return Verdict()
    states = {one.uid: owners[one.uid] for one in item.owner_references}
    if Owner.PRESENT in states.values():
        return Verdict(forget=[uid for uid, state in states.items() if state in (Owner.ABSENT, Owner.ENDING)])
    if Owner.UNKNOWN in states.values():
        return Verdict()
    if Owner.ENDING in states.values():
        return Verdict(delete=Propagation.FOREGROUND)
    return Verdict(delete=_inherited(item))


def blocking(owner: ObjectMeta, dependents: Iterable[ObjectMeta]) -> list[ObjectMeta]:
    """The dependents that a foreground deletion of `owner` waits for."""
    return [
        one
        for one in dependents
        if any(ref.uid == owner.uid and ref.block_owner_deletion for ref in one.owner_references)
    ]


def _inherited(item: ObjectMeta) -> Propagation:
    """A deletion that somebody asked for on the object itself is carried on in the way they asked for."""
    if ORPHAN in item.finalizers:
        return Propagation.ORPHAN
    return Propagation.FOREGROUND if FOREGROUND in item.finalizers else Propagation.BACKGROUND
