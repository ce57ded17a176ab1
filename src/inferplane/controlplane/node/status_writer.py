"""Writes pods' statuses to the API server: only when changed, and never more than one write a pod at a time.

Whoever decides doesn't wait for the write: while one is under way the newest status replaces what waits behind it. News
that somebody acts upon (`urgent`) goes out at once; mere progress waits a moment, because a pod on its way to Ready
makes five steps in 30 ms, and a write for each would stand in the way of the one that counts.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from inferplane.client.kubernetes import kinds
from inferplane.client.kubernetes.api import Api, ApiError, Conflict, NotFound, ServerUnreachable
from inferplane.kernel.backoff import Backoff
from inferplane.kernel.clock import Clock
from inferplane.kernel.json import JsonObject
from inferplane.resources.core import Pod

log = logging.getLogger(__name__)

MANAGER = "inferplane-node"
_RETRY = Backoff(first=0.05, limit=5.0)
_PROGRESS_WAITS = 0.1


@dataclass(frozen=True, slots=True)
class _Told:
    """What is written in one step: `annotations` are the node's own ones."""

    status: JsonObject
    annotations: Mapping[str, str]


@dataclass(slots=True)
class StatusWriter:
    api: Api
    clock: Clock
    _wanted: dict[str, _Told] = field(default_factory=dict)
    _written: dict[str, _Told] = field(default_factory=dict)
    _writing: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _waiting: dict[str, asyncio.Event] = field(default_factory=dict)

    def put(self, pod: Pod, status: JsonObject, *, urgent: bool, annotations: Mapping[str, str] | None = None) -> None:
        uid = pod.metadata.uid
        told = self._wanted[uid] = _Told(status, annotations or {})
        if urgent:
            self._waiting.setdefault(uid, asyncio.Event()).set()
        if uid not in self._writing and told != self._written.get(uid):
            name = f"status {pod.metadata.namespace}/{pod.metadata.name}"
            self._writing[uid] = asyncio.create_task(self._write_until_current(pod), name=name)

    def forget(self, uid: str) -> None:
        """The pod is gone; what still waits is not written."""
        self._waiting.pop(uid, None)
        self._wanted.pop(uid, None)
        self._written.pop(uid, None)
        if (task := self._writing.pop(uid, None)) is not None:
            task.cancel()

    async def flush(self) -> None:
        """Writes what waits; returns when nothing is being written."""
        for waiting in self._waiting.values():
            waiting.set()
        while self._writing:
            await asyncio.gather(*self._writing.values(), return_exceptions=True)

    async def _write_until_current(self, pod: Pod) -> None:
        await self._pause(pod.metadata.uid)
        await self._write(pod)
        # In the same step as the last look at what is wanted: a status put in between would be lost.
        self._writing.pop(pod.metadata.uid, None)

    async def _pause(self, uid: str) -> None:
        """Until there is urgent news, or the pause for progress is over."""
        urgent = self._waiting.setdefault(uid, asyncio.Event())
        if not urgent.is_set():
            both = [asyncio.create_task(urgent.wait()), asyncio.create_task(self.clock.sleep(_PROGRESS_WAITS))]
            try:
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for one in both:
                    one.cancel()
        self._waiting.pop(uid, None)

    async def _write(self, pod: Pod) -> None:
        uid, failures = pod.metadata.uid, 0
        while (told := self._wanted.get(uid)) is not None and told != self._written.get(uid):
            try:
                await self._apply(pod, told)
            except (NotFound, Conflict) as error:
                # Deleted, or another pod has the name by now: the watch is about to say so.
                log.debug("status not written pod=%s error=%s", pod.metadata.name, error)
                self._written[uid] = told
            except (ServerUnreachable, ApiError) as error:
                failures += 1
                if failures == 1:
                    log.warning("status not written, trying again pod=%s error=%s", pod.metadata.name, error)
                await self.clock.sleep(_RETRY.delay(failures))
            else:
                failures, self._written[uid] = 0, told

    async def _apply(self, pod: Pod, told: _Told) -> None:
        meta = pod.metadata
        # The uid makes sure that it is this pod, and not a later one of its name.
        metadata: JsonObject = {"name": meta.name, "namespace": meta.namespace, "uid": meta.uid}
        if told.annotations:
            metadata["annotations"] = {**told.annotations}
        body: JsonObject = {"metadata": metadata, "status": told.status}
        await self.api.apply(kinds.POD, body, meta.namespace, manager=MANAGER, subresource="status")
