"""The InferenceService controller.

Caches in; Deployment, Service and HTTPRoutes (in Knative mode: Knative Services and the way in) out, applied
server-side, then the status. Each reconcile is: plan what should exist (`plan`, `knative.plan`), write what differs
(`applying`), remove what should not exist, say how it stands (`report`, `knative.report`).
Nothing is polled: every change that matters comes by watch.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from inferplane.client.kubernetes import kinds
from inferplane.client.kubernetes.api import Api, ApiError, NotFound, Resource
from inferplane.controlplane.machinery.cache import Cache, Key
from inferplane.controlplane.machinery.controller import Result
from inferplane.controlplane.machinery.events import Recorder
from inferplane.controlplane.machinery.informers import Informers
from inferplane.controlplane.machinery.owners import key_of_meta, object_reference
from inferplane.controlplane.machinery.progress import Progress
from inferplane.controlplane.serving import conditions, names, pods, shadows
from inferplane.controlplane.serving.applying import Applier
from inferplane.controlplane.serving.fetching import completed
from inferplane.controlplane.serving.handover import still_called
from inferplane.controlplane.serving.keda import KINDS as KEDA_KINDS
from inferplane.controlplane.serving.keda import Keda
from inferplane.controlplane.serving.knative import plan as knative_plan
from inferplane.controlplane.serving.knative import report as knative_report
from inferplane.controlplane.serving.knative.watched import Knative
from inferplane.controlplane.serving.localmodels import LocalModels
from inferplane.controlplane.serving.plan import (
    INGRESS,
    KNATIVE,
    MODE_REJECTED,
    RECONCILE_FAILED,
    Blocked,
    Plan,
    Runtimes,
    mode,
    plan,
)
from inferplane.controlplane.serving.processimages import ProcessImages
from inferplane.controlplane.serving.render import Desired
from inferplane.controlplane.serving.report import Observed, report
from inferplane.controlplane.serving.storecaches import StoreCaches
from inferplane.kernel.clock import Clock, timestamp
from inferplane.kernel.json import JsonObject
from inferplane.resources.apps import Deployment
from inferplane.resources.autoscaling import HorizontalPodAutoscaler
from inferplane.resources.core import ConfigMap, Pod, Service
from inferplane.resources.gateway import Gateway, HTTPRoute
from inferplane.resources.meta import Condition, ObjectMeta, condition
from inferplane.resources.networking import Ingress, IngressClass
from inferplane.resources.serving.config import CONFIG_NAME, CONFIG_NAMESPACE, Config, ConfigError, parse
from inferplane.resources.serving.inferenceservice import InferenceService, InferenceServiceStatus
from inferplane.resources.serving.runtime import ServingRuntime

log = logging.getLogger(__name__)

_FORBIDDEN = 403
# Answers that are about what was sent: a quota or a policy (403) may change, the rest needs another spec.
_REFUSALS = (400, _FORBIDDEN, 422)
_BY_OWNER = "controller"
_BY_APP = "app"
_BY_REVISION = "revision"
_BY_SHADOW = "shadow"
_INGRESSES = (kinds.HTTP_ROUTE, kinds.INGRESS, kinds.VIRTUAL_SERVICE)


@dataclass(frozen=True, slots=True)
class Caches:
    """What the controller reads. All are watched."""

    services: Cache[Service]
    deployments: Cache[Deployment]
    autoscalers: Cache[HorizontalPodAutoscaler]
    routes: Cache[HTTPRoute]
    ingresses: Cache[Ingress]
    ingress_classes: Cache[IngressClass]
    pods: Cache[Pod]
    gateways: Cache[Gateway]
    isvcs: Cache[InferenceService]
    runtimes: Cache[ServingRuntime]
    cluster_runtimes: Cache[ServingRuntime]
    config_maps: Cache[ConfigMap]
    stores: StoreCaches

    @classmethod
    def of(cls, informers: Informers) -> "Caches":
        caches = cls(
            services=informers.cache(kinds.SERVICE, Service),
            deployments=informers.cache(kinds.DEPLOYMENT, Deployment),
            autoscalers=informers.cache(kinds.HORIZONTAL_POD_AUTOSCALER, HorizontalPodAutoscaler),
            routes=informers.cache(kinds.HTTP_ROUTE, HTTPRoute),
            ingresses=informers.cache(kinds.INGRESS, Ingress),
            ingress_classes=informers.cache(kinds.INGRESS_CLASS, IngressClass),
            pods=informers.cache(kinds.POD, Pod),
            gateways=informers.cache(kinds.GATEWAY, Gateway),
            isvcs=informers.cache(kinds.INFERENCE_SERVICE, InferenceService),
            runtimes=informers.cache(kinds.SERVING_RUNTIME, ServingRuntime),
            cluster_runtimes=informers.cache(kinds.CLUSTER_SERVING_RUNTIME, ServingRuntime),
            config_maps=informers.cache(kinds.CONFIG_MAP, ConfigMap),
            stores=StoreCaches.of(informers),
        )
        caches.services.add_index(_BY_OWNER, lambda one: _owner_uids(one.metadata))
        caches.deployments.add_index(_BY_OWNER, lambda one: _owner_uids(one.metadata))
        caches.autoscalers.add_index(_BY_OWNER, lambda one: _owner_uids(one.metadata))
        caches.routes.add_index(_BY_OWNER, lambda one: _owner_uids(one.metadata))
        caches.ingresses.add_index(_BY_OWNER, lambda one: _owner_uids(one.metadata))
        caches.isvcs.add_index(_BY_SHADOW, shadows.targets)
        caches.pods.add_index(_BY_APP, lambda one: [_app(one.metadata.namespace, one.metadata.labels.get("app", ""))])
        caches.pods.add_index(
            _BY_REVISION, lambda one: [_app(one.metadata.namespace, one.metadata.labels.get(names.REVISION_LABEL, ""))]
        )
        return caches

    def live(self, resource: Resource, key: Key) -> ObjectMeta | None:
        """Metadata of an object of a kind that we write."""
        found: Service | Deployment | HorizontalPodAutoscaler | HTTPRoute | Ingress | None
        match resource:
            case kinds.SERVICE:
                found = self.services.get(key)
            case kinds.DEPLOYMENT:
                found = self.deployments.get(key)
            case kinds.HORIZONTAL_POD_AUTOSCALER:
                found = self.autoscalers.get(key)
            case kinds.HTTP_ROUTE:
                found = self.routes.get(key)
            case kinds.INGRESS:
                found = self.ingresses.get(key)
            case _:
                found = None
        return found.metadata if found else None

    def children(self, uid: str) -> list[tuple[Resource, ObjectMeta]]:
        return [
            *((kinds.SERVICE, one.metadata) for one in self.services.matching(_BY_OWNER, uid)),
            *((kinds.DEPLOYMENT, one.metadata) for one in self.deployments.matching(_BY_OWNER, uid)),
            *((kinds.HORIZONTAL_POD_AUTOSCALER, one.metadata) for one in self.autoscalers.matching(_BY_OWNER, uid)),
            *((kinds.HTTP_ROUTE, one.metadata) for one in self.routes.matching(_BY_OWNER, uid)),
            *((kinds.INGRESS, one.metadata) for one in self.ingresses.matching(_BY_OWNER, uid)),
        ]

    def mirrored_to(self, meta: ObjectMeta) -> list[Key]:
        """Services whose requests go to this one too. A service's route has its name."""
        found = self.isvcs.matching(_BY_SHADOW, f"{meta.namespace}/{meta.name}")
        return [key_of_meta(one.metadata) for one in found]


def _owner_uids(meta: ObjectMeta) -> list[str]:
    owner = meta.controller_of()
    return [owner.uid] if owner else []


def _app(namespace: str, app: str) -> str:
    return f"{namespace}/{app}"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A write that was turned down. `retry` is set when it may succeed later although nothing here changes."""

    said: Blocked
    retry: ApiError | None = None


class LastGoodConfig:
    """The configuration; one that cannot be read leaves the last good one in effect, so that a slip of the pen in the
    ConfigMap takes no running service down. It is told once, as an event of the ConfigMap and in the log."""

    def __init__(self, config_maps: Cache[ConfigMap], recorder: Recorder) -> None:
        self._config_maps = config_maps
        self._recorder = recorder
        self._version = ""
        self._good: Config | None = None

    def read(self) -> Config:
        """Raises ConfigError when there has been no good one yet."""
        found = self._config_maps.get(Key(CONFIG_NAMESPACE, CONFIG_NAME))
        version = found.metadata.resource_version if found else "none"
        if self._good is not None and version == self._version:
            return self._good
        try:
            self._good = parse(found.data if found else {})
        except ConfigError as error:
            if self._good is None or found is None:
                raise
            log.warning("configuration left as it was error=%s", error)
            about = object_reference(kinds.CONFIG_MAP, found.metadata)
            self._recorder.event(
                about, "Warning", "InvalidConfiguration", f"{error}; the last good one stays in effect"
            )
        self._version = version
        return self._good


class InferenceServices:
    def __init__(
        self,
        api: Api,
        caches: Caches,
        knative: Knative,
        keda: Keda,
        local_models: LocalModels,
        images: ProcessImages,
        recorder: Recorder,
        clock: Clock,
        patience: float = 0.0,
    ) -> None:
        """`patience`: seconds that a status may wait that only tells of progress."""
        self._api = api
        self._caches = caches
        self._progress = Progress(clock, patience)
        self._knative = knative
        self._keda = keda
        self._local_models = local_models
        self._images = images
        self._recorder = recorder
        self._clock = clock
        self._applier = Applier(api, names.MANAGER)
        self._config = LastGoodConfig(caches.config_maps, recorder)

    async def reconcile(self, key: Key) -> Result | None:
        isvc = self._caches.isvcs.get(key)
        if isvc is None or isvc.metadata.deleting:
            self._progress.forget(key)
            return None
        try:
            config = self._config.read()
        except ConfigError as error:
            await self._write_status(isvc, _broken_config(isvc, error, self._now()))
            return None
        todo = await self._plan(isvc, config)
        await self._local_models.write(isvc, todo.isvc)
        refused = {} if _is_frozen(isvc) else await self._carry_out(isvc, todo)
        made = self._report(todo, refused)
        if (left := self._progress.of_status(key, isvc.status, made)) > 0:
            return Result(left)
        await self._write_status(isvc, made)
        for retry in (one.retry for one in refused.values() if one.retry):
            raise retry
        return None

    # --- reading ------------------------------------------------------------------------------------------------------

    async def _plan(self, isvc: InferenceService, config: Config) -> Plan:
        namespaced = self._caches.runtimes.list(isvc.metadata.namespace)
        stores = self._caches.stores.stores(isvc.metadata.namespace)
        local_models = await self._local_models.caches(config)
        runtimes = Runtimes(
            namespaced,
            self._caches.cluster_runtimes.list(),
            stores.containers,
            local_models,
            await self._images.list(),
        )
        if mode(isvc, config) == KNATIVE:
            world = self._knative.world(isvc.metadata.uid) if await self._knative.is_served() else None
            return self._with_shadow(completed(knative_plan.plan(isvc, config, runtimes, world), stores))
        await self._keda.follow()
        running = [one for one in self._deployments(isvc) if not one.metadata.deleting]
        available = [one.metadata.name for one in running if one.status.available_replicas]
        called = still_called(running, [one.metadata.name for one in running if self._has_leaving_pods(one)])
        return self._with_shadow(completed(plan(isvc, config, runtimes, available, called), stores))

    def _with_shadow(self, todo: Plan) -> Plan:
        asked = shadows.asked(todo.isvc)
        key = Key(todo.isvc.metadata.namespace, asked.target if asked else "")
        return shadows.with_shadow(todo, self._caches.isvcs.get(key), self._caches.routes.get(key))

    def _deployments(self, isvc: InferenceService) -> Sequence[Deployment]:
        """Only what this very object owns: a namesake of before may not have been collected yet."""
        return self._caches.deployments.matching(_BY_OWNER, isvc.metadata.uid)

    def _report(self, todo: Plan, refused: Mapping[str, Refusal]) -> InferenceServiceStatus:
        if todo.mode == KNATIVE:
            return knative_report.report(todo, self._observed_knative(todo, refused), self._now())
        return report(todo, self._observed(todo, refused), self._now())

    def _observed_knative(self, todo: Plan, refused: Mapping[str, Refusal]) -> knative_report.Observed:
        meta = todo.isvc.metadata
        world = self._knative.world(meta.uid)
        predictor = knative_plan.services(todo, world).get(names.PREDICTOR)
        revision = predictor.status.latest_created_revision_name if predictor else ""
        found = self._caches.pods.matching(_BY_REVISION, _app(meta.namespace, revision)) if revision else ()
        return knative_report.Observed(
            world=world,
            pods=pods.newest_first([one for one in found if not one.metadata.deleting]),
            routes={one.metadata.name: one for one in self._caches.routes.matching(_BY_OWNER, meta.uid)},
            gateway=self._gateway(todo.config),
            refused={what: one.said for what, one in refused.items()},
        )

    def _observed(self, todo: Plan, refused: Mapping[str, Refusal]) -> Observed:
        meta = todo.isvc.metadata
        deployments = {one.metadata.name: one for one in self._deployments(todo.isvc)}
        return Observed(
            deployments=deployments,
            ingress=next(iter(self._caches.ingresses.matching(_BY_OWNER, meta.uid)), None),
            ingress_classes=self._caches.ingress_classes.list(),
            routes={one.metadata.name: one for one in self._caches.routes.matching(_BY_OWNER, meta.uid)},
            pods={name: self._pods(meta.namespace, name) for name in deployments},
            gateway=self._gateway(todo.config),
            refused={what: one.said for what, one in refused.items()},
        )

    def _gateway(self, config: Config) -> Gateway | None:
        try:
            return self._caches.gateways.get(Key(*config.ingress.gateway))
        except ConfigError:
            # The plan says so where it matters: in the condition of the routes.
            return None

    def _has_leaving_pods(self, one: Deployment) -> bool:
        app = _app(one.metadata.namespace, names.app_label(one.metadata.name))
        return any(pod.metadata.deleting for pod in self._caches.pods.matching(_BY_APP, app))

    def _pods(self, namespace: str, name: str) -> Sequence[Pod]:
        found = self._caches.pods.matching(_BY_APP, _app(namespace, names.app_label(name)))
        return pods.newest_first([one for one in found if not one.metadata.deleting])

    # --- writing ------------------------------------------------------------------------------------------------------

    async def _carry_out(self, isvc: InferenceService, todo: Plan) -> dict[str, Refusal]:
        """Applies and prunes. What the API server turns down is returned by what it is for, the rest is raised.

        A component goes no further than its first refusal, and nothing is pruned after one: what is to take the place
        of the pruned may be what was refused. What a workload needs beside it is written at one time.
        """
        if todo.blocked is not None:
            return {}
        refused: dict[str, Refusal] = {}
        for what, objects in todo.groups:
            first = 0 if what == INGRESS else 1
            for together in (objects[:first], objects[first:]):
                if what not in refused and (refusal := await self._try_all(isvc, together)):
                    refused[what] = refusal
        if not refused:
            await self._prune(isvc, todo)
        return refused

    async def _try_all(self, isvc: InferenceService, objects: Sequence[Desired]) -> Refusal | None:
        """The first refusal. What is raised is raised when all have ended."""
        answers = await asyncio.gather(*(self._try(isvc, one) for one in objects), return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        return next((one for one in answers if isinstance(one, Refusal)), None)

    async def _try(self, isvc: InferenceService, desired: Desired) -> Refusal | None:
        try:
            said = await self._apply(isvc, desired)
            return Refusal(said) if said else None
        except ApiError as error:
            if error.status not in _REFUSALS:
                raise
            said = Blocked(RECONCILE_FAILED, f"{desired.resource.kind} {desired.name}: {error}")
            return Refusal(said, error if error.status == _FORBIDDEN else None)

    async def _apply(self, isvc: InferenceService, desired: Desired) -> Blocked | None:
        key = Key(isvc.metadata.namespace, desired.name)
        if missing := self._keda.missing(desired.resource):
            return Blocked(RECONCILE_FAILED, missing)
        live = self._live(desired.resource, key)
        owner = live.controller_of() if live else None
        if owner is not None and owner.uid != isvc.metadata.uid:
            what = f"{desired.resource.kind} {desired.name} belongs to {owner.kind} {owner.name}"
            return Blocked(RECONCILE_FAILED, f"{what} (uid {owner.uid}): waiting for it to go, or delete it")
        if live is None or not live.deleting:
            await self._applier.apply(desired, live)
        return None

    def _live(self, resource: Resource, key: Key) -> ObjectMeta | None:
        if resource in KEDA_KINDS:
            return self._keda.live(resource, key)
        return self._caches.live(resource, key) or self._knative.live(resource, key)

    async def _prune(self, isvc: InferenceService, todo: Plan) -> None:
        wanted = {(one.resource, one.name) for one in todo.objects}
        # While the way in cannot be made, the one that is there stays.
        kept = _INGRESSES if todo.ingress_blocked else ()
        if todo.ingress_blocked and todo.mode == KNATIVE:
            kept = (*kept, kinds.SERVICE)
        uid = isvc.metadata.uid
        for resource, meta in [
            *self._caches.children(uid),
            *self._knative.children(uid),
            *self._keda.children(uid),
        ]:
            serves_still = meta.name in {todo.predecessor, *todo.leaving} and resource not in _INGRESSES
            if (resource, meta.name) not in wanted and resource not in kept and not serves_still:
                await self._applier.remove(resource, meta)

    async def _write_status(self, isvc: InferenceService, status: InferenceServiceStatus) -> None:
        if status == isvc.status:
            return
        meta: JsonObject = {"name": isvc.metadata.name, "namespace": isvc.metadata.namespace}
        body: JsonObject = {"metadata": meta, "status": msgspec.to_builtins(status)}
        try:
            await self._api.apply(
                kinds.INFERENCE_SERVICE, body, isvc.metadata.namespace, manager=names.MANAGER, subresource="status"
            )
        except NotFound:
            # Deleted meanwhile; its watch event is on the way.
            return
        self._tell(isvc, status)

    def _tell(self, isvc: InferenceService, status: InferenceServiceStatus) -> None:
        before, now = (condition(one.conditions, conditions.READY) for one in (isvc.status, status))
        was, is_ready = _is_true(before), _is_true(now)
        about = object_reference(kinds.INFERENCE_SERVICE, isvc.metadata)
        if is_ready and not was:
            self._recorder.event(about, "Normal", "InferenceServiceReady", f"{isvc.metadata.name} is ready")
        elif was and not is_ready and now is not None:
            reasons = f"{now.reason}: {now.message}".strip(": ")
            words = f"{isvc.metadata.name} is no longer ready ({', '.join(_false(status))}): {reasons}".removesuffix(
                ": "
            )
            self._recorder.event(about, "Warning", "InferenceServiceNotReady", words)
        rejected = condition(status.conditions, conditions.PREDICTOR_READY)
        if rejected is not None and rejected.reason == MODE_REJECTED:
            self._recorder.event(about, "Warning", MODE_REJECTED, rejected.message)
        before, now = (condition(one.conditions, conditions.SHADOW_READY) for one in (isvc.status, status))
        if now is not None and now.status == "False" and (before is None or before.reason != now.reason):
            self._recorder.event(about, "Warning", now.reason, now.message)

    def _now(self) -> str:
        return timestamp(self._clock.now())


def _is_true(found: Condition | None) -> bool:
    return found is not None and found.status == "True"


def _false(status: InferenceServiceStatus) -> list[str]:
    """What is wrong, by the types of conditions; Ready only follows, and not being stopped is no fault."""
    follows = (conditions.READY, conditions.STOPPED)
    return [one.type for one in status.conditions if one.status == "False" and one.type not in follows]


def _is_frozen(isvc: InferenceService) -> bool:
    """The annotation keeps what runs as it is while it is ready; the status goes on telling the truth."""
    frozen = isvc.metadata.annotations.get(names.DISABLE_AUTO_UPDATE) == "true"
    return frozen and _is_true(condition(isvc.status.conditions, conditions.READY))


def _broken_config(isvc: InferenceService, error: ConfigError, now: str) -> InferenceServiceStatus:
    broken = conditions.failed(RECONCILE_FAILED, str(error))
    verdicts = {conditions.PREDICTOR_READY: broken, conditions.INGRESS_READY: conditions.UNKNOWN}
    settled = conditions.settled(verdicts, isvc.status.conditions, now)
    return msgspec.structs.replace(isvc.status, conditions=settled)


def keys_of_pod(pod: Pod) -> list[Key]:
    name = pod.metadata.labels.get(names.ISVC_LABEL)
    return [Key(pod.metadata.namespace, name)] if name else []


def is_configuration(config_map: ConfigMap) -> bool:
    return key_of_meta(config_map.metadata) == Key(CONFIG_NAMESPACE, CONFIG_NAME)
