"""Kinds that the API server may lack: Knative's Service, Istio's VirtualService.

Which ones it has is followed by the CustomResourceDefinitions, so that one installed later counts at once. A kind is
watched from when it is first needed.
"""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

from inferplane.client.kubernetes.api import Resource
from inferplane.client.kubernetes.kinds import CUSTOM_RESOURCE_DEFINITION
from inferplane.controlplane.machinery.cache import Cache, Key
from inferplane.controlplane.machinery.informers import Informers
from inferplane.kernel.errors import InferplaneError
from inferplane.resources.meta import Condition, ConditionStatus, ObjectMeta, View, condition

V = TypeVar("V", bound=View)
_LIST_SECONDS = 30.0


class NotListed(InferplaneError):
    """The server has the kind, but does not list its objects."""


class DefinitionStatus(View, frozen=True, kw_only=True):
    conditions: list[Condition] = []


class Definition(View, frozen=True, kw_only=True):
    """A CustomResourceDefinition, by name and whether its kind is served."""

    metadata: ObjectMeta = ObjectMeta()
    status: DefinitionStatus = DefinitionStatus()

    @property
    def is_served(self) -> bool:
        established = condition(self.status.conditions, "Established")
        return established is not None and established.status is ConditionStatus.TRUE and not self.metadata.deleting


class OptionalKind(Generic[V]):
    """One kind. `on_start` gets its cache when it is first watched."""

    def __init__(
        self,
        informers: Informers,
        definitions: Cache[Definition],
        resource: Resource,
        view: type[V],
        on_start: Callable[[Cache[V]], None],
    ) -> None:
        self.resource = resource
        self._informers = informers
        self._definitions = definitions
        self._view = view
        self._on_start = on_start
        self._cache: Cache[V] | None = None

    @property
    def watched(self) -> Cache[V] | None:
        """What is known without asking."""
        return self._cache

    async def cache(self) -> Cache[V] | None:
        """The kind's cache with its first list in it; None where the server does not have the kind.

        Raises NotListed.
        """
        definition = self._definitions.get(Key("", f"{self.resource.plural}.{self.resource.group}"))
        if definition is None or not definition.is_served:
            return None
        if self._cache is None:
            self._cache = self._informers.cache(self.resource, self._view)
            self._on_start(self._cache)
        try:
            async with asyncio.timeout(_LIST_SECONDS):
                await self._informers.synced()
        except TimeoutError as error:
            raise NotListed(
                f"the API server has not listed {self.resource.plural}.{self.resource.group}",
                fix="check that the controller may list and watch them",
            ) from error
        return self._cache


def definitions(informers: Informers) -> Cache[Definition]:
    return informers.cache(CUSTOM_RESOURCE_DEFINITION, Definition)
