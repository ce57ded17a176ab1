"""The Revision controller: keeps Deployment and PodAutoscaler, says how they do.

The Deployment is made with its first replicas and changed only where its rendering changed: they are never written
again.
"""

from collections.abc import Sequence

from inferplane.client.kubernetes.api import AlreadyExists, ApiError, Conflict
from inferplane.client.kubernetes.kinds import DEPLOYMENT, KNATIVE_REVISION, POD, POD_AUTOSCALER
from inferplane.controlplane.knative.marks import MANAGER
from inferplane.controlplane.knative.revisions import render, status
from inferplane.controlplane.knative.revisions.status import Sight
from inferplane.controlplane.knative.settings import Settings
from inferplane.controlplane.machinery.cache import Key
from inferplane.controlplane.machinery.children import Children, is_foreign
from inferplane.controlplane.machinery.controller import Controller, Result
from inferplane.controlplane.machinery.events import Recorder
from inferplane.controlplane.machinery.informers import Informers
from inferplane.controlplane.machinery.owners import controller_key, key_of_meta, object_reference
from inferplane.controlplane.machinery.progress import Progress
from inferplane.kernel.clock import Clock, timestamp
from inferplane.kernel.json import JsonObject, object_at
from inferplane.resources.apps import Deployment
from inferplane.resources.autoscaling_knative.podautoscaler import PodAutoscaler
from inferplane.resources.conditions import READY, copied
from inferplane.resources.core import Pod
from inferplane.resources.knative import Revision, RevisionStatus, names, words

_BY_REVISION = "knative revision"
# Forbidden (a quota), Invalid.
_REFUSALS = (403, 422)
_REFUSED_FOR = 30.0
_UNHURRIED = 0.5


class RevisionController:
    def __init__(
        self, informers: Informers, settings: Settings, recorder: Recorder, clock: Clock, patience: float = 0.0
    ) -> None:
        self._progress = Progress(clock, patience)
        self._api = informers.api
        self._children = Children(informers.api, MANAGER)
        self._settings = settings
        self._recorder = recorder
        self._clock = clock
        self._revisions = informers.cache(KNATIVE_REVISION, Revision)
        self._deployments = informers.cache(DEPLOYMENT, Deployment)
        self._autoscalers = informers.cache(POD_AUTOSCALER, PodAutoscaler)
        self._pods = informers.cache(POD, Pod)
        self._pods.add_index(_BY_REVISION, _revision_uids)
        # Since when (monotonic) a status differs in what is only shown.
        self._unwritten: dict[Key, float] = {}
        self.controller = Controller("knative revision", self.reconcile, clock=clock)
        self.controller.watch(self._revisions, lambda one: [key_of_meta(one.metadata)])
        self.controller.watch(self._deployments, lambda one: controller_key(one.metadata, KNATIVE_REVISION))
        self.controller.watch(self._autoscalers, lambda one: controller_key(one.metadata, KNATIVE_REVISION))
        self.controller.watch(self._pods, _revision_keys)
        settings.on_change(self._all_again)

    def _all_again(self) -> None:
        for one in self._revisions.list():
            self.controller.enqueue(key_of_meta(one.metadata))

    async def reconcile(self, key: Key) -> Result | None:
        revision = self._revisions.get(key)
        if revision is None or revision.metadata.deleting:
            self._unwritten.pop(key, None)
            self._progress.forget(key)
            return None
        sight = await self._with_children(revision)
        made = status.next_status(
            revision,
            sight,
            timestamp(self._clock.now()),
            always_schedulable=self._settings.serving.deployment.pod_is_always_schedulable,
        )
        if (left := self._may_wait(key, revision.status, made)) > 0:
            return Result(left)
        if (left := self._progress.of_status(key, revision.status, made)) > 0:
            return Result(left)
        if await self._children.write_status(KNATIVE_REVISION, revision.metadata, revision.status, made):
            self._tell(revision, made)
        # What stood in the way (a quota, say) may be gone by then.
        return Result(_REFUSED_FOR) if sight.refused else None

    def _may_wait(self, key: Key, before: RevisionStatus, made: RevisionStatus) -> float:
        """For how many seconds the status need not be written.

        Each wake-up changes what is only shown several times, just while a request waits: it is written once, later.
        """
        if before == made or not status.only_shown(before, made):
            self._unwritten.pop(key, None)
            return 0.0
        now = self._clock.monotonic()
        left = self._unwritten.setdefault(key, now) + _UNHURRIED - now
        if left <= 0:
            del self._unwritten[key]
        return left

    async def _with_children(self, revision: Revision) -> Sight:
        meta = revision.metadata
        key = Key(meta.namespace, names.deployment(meta.name))
        live, autoscaler = self._deployments.get(key), self._autoscalers.get(key_of_meta(meta))
        if is_foreign(live, meta):
            return Sight(foreign=("Deployment", key.name))
        if is_foreign(autoscaler, meta):
            return Sight(live, foreign=("PodAutoscaler", meta.name))
        try:
            await self._ensure_deployment(revision, live)
        except ApiError as error:
            if error.status not in _REFUSALS:
                raise
            return Sight(live, autoscaler=autoscaler, refused=str(error))
        reachable = status.reachability(revision, live)
        body = render.pod_autoscaler(revision, reachable)
        autoscaler = await self._children.ensure(POD_AUTOSCALER, body, autoscaler, PodAutoscaler)
        return Sight(live, self._pods_of(revision), autoscaler)

    async def _ensure_deployment(self, revision: Revision, live: Deployment | None) -> None:
        body = render.deployment(revision, self._settings.serving, self._settings.autoscaler)
        if live is None:
            try:
                await self._api.create(DEPLOYMENT, body, revision.metadata.namespace)
            except AlreadyExists:
                # The cache is behind; the next attempt sees whose it is.
                raise Conflict(409, "Conflict", "the deployment exists already") from None
        elif live.metadata.annotations.get(render.RENDERED) != _mark(body):
            await self._change(live, body)

    async def _change(self, live: Deployment, body: JsonObject) -> None:
        meta = live.metadata
        stored = await self._api.get(DEPLOYMENT, meta.name, meta.namespace)
        there, wanted = object_at(stored, "metadata"), object_at(body, "metadata")
        annotations = object_at(there, "annotations") | object_at(wanted, "annotations")
        metadata = there | {"labels": wanted["labels"], "annotations": annotations}
        spec = object_at(stored, "spec") | render.without_replicas(object_at(body, "spec"))
        await self._api.update(DEPLOYMENT, stored | {"metadata": metadata, "spec": spec}, meta.namespace)

    def _pods_of(self, revision: Revision) -> Sequence[Pod]:
        found = [one for one in self._pods.matching(_BY_REVISION, revision.metadata.uid) if not one.metadata.deleting]
        return sorted(found, key=lambda one: one.metadata.name)

    def _tell(self, revision: Revision, made: RevisionStatus) -> None:
        was, now = copied(revision.status.conditions, READY), copied(made.conditions, READY)
        about = object_reference(KNATIVE_REVISION, revision.metadata)
        if now.is_true and not was.is_true:
            self._recorder.event(
                about, "Normal", "RevisionReady", "Revision becomes ready upon all resources being ready"
            )
        elif now.is_false and not was.is_false:
            self._recorder.event(about, "Warning", now.reason, now.message)


def _mark(body: JsonObject) -> str:
    return str(object_at(body, "metadata", "annotations")[render.RENDERED])


def _revision_uids(pod: Pod) -> list[str]:
    uid = pod.metadata.labels.get(words.REVISION_UID)
    return [uid] if uid else []


def _revision_keys(pod: Pod) -> list[Key]:
    name = pod.metadata.labels.get(words.REVISION)
    return [Key(pod.metadata.namespace, name)] if name else []
