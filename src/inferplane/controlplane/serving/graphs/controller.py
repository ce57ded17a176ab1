"""The InferenceGraph controller: caches in; the router's objects out, applied server-side, then the status.

The services that a graph names are watched, so that it follows their addresses and says when one of them is not ready.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from inferplane.client.kubernetes import kinds
from inferplane.client.kubernetes.api import Api, ApiError, NotFound, Resource
from inferplane.controlplane.machinery.cache import Cache, Key
from inferplane.controlplane.machinery.controller import Controller, Result
from inferplane.controlplane.machinery.events import Recorder
from inferplane.controlplane.machinery.informers import Informers
from inferplane.controlplane.machinery.owners import controller_key, key_of_meta, object_reference
from inferplane.controlplane.serving import names, pods
from inferplane.controlplane.serving.applying import Applier
from inferplane.controlplane.serving.graphs.endpoints import Service
from inferplane.controlplane.serving.graphs.plan import Plan, World, plan, services_of
from inferplane.controlplane.serving.graphs.render import GRAPH_LABEL, MANAGER
from inferplane.controlplane.serving.graphs.report import READY, STOPPED, Observed, broken_config, report
from inferplane.controlplane.serving.inferenceservice import Caches, LastGoodConfig, is_configuration
from inferplane.controlplane.serving.knative import watched
from inferplane.controlplane.serving.knative.watched import Knative
from inferplane.controlplane.serving.optional import Definition
from inferplane.controlplane.serving.plan import MODE_REJECTED, RECONCILE_FAILED, Blocked
from inferplane.controlplane.serving.render import Desired
from inferplane.kernel.clock import Clock, timestamp
from inferplane.kernel.json import JsonObject
from inferplane.resources.autoscaling import HorizontalPodAutoscaler
from inferplane.resources.core import ConfigMap, Pod
from inferplane.resources.gateway import Gateway
from inferplane.resources.meta import Condition, ObjectMeta, condition
from inferplane.resources.serving.config import Config, ConfigError
from inferplane.resources.serving.inferencegraph import InferenceGraph, InferenceGraphStatus
from inferplane.resources.serving.inferenceservice import InferenceService
from inferplane.resources.serving.runtime import ServingRuntime

_REFUSALS = (400, 403, 422)
_BY_SERVICE = "asked service"
_BY_OWNER = "controller"
_BY_APP = "app"


@dataclass(frozen=True, slots=True)
class Refused:
    """`retry`: it may succeed later although nothing here changes (a quota or a policy)."""

    said: Blocked
    retry: ApiError | None = None


class InferenceGraphs:
    def __init__(
        self,
        api: Api,
        graphs: Cache[InferenceGraph],
        caches: Caches,
        knative: Knative,
        recorder: Recorder,
        clock: Clock,
    ) -> None:
        self._api = api
        self._graphs = graphs
        self._caches = caches
        self._knative = knative
        self._recorder = recorder
        self._clock = clock
        self._applier = Applier(api, MANAGER)
        self._config = LastGoodConfig(caches.config_maps, recorder)

    async def reconcile(self, key: Key) -> Result | None:
        graph = self._graphs.get(key)
        if graph is None or graph.metadata.deleting:
            return None
        try:
            config = self._config.read()
        except ConfigError as error:
            await self._write_status(graph, broken_config(graph, error, self._now()))
            return None
        todo = plan(graph, config, await self._world(graph))
        refused = await self._carry_out(todo)
        await self._write_status(graph, report(todo, self._observed(todo, refused), self._now()))
        if refused is not None and refused.retry is not None:
            raise refused.retry
        return None

    # --- reading ------------------------------------------------------------------------------------------------------

    async def _world(self, graph: InferenceGraph) -> World:
        namespace = graph.metadata.namespace
        has_knative = await self._knative.is_served()
        found = {name: self._caches.isvcs.get(Key(namespace, name)) for name in services_of(graph)}
        return World(
            services={name: Service(name, isvc) for name, isvc in found.items()},
            runtimes=[*self._caches.runtimes.list(namespace), *self._caches.cluster_runtimes.list()],
            has_knative=has_knative,
            allow_zero_initial_scale=self._knative.world(graph.metadata.uid).allow_zero_initial_scale,
        )

    def _observed(self, todo: Plan, refused: Refused | None) -> Observed:
        meta = todo.graph.metadata
        deployments = [*self._caches.deployments.matching(_BY_OWNER, meta.uid)]
        return Observed(
            service=self._knative.world(meta.uid).services.get(meta.name),
            deployment=next(iter(deployments), None),
            pods=self._pods(meta),
            routes={one.metadata.name: one for one in self._caches.routes.matching(_BY_OWNER, meta.uid)},
            gateway=self._gateway(todo.config),
            refused=refused.said if refused else None,
        )

    def _pods(self, meta: ObjectMeta) -> Sequence[Pod]:
        found = self._caches.pods.matching(_BY_APP, f"{meta.namespace}/{names.app_label(meta.name)}")
        return pods.newest_first([one for one in found if not one.metadata.deleting])

    def _gateway(self, config: Config) -> Gateway | None:
        try:
            return self._caches.gateways.get(Key(*config.ingress.gateway))
        except ConfigError:
            # The plan says so where it matters: in the condition of the routes.
            return None

    # --- writing ------------------------------------------------------------------------------------------------------

    async def _carry_out(self, todo: Plan) -> Refused | None:
        """Applies and prunes; nothing is pruned after a refusal, nor while the graph cannot be planned."""
        if todo.blocked is not None:
            return None
        for desired in todo.objects:
            if (refused := await self._try(todo.graph.metadata, desired)) is not None:
                return refused
        await self._prune(todo)
        return None

    async def _try(self, owner: ObjectMeta, desired: Desired) -> Refused | None:
        key = Key(owner.namespace, desired.name)
        live = self._caches.live(desired.resource, key) or self._knative.live(desired.resource, key)
        holder = live.controller_of() if live else None
        if live is not None and (holder is None or holder.uid != owner.uid):
            who = f"belongs to {holder.kind} {holder.name}" if holder else "is there already and belongs to nobody"
            words = f"{desired.resource.kind} {desired.name} {who}: give the graph another name, or delete that one"
            return Refused(Blocked(RECONCILE_FAILED, words))
        if live is not None and live.deleting:
            return None
        try:
            await self._applier.apply(desired, live)
        except ApiError as error:
            if error.status not in _REFUSALS:
                raise
            said = Blocked(RECONCILE_FAILED, f"{desired.resource.kind} {desired.name}: {error}")
            return Refused(said, error if error.status == 403 else None)
        return None

    async def _prune(self, todo: Plan) -> None:
        wanted = {(one.resource, one.name) for one in todo.objects}
        for resource, meta in self._children(todo.graph.metadata.uid):
            kept = todo.ingress_blocked is not None and resource == kinds.HTTP_ROUTE
            if (resource, meta.name) not in wanted and not kept:
                await self._applier.remove(resource, meta)

    def _children(self, uid: str) -> Iterator[tuple[Resource, ObjectMeta]]:
        yield from self._caches.children(uid)
        yield from self._knative.children(uid)

    async def _write_status(self, graph: InferenceGraph, status: InferenceGraphStatus) -> None:
        if status == graph.status:
            return
        meta: JsonObject = {"name": graph.metadata.name, "namespace": graph.metadata.namespace}
        body: JsonObject = {"metadata": meta, "status": msgspec.to_builtins(status)}
        try:
            await self._api.apply(
                kinds.INFERENCE_GRAPH, body, graph.metadata.namespace, manager=MANAGER, subresource="status"
            )
        except NotFound:
            # Deleted meanwhile; its watch event is on the way.
            return
        self._tell(graph, status)

    def _tell(self, graph: InferenceGraph, status: InferenceGraphStatus) -> None:
        was, now = (condition(one.conditions, READY) for one in (graph.status, status))
        about = object_reference(kinds.INFERENCE_GRAPH, graph.metadata)
        if _is_true(now) and not _is_true(was):
            self._recorder.event(about, "Normal", "InferenceGraphReady", f"{graph.metadata.name} is ready")
        elif _is_true(was) and now is not None and not _is_true(now):
            false = [
                one.type for one in status.conditions if one.status == "False" and one.type not in (READY, STOPPED)
            ]
            why = f"{now.reason}: {now.message}".strip(": ")
            words = f"{graph.metadata.name} is no longer ready ({', '.join(false) or READY}): {why}"
            self._recorder.event(about, "Warning", "InferenceGraphNotReady", words)
        if now is not None and now.reason == MODE_REJECTED:
            self._recorder.event(about, "Warning", MODE_REJECTED, now.message)

    def _now(self) -> str:
        return timestamp(self._clock.now())


def _is_true(found: Condition | None) -> bool:
    return found is not None and found.status == "True"


def graphs(api: Api, informers: Informers, recorder: Recorder, clock: Clock) -> Controller:
    """The controller, wired to what it watches."""
    cache = informers.cache(kinds.INFERENCE_GRAPH, InferenceGraph)
    cache.add_index(_BY_SERVICE, lambda one: [f"{one.metadata.namespace}/{name}" for name in services_of(one)])
    caches = Caches.of(informers)

    def owned(meta: ObjectMeta) -> list[Key]:
        return controller_key(meta, kinds.INFERENCE_GRAPH)

    def enqueue_owner(meta: ObjectMeta) -> None:
        for key in owned(meta):
            controller.enqueue(key)

    def all_graphs(namespace: str = "") -> list[Key]:
        return [key_of_meta(one.metadata) for one in cache.list(namespace)]

    def of_service(isvc: InferenceService) -> list[Key]:
        asked = f"{isvc.metadata.namespace}/{isvc.metadata.name}"
        return [key_of_meta(one.metadata) for one in cache.matching(_BY_SERVICE, asked)]

    def of_pod(pod: Pod) -> list[Key]:
        name = pod.metadata.labels.get(GRAPH_LABEL)
        return [Key(pod.metadata.namespace, name)] if name else []

    def of_config_map(one: ConfigMap) -> list[Key]:
        return all_graphs() if is_configuration(one) or watched.is_configuration(key_of_meta(one.metadata)) else []

    def of_definition(one: Definition) -> list[Key]:
        return all_graphs() if one.metadata.name in watched.DEFINITIONS else []

    def of_runtime(one: ServingRuntime) -> list[Key]:
        return all_graphs(one.metadata.namespace)

    def autoscaler_changed(old: HorizontalPodAutoscaler | None, new: HorizontalPodAutoscaler | None) -> None:
        # Its status is written every few seconds under load, and is no business of ours.
        if old is None or new is None or old.spec != new.spec:
            for one in (old, new):
                if one is not None:
                    enqueue_owner(one.metadata)

    knative = Knative(informers, caches.config_maps, enqueue_owner)
    reconciler = InferenceGraphs(api, cache, caches, knative, recorder, clock)
    controller = Controller("inferencegraph", reconciler.reconcile, clock=clock, workers=2)
    controller.watch(cache, lambda one: [key_of_meta(one.metadata)])
    controller.watch(caches.isvcs, of_service)
    controller.watch(caches.services, lambda one: owned(one.metadata))
    controller.watch(caches.deployments, lambda one: owned(one.metadata))
    controller.watch(caches.routes, lambda one: owned(one.metadata))
    caches.autoscalers.on_change(autoscaler_changed)
    controller.watch(caches.pods, of_pod)
    controller.watch(caches.runtimes, of_runtime)
    controller.watch(caches.cluster_runtimes, of_runtime)
    controller.watch(caches.config_maps, of_config_map)
    controller.watch(caches.gateways, lambda _: all_graphs(), part=lambda one: one.spec)
    controller.watch(knative.definitions, of_definition)
    return controller
