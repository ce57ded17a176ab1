"""The HorizontalPodAutoscaler controller: every 15 s it looks at each autoscaler, scales its target, writes the status.

An autoscaler is also looked at when its spec changes. One that cannot move (as many replicas as its least and its most)
is looked at every fourth time only: its figures are for show. What was recommended before lives in memory.
"""

import asyncio
import zlib
from dataclasses import dataclass

import msgspec

from inferplane.client.kubernetes.api import Api, ApiError, Conflict, NotFound, Resource
from inferplane.client.kubernetes.kinds import DEPLOYMENT, HORIZONTAL_POD_AUTOSCALER, POD, REPLICA_SET
from inferplane.controlplane.machinery.cache import Cache, Key
from inferplane.controlplane.machinery.controller import Controller, Result
from inferplane.controlplane.machinery.events import EventKind, Recorder
from inferplane.controlplane.machinery.informers import Informers
from inferplane.controlplane.machinery.owners import key_of_meta, object_reference
from inferplane.controlplane.workloads.autoscaling import status
from inferplane.controlplane.workloads.autoscaling.decide import Observed, Settings, Verdict, decide
from inferplane.controlplane.workloads.autoscaling.limits import History
from inferplane.controlplane.workloads.autoscaling.metrics import Metrics
from inferplane.kernel.clock import Clock
from inferplane.kernel.json import JsonObject
from inferplane.resources.apps import Deployment, ReplicaSet
from inferplane.resources.autoscaling import HorizontalPodAutoscaler, ScaleTargetRef
from inferplane.resources.core import Pod
from inferplane.resources.meta import LabelSelector, ObjectMeta

_BY_LABEL = "label"
_IDLE_ROUNDS = 4


@dataclass(frozen=True, slots=True)
class _Target:
    """What is scaled, as it is now."""

    resource: Resource
    metadata: ObjectMeta
    replicas: int
    selector: LabelSelector


class AutoscalerController:
    def __init__(
        self, api: Api, informers: Informers, clock: Clock, recorder: Recorder, settings: Settings | None = None
    ) -> None:
        self._api = api
        self._clock = clock
        self._recorder = recorder
        self._settings = settings or Settings()
        self._autoscalers = informers.cache(HORIZONTAL_POD_AUTOSCALER, HorizontalPodAutoscaler)
        self._deployments = informers.cache(DEPLOYMENT, Deployment)
        self._sets = informers.cache(REPLICA_SET, ReplicaSet)
        self._pods = informers.cache(POD, Pod)
        self._pods.add_index(_BY_LABEL, _labels)
        # One list in a period: a figure is at most a period older than its sample.
        self._metrics = Metrics(api, clock, self._settings.sync_period)
        self._histories: dict[str, History] = {}
        self._told: dict[str, tuple[tuple[str, str], ...]] = {}
        self.controller = Controller("horizontalpodautoscaler", self.reconcile, clock=clock)
        self._autoscalers.on_change(self._changed)

    def _changed(self, old: HorizontalPodAutoscaler | None, new: HorizontalPodAutoscaler | None) -> None:
        """Our own status writes are no reason to look again."""
        if new is None:
            if old is not None:
                self._histories.pop(old.metadata.uid, None)
                self._told.pop(old.metadata.uid, None)
        elif old is None or old.spec != new.spec or old.metadata.uid != new.metadata.uid:
            self.controller.enqueue(key_of_meta(new.metadata))

    async def reconcile(self, key: Key) -> Result | None:
        # A thousand of them may come up in one go; others have work to do in between.
        await asyncio.sleep(0)
        hpa = self._autoscalers.get(key)
        if hpa is None or hpa.metadata.deleting:
            return None
        is_new = hpa.metadata.uid not in self._histories
        target = self._target(hpa.metadata.namespace, hpa.spec.scale_target_ref)
        if isinstance(target, str):
            await self._unreachable(hpa, target)
        else:
            await self._sync(hpa, target, is_new)
        return Result(self._pause(key, hpa, target, is_new))

    def _pause(self, key: Key, hpa: HorizontalPodAutoscaler, target: _Target | str, is_new: bool) -> float:
        """Those that come up together (after a restart) are spread over a period."""
        period = self._settings.sync_period
        if is_new:
            return period * (0.5 + zlib.crc32(str(key).encode()) / 2**32)
        stands = not isinstance(target, str) and hpa.spec.min_replicas == hpa.spec.max_replicas == target.replicas
        return period * _IDLE_ROUNDS if stands else period

    # --- reading ------------------------------------------------------------------------------------------------------

    def _target(self, namespace: str, wanted: ScaleTargetRef) -> _Target | str:
        """Or why there is none."""
        key = Key(namespace, wanted.name)
        group = wanted.api_version.rpartition("/")[0]
        cache: Cache[Deployment] | Cache[ReplicaSet]
        match group, wanted.kind:
            case "apps", "Deployment":
                resource, cache = DEPLOYMENT, self._deployments
            case "apps", "ReplicaSet":
                resource, cache = REPLICA_SET, self._sets
            case _:
                return f'no matches for kind "{wanted.kind}" in group "{group}"'
        found = cache.get(key)
        if found is None:
            return f'{resource.plural}.apps "{wanted.name}" not found'
        return _Target(resource, found.metadata, found.spec.replicas, found.spec.selector)

    async def _observed(self, target: _Target) -> Observed:
        figures = await self._metrics.read()
        pods = self._selected(target)
        keys = {one.metadata.name: key_of_meta(one.metadata) for one in pods}
        used = {name: figures.pods[key] for name, key in keys.items() if key in figures.pods}
        has_selector = bool(target.selector.match_labels or target.selector.match_expressions)
        return Observed(target.replicas, pods, used, has_selector, figures.problem)

    def _selected(self, target: _Target) -> list[Pod]:
        namespace, selector = target.metadata.namespace, target.selector
        label = next(iter(selector.match_labels.items()), None)
        candidates = (
            self._pods.list(namespace) if label is None else self._pods.matching(_BY_LABEL, _label(namespace, *label))
        )
        return [one for one in candidates if selector.matches(one.metadata.labels)]

    # --- writing ------------------------------------------------------------------------------------------------------

    async def _sync(self, hpa: HorizontalPodAutoscaler, target: _Target, is_new: bool) -> None:
        observed, now, clock = await self._observed(target), self._clock.now(), self._clock.monotonic()
        history = self._histories.get(hpa.metadata.uid, History())
        verdict = decide(hpa, observed, history, self._settings, now, clock)
        scaled = verdict.replicas != target.replicas
        if scaled:
            await self._rescale(hpa, target, verdict)
        self._histories[hpa.metadata.uid] = verdict.history.scaled(
            target.replicas, verdict.replicas, hpa.spec.behavior, clock
        )
        if is_new and not scaled and not observed.used:
            # Its pods are as young as it is: that there are no figures yet is no news.
            return
        if any(one.ready for one in observed.pods):
            # Before, there is nothing to measure, and the pods themselves say why.
            self._warn(hpa, verdict)
        await self._write(hpa, status.following(hpa.status, verdict, target.replicas, now, scaled=scaled))

    async def _rescale(self, hpa: HorizontalPodAutoscaler, target: _Target, verdict: Verdict) -> None:
        meta, size = target.metadata, verdict.replicas
        patch: JsonObject = {
            # What was decided is about the number that was seen.
            "metadata": {"resourceVersion": meta.resource_version},
            "spec": {"replicas": size},
        }
        try:
            await self._api.patch(target.resource, meta.name, patch, meta.namespace, subresource="scale")
        except (Conflict, NotFound):
            raise
        except ApiError as error:
            self._tell(hpa, "Warning", "FailedRescale", f"New size: {size}; reason: {verdict.why}; error: {error}")
            await self._write(hpa, status.not_scaled(hpa.status, error, self._clock.now()))
            raise
        self._tell(hpa, "Normal", "SuccessfulRescale", f"New size: {size}; reason: {verdict.why}")

    async def _unreachable(self, hpa: HorizontalPodAutoscaler, why: str) -> None:
        self._histories.setdefault(hpa.metadata.uid, History())
        found = status.unreachable(hpa.status, why, self._clock.now())
        if found != hpa.status:
            self._tell(hpa, "Warning", "FailedGetScale", why)
        await self._write(hpa, found)

    def _warn(self, hpa: HorizontalPodAutoscaler, verdict: Verdict) -> None:
        """Once for each change of what is wrong, not at every sync."""
        if self._told.get(hpa.metadata.uid, ()) == verdict.warnings:
            return
        self._told[hpa.metadata.uid] = verdict.warnings
        for reason, message in verdict.warnings:
            self._tell(hpa, "Warning", reason, message)

    async def _write(self, hpa: HorizontalPodAutoscaler, found: status.AutoscalerStatus) -> None:
        if not status.is_news(hpa.status, found):
            return
        meta = hpa.metadata
        absent: JsonObject = {"lastScaleTime": None, "currentMetrics": None, "currentReplicas": 0, "desiredReplicas": 0}
        patch: JsonObject = {"status": absent | msgspec.to_builtins(found)}
        try:
            await self._api.patch(HORIZONTAL_POD_AUTOSCALER, meta.name, patch, meta.namespace, subresource="status")
        except NotFound:
            # Deleted meanwhile; its watch event is on the way.
            return

    def _tell(self, hpa: HorizontalPodAutoscaler, kind: EventKind, reason: str, message: str) -> None:
        self._recorder.event(object_reference(HORIZONTAL_POD_AUTOSCALER, hpa.metadata), kind, reason, message)


def _labels(pod: Pod) -> list[str]:
    return [_label(pod.metadata.namespace, name, value) for name, value in pod.metadata.labels.items()]


def _label(namespace: str, name: str, value: str) -> str:
    return f"{namespace}/{name}={value}"
