"""The Deployment controller: reads the Deployment and its ReplicaSets, takes one step, writes the status.

Each write comes back through the cache and brings the Deployment here again, so a rollout is a sequence of such steps.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from inferplane.client.kubernetes.api import AlreadyExists, Api, NotFound
from inferplane.client.kubernetes.kinds import DEPLOYMENT, REPLICA_SET
from inferplane.controlplane.machinery.cache import Key
from inferplane.controlplane.machinery.controller import Controller, Result
from inferplane.controlplane.machinery.events import Recorder
from inferplane.controlplane.machinery.informers import Informers
from inferplane.controlplane.machinery.owners import controller_key, key_of_meta, object_reference
from inferplane.controlplane.machinery.precedence import Precedence
from inferplane.controlplane.machinery.progress import Progress
from inferplane.controlplane.workloads.claims import adoption, candidates, claim, index_claimants, releasing
from inferplane.controlplane.workloads.deployments import revisions, rollout
from inferplane.controlplane.workloads.deployments.revisions import REVISION, Revision
from inferplane.controlplane.workloads.deployments.status import deadline, is_complete, next_status
from inferplane.controlplane.workloads.templates import StoredTemplate, status_patch, with_annotations
from inferplane.kernel.clock import Clock
from inferplane.kernel.json import JsonObject, object_at
from inferplane.resources.apps import Deployment, DeploymentStatus, ReplicaSet


@dataclass(frozen=True, slots=True)
class _Sight:
    """A Deployment as it is now: the one of the present template is `new`."""

    deployment: Deployment
    template: JsonObject
    new: Revision | None
    old: Sequence[Revision]

    @property
    def key(self) -> Key:
        return key_of_meta(self.deployment.metadata)

    @property
    def number(self) -> int:
        """The revision that the present template has or is to get."""
        return max(revisions.next_number(self.old), self.new.number if self.new else 0)


class DeploymentController:
    def __init__(
        self,
        api: Api,
        informers: Informers,
        clock: Clock,
        recorder: Recorder,
        first: Precedence | None = None,
        patience: float = 0.0,
    ) -> None:
        """`first`: what a status stands back for. `patience`: seconds that one may wait that only tells of progress."""
        self._progress = Progress(clock, patience)
        self._api = api
        self._first = first
        self._clock = clock
        self._recorder = recorder
        self._deployments = informers.cache(DEPLOYMENT, Deployment)
        self._templates = informers.cache(DEPLOYMENT, StoredTemplate)
        self._sets = informers.cache(REPLICA_SET, ReplicaSet)
        self._templates_of_sets = informers.cache(REPLICA_SET, StoredTemplate)
        index_claimants(self._sets)
        self.controller = Controller("deployment", self.reconcile, clock=clock)
        self.controller.watch(self._deployments, lambda one: [key_of_meta(one.metadata)])
        self.controller.watch(self._sets, lambda one: controller_key(one.metadata, DEPLOYMENT))

    async def reconcile(self, key: Key) -> Result | None:
        try:
            return await self._reconcile(key)
        except NotFound:
            # What we acted on was deleted in between; the watch brings the key back if there is anything left to do.
            return None

    async def _reconcile(self, key: Key) -> Result | None:
        sight = self._sight(key)
        if sight is None:
            self._progress.forget(key)
            return None
        created = ""
        if not sight.deployment.metadata.deleting:
            if await self._claim(sight) or await self._annotate(sight):
                sight = self._sight(key) or sight
            made = await self._step(sight)
            if made is None:
                # The pods first: the status is written when the ReplicaSet's controller has asked for them.
                self.controller.enqueue(key)
                return None
            created = made
        if self._first is not None and self._first.taken and not created:
            self._first.afterwards(self.controller.enqueue, key)
            return None
        sight = self._sight(key) or sight
        if (wait := await self._write_status(sight, created)) > 0:
            return Result(wait)
        sight = self._sight(key) or sight
        await self._forget_old(sight)
        left = deadline(sight.deployment, sight.deployment.status, self._clock.now())
        return Result(left) if left is not None else None

    def _sight(self, key: Key) -> _Sight | None:
        deployment, stored = self._deployments.get(key), self._templates.get(key)
        if deployment is None or stored is None:
            return None
        sets = claim(deployment.metadata, deployment.spec.selector, candidates(self._sets, deployment.metadata)).mine
        found = [Revision(one, self._template(one)) for one in sets]
        template = stored.json
        new = revisions.current(template, found)
        return _Sight(deployment, template, new, [one for one in found if one is not new])

    def _template(self, replica_set: ReplicaSet) -> JsonObject:
        stored = self._templates_of_sets.get(key_of_meta(replica_set.metadata))
        return stored.json if stored is not None else {}

    async def _claim(self, sight: _Sight) -> bool:
        """Adopts and releases ReplicaSets; true when that changed what is ours."""
        owner = sight.deployment.metadata
        found = claim(owner, sight.deployment.spec.selector, candidates(self._sets, owner))
        for one in found.adopt:
            patch = adoption(DEPLOYMENT, owner, one.metadata)
            await self._api.patch(REPLICA_SET, one.metadata.name, patch, owner.namespace)
        for one in found.release:
            patch = releasing({owner.uid}, one.metadata)
            await self._api.patch(REPLICA_SET, one.metadata.name, patch, owner.namespace)
        return bool(found.adopt or found.release)

    async def _annotate(self, sight: _Sight) -> bool:
        """Keeps the revision numbers right, on the ReplicaSet and on the Deployment; true when they weren't."""
        changed = False
        if sight.new is not None:
            present = sight.new.replica_set.metadata.annotations
            wanted = revisions.inherited(sight.deployment, present, sight.number)
            if wanted != present or sight.new.replica_set.spec.min_ready_seconds != _min_ready(sight):
                patch: JsonObject = {
                    "metadata": {"annotations": {**wanted}},
                    "spec": {"minReadySeconds": _min_ready(sight)},
                }
                await self._api.patch(REPLICA_SET, sight.new.name, patch, sight.key.namespace)
                changed = True
            await self._number(sight)
        return changed

    async def _number(self, sight: _Sight) -> None:
        if sight.deployment.metadata.annotations.get(REVISION) != str(sight.number):
            patch: JsonObject = {"metadata": {"annotations": {REVISION: str(sight.number)}}}
            await self._api.patch(DEPLOYMENT, sight.key.name, patch, sight.key.namespace)

    async def _step(self, sight: _Sight) -> str | None:
        """One step of the rollout. Returns the name of the ReplicaSet that it made, "" for none; None if it scaled."""
        step = rollout.next_step(sight.deployment, sight.new, sight.old)
        if step.create is not None:
            return await self._create(sight, step.create)
        for name, replicas in step.scales.items():
            await self._scale(sight, name, replicas)
        return None if step.scales else ""

    async def _create(self, sight: _Sight, replicas: int) -> str:
        body = revisions.new_replica_set(
            sight.deployment, sight.template, sight.number, replicas, rollout.most_replicas(sight.deployment)
        )
        name = str(object_at(body, "metadata")["name"])
        try:
            await self._api.create(REPLICA_SET, body, sight.key.namespace)
        except AlreadyExists:
            await self._collide(sight, name)
            return ""
        if replicas:
            self._tell(sight, name, 0, replicas)
        return name

    async def _collide(self, sight: _Sight, name: str) -> None:
        """Another template has the same hash (or somebody else's ReplicaSet the same name): hash differently."""
        taken = await self._api.get(REPLICA_SET, name, sight.key.namespace)
        owner = msgspec.convert(taken, ReplicaSet).metadata.controller_of()
        same = revisions.current(sight.template, [Revision(ReplicaSet(), object_at(taken, "spec", "template"))])
        if owner is not None and owner.uid == sight.deployment.metadata.uid and same is not None:
            return
        count = (sight.deployment.status.collision_count or 0) + 1
        patch: JsonObject = {"status": {"collisionCount": count}}
        await self._api.patch(DEPLOYMENT, sight.key.name, patch, sight.key.namespace, subresource="status")

    async def _scale(self, sight: _Sight, name: str, replicas: int) -> None:
        [one] = [one for one in [*([sight.new] if sight.new else []), *sight.old] if one.name == name]
        most = rollout.most_replicas(sight.deployment)
        patch: JsonObject = {
            "metadata": {
                "resourceVersion": one.replica_set.metadata.resource_version,
                "annotations": revisions.sized(sight.deployment, most),
            },
            "spec": {"replicas": replicas},
        }
        await self._api.patch(REPLICA_SET, name, patch, sight.key.namespace)
        if replicas != one.replicas:
            self._tell(sight, name, one.replicas, replicas)

    async def _write_status(self, sight: _Sight, created: str) -> float:
        """Returns for how many seconds it may wait, when it was not written."""
        meta, before = sight.deployment.metadata, sight.deployment.status
        status = next_status(sight.deployment, sight.new, sight.old, self._clock.now(), created)
        urgent = status == before or bool(created) or _acted_upon(status) != _acted_upon(before)
        if (left := self._progress.of_change(sight.key, urgent=urgent)) > 0:
            return left
        if status != before:
            patch = status_patch(before, msgspec.to_builtins(status), meta.resource_version)
            if created:
                # In one write, as Kubernetes' controller does it.
                patch = with_annotations(patch, {REVISION: str(sight.number)})
            await self._api.patch(DEPLOYMENT, meta.name, patch, meta.namespace, subresource="status")
        return 0.0

    async def _forget_old(self, sight: _Sight) -> None:
        """Deletes old revisions beyond the history limit, oldest first, once a rollout is complete."""
        if sight.deployment.metadata.deleting or not is_complete(sight.deployment, sight.deployment.status):
            return
        for one in revisions.beyond_history(sight.deployment, sight.old):
            try:
                await self._api.delete(REPLICA_SET, one.name, sight.key.namespace, uid=one.replica_set.metadata.uid)
            except NotFound:
                continue

    def _tell(self, sight: _Sight, name: str, before: int, after: int) -> None:
        way = "up" if after > before else "down"
        self._recorder.event(
            object_reference(DEPLOYMENT, sight.deployment.metadata),
            "Normal",
            "ScalingReplicaSet",
            f"Scaled {way} replica set {name} from {before} to {after}",
        )


def _acted_upon(status: DeploymentStatus) -> tuple[object, ...]:
    """All but how many pods of which revision there are, and what is said about that."""
    verdicts = [(one.type, one.status) for one in status.conditions]
    return status.ready_replicas, status.available_replicas, status.collision_count, verdicts


def _min_ready(sight: _Sight) -> int:
    return sight.deployment.spec.min_ready_seconds
