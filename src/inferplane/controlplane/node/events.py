"""Kubernetes Events about pods, told a moment later: they are for people; writes that requests wait for go first."""

import asyncio
from dataclasses import dataclass, field

import msgspec

from inferplane.client.kubernetes import kinds
from inferplane.controlplane.machinery.events import EventKind, Recorder
from inferplane.controlplane.machinery.owners import object_reference
from inferplane.kernel.clock import Clock
from inferplane.resources.core import ObjectReference, Pod

COMPONENT = "inferplane-node"
_DELAY = 0.25


@dataclass(slots=True)
class PodEvents:
    recorder: Recorder
    clock: Clock
    _waiting: list[tuple[ObjectReference, EventKind, str, str]] = field(default_factory=list)
    _filled: asyncio.Event = field(default_factory=asyncio.Event)

    def normal(self, pod: Pod, reason: str, message: str, container: str = "") -> None:
        self._tell(pod, "Normal", reason, message, container)

    def warning(self, pod: Pod, reason: str, message: str, container: str = "") -> None:
        self._tell(pod, "Warning", reason, message, container)

    async def run(self) -> None:
        """Until cancelled; the recorder runs beside."""
        while True:
            await self._filled.wait()
            await self.clock.sleep(_DELAY)
            self.hand_over()

    def hand_over(self) -> None:
        """Gives all that waits to the recorder."""
        self._filled.clear()
        waiting, self._waiting = self._waiting, []
        for about, kind, reason, message in waiting:
            self.recorder.event(about, kind, reason, message)

    def _tell(self, pod: Pod, kind: EventKind, reason: str, message: str, container: str) -> None:
        path = f"spec.containers{{{container}}}" if container else ""
        about = msgspec.structs.replace(object_reference(kinds.POD, pod.metadata), field_path=path)
        self._waiting.append((about, kind, reason, message[:1024]))
        self._filled.set()
