"""Kubernetes Events about pods: recorded without waiting, written a little later, repetitions counted.

Events are for people; the writes that requests wait for go first, hence the delay.
"""

import asyncio
import logging
from dataclasses import dataclass, field
from uuid import uuid4

from inferplane.client.kubernetes import kinds
from inferplane.client.kubernetes.api import Api, ApiError, NotFound, ServerUnreachable
from inferplane.kernel.clock import Clock, timestamp
from inferplane.kernel.json import JsonObject
from inferplane.resources.core import Pod

log = logging.getLogger(__name__)

COMPONENT = "inferplane-node"
_DELAY = 0.25
# As many as are worth keeping while the API server is away.
_MOST_WAITING = 1000
_MOST_REMEMBERED = 4096


@dataclass(slots=True)
class _Said:
    name: str
    namespace: str
    count: int


@dataclass(slots=True)
class Recorder:
    api: Api
    clock: Clock
    node: str
    _waiting: list[tuple[tuple[str, str, str], JsonObject, str]] = field(default_factory=list)
    _filled: asyncio.Event = field(default_factory=asyncio.Event)
    _said: dict[tuple[str, str, str], _Said] = field(default_factory=dict)

    def normal(self, pod: Pod, reason: str, message: str, container: str = "") -> None:
        self._add(pod, "Normal", reason, message, container)

    def warning(self, pod: Pod, reason: str, message: str, container: str = "") -> None:
        self._add(pod, "Warning", reason, message, container)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._filled.wait()
            await self.clock.sleep(_DELAY)
            await self.flush()

    async def flush(self) -> None:
        """Writes all that waits; keeps what can't be written because the server is away."""
        self._filled.clear()
        waiting, self._waiting = self._waiting, []
        for number, (key, body, namespace) in enumerate(waiting):
            try:
                await self._write(key, body, namespace)
            except ServerUnreachable:
                self._waiting = (waiting[number:] + self._waiting)[-_MOST_WAITING:]
                self._filled.set()
                return
            except ApiError as error:
                log.warning("event refused namespace=%s reason=%s error=%s", namespace, body.get("reason"), error)

    def _add(self, pod: Pod, type: str, reason: str, message: str, container: str) -> None:
        meta = pod.metadata
        path = f"spec.containers{{{container}}}" if container else ""
        now = timestamp(self.clock.now())
        body: JsonObject = {
            "involvedObject": {
                "apiVersion": "v1",
                "kind": "Pod",
                "namespace": meta.namespace,
                "name": meta.name,
                "uid": meta.uid,
                **({"fieldPath": path} if path else {}),
            },
            "type": type,
            "reason": reason,
            "message": message[:1024],
            "source": {"component": COMPONENT, "host": self.node},
            "reportingComponent": COMPONENT,
            "reportingInstance": self.node,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        self._waiting.append(((meta.uid, reason, message), body, meta.namespace))
        self._filled.set()

    async def _write(self, key: tuple[str, str, str], body: JsonObject, namespace: str) -> None:
        if (said := self._said.get(key)) is not None:
            said.count += 1
            again: JsonObject = {"count": said.count, "lastTimestamp": body["lastTimestamp"]}
            try:
                await self.api.patch(kinds.EVENT, said.name, again, said.namespace)
                return
            except NotFound:
                del self._said[key]  # it has expired: say it anew
        involved = body["involvedObject"]
        assert isinstance(involved, dict)
        name = f"{involved['name']}.{uuid4().hex[:16]}"
        await self.api.create(kinds.EVENT, {**body, "metadata": {"name": name, "namespace": namespace}}, namespace)
        if len(self._said) >= _MOST_REMEMBERED:
            self._said.pop(next(iter(self._said)))
        self._said[key] = _Said(name, namespace, 1)
