"""The ReplicaSet controller: claims its pods, makes or deletes what is missing or too much, writes the status."""

import asyncio
from collections.abc import Sequence

import msgspec

from inferplane.client.kubernetes.api import Api, ApiError, NotFound
from inferplane.client.kubernetes.kinds import POD, REPLICA_SET
from inferplane.controlplane.machinery.cache import Key, decode
from inferplane.controlplane.machinery.controller import Controller, Result
from inferplane.controlplane.machinery.events import EventKind, Recorder
from inferplane.controlplane.machinery.informers import Informers
from inferplane.controlplane.machinery.owners import controller_key, key_of_meta, object_reference
from inferplane.controlplane.machinery.precedence import Precedence
from inferplane.controlplane.machinery.progress import Progress
from inferplane.controlplane.workloads.claims import adoption, candidates, claim, index_claimants, releasing
from inferplane.controlplane.workloads.replicasets.plan import look_again_in, new_pod, next_status, plan
from inferplane.controlplane.workloads.scheduling.controller import Scheduler
from inferplane.controlplane.workloads.templates import StoredTemplate, status_patch
from inferplane.kernel.clock import Clock
from inferplane.kernel.errors import InferplaneError
from inferplane.kernel.json import JsonObject, object_at, text_at
from inferplane.resources.apps import ReplicaSet, ReplicaSetStatus
from inferplane.resources.core import Pod


class CannotScale(InferplaneError):
    """Some pods could not be made or deleted; the ReplicaSet's condition says why, and it is tried again."""


class ReplicaSetController:
    def __init__(
        self,
        api: Api,
        informers: Informers,
        clock: Clock,
        recorder: Recorder,
        scheduler: Scheduler | None = None,
        first: Precedence | None = None,
        patience: float = 0.0,
    ) -> None:
        """With a `scheduler` pods are created with their node where there is room. `first`: what a status stands back
        for. `patience`: seconds that one may wait that only tells of progress."""
        self._progress = Progress(clock, patience)
        self._api = api
        self._first = first
        self._scheduler = scheduler
        self._clock = clock
        self._recorder = recorder
        self._sets = informers.cache(REPLICA_SET, ReplicaSet)
        self._templates = informers.cache(REPLICA_SET, StoredTemplate)
        self._pods = informers.cache(POD, Pod)
        # Pods whose deletion was asked for, until the watch shows it: otherwise a changed order of removal could take
        # others in their place.
        self._doomed: set[str] = set()
        index_claimants(self._pods)
        self._pods.on_change(self._notice)
        self.controller = Controller("replicaset", self.reconcile, clock=clock)
        self.controller.watch(self._sets, lambda one: [key_of_meta(one.metadata)])
        self.controller.watch(self._pods, self._owners)

    def _owners(self, pod: Pod) -> Sequence[Key]:
        """The pod's ReplicaSet, or those that may adopt it."""
        if pod.metadata.controller_of() is not None:
            return controller_key(pod.metadata, REPLICA_SET)
        return [
            key_of_meta(one.metadata)
            for one in self._sets.list(pod.metadata.namespace)
            if one.spec.selector.matches(pod.metadata.labels)
        ]

    def _notice(self, old: Pod | None, new: Pod | None) -> None:
        if old is not None and (new is None or new.metadata.deleting):
            self._doomed.discard(old.metadata.uid)

    async def reconcile(self, key: Key) -> Result | None:
        try:
            return await self._reconcile(key)
        except NotFound:
            # What we acted on was deleted in between; the watch brings the key back if there is anything left to do.
            return None

    async def _reconcile(self, key: Key) -> Result | None:
        replica_set, template = self._sets.get(key), self._templates.get(key)
        if replica_set is None or template is None:
            self._progress.forget(key)
            return None
        await self._claim(replica_set)
        todo = plan(replica_set, self._mine(replica_set), frozenset(self._doomed))
        failure = await self._create(replica_set, template, todo.create)
        failure = failure or await self._delete(replica_set, todo.delete)
        if self._first is not None and self._first.taken and not failure:
            self._first.afterwards(self.controller.enqueue, key)
            return None
        if (wait := await self._write_status(key, failure)) > 0:
            return Result(wait)
        if failure:
            raise CannotScale(failure)
        left = look_again_in(replica_set, self._mine(replica_set), self._clock.now())
        return Result(left) if left is not None else None

    def _mine(self, replica_set: ReplicaSet) -> Sequence[Pod]:
        found = candidates(self._pods, replica_set.metadata)
        return claim(replica_set.metadata, replica_set.spec.selector, found).mine

    async def _claim(self, replica_set: ReplicaSet) -> None:
        owner = replica_set.metadata
        found = claim(owner, replica_set.spec.selector, candidates(self._pods, owner))
        for one in found.adopt:
            if not one.finished:
                patch = adoption(REPLICA_SET, owner, one.metadata)
                await self._api.patch(POD, one.metadata.name, patch, owner.namespace)
        for one in found.release:
            await self._api.patch(POD, one.metadata.name, releasing({owner.uid}, one.metadata), owner.namespace)

    async def _create(self, replica_set: ReplicaSet, template: StoredTemplate, count: int) -> str:
        """Makes pods in batches of 1, 2, 4, …: a template that is refused is refused once, not `count` times."""
        body = new_pod(replica_set, template.json) if count > 0 else {}
        batch = 1
        while count > 0:
            tries = min(batch, count)
            answers = await asyncio.gather(
                *(self._create_one(body, replica_set.metadata.namespace) for _ in range(tries)),
                return_exceptions=True,
            )
            for answer in answers:
                if isinstance(answer, ApiError):
                    self._tell(replica_set, "Warning", "FailedCreate", f"Error creating: {answer}")
                    return str(answer)
                if isinstance(answer, BaseException):
                    raise answer
                name = text_at(answer, "metadata", "name")
                self._tell(replica_set, "Normal", "SuccessfulCreate", f"Created pod: {name}")
            count, batch = count - tries, batch * 2
        return ""

    async def _create_one(self, body: JsonObject, namespace: str) -> JsonObject:
        placement = self._scheduler.place(decode(body, Pod)) if self._scheduler is not None else None
        if self._scheduler is None or placement is None:
            return await self._api.create(POD, body, namespace)
        created: JsonObject | None = None
        try:
            placed = body | {"spec": object_at(body, "spec") | {"nodeName": placement.node}}
            created = await self._api.create(POD, placed, namespace)
            return created
        finally:
            self._scheduler.placed(placement, decode(created, Pod) if created is not None else None)

    async def _delete(self, replica_set: ReplicaSet, pods: Sequence[Pod]) -> str:
        failures = await asyncio.gather(*(self._delete_one(replica_set, one) for one in pods))
        return next((one for one in failures if one), "")

    async def _delete_one(self, replica_set: ReplicaSet, pod: Pod) -> str:
        meta = pod.metadata
        self._doomed.add(meta.uid)
        try:
            await self._api.delete(POD, meta.name, meta.namespace, uid=meta.uid)
        except NotFound:
            return ""
        except ApiError as error:
            self._doomed.discard(meta.uid)
            self._tell(replica_set, "Warning", "FailedDelete", f"Error deleting: {error}")
            return str(error)
        self._tell(replica_set, "Normal", "SuccessfulDelete", f"Deleted pod: {meta.name}")
        return ""

    async def _write_status(self, key: Key, failure: str) -> float:
        """Returns for how many seconds it may wait, when it was not written."""
        replica_set = self._sets.get(key)
        if replica_set is None:
            return 0.0
        before = replica_set.status
        status = next_status(replica_set, self._mine(replica_set), self._clock.now(), failure)
        if (left := self._progress.of_change(key, urgent=_is_urgent(before, status))) > 0:
            return left
        if status != before:
            # `replicas` is in the status even when it is 0.
            written: JsonObject = {"replicas": 0, **msgspec.to_builtins(status)}
            patch = status_patch(before, written, replica_set.metadata.resource_version)
            await self._api.patch(REPLICA_SET, key.name, patch, key.namespace, subresource="status")
        return 0.0

    def _tell(self, replica_set: ReplicaSet, kind: EventKind, reason: str, message: str) -> None:
        self._recorder.event(object_reference(REPLICA_SET, replica_set.metadata), kind, reason, message)


def _is_urgent(before: ReplicaSetStatus, after: ReplicaSetStatus) -> bool:
    """Anything but more pods than before, none of which is ready yet."""
    same = msgspec.structs.replace(
        after,
        replicas=before.replicas,
        fully_labeled_replicas=before.fully_labeled_replicas,
        observed_generation=before.observed_generation,
    )
    return before == after or same != before or after.replicas < before.replicas
