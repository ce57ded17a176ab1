"""The TrainedModel controller: all models of one InferenceService at a time.

What they are is decided together (`decide`), since they share its memory. Out go, in this order, the label that a
model has got its share, the ConfigMap that the server reads, the finalizers of models that are off it, each status.
A model whose InferenceService is deleted goes with it; one that came before its InferenceService waits for it.
"""

import asyncio
from collections.abc import Awaitable, Iterable, Sequence

import msgspec

from inferplane.client.kubernetes import kinds
from inferplane.client.kubernetes.api import Api, NotFound
from inferplane.controlplane.machinery.cache import Cache, Key
from inferplane.controlplane.machinery.controller import Controller
from inferplane.controlplane.machinery.informers import Informers
from inferplane.controlplane.machinery.owners import key_of_meta
from inferplane.controlplane.serving import components, multimodel
from inferplane.controlplane.serving.applying import Applier
from inferplane.controlplane.serving.plan import Runtimes
from inferplane.controlplane.serving.render import Desired
from inferplane.controlplane.serving.trainedmodels.decide import (
    Parent,
    Verdicts,
    decide,
    listed,
    status,
    without_parent,
)
from inferplane.controlplane.serving.trainedmodels.parents import parent
from inferplane.kernel.clock import Clock, timestamp
from inferplane.kernel.json import Json, JsonObject
from inferplane.resources.core import ConfigMap
from inferplane.resources.serving.config import CONFIG_NAME, CONFIG_NAMESPACE, Config, ConfigError, parse
from inferplane.resources.serving.inferenceservice import InferenceService
from inferplane.resources.serving.runtime import ServingRuntime
from inferplane.resources.serving.trainedmodel import ALLOCATED_LABEL, FINALIZER, PARENT_LABEL, TrainedModel

MANAGER = "inferplane-trainedmodel"
_BY_PARENT = "parent"
_AT_ONCE = 16
"""Writes on the way to the API server, of thousands of models."""


def controller(api: Api, informers: Informers, clock: Clock) -> Controller:
    models = informers.cache(kinds.TRAINED_MODEL, TrainedModel)
    models.add_index(_BY_PARENT, lambda one: [str(_parent_key(one))])
    reconciler = TrainedModels(api, informers, models, clock)
    made = Controller("trainedmodel", reconciler.reconcile, clock=clock)
    made.watch(models, lambda one: [_parent_key(one)])

    def parent_changed(old: InferenceService | None, new: InferenceService | None) -> None:
        # Its status, which changes most, is told by its models.
        one = new or old
        if one is not None and (old is None or new is None or _asked(old) != _asked(new) or reconciler.has_models(one)):
            made.enqueue(key_of_meta(one.metadata))

    reconciler.isvcs.on_change(parent_changed)
    made.watch(reconciler.config_maps, reconciler.of_config_map)
    made.watch(reconciler.runtimes, reconciler.of_runtime)
    made.watch(reconciler.cluster_runtimes, reconciler.of_runtime)
    return made


class TrainedModels:
    """Keys are InferenceServices, those that do not exist among them."""

    def __init__(self, api: Api, informers: Informers, models: Cache[TrainedModel], clock: Clock) -> None:
        self._api = api
        self._models = models
        self._clock = clock
        self._applier = Applier(api, MANAGER)
        self.isvcs = informers.cache(kinds.INFERENCE_SERVICE, InferenceService)
        self.config_maps = informers.cache(kinds.CONFIG_MAP, ConfigMap)
        self.runtimes = informers.cache(kinds.SERVING_RUNTIME, ServingRuntime)
        self.cluster_runtimes = informers.cache(kinds.CLUSTER_SERVING_RUNTIME, ServingRuntime)

    def of_config_map(self, changed: ConfigMap) -> Iterable[Key]:
        """A list of ours that somebody changed, or the configuration."""
        key = key_of_meta(changed.metadata)
        owner = changed.metadata.controller_of()
        if owner is not None and owner.kind == kinds.INFERENCE_SERVICE.kind:
            return [Key(key.namespace, owner.name)]
        return self._with_models("") if key == Key(CONFIG_NAMESPACE, CONFIG_NAME) else []

    def has_models(self, isvc: InferenceService) -> bool:
        return bool(self._models.matching(_BY_PARENT, str(key_of_meta(isvc.metadata))))

    def of_runtime(self, changed: ServingRuntime) -> Iterable[Key]:
        return self._with_models(changed.metadata.namespace)

    def _with_models(self, namespace: str) -> Iterable[Key]:
        return {_parent_key(one) for one in self._models.list(namespace)}

    async def reconcile(self, key: Key) -> None:
        models = self._models.matching(_BY_PARENT, str(key))
        isvc = self.isvcs.get(key)
        if isvc is None or isvc.metadata.deleting:
            await self._without_parent(key, models)
            return
        try:
            found = parent(isvc, self._config(), self._runtimes(isvc))
        except ConfigError:
            return  # told by the InferenceService controller
        verdicts = decide(found, [one for one in models if not one.metadata.deleting])
        await _all(self._mark(one) for one in verdicts)
        if not found.problem:
            await self._write_list(found, verdicts)
        await _all(self._release(one) for one in models if one.metadata.deleting)
        await _all(self._write_status(found, one) for one in verdicts)

    def _config(self) -> Config:
        stored = self.config_maps.get(Key(CONFIG_NAMESPACE, CONFIG_NAME))
        return parse(stored.data if stored else {})

    def _runtimes(self, isvc: InferenceService) -> Runtimes:
        return Runtimes(self.runtimes.list(isvc.metadata.namespace), self.cluster_runtimes.list())

    # --- writing ------------------------------------------------------------------------------------------------------

    async def _without_parent(self, key: Key, models: Sequence[TrainedModel]) -> None:
        waiting = Parent(InferenceService(), "", None, (), "")
        missing = without_parent(key.name)
        for model in models:
            if model.metadata.deleting:
                await self._release(model)
            elif model.metadata.labels.get(PARENT_LABEL) == key.name:
                await self._api.delete(kinds.TRAINED_MODEL, model.name, key.namespace, uid=model.metadata.uid)
            else:
                await self._write_status(waiting, Verdicts(model, missing, served=False))

    async def _mark(self, one: Verdicts) -> None:
        """Its parent, its share of the memory, and that it is to be taken off the list before it goes."""
        meta = one.model.metadata
        labels = {PARENT_LABEL: one.model.parent} | ({ALLOCATED_LABEL: one.model.parent} if one.served else {})
        if labels.items() <= meta.labels.items() and FINALIZER in meta.finalizers:
            return
        wanted: JsonObject = {**labels}
        finalizers: list[Json] = [*(name for name in meta.finalizers if name != FINALIZER), FINALIZER]
        await self._patch(one.model, {"labels": wanted, "finalizers": finalizers})

    async def _release(self, model: TrainedModel) -> None:
        finalizers: list[Json] = [name for name in model.metadata.finalizers if name != FINALIZER]
        if len(finalizers) < len(model.metadata.finalizers):
            await self._patch(model, {"finalizers": finalizers})

    async def _patch(self, model: TrainedModel, metadata: JsonObject) -> None:
        """Of the object as it was read: a Conflict otherwise, and the whole is looked at again."""
        meta = model.metadata
        patch: JsonObject = {"metadata": metadata | {"resourceVersion": meta.resource_version}}
        try:
            await self._api.patch(kinds.TRAINED_MODEL, meta.name, patch, meta.namespace)
        except NotFound:
            return  # deleted meanwhile; its watch event is on the way

    async def _write_list(self, found: Parent, verdicts: Sequence[Verdicts]) -> None:
        wanted = _config_map(found.isvc, listed(verdicts))
        live = self.config_maps.get(Key(found.isvc.metadata.namespace, wanted.name))
        if live is None or not live.metadata.deleting:
            await self._applier.apply(wanted, live.metadata if live else None)

    async def _write_status(self, found: Parent, one: Verdicts) -> None:
        wanted = status(found, one, timestamp(self._clock.now()))
        meta = one.model.metadata
        if wanted == one.model.status:
            return
        body: JsonObject = {
            "metadata": {"name": meta.name, "namespace": meta.namespace, "uid": meta.uid},
            "status": msgspec.to_builtins(wanted),
        }
        try:
            await self._api.apply(kinds.TRAINED_MODEL, body, meta.namespace, manager=MANAGER, subresource="status")
        except NotFound:
            return


async def _all(writes: Iterable[Awaitable[None]]) -> None:
    """A few at a time; raises what the first failing one raised, after the others have ended."""
    places = asyncio.Semaphore(_AT_ONCE)

    async def placed(write: Awaitable[None]) -> None:
        async with places:
            await write

    for result in await asyncio.gather(*map(placed, writes), return_exceptions=True):
        if isinstance(result, BaseException):
            raise result


def _config_map(isvc: InferenceService, models: str) -> Desired:
    metadata: JsonObject = {
        "name": multimodel.config_name(isvc.metadata.name),
        "namespace": isvc.metadata.namespace,
        "ownerReferences": [components.owner(isvc)],
    }
    data: JsonObject = {multimodel.FILE: models}
    body: JsonObject = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
    return Desired(kinds.CONFIG_MAP, body)


def _asked(isvc: InferenceService) -> tuple[object, ...]:
    """All but its status."""
    meta = isvc.metadata
    return isvc.spec, meta.uid, meta.labels, meta.annotations, meta.deleting


def _parent_key(model: TrainedModel) -> Key:
    return Key(model.metadata.namespace, model.parent)
