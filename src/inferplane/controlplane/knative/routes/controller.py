"""The Route controller: resolves the targets, writes the HTTPRoutes, says when requests go where they should.

A bad target changes nothing of what is programmed. A gradual rollout is taken one step further when its time has come.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

import msgspec

from inferplane.client.kubernetes.api import NotFound, Resource
from inferplane.client.kubernetes.kinds import (
    GATEWAY,
    HTTP_ROUTE,
    KNATIVE_CONFIGURATION,
    KNATIVE_REVISION,
    KNATIVE_ROUTE,
    SERVICE,
)
from inferplane.controlplane.knative.marks import MANAGER
from inferplane.controlplane.knative.revisions.render import protocol
from inferplane.controlplane.knative.routes import hosts, render, rollout, status, traffic
from inferplane.controlplane.knative.routes.hosts import Hosts
from inferplane.controlplane.knative.routes.render import Backend, Plan
from inferplane.controlplane.knative.routes.rollout import Rollout
from inferplane.controlplane.knative.routes.status import Urls
from inferplane.controlplane.knative.routes.traffic import Target, Unassigned, World
from inferplane.controlplane.knative.settings import Settings
from inferplane.controlplane.machinery.cache import Key
from inferplane.controlplane.machinery.children import Children, is_foreign
from inferplane.controlplane.machinery.controller import Controller, Result
from inferplane.controlplane.machinery.events import Recorder
from inferplane.controlplane.machinery.informers import Informers
from inferplane.controlplane.machinery.owners import controller_key, key_of_meta, object_reference
from inferplane.controlplane.machinery.progress import Progress
from inferplane.kernel.clock import Clock, timestamp
from inferplane.kernel.json import JsonObject, text_at
from inferplane.resources import go_text
from inferplane.resources.conditions import READY, Verdict, copied
from inferplane.resources.core import Service
from inferplane.resources.gateway import Gateway, HTTPRoute
from inferplane.resources.go_text import NANOSECONDS
from inferplane.resources.knative import Configuration, Revision, Route, RouteStatus, words
from inferplane.resources.knative.route import INGRESS_READY
from inferplane.resources.knative.validation import metadata_problems
from inferplane.resources.meta import ObjectMeta

_BY_OWNER = "controller"
_BY_TARGET = "knative target"
T = TypeVar("T")


class RouteController:
    def __init__(
        self, informers: Informers, settings: Settings, recorder: Recorder, clock: Clock, patience: float = 0.0
    ) -> None:
        self._progress = Progress(clock, patience)
        self._api = informers.api
        self._children = Children(informers.api, MANAGER)
        self._settings = settings
        self._recorder = recorder
        self._clock = clock
        self._routes = informers.cache(KNATIVE_ROUTE, Route)
        self._routes.add_index(_BY_TARGET, _targets)
        self._configurations = informers.cache(KNATIVE_CONFIGURATION, Configuration)
        self._revisions = informers.cache(KNATIVE_REVISION, Revision)
        self._http_routes = informers.cache(HTTP_ROUTE, HTTPRoute)
        self._http_routes.add_index(_BY_OWNER, _owner_uids)
        self._services = informers.cache(SERVICE, Service)
        self._services.add_index(_BY_OWNER, _owner_uids)
        self._gateways = informers.cache(GATEWAY, Gateway)
        self.controller = Controller("knative route", self.reconcile, clock=clock)
        self.controller.watch(self._routes, lambda one: [key_of_meta(one.metadata)])
        self.controller.watch(self._configurations, lambda one: self._aiming_at("configuration", one))
        self.controller.watch(self._revisions, lambda one: self._aiming_at("revision", one))
        self.controller.watch(self._http_routes, lambda one: controller_key(one.metadata, KNATIVE_ROUTE))
        self.controller.watch(self._services, self._named_after)
        # How many routes a listener has is in its status, and changes with each service.
        self.controller.watch(self._gateways, lambda _: self._all(), part=lambda one: one.spec)
        settings.on_change(self._all_again)

    def _all_again(self) -> None:
        for key in self._all():
            self.controller.enqueue(key)

    def _all(self) -> Iterable[Key]:
        return [key_of_meta(one.metadata) for one in self._routes.list()]

    def _named_after(self, service: Service) -> Iterable[Key]:
        """The Route whose placeholder it is, or is in the way of."""
        key = key_of_meta(service.metadata)
        return [*controller_key(service.metadata, KNATIVE_ROUTE), *([key] if self._routes.get(key) else [])]

    def _aiming_at(self, kind: str, one: Configuration | Revision) -> Iterable[Key]:
        found = self._routes.matching(_BY_TARGET, _target(kind, one.metadata.namespace, one.metadata.name))
        return [key_of_meta(route.metadata) for route in found]

    async def reconcile(self, key: Key) -> Result | None:
        route = self._routes.get(key)
        if route is None or route.metadata.deleting:
            self._progress.forget(key)
            return None
        made, next_step = await self._reconciled(route)
        if (left := self._progress.of_status(key, route.status, made)) > 0:
            return Result(left)
        if await self._children.write_status(KNATIVE_ROUTE, route.metadata, route.status, made):
            self._tell(route, made)
        if next_step is None:
            return None
        return Result(max(0.0, (next_step - self._now()) / NANOSECONDS))

    async def _reconciled(self, route: Route) -> tuple[RouteStatus, int | None]:
        """The status, and when the next step of a rollout is due."""
        now, urls, settings = timestamp(self._clock.now()), self._urls(), self._settings.serving
        try:
            named = {tag: hosts.of(route, tag, settings) for tag in traffic.tags(route)}
        except hosts.InvalidHost as error:
            return status.blocked(route, status.invalid_host(str(error)), now), None
        main = named[traffic.DEFAULT]
        # Before there is anything behind them: who names them when it starts is told their address.
        await self._place_holders(route, render.placeholders(route, named.values(), settings.gateways))
        try:
            targets = traffic.resolved(route, self._world(route))
        except Unassigned as error:
            return status.blocked(route, error.verdict, now, main, urls), None
        groups = traffic.groups(targets)
        if problems := metadata_problems(route.metadata):
            return status.blocked(route, status.invalid_host("; ".join(problems)), now, main, urls), None
        state = self._rollout(route, groups, main)
        plan = Plan(groups, named, self._backends(route, targets, state), state)
        ingress, state = await self._program(route, plan)
        shown = status.traffic(targets, named, urls, state)
        return status.assigned(route, shown, main, urls, ingress, now), state.next_step()

    # --- what is there ------------------------------------------------------------------------------------------------

    def _world(self, route: Route) -> World:
        namespace = route.metadata.namespace
        configurations = _present(
            (one.configuration_name, self._configurations.get(Key(namespace, one.configuration_name)))
            for one in route.spec.traffic
        )
        named = [one.revision_name for one in route.spec.traffic]
        latest = [one.status.latest_ready_revision_name for one in configurations.values()]
        return World(
            configurations, _present((one, self._revisions.get(Key(namespace, one))) for one in named + latest)
        )

    def _backends(self, route: Route, targets: Sequence[Target], state: Rollout) -> dict[str, Backend]:
        rolling = [share.revision_name for one in state.configurations for share in one.revisions]
        found: dict[str, Backend] = {}
        for name in dict.fromkeys([*(one.revision for one in targets), *rolling]):
            revision = self._revisions.get(Key(route.metadata.namespace, name))
            if revision is not None:
                found[name] = _backend(revision)
        return found

    def _urls(self) -> Urls:
        settings = self._settings.serving
        gateway = self._gateways.get(Key(*settings.gateways.external))
        scheme = settings.network.default_external_scheme
        ports = [one.port for one in (gateway.spec.listeners if gateway else []) if one.protocol == scheme.upper()]
        return Urls(scheme, next(iter(ports), None))

    # --- rollout ------------------------------------------------------------------------------------------------------

    def _rollout(self, route: Route, groups: dict[str, list[Target]], main: Hosts) -> Rollout:
        if not self._duration(route):
            return Rollout()
        live = self._http_routes.get(Key(route.metadata.namespace, main.main))
        before = rollout.read(live.metadata.annotations.get(rollout.ANNOTATION, "") if live else "")
        known = {*self._revisions.names(route.metadata.namespace)}
        return rollout.stepped(rollout.wanted(groups), rollout.living(before, known), self._now())

    def _duration(self, route: Route) -> int:
        """Seconds."""
        text = route.metadata.annotations.get(words.ROLLOUT_DURATION)
        return go_text.duration(text) // NANOSECONDS if text else self._settings.serving.network.rollout_duration

    def _now(self) -> int:
        return int(self._clock.now().timestamp() * NANOSECONDS)

    # --- writing ------------------------------------------------------------------------------------------------------

    async def _program(self, route: Route, plan: Plan) -> tuple[Verdict, Rollout]:
        """What the gateway says, and the state of the rollout after that."""
        wanted = render.http_routes(route, plan, self._settings.serving.gateways)
        foreign = [one for one in wanted if is_foreign(self._live(route, one), route.metadata)]
        if foreign:
            return status.not_owned(text_at(foreign[0], "metadata", "name")), plan.rollout
        made = [await self._ensure(route, one) for one in wanted]
        await self._remove_others(route, {one.metadata.name for one in made})
        before, state = copied(route.status.conditions, INGRESS_READY), plan.rollout
        said = status.ingress(made, before, rolling=False)
        if said.is_true and not state.is_done:
            state = rollout.observed(state, self._now(), self._duration(route))
            if state != plan.rollout:
                paced = Plan(plan.groups, plan.hosts, plan.backends, state)
                [first, *_] = render.http_routes(route, paced, self._settings.serving.gateways)
                await self._ensure(route, first)
        return status.ingress(made, before, rolling=not state.is_done), state

    def _live(self, route: Route, body: JsonObject) -> HTTPRoute | None:
        return self._http_routes.get(Key(route.metadata.namespace, text_at(body, "metadata", "name")))

    async def _ensure(self, route: Route, body: JsonObject) -> HTTPRoute:
        return await self._children.ensure(HTTP_ROUTE, body, self._live(route, body), HTTPRoute)

    async def _place_holders(self, route: Route, wanted: Sequence[JsonObject]) -> None:
        """A Service of that name by somebody else stays, and the name leads to it."""
        for body in wanted:
            name = text_at(body, "metadata", "name")
            live = self._services.get(Key(route.metadata.namespace, name))
            if not is_foreign(live, route.metadata):
                await self._ensure_service(body, live)
        names = {text_at(one, "metadata", "name") for one in wanted}
        for one in self._services.matching(_BY_OWNER, route.metadata.uid):
            if one.metadata.name not in names:
                await self._delete(SERVICE, one.metadata)

    async def _ensure_service(self, body: JsonObject, live: Service | None) -> None:
        """The node adds an annotation, and the server fills in addresses: what we say is compared, not the whole."""
        wanted = msgspec.convert(body, Service)
        if live is not None:
            marks = wanted.metadata.annotations.items() <= live.metadata.annotations.items()
            if marks and wanted.metadata.labels == live.metadata.labels and _leads_alike(wanted, live):
                return
        await self._api.apply(SERVICE, body, wanted.metadata.namespace, manager=MANAGER)

    async def _remove_others(self, route: Route, kept: set[str]) -> None:
        for one in self._http_routes.matching(_BY_OWNER, route.metadata.uid):
            if one.metadata.name not in kept:
                await self._delete(HTTP_ROUTE, one.metadata)

    async def _delete(self, resource: Resource, meta: ObjectMeta) -> None:
        if meta.deleting:
            return
        try:
            await self._api.delete(resource, meta.name, meta.namespace, uid=meta.uid)
        except NotFound:
            return

    def _tell(self, route: Route, made: RouteStatus) -> None:
        was, now = copied(route.status.conditions, READY), copied(made.conditions, READY)
        about = object_reference(KNATIVE_ROUTE, route.metadata)
        if now.is_false and not was.is_false:
            self._recorder.event(about, "Warning", now.reason, now.message)


def _present(found: Iterable[tuple[str, T | None]]) -> Mapping[str, T]:
    return {name: one for name, one in found if one is not None}


def _backend(revision: Revision) -> Backend:
    fields = ("timeoutSeconds", "responseStartTimeoutSeconds", "idleTimeoutSeconds")
    limits = [revision.spec.get(one) for one in fields]
    return Backend(protocol(revision), *(one if isinstance(one, int) else 0 for one in limits))


def _target(kind: str, namespace: str, name: str) -> str:
    return f"{kind} {namespace}/{name}"


def _targets(route: Route) -> list[str]:
    """What it leads to, wants to lead to, or rolls out."""
    namespace = route.metadata.namespace
    configurations = {one.configuration_name for one in route.spec.traffic}
    revisions = {one.revision_name for one in (*route.spec.traffic, *route.status.traffic)}
    return [
        *(_target("configuration", namespace, one) for one in sorted(configurations - {""})),
        *(_target("revision", namespace, one) for one in sorted(revisions - {""})),
    ]


def _leads_alike(one: Service, other: Service) -> bool:
    return (one.spec.type, one.spec.external_name) == (other.spec.type, other.spec.external_name)


def _owner_uids(one: HTTPRoute | Service) -> list[str]:
    owner = one.metadata.controller_of()
    return [owner.uid] if owner else []
