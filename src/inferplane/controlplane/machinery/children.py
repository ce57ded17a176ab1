"""Writes children and statuses with server-side apply, and only when they differ from what is there.

A child is compared as its controller reads it, so neither a restart nor an idle reconcile writes anything. Labels,
annotations and spec that somebody changed by hand are set right again.
"""

from dataclasses import dataclass
from typing import Protocol, TypeVar

import msgspec

from inferplane.client.kubernetes.api import Api, NotFound, Resource
from inferplane.controlplane.machinery.owners import is_controlled_by
from inferplane.kernel.json import JsonObject, text_at
from inferplane.resources.meta import ObjectMeta, View


class Child(Protocol):
    @property
    def metadata(self) -> ObjectMeta: ...
    @property
    def spec(self) -> object: ...


C = TypeVar("C", bound=Child)


@dataclass(frozen=True, slots=True)
class Children:
    """`manager` owns the fields that are written."""

    api: Api
    manager: str

    async def ensure(self, resource: Resource, body: JsonObject, live: C | None, view: type[C]) -> C:
        """The child as it is now stored; applied when it was not so already. `body` has its namespace."""
        wanted = msgspec.convert(body, view)
        if live is not None and _same(wanted, live):
            return live
        answer = await self.api.apply(resource, body, text_at(body, "metadata", "namespace"), manager=self.manager)
        return msgspec.convert(answer, view)

    async def write_status(self, resource: Resource, meta: ObjectMeta, before: View, status: View) -> bool:
        """True when it was written. An object that is gone needs none."""
        if status == before:
            return False
        body: JsonObject = {
            "metadata": {"name": meta.name, "namespace": meta.namespace},
            "status": msgspec.to_builtins(status),
        }
        try:
            await self.api.apply(resource, body, meta.namespace, manager=self.manager, subresource="status")
        except NotFound:
            return False
        return True


def _same(wanted: Child, live: Child) -> bool:
    meta, there = wanted.metadata, live.metadata
    return (
        wanted.spec == live.spec
        and meta.labels == there.labels
        and meta.annotations == there.annotations
        and all(one in there.owner_references for one in meta.owner_references)
    )


def is_foreign(child: Child | None, owner: ObjectMeta) -> bool:
    """It is there and somebody else's."""
    return child is not None and not is_controlled_by(child.metadata, owner)
