"""ScaledObjects on a machine without KEDA: cpu and memory through a HorizontalPodAutoscaler, all else is said."""

import msgspec

from inferplane.client.kubernetes.api import Api, ApiError, NotFound
from inferplane.client.kubernetes.kinds import HORIZONTAL_POD_AUTOSCALER, SCALED_OBJECT
from inferplane.controlplane.machinery.cache import Key
from inferplane.controlplane.machinery.controller import Controller, Result
from inferplane.controlplane.machinery.events import Recorder
from inferplane.controlplane.machinery.informers import Informers
from inferplane.controlplane.machinery.owners import controller_key, is_controlled_by, key_of_meta, object_reference
from inferplane.controlplane.workloads.autoscaling import triggers
from inferplane.controlplane.workloads.autoscaling.triggers import Outcome
from inferplane.kernel.clock import Clock, timestamp
from inferplane.kernel.json import JsonObject, object_at
from inferplane.resources.autoscaling import HorizontalPodAutoscaler, ScaledObject

MANAGER = "inferplane-scaledobject"
_REFUSED = (400, 403, 422)


class ScaledObjectController:
    def __init__(self, api: Api, informers: Informers, clock: Clock, recorder: Recorder) -> None:
        self._api = api
        self._clock = clock
        self._recorder = recorder
        self._objects = informers.cache(SCALED_OBJECT, ScaledObject)
        self._autoscalers = informers.cache(HORIZONTAL_POD_AUTOSCALER, HorizontalPodAutoscaler)
        self._applied: dict[Key, tuple[str, JsonObject]] = {}
        self.controller = Controller("scaledobject", self.reconcile, clock=clock)
        self.controller.watch(self._objects, lambda one: [key_of_meta(one.metadata)])
        self._autoscalers.on_change(self._autoscaler_changed)

    def _autoscaler_changed(self, old: HorizontalPodAutoscaler | None, new: HorizontalPodAutoscaler | None) -> None:
        """Its status is no reason to look again."""
        if old is None or new is None or old.spec != new.spec:
            for one in (old, new):
                for key in controller_key(one.metadata, SCALED_OBJECT) if one is not None else ():
                    self.controller.enqueue(key)

    async def reconcile(self, key: Key) -> Result | None:
        one = self._objects.get(key)
        if one is None or one.metadata.deleting:
            self._applied.pop(key, None)
            return None
        found = await self._made(key, one, triggers.outcome(one))
        await self._write_status(one, found)
        return None

    async def _made(self, key: Key, one: ScaledObject, found: Outcome) -> Outcome:
        """What came of it: the API server may refuse the autoscaler."""
        await self._remove_others(one, found)
        if found.autoscaler is None:
            return found
        live = self._autoscalers.get(Key(key.namespace, triggers.autoscaler_name(one)))
        if (
            live is not None
            and self._applied.get(key) == (live.metadata.uid, found.autoscaler)
            and self._holds(live, found)
        ):
            return found
        try:
            answer = await self._api.apply(HORIZONTAL_POD_AUTOSCALER, found.autoscaler, key.namespace, manager=MANAGER)
        except ApiError as error:
            if error.status not in _REFUSED:
                raise
            return Outcome(None, False, "ScaledObjectCheckFailed", str(error))
        self._applied[key] = (str(object_at(answer, "metadata").get("uid", "")), found.autoscaler)
        return found

    def _holds(self, live: HorizontalPodAutoscaler, found: Outcome) -> bool:
        """Whether the autoscaler is still as it was applied."""
        wanted = msgspec.convert(found.autoscaler, HorizontalPodAutoscaler).spec
        return (live.spec.min_replicas, live.spec.max_replicas, live.spec.metrics) == (
            wanted.min_replicas,
            wanted.max_replicas,
            wanted.metrics,
        )

    async def _remove_others(self, one: ScaledObject, found: Outcome) -> None:
        kept = triggers.autoscaler_name(one) if found.autoscaler is not None else ""
        for hpa in self._autoscalers.list(one.metadata.namespace):
            if is_controlled_by(hpa.metadata, one.metadata) and hpa.metadata.name != kept:
                try:
                    await self._api.delete(
                        HORIZONTAL_POD_AUTOSCALER, hpa.metadata.name, hpa.metadata.namespace, uid=hpa.metadata.uid
                    )
                except NotFound:
                    continue

    async def _write_status(self, one: ScaledObject, found: Outcome) -> None:
        status = triggers.status(one, found, timestamp(self._clock.now()))
        if msgspec.convert(status, type(one.status)) == one.status:
            return
        before = triggers.says(one)
        if not found.ready and (before is None or before.message != found.message):
            about = object_reference(SCALED_OBJECT, one.metadata)
            self._recorder.event(about, "Warning", found.reason, found.message)
        meta = one.metadata
        try:
            await self._api.patch(SCALED_OBJECT, meta.name, {"status": status}, meta.namespace, subresource="status")
        except NotFound:
            # Deleted meanwhile; its watch event is on the way.
            return
