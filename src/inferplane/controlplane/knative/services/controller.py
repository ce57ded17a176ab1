"""The Service controller: two children, and their conditions as its own.

With a revision name in the template the Configuration goes first: traffic must not reach a revision of that name that
is of another template.
"""

from dataclasses import replace

from inferplane.client.kubernetes.kinds import (
    KNATIVE_CONFIGURATION,
    KNATIVE_REVISION,
    KNATIVE_ROUTE,
    KNATIVE_SERVICE,
)
from inferplane.controlplane.knative.configurations.plan import belongs
from inferplane.controlplane.knative.marks import MANAGER
from inferplane.controlplane.knative.services import plan, status
from inferplane.controlplane.knative.services.status import Sight
from inferplane.controlplane.knative.settings import Settings
from inferplane.controlplane.machinery.cache import Key
from inferplane.controlplane.machinery.children import Children, is_foreign
from inferplane.controlplane.machinery.controller import Controller, Result
from inferplane.controlplane.machinery.events import Recorder
from inferplane.controlplane.machinery.informers import Informers
from inferplane.controlplane.machinery.owners import controller_key, key_of_meta, object_reference
from inferplane.controlplane.machinery.progress import Progress
from inferplane.kernel.clock import Clock, timestamp
from inferplane.resources.conditions import failed
from inferplane.resources.knative import Configuration, KnativeService, Revision, Route
from inferplane.resources.knative.validation import metadata_problems


class ServiceController:
    def __init__(
        self, informers: Informers, settings: Settings, recorder: Recorder, clock: Clock, patience: float = 0.0
    ) -> None:
        self._progress = Progress(clock, patience)
        self._children = Children(informers.api, MANAGER)
        self._settings = settings
        self._recorder = recorder
        self._clock = clock
        self._services = informers.cache(KNATIVE_SERVICE, KnativeService)
        self._configurations = informers.cache(KNATIVE_CONFIGURATION, Configuration)
        self._routes = informers.cache(KNATIVE_ROUTE, Route)
        self._revisions = informers.cache(KNATIVE_REVISION, Revision)
        self.controller = Controller("knative service", self.reconcile, clock=clock)
        self.controller.watch(self._services, lambda one: [key_of_meta(one.metadata)])
        self.controller.watch(self._configurations, lambda one: controller_key(one.metadata, KNATIVE_SERVICE))
        self.controller.watch(self._routes, lambda one: controller_key(one.metadata, KNATIVE_SERVICE))

    async def reconcile(self, key: Key) -> Result | None:
        service = self._services.get(key)
        if service is None or service.metadata.deleting:
            self._progress.forget(key)
            return None
        sight = await self._with_children(key, service)
        made = status.next_status(service, sight, timestamp(self._clock.now()))
        if (left := self._progress.of_status(key, service.status, made)) > 0:
            return Result(left)
        await self._children.write_status(KNATIVE_SERVICE, service.metadata, service.status, made)
        return None

    async def _with_children(self, key: Key, service: KnativeService) -> Sight:
        if problems := metadata_problems(service.metadata):
            return Sight(configurations_ready=failed(status.REVISION_FAILED, "; ".join(problems)))
        live = self._configurations.get(key)
        if is_foreign(live, service.metadata):
            return Sight(configurations_ready=status.foreign("Configuration", key.name))
        if live is None:
            self._tell_created(service, "Configuration")
        body = plan.configuration(service, live)
        configuration = await self._children.ensure(KNATIVE_CONFIGURATION, body, live, Configuration)
        ready = status.of_configuration(configuration)
        return await self._with_route(key, service, Sight(configuration, configurations_ready=ready))

    async def _with_route(self, key: Key, service: KnativeService, sight: Sight) -> Sight:
        configuration = sight.configuration
        assert configuration is not None
        name = configuration.spec.template.metadata.name
        if name and sight.configurations_ready == status.OUTDATED:
            return sight
        if name and self._is_taken(configuration, name):
            return replace(sight, routes_ready=status.name_taken(name))
        live = self._routes.get(key)
        if is_foreign(live, service.metadata):
            return replace(sight, routes_ready=status.foreign("Route", key.name))
        if live is None:
            self._tell_created(service, "Route")
        route = await self._children.ensure(KNATIVE_ROUTE, plan.route(service), live, Route)
        return replace(sight, route=route, routes_ready=status.of_route(route, configuration))

    def _is_taken(self, configuration: Configuration, name: str) -> bool:
        revision = self._revisions.get(Key(configuration.metadata.namespace, name))
        return revision is not None and not belongs(revision, configuration, self._settings.serving)

    def _tell_created(self, service: KnativeService, kind: str) -> None:
        about = object_reference(KNATIVE_SERVICE, service.metadata)
        self._recorder.event(about, "Normal", "Created", f'Created {kind} "{service.metadata.name}"')
