"""The PodAutoscaler controller: what is wanted of a revision becomes replicas, a ServerlessService, a status.

    Autoscaler ─ wanted ─▶ bounds ─▶ scale of the Deployment        (first: somebody may be waiting)
                              └────▶ ServerlessService: Serve or Proxy
                              └────▶ conditions, desired and actual scale

The last pod of a revision goes only when requests reach the activator instead: the public Service has led to it for
long enough that every gateway has heard. Rules: Knative Serving (`pkg/reconciler/autoscaling/kpa`, `…/hpa`).
"""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from inferplane.client.kubernetes.api import NotFound
from inferplane.client.kubernetes.kinds import (
    DEPLOYMENT,
    HORIZONTAL_POD_AUTOSCALER,
    POD_AUTOSCALER,
    SERVERLESS_SERVICE,
)
from inferplane.controlplane.autoscaling import bounds, render, status
from inferplane.controlplane.autoscaling.decider import UNKNOWN
from inferplane.controlplane.autoscaling.loop import Autoscaler
from inferplane.controlplane.autoscaling.pods import RevisionPods
from inferplane.controlplane.autoscaling.settings import Settings
from inferplane.controlplane.machinery.cache import Key
from inferplane.controlplane.machinery.children import Children, is_foreign
from inferplane.controlplane.machinery.controller import Controller, Result
from inferplane.controlplane.machinery.events import Recorder
from inferplane.controlplane.machinery.informers import Informers
from inferplane.controlplane.machinery.owners import controller_key, key_of_meta
from inferplane.controlplane.machinery.precedence import Precedence
from inferplane.kernel.clock import Clock
from inferplane.kernel.json import JsonObject, object_at
from inferplane.resources.apps import Deployment
from inferplane.resources.autoscaling import HorizontalPodAutoscaler
from inferplane.resources.autoscaling_knative import annotations, config
from inferplane.resources.autoscaling_knative.annotations import Annotations
from inferplane.resources.autoscaling_knative.podautoscaler import PodAutoscaler, PodAutoscalerStatus
from inferplane.resources.autoscaling_knative.resolution import (
    DeciderSpec,
    ScaleLimits,
    decider_spec,
    scale_limits,
)
from inferplane.resources.autoscaling_knative.serverlessservice import Mode, ServerlessService
from inferplane.resources.meta import ObjectMeta

MANAGER = "inferplane-autoscaler"
HEARD = 1.0
"""Seconds after which every gateway is taken to know that a Service leads to the activator: it takes milliseconds."""
ASK_AGAIN = 0.1
Told = Callable[[Key], bool | None]
_CLASS = f"{annotations.PREFIX}class"
_TARGET = "scale target"


@dataclass(frozen=True, slots=True)
class _Rules:
    """What annotations and configuration say about one PodAutoscaler."""

    decider: DeciderSpec
    limits: ScaleLimits


class PodAutoscalerController:
    """`autoscaler` has the deciders; run it beside `controller`."""

    def __init__(
        self,
        informers: Informers,
        clock: Clock,
        recorder: Recorder,
        first: Precedence | None = None,
        told: Told = lambda _: None,
    ) -> None:
        """`first`: what all but a scale stands back for. `told`: whether gateways have acknowledged where a Service
        leads; None where nobody can say."""
        self._first = first
        self._told = told
        self._api = informers.api
        self._children = Children(informers.api, MANAGER)
        self._clock = clock
        self._autoscalers = informers.cache(POD_AUTOSCALER, PodAutoscaler)
        self._services = informers.cache(SERVERLESS_SERVICE, ServerlessService)
        self._deployments = informers.cache(DEPLOYMENT, Deployment)
        self._hpas = informers.cache(HORIZONTAL_POD_AUTOSCALER, HorizontalPodAutoscaler)
        self._pods = RevisionPods(informers)
        # Since when (monotonic) the public Service has been seen to lead to the activator.
        self._proxied: dict[Key, float] = {}
        self._rendered: dict[Key, tuple[JsonObject, str, int]] = {}
        self.controller = Controller("podautoscaler", self.reconcile, clock=clock)
        self.autoscaler = Autoscaler(self._pods.ready, self.controller.enqueue, clock)
        self._settings = Settings(informers, recorder, self._configured)
        self._watch()

    def _watch(self) -> None:
        self.controller.watch(self._autoscalers, lambda one: [key_of_meta(one.metadata)])
        self.controller.watch(self._services, lambda one: controller_key(one.metadata, POD_AUTOSCALER))
        self.controller.watch(self._hpas, lambda one: controller_key(one.metadata, POD_AUTOSCALER))
        self._autoscalers.add_index(_TARGET, lambda one: [str(_target(one))])
        self._deployments.on_change(self._scaled)
        self._pods.on_change(self._pods_changed)

    def _configured(self) -> None:
        for one in self._autoscalers.list():
            self.controller.enqueue(key_of_meta(one.metadata))

    def _scaled(self, old: Deployment | None, new: Deployment | None) -> None:
        """Somebody else set the replicas; how far they are is told by the pods."""
        one = new or old
        if one is not None and (old is None or new is None or old.spec.replicas != new.spec.replicas):
            for pa in self._autoscalers.matching(_TARGET, str(key_of_meta(one.metadata))):
                self.controller.enqueue(key_of_meta(pa.metadata))

    def _pods_changed(self, revision: Key) -> None:
        self.autoscaler.pods_changed(revision)
        self.controller.enqueue(revision)

    # --- reconciling --------------------------------------------------------------------------------------------------

    async def reconcile(self, key: Key) -> Result | None:
        pa = self._autoscalers.get(key)
        if pa is None or pa.metadata.deleting:
            self._forget(key)
            return None
        match pa.metadata.annotations.get(_CLASS, self._settings.current.pod_autoscaler_class):
            case _ if is_foreign(self._services.get(key), pa.metadata):
                await self._write(pa, status.not_owned(pa, SERVERLESS_SERVICE.kind, self._clock.now()))
            case config.KPA:
                return await self._by_load(key, pa)
            case config.HPA:
                await self._by_usage(key, pa)
        return None

    def _forget(self, key: Key) -> None:
        self.autoscaler.drop(key)
        self._proxied.pop(key, None)
        self._rendered.pop(key, None)

    # --- class KPA ----------------------------------------------------------------------------------------------------

    async def _by_load(self, key: Key, pa: PodAutoscaler) -> Result | None:
        rules, service = self._rules(pa), self._services.get(key)
        step = bounds.Step(UNKNOWN, apply=False)
        burst = -1
        if service is not None and service.status.private_service_name:
            decider = self.autoscaler.put(key, rules.decider)
            burst = decider.excess_burst_capacity
            step = bounds.bounded(decider.wanted, rules.limits, self._standing(key, pa, service))
            if step.apply:
                await self._scale(pa, step.scale)
        if self._first is not None and self._first.taken:
            self._first.afterwards(self.controller.enqueue, key)
            return None
        ready = self._pods.ready(key)
        await self._connect(key, pa, self._mode(pa, step.scale, burst), bounds.activators(rules.decider, ready))
        needed = bounds.min_ready(rules.limits, is_initialized=status.is_initialized(pa))
        seen = status.Seen(step.scale, ready, needed, self._services.get(key))
        await self._write(pa, status.following(pa, seen, self._clock.now()))
        if step.recheck_after is None:
            return None
        return Result(min(step.recheck_after, ASK_AGAIN) if step.ask_activator else step.recheck_after)

    def _rules(self, pa: PodAutoscaler) -> _Rules:
        said, settings, reachability = pa.metadata.annotations, self._settings.current, pa.spec.reachability
        concurrency = pa.spec.container_concurrency
        spec = decider_spec(said, settings, container_concurrency=concurrency, reachability=reachability)
        return _Rules(spec, scale_limits(said, settings, reachability=reachability))

    def _standing(self, key: Key, pa: PodAutoscaler, service: ServerlessService) -> bounds.Standing:
        now = self._clock.now()
        target = self._deployments.get(_target(pa))
        proxy_for = status.proxy_for(service, now)
        return bounds.Standing(
            active=status.active(pa),
            active_for=status.active_for(pa, now),
            is_initialized=status.is_initialized(pa),
            progress_deadline=float(target.spec.progress_deadline_seconds if target else 600),
            proxy_for=proxy_for,
            activator_answers=self._is_heard(key, proxied=proxy_for is not None),
        )

    def _is_heard(self, key: Key, *, proxied: bool) -> bool:
        """Where gateways don't say: by a clock of our own. After a restart the gateway, too, has to be told first; and
        statuses say no fractions of a second."""
        now = self._clock.monotonic()
        if not proxied:
            self._proxied.pop(key, None)
            return False
        if (told := self._told(key)) is not None:
            return told
        return now - self._proxied.setdefault(key, now) >= HEARD

    def _mode(self, pa: PodAutoscaler, want: int, burst: int) -> Mode:
        # Nobody in the pods counts requests (decision 0022): a hard limit is kept by the activator.
        if pa.spec.container_concurrency > 0:
            return Mode.PROXY
        return bounds.mode(want, burst, status.active(pa))

    async def _scale(self, pa: PodAutoscaler, replicas: int) -> None:
        key = _target(pa)
        found = self._deployments.get(key)
        if found is None or found.metadata.deleting or found.spec.replicas == replicas:
            return
        patch: JsonObject = {"spec": {"replicas": replicas}}
        try:
            await self._api.patch(DEPLOYMENT, key.name, patch, key.namespace, subresource="scale")
        except NotFound:
            return

    # --- class HPA ----------------------------------------------------------------------------------------------------

    async def _by_usage(self, key: Key, pa: PodAutoscaler) -> None:
        self.autoscaler.drop(key)
        rules, hpa = self._rules(pa), self._hpas.get(key)
        if is_foreign(hpa, pa.metadata):
            await self._write(pa, status.not_owned(pa, HORIZONTAL_POD_AUTOSCALER.kind, self._clock.now()))
            return
        await self._ensure_hpa(key, pa, annotations.read(pa.metadata.annotations), rules.limits)
        mode = Mode.PROXY if pa.spec.container_concurrency > 0 else Mode.SERVE
        await self._connect(key, pa, mode, 0)
        want, actual = (hpa.status.desired_replicas, hpa.status.current_replicas) if hpa else (UNKNOWN, 0)
        needed = max(rules.limits.min_scale, rules.limits.initial_scale)
        seen = status.Seen(want, actual, needed, self._services.get(key))
        await self._write(pa, status.always_active(pa, seen, self._clock.now()))

    async def _ensure_hpa(self, key: Key, pa: PodAutoscaler, said: Annotations, limits: ScaleLimits) -> None:
        """Applied when it is not what we made of it; a server fills in more than we say."""
        body, live = render.autoscaler(pa, said, limits), self._hpas.get(key)
        if live and self._rendered.get(key) == (body, live.metadata.uid, live.metadata.generation):
            return
        answer = await self._api.apply(HORIZONTAL_POD_AUTOSCALER, body, key.namespace, manager=MANAGER)
        meta = msgspec.convert(object_at(answer, "metadata"), ObjectMeta)
        self._rendered[key] = (body, meta.uid, meta.generation)

    # --- writing ------------------------------------------------------------------------------------------------------

    async def _connect(self, key: Key, pa: PodAutoscaler, mode: Mode, activators: int) -> None:
        body = render.serverless_service(pa, mode, activators)
        await self._children.ensure(SERVERLESS_SERVICE, body, self._services.get(key), ServerlessService)

    async def _write(self, pa: PodAutoscaler, found: PodAutoscalerStatus) -> None:
        await self._children.write_status(POD_AUTOSCALER, pa.metadata, pa.status, found)


def _target(pa: PodAutoscaler) -> Key:
    return Key(pa.metadata.namespace, pa.spec.scale_target_ref.name)
