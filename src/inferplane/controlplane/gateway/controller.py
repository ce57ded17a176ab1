"""The gateway's shell: caches → plan → xDS, and Envoy's acknowledgements → statuses.

Changes that arrive together are planned together; a single one is planned at once, at the cost of what depends on it.
Only Gateways, their classes and namespaces concern everything. A change of endpoints goes straight to its clusters.
Statuses are written when Envoy has answered, which it does within milliseconds: only when it stays silent is that
written (`PATIENCE`), or when nobody comes to be behind a new route (`STARTING`), and a route that was programmed stays
so while Envoy or this process is started again (`LOYALTY`), since Envoy keeps serving meanwhile or is configured again
before anybody could act on it.
"""

import asyncio
import logging
from collections.abc import Iterable, Sequence

import msgspec

from inferplane.client.kubernetes.api import Api, NotFound, Resource
from inferplane.client.kubernetes.kinds import (
    ENDPOINT_SLICE,
    GATEWAY,
    GATEWAY_CLASS,
    HTTP_ROUTE,
    INGRESS,
    INGRESS_CLASS,
    NAMESPACE,
    SERVICE,
)
from inferplane.controlplane.gateway import ingresses, status
from inferplane.controlplane.gateway.attachment import ParentVerdict, listener_name, ours_among
from inferplane.controlplane.gateway.delta import Kind
from inferplane.controlplane.gateway.plan import (
    LOOPBACK,
    Change,
    News,
    Planner,
    RouteVerdict,
    World,
    assignment,
    leads_to,
    wording,
)
from inferplane.controlplane.gateway.services import address_of
from inferplane.controlplane.gateway.status import Progress, State
from inferplane.controlplane.gateway.tables import MANY
from inferplane.controlplane.gateway.values import Assignment
from inferplane.controlplane.gateway.xds import Value, XdsServer
from inferplane.controlplane.machinery.cache import Key
from inferplane.controlplane.machinery.controller import Controller, Result
from inferplane.controlplane.machinery.informers import Informers
from inferplane.controlplane.machinery.precedence import Precedence
from inferplane.kernel.clock import Clock, timestamp
from inferplane.kernel.json import Json, JsonObject
from inferplane.resources import gateway as api
from inferplane.resources.core import Namespace, Service
from inferplane.resources.discovery import EndpointSlice
from inferplane.resources.meta import ConditionStatus, ObjectMeta, condition
from inferplane.resources.networking import Ingress, IngressClass, IngressStatus, Whose, class_of, whose

log = logging.getLogger(__name__)

MANAGER = "inferplane-gateway"
# Seconds that Envoy may take before a route is called Pending: one that is new or changed, one that was programmed.
PATIENCE = 0.1
LOYALTY = 5.0
# Seconds that the first endpoint of a new or changed route may take before that is said.
STARTING = 0.5
COUNTS_WAIT = 0.5
# After a plan the next waits for this many times as long as it took, so that a storm costs a fifth of a core; a plan
# that a garbage collection or a busy machine held up is no storm, hence the limit in seconds.
REST = 4.0
REST_LIMIT = 0.1
# A name of its own: caches are shared, and the endpoint controller's index by Service holds only what it manages.
_SLICES_OF = "slices that a Service is routed by"
_INGRESSES_TO = "ingresses that name a Service"


class _Stale:
    """What may be different from the plan. `everything` stands for more than can be named."""

    def __init__(self) -> None:
        self.everything = True
        self.routes: dict[Key, None] = {}
        self.ingresses: dict[Key, None] = {}
        self.services: dict[Key, None] = {}

    def __bool__(self) -> bool:
        return self.everything or bool(self.routes or self.ingresses or self.services)


class GatewayController:
    def __init__(self, informers: Informers, clock: Clock, addresses: tuple[str, ...] = LOOPBACK) -> None:
        self._api: Api = informers.api
        self._clock = clock
        self._addresses = addresses
        self._planner = Planner(addresses)
        self._stale = _Stale()
        self._stale_endpoints: dict[Key, None] = {}
        self._wake = asyncio.Event()
        self._waiting_since: dict[Key, float] = {}
        self._unplanned: dict[tuple[int, Key], None] = {}
        self._of_ingress: dict[Key, tuple[Key, ...]] = {}
        # Routes that were not programmed when they were last looked at, those of Ingresses too.
        self._unsettled: set[Key] = set()
        self._assigned: dict[str, Assignment] = {}
        self.xds = XdsServer(self._progressed)
        self._watch(informers)
        self.controllers = [
            Controller("gateway-classes", self._reconcile_class, clock=clock, workers=1),
            Controller("gateways", self._reconcile_gateway, clock=clock, workers=1),
            Controller("routes", self._reconcile_route, clock=clock),
            Controller("ingresses", self._reconcile_ingress, clock=clock),
        ]
        classes, gateways, routes, of_ingresses = self.controllers
        classes.watch(self._classes, lambda one: [_key(one.metadata)])
        gateways.watch(self._gateways, lambda one: [_key(one.metadata)])
        routes.watch(self._routes, lambda one: [_key(one.metadata)])
        of_ingresses.watch(self._ingresses, lambda one: [_key(one.metadata)])

    def _watch(self, informers: Informers) -> None:
        self._classes = informers.cache(GATEWAY_CLASS, api.GatewayClass)
        self._gateways = informers.cache(GATEWAY, api.Gateway)
        self._routes = informers.cache(HTTP_ROUTE, api.HTTPRoute)
        self._ingresses = informers.cache(INGRESS, Ingress)
        self._ingress_classes = informers.cache(INGRESS_CLASS, IngressClass)
        self._services = informers.cache(SERVICE, Service)
        self._slices = informers.cache(ENDPOINT_SLICE, EndpointSlice)
        self._namespaces = informers.cache(NAMESPACE, Namespace)
        self._services.add_index("local", lambda one: ["all"] if address_of(one) else [])
        self._slices.add_index(_SLICES_OF, lambda one: [f"{one.metadata.namespace}/{one.service}"])
        self._ingresses.add_index(_INGRESSES_TO, _backends)
        # Statuses, our own above all, change nothing in the plan.
        self._classes.on_change(lambda old, new: self._replan(old and old.spec, new and new.spec))
        self._gateways.on_change(lambda old, new: self._replan(old and old.spec, new and new.spec))
        self._routes.on_change(self._route_changed)
        self._ingresses.on_change(self._ingress_changed)
        self._ingress_classes.on_change(lambda old, new: self._classes_changed())
        self._namespaces.on_change(
            lambda old, new: self._replan(old and old.metadata.labels, new and new.metadata.labels)
        )
        self._services.on_change(self._service_changed)
        self._slices.on_change(self._endpoints_changed)

    @property
    def idle(self) -> bool:
        """All that is known is planned and published."""
        return not (self._stale or self._stale_endpoints)

    def has_told(self, service: Key) -> bool | None:
        """Whether Envoy has acknowledged all that is known of the ways to a Service; None without an Envoy."""
        if not self.xds.connected:
            return None
        hosts, listeners = self._planner.ways_to(service)
        return not self._stale and all(
            self.xds.holds(kind, name)
            for kind, names in ((Kind.HOST, hosts), (Kind.LISTENER, listeners))
            for name in names
        )

    async def run(self, xds_address: str, first: Precedence | None = None) -> None:
        """Until cancelled. The informers must be synced: from here on an absent object means that it does not exist."""
        self._publish()
        self.xds.open()
        await self.xds.start(xds_address)
        try:
            async with asyncio.TaskGroup() as tasks:
                for one in self.controllers:
                    tasks.create_task(one.run(first), name=one.name)
                await self._keep_publishing()
        finally:
            await self.xds.stop()

    # --- changes ----------------------------------------------------------------------------------------------------

    def _replan(self, old: object, new: object) -> None:
        if old != new:
            self._stale.everything = True
            self._wake.set()

    def _route_changed(self, old: api.HTTPRoute | None, new: api.HTTPRoute | None) -> None:
        one = new or old
        if one is not None and (old and wording(old)) != (new and wording(new)):
            self._stale.routes[_key(one.metadata)] = None
            self._wake.set()

    def _ingress_changed(self, old: Ingress | None, new: Ingress | None) -> None:
        one = new or old
        if one is not None and (old and _of_class(old)) != (new and _of_class(new)):
            self._stale.ingresses[_key(one.metadata)] = None
            self._wake.set()

    def _classes_changed(self) -> None:
        self._stale.everything = True
        self._wake.set()
        for one in self._ingresses.list():
            self.controllers[3].enqueue(_key(one.metadata))

    def _service_changed(self, old: Service | None, new: Service | None) -> None:
        """A Service that no route names yet, as every new one, is no reason to plan."""
        for one in (old, new):
            if one and self._planner.depends_on(_key(one.metadata)):
                self._stale_endpoints[_key(one.metadata)] = None
                self._replan_service(one, old and leads_to(old), new and leads_to(new))
        if one := new or old:
            self._replan_service(one, old and address_of(old), new and address_of(new))

    def _replan_service(self, one: Service, before: object, after: object) -> None:
        if before != after:
            key = _key(one.metadata)
            self._stale.services[key] = None
            self._stale.ingresses.update((_key(of.metadata), None) for of in self._ingresses_to(key))
            self._wake.set()

    def _ingresses_to(self, service: Key) -> Sequence[Ingress]:
        return self._ingresses.matching(_INGRESSES_TO, str(service))

    def _endpoints_changed(self, old: EndpointSlice | None, new: EndpointSlice | None) -> None:
        for one in (old, new):
            if one:
                self._stale_endpoints[Key(one.metadata.namespace, one.service)] = None
                self._wake.set()

    async def _keep_publishing(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            planned, began = bool(self._stale), self._clock.monotonic()
            self._publish()
            if planned:
                await self._rest(min(REST_LIMIT, REST * (self._clock.monotonic() - began)))

    async def _rest(self, seconds: float) -> None:
        """Endpoints don't wait for the next plan."""
        until = self._clock.monotonic() + seconds
        while (left := until - self._clock.monotonic()) > 0:
            try:
                await asyncio.wait_for(self._wake.wait(), left)
            except TimeoutError:
                break
            self._wake.clear()
            self._publish_endpoints()
        if self._stale:
            self._wake.set()

    # --- plan → xDS -------------------------------------------------------------------------------------------------

    def _publish(self) -> None:
        if self._stale:
            self._publish_plan()
        self._publish_endpoints()

    def _publish_plan(self) -> None:
        stale, self._stale = self._stale, _Stale()
        self._stale.everything = False
        change = self._planner.plan(self._world()) if stale.everything else self._planner.update(self._news(stale))
        new = change.clusters.changed.values()
        self._stale_endpoints.update((Key(one.namespace, one.service), None) for one in new)
        values: list[Value] = [*new, *change.listeners.changed.values(), *change.hosts.changed.values()]
        self.xds.publish(values, self._removed(change))
        self._enqueue_verdicts(change)
        unplanned, self._unplanned = self._unplanned, {}
        for controller, key in unplanned:
            self.controllers[controller].enqueue(key)

    def _publish_endpoints(self) -> None:
        stale, self._stale_endpoints = self._stale_endpoints, {}
        changed: list[Assignment] = []
        for service in stale:
            for cluster in self._planner.clusters_of(service):
                slices = self._slices.matching(_SLICES_OF, str(service))
                now = assignment(cluster, self._services.get(service), slices)
                if self._assigned.get(cluster.name) != now:
                    self._assigned[cluster.name] = now
                    changed.append(now)
        self.xds.publish(changed)
        self._enqueue_users(Kind.ENDPOINTS, [one.cluster for one in changed])

    def _world(self) -> World:
        of_ingresses = self._routes_of([*self._of_ingress, *(_key(one.metadata) for one in self._ingresses.list())])
        return World(
            classes=self._classes.list(),
            gateways=self._gateways.list(),
            routes=[*self._routes.list(), *(one for one in of_ingresses.values() if one is not None)],
            service=self._service,
            namespaces={one.metadata.name: one.metadata.labels for one in self._namespaces.list()},
            local=self._services.matching("local", "all"),
        )

    def _news(self, stale: _Stale) -> News:
        routes = {key: self._routes.get(key) for key in stale.routes}
        return News(routes | self._routes_of(stale.ingresses), stale.services, self._service)

    def _routes_of(self, ingress_keys: Iterable[Key]) -> dict[Key, api.HTTPRoute | None]:
        """The routes that these Ingresses stand for; None for one that they stood for before."""
        found: dict[Key, api.HTTPRoute | None] = {}
        for key in ingress_keys:
            found.update(dict.fromkeys(self._of_ingress.pop(key, ())))
            ingress = self._ingresses.get(key)
            if ingress is not None and whose(ingress, self._ingress_classes.list()) is Whose.OURS:
                made = {_key(one.metadata): one for one in self._as_routes(ingress)}
                self._of_ingress[key] = (*made,)
                found |= made
        return found

    def _service(self, namespace: str, name: str) -> Service | None:
        return self._services.get(Key(namespace, name))

    def _as_routes(self, ingress: Ingress) -> list[api.HTTPRoute]:
        ours = ours_among(self._classes.list(), self._gateways.list())
        return ingresses.as_routes(ingress, [_key(one.metadata) for one in ours], self._service)

    def _removed(self, change: Change) -> list[tuple[Kind, str]]:
        for name in change.clusters.gone:
            self._assigned.pop(name, None)
        return [
            *((Kind.HOST, name) for name in change.hosts.gone),
            *((kind, name) for name in change.listeners.gone for kind in (Kind.LISTENER, Kind.ROUTES)),
            *((kind, name) for name in change.clusters.gone for kind in (Kind.CLUSTER, Kind.ENDPOINTS)),
        ]

    # --- Envoy → statuses -------------------------------------------------------------------------------------------

    def _progressed(self, kind: Kind, names: Iterable[str]) -> None:
        if kind is Kind.LISTENER:
            self._enqueue_gateways()
        self._enqueue_users(Kind.ENDPOINTS if kind is Kind.CLUSTER else kind, names)

    def _enqueue_users(self, kind: Kind, names: Iterable[str]) -> None:
        """The routes that wait for these. Of the thousands on a virtual host that all share only those that are not
        programmed yet: what was acknowledged once is with every later version, too, unless that is refused."""
        users = {Kind.HOST: self._planner.carried_by, Kind.ENDPOINTS: self._planner.sharing}.get(kind)
        if users is None:
            return
        for name in names:
            keys = users(name)
            shared = kind is Kind.HOST and len(keys) > MANY and not self.xds.refusal(kind, name)
            for key in [one for one in self._unsettled if one in keys] if shared else keys:
                self.controllers[2].enqueue(key)

    def _enqueue_gateways(self, after: float = 0.0) -> None:
        for key in self._planner.now.gateways:
            self.controllers[1].enqueue(key, after)

    def _enqueue_verdicts(self, change: Change) -> None:
        for key in change.routes:
            self.controllers[2].enqueue(key)
        if change.gateways or change.listeners.changed or change.listeners.gone:
            # How many routes a listener has is only shown: one write for many new services.
            only_counts = not (change.listeners.changed or change.listeners.gone)
            self._enqueue_gateways(after=COUNTS_WAIT if only_counts else 0.0)

    async def _reconcile_class(self, key: Key) -> Result | None:
        found = self._classes.get(key)
        if found is None or found.spec.controller_name != api.CONTROLLER_NAME:
            return None
        made = status.class_conditions(found.status.conditions, found.metadata.generation, self._now())
        if made != found.status.conditions:
            await self._write(GATEWAY_CLASS, key, {"conditions": msgspec.to_builtins(made)})
        return None

    async def _reconcile_gateway(self, key: Key) -> Result | None:
        found, verdicts = self._gateways.get(key), self._planner.now.gateways.get(key)
        if found is None or verdicts is None or not self._planned(1, key):
            return None
        progress = [self._listening(listener_name(one.port)) for one in verdicts]
        if (wait := self._patience(Key("", f"gateway {key}"), progress, was_programmed=False)) is not None:
            return Result(wait)
        made = status.gateway_status(
            verdicts, progress, self._addresses[:1], found.status, found.metadata.generation, self._now()
        )
        if made != found.status:
            await self._write(GATEWAY, key, msgspec.to_builtins(made))
        return None

    async def _reconcile_route(self, key: Key) -> Result | None:
        if (ingress := ingresses.ingress_of(key)) is not None:
            self.controllers[3].enqueue(ingress)
            return None
        found, verdict = self._routes.get(key), self._planner.now.routes.get(key)
        if found is None:
            self._waiting_since.pop(key, None)
            self._unsettled.discard(key)
            return None
        if not self._planned(2, key):
            return None
        progress = [self._route_progress(one, verdict) for one in verdict.parents] if verdict else []
        self._settle([key], progress)
        if (wait := self._patience(key, progress, was_programmed=_was_programmed(found))) is not None:
            return Result(wait)
        before = found.status.parents
        made = status.route_parents(verdict, progress, before, found.metadata.generation, self._now())
        if made != before:
            await self._write(HTTP_ROUTE, key, {"parents": msgspec.to_builtins(made)})
        return None

    async def _reconcile_ingress(self, key: Key) -> Result | None:
        found = self._ingresses.get(key)
        if found is None or not self._planned(3, key):
            return None
        if whose(found, self._ingress_classes.list()) is not Whose.OURS:
            await self._leave(key, found)
            return None
        verdicts = [self._planner.now.routes.get(_key(one.metadata)) for one in self._as_routes(found)]
        progress = [self._route_progress(parent, one) for one in verdicts if one for parent in one.parents]
        self._settle(self._of_ingress.get(key, ()), progress)
        was_served = bool(found.status.load_balancer.ingress)
        if (wait := self._patience(Key("", f"ingress {key}"), progress, was_programmed=was_served)) is not None:
            return Result(wait)
        resolved = bool(progress) and not any(one is None or one.unresolved for one in verdicts)
        served = resolved and all(one.state is State.PROGRAMMED for one in progress)
        made = self._ingress_status(served)
        if made != found.status:
            await self._write(INGRESS, key, msgspec.to_builtins(made))
        return None

    def _settle(self, keys: Iterable[Key], progress: Iterable[Progress]) -> None:
        """Notes which routes wait for an Envoy."""
        if all(one.state is State.PROGRAMMED for one in progress):
            self._unsettled.difference_update(keys)
        else:
            self._unsettled.update(keys)

    async def _leave(self, key: Key, ingress: Ingress) -> None:
        """One of another class: what we said of it when it was of ours is taken back."""
        if ingress.status == self._ingress_status(True):
            await self._write(INGRESS, key, msgspec.to_builtins(self._ingress_status(False)))

    def _ingress_status(self, served: bool) -> IngressStatus:
        ports = [one.port for listeners in self._planner.now.gateways.values() for one in listeners]
        return ingresses.status(served, self._addresses[:1], ports)

    def _planned(self, controller: int, key: Key) -> bool:
        """A verdict from before a change must not be written as one on the changed object: the plan brings it back."""
        if self._stale:
            self._unplanned[controller, key] = None
        return not self._stale

    def _patience(self, key: Key, progress: Sequence[Progress], *, was_programmed: bool) -> float | None:
        """Seconds until a missing acknowledgement is worth a status, None when there is something to say now.

        That there is no endpoint yet is worth one no sooner: those of a new service are about to be there.
        """
        waits = (State.PENDING,) if was_programmed else (State.PENDING, State.NO_READY_ENDPOINTS)
        if all(one.state not in waits for one in progress):
            self._waiting_since.pop(key, None)
            return None
        now = self._clock.monotonic()
        pending = any(one.state is State.PENDING for one in progress)
        wait = LOYALTY if was_programmed else PATIENCE if pending else STARTING
        left = self._waiting_since.setdefault(key, now) + wait - now
        return left if left > 0 else None

    def _listening(self, name: str) -> Progress:
        if refusal := self.xds.refusal(Kind.LISTENER, name):
            return Progress(State.INVALID, f"Envoy refused the listener: {refusal.message}")
        if self.xds.holds(Kind.LISTENER, name):
            return Progress(State.PROGRAMMED)
        return self._pending("the listener")

    def _route_progress(self, parent: ParentVerdict, verdict: RouteVerdict) -> Progress:
        names = ((Kind.HOST, parent.hosts), (Kind.CLUSTER, verdict.live))
        for kind, name in ((kind, name) for kind, some in names for name in some):
            if refusal := self.xds.refusal(kind, name):
                return Progress(State.INVALID, f"Envoy refused {name}: {refusal.message}")
        for name in verdict.live:
            if not self._assigned.get(name, Assignment(name)).endpoints:
                return Progress(State.NO_READY_ENDPOINTS, f"Service {name.partition(':')[0]} has no ready endpoint")
        served = all(self.xds.holds(Kind.HOST, host) for host in parent.hosts)
        if parent.problem or (served and all(self.xds.reaches(name) for name in verdict.live)):
            return Progress(State.PROGRAMMED)
        return self._pending("the route")

    def _pending(self, what: str) -> Progress:
        silent = f"Envoy has not acknowledged {what} yet"
        return Progress(State.PENDING, silent if self.xds.connected else "Envoy is not connected to the control plane")

    async def _write(self, resource: Resource, key: Key, content: Json) -> None:
        meta: JsonObject = {"name": key.name}
        if key.namespace:
            meta["namespace"] = key.namespace
        body: JsonObject = {"metadata": meta, "status": content}
        try:
            await self._api.apply(resource, body, key.namespace, manager=MANAGER, subresource="status")
        except NotFound:
            # Deleted meanwhile; the watch will say so.
            log.debug("status of a deleted object kind=%s key=%s", resource.kind, key)

    def _now(self) -> str:
        return timestamp(self._clock.now())


def _key(meta: ObjectMeta) -> Key:
    return Key(meta.namespace, meta.name)


def _was_programmed(route: api.HTTPRoute) -> bool:
    """At this generation: after an edit nothing is promised."""
    ours = [one for one in route.status.parents if one.controller_name == api.CONTROLLER_NAME]
    found = [condition(one.conditions, "Programmed") for one in ours]
    return bool(found) and all(
        one and one.status is ConditionStatus.TRUE and one.observed_generation == route.metadata.generation
        for one in found
    )


def _of_class(ingress: Ingress) -> tuple[str, object]:
    return class_of(ingress), ingress.spec


def _backends(ingress: Ingress) -> list[str]:
    """The Services that it names."""
    paths = [path for rule in ingress.spec.rules if rule.http for path in rule.http.paths]
    found = [one.backend for one in paths] + ([ingress.spec.default_backend] if ingress.spec.default_backend else [])
    return [str(Key(ingress.metadata.namespace, one.service.name)) for one in found if one.service is not None]
