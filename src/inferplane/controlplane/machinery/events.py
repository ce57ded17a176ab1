"""Kubernetes Events: what a controller tells users about an object, as `kubectl describe` shows it.

`event` returns at once; `run` writes. The same news about the same object is one Event whose count grows. Events are
a courtesy: when one cannot be written that is logged and the controller goes on.
"""

import asyncio
import logging
from collections import OrderedDict
from dataclasses import dataclass
from typing import Literal

import msgspec

from inferplane.client.kubernetes.api import Api, ApiError, NotFound, ServerUnreachable
from inferplane.client.kubernetes.kinds import EVENT
from inferplane.kernel.clock import Clock, timestamp
from inferplane.kernel.json import JsonObject, text_at
from inferplane.resources.core import ObjectReference

log = logging.getLogger(__name__)

EventKind = Literal["Normal", "Warning"]

EVENTS_WAIT = 0.5
"""The patience of a platform whose control plane is one process: a service makes twenty events on its way to ready,
within a fifth of a second."""

# How many different events are remembered for counting, and how many may wait to be written.
_REMEMBERED = 4096
_PENDING = 10_000


@dataclass(frozen=True, slots=True)
class _News:
    about: ObjectReference
    kind: EventKind
    reason: str
    message: str

    @property
    def identity(self) -> tuple[str, str, str, str, str]:
        return (self.about.kind, self.about.uid or self.about.name, self.kind, self.reason, self.message)


@dataclass(slots=True)
class _Told:
    """An Event that exists. `name` in `namespace`, told `count` times."""

    namespace: str
    name: str
    count: int = 1


class Recorder:
    def __init__(self, api: Api, component: str, clock: Clock, *, patience: float = 0.0) -> None:
        """`patience`: seconds that an event waits, so that what it tells of is not held up by the telling."""
        self._api = api
        self._patience = patience
        self._component = component
        self._clock = clock
        self._pending: asyncio.Queue[_News] = asyncio.Queue(_PENDING)
        self._told: OrderedDict[tuple[str, str, str, str, str], _Told] = OrderedDict()
        self._serial = 0
        self._dropped = 0

    def event(self, about: ObjectReference, kind: EventKind, reason: str, message: str) -> None:
        """Tells about an object (`owners.object_reference`): `reason` is one word, `message` a sentence."""
        try:
            self._pending.put_nowait(_News(about, kind, reason, message))
            self._dropped = 0
        except asyncio.QueueFull:
            self._dropped += 1
            if self._dropped == 1:
                log.warning("events are dropped, too many are pending object=%s reason=%s", about.name, reason)

    async def run(self) -> None:
        """Writes events until cancelled."""
        while True:
            calm = self._pending.empty()
            news = await self._pending.get()
            if calm and self._patience:
                await self._clock.sleep(self._patience)
            try:
                await self._write(news)
            except (ApiError, ServerUnreachable) as error:
                log.warning("event lost object=%s reason=%s error=%s", news.about.name, news.reason, error)
            finally:
                self._pending.task_done()

    async def flush(self) -> None:
        """Returns when everything told so far is written; `run` must be running."""
        await self._pending.join()

    async def _write(self, news: _News) -> None:
        told = self._told.get(news.identity)
        if told is not None:
            self._told.move_to_end(news.identity)
            try:
                await self._count(told)
                return
            except NotFound:
                # It expired, or somebody deleted it.
                del self._told[news.identity]
        created = await self._api.create(EVENT, self._body(news), news.about.namespace or "default")
        self._told[news.identity] = _Told(
            text_at(created, "metadata", "namespace"), text_at(created, "metadata", "name")
        )
        if len(self._told) > _REMEMBERED:
            self._told.popitem(last=False)

    async def _count(self, told: _Told) -> None:
        patch: JsonObject = {"count": told.count + 1, "lastTimestamp": timestamp(self._clock.now())}
        await self._api.patch(EVENT, told.name, patch, told.namespace)
        told.count += 1

    def _body(self, news: _News) -> JsonObject:
        self._serial += 1
        now = self._clock.now()
        unique = int(now.timestamp() * 1_000_000_000) + self._serial
        return {
            "metadata": {"name": f"{news.about.name}.{unique:x}", "namespace": news.about.namespace or "default"},
            "involvedObject": msgspec.to_builtins(news.about),
            "type": news.kind,
            "reason": news.reason,
            # The API refuses longer ones.
            "message": news.message[:1024],
            "source": {"component": self._component},
            "reportingComponent": self._component,
            "count": 1,
            "firstTimestamp": timestamp(now),
            "lastTimestamp": timestamp(now),
        }
