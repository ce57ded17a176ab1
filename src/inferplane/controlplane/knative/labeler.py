"""The labeler: tells Configurations and revisions which Routes lead to them.

What is routed is kept warm, what is not may go to zero at once and be collected. Decisions are in `routing`.
"""

from collections.abc import Collection, Sequence
from typing import Protocol, TypeVar

from inferplane.client.kubernetes.api import NotFound, Resource
from inferplane.client.kubernetes.kinds import KNATIVE_CONFIGURATION, KNATIVE_REVISION, KNATIVE_ROUTE
from inferplane.controlplane.knative import routing
from inferplane.controlplane.knative.routes.status import is_settled
from inferplane.controlplane.machinery.cache import Cache, Key
from inferplane.controlplane.machinery.controller import Controller
from inferplane.controlplane.machinery.informers import Informers
from inferplane.controlplane.machinery.owners import key_of_meta
from inferplane.kernel.clock import Clock, timestamp
from inferplane.kernel.json import JsonObject
from inferplane.resources.knative import Configuration, Revision, Route
from inferplane.resources.meta import ObjectMeta

_BY_ROUTE = "knative route"
_BY_CONFIGURATION = "knative configuration"


class Labelled(Protocol):
    @property
    def metadata(self) -> ObjectMeta: ...


L = TypeVar("L", bound=Labelled)


class Labeler:
    def __init__(self, informers: Informers, clock: Clock) -> None:
        self._api = informers.api
        self._clock = clock
        self._routes = informers.cache(KNATIVE_ROUTE, Route)
        self._configurations = informers.cache(KNATIVE_CONFIGURATION, Configuration)
        self._revisions = informers.cache(KNATIVE_REVISION, Revision)
        self._configurations.add_index(_BY_ROUTE, _routes_of)
        self._revisions.add_index(_BY_ROUTE, _routes_of)
        self._routes.add_index(_BY_CONFIGURATION, _configurations_of)
        self.controller = Controller("knative labeler", self.reconcile, clock=clock, workers=1)
        self.controller.watch(self._routes, lambda one: [key_of_meta(one.metadata)])
        self.controller.watch(self._configurations, self._routes_to)
        self.controller.watch(
            self._revisions, lambda one: [Key(one.metadata.namespace, r) for r in routing.routes(one.metadata)]
        )

    def _routes_to(self, configuration: Configuration) -> list[Key]:
        found = self._routes.matching(_BY_CONFIGURATION, str(key_of_meta(configuration.metadata)))
        return [key_of_meta(one.metadata) for one in found]

    async def reconcile(self, key: Key) -> None:
        route = self._routes.get(key)
        present = route if route is not None and not route.metadata.deleting else None
        reached = routing.reached(
            present,
            lambda name: self._configurations.get(Key(key.namespace, name)),
            lambda name: self._revisions.get(Key(key.namespace, name)),
        )
        # Where requests still go is known for sure only when the Route has come to rest.
        leaves = present is None or is_settled(present)
        await self._mark(KNATIVE_CONFIGURATION, self._configurations, key, reached.configurations, leaves=leaves)
        await self._mark(KNATIVE_REVISION, self._revisions, key, reached.revisions, leaves=leaves)

    async def _mark(
        self, resource: Resource, cache: Cache[L], route: Key, reached: Collection[str], *, leaves: bool
    ) -> None:
        wanted = [one for name in sorted(reached) if (one := cache.get(Key(route.namespace, name))) is not None]
        gone: Sequence[L] = []
        if leaves:
            marked = cache.matching(_BY_ROUTE, str(route))
            gone = [one for one in marked if one.metadata.name not in reached]
        for one, leads in [*((one, True) for one in wanted), *((one, False) for one in gone)]:
            patch = routing.patch(
                one.metadata, route.name, self._now(), leads=leads, has_state=resource == KNATIVE_REVISION
            )
            if patch is not None:
                await self._write(resource, one.metadata, patch)

    async def _write(self, resource: Resource, meta: ObjectMeta, patch: JsonObject) -> None:
        try:
            await self._api.patch(resource, meta.name, patch, meta.namespace)
        except NotFound:
            # Deleted meanwhile; nothing to tell.
            return

    def _now(self) -> str:
        return timestamp(self._clock.now())


def _routes_of(one: Labelled) -> list[str]:
    return [str(Key(one.metadata.namespace, route)) for route in routing.routes(one.metadata)]


def _configurations_of(route: Route) -> list[str]:
    names = {one.configuration_name for one in route.spec.traffic} - {""}
    return [str(Key(route.metadata.namespace, one)) for one in sorted(names)]
