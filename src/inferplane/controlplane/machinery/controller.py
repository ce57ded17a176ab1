"""The reconcile loop: keys in from the caches, one reconcile at a time per key, failures retried with back-off.

A reconcile reads caches, decides, and writes; whatever it raises is logged and tried again, so one bad object never
stops the others. "Not yet" is no error: it returns, and the change that it waits for brings the key back.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from inferplane.client.kubernetes.api import Conflict
from inferplane.controlplane.machinery.cache import Cache, Key, T
from inferplane.controlplane.machinery.precedence import Precedence
from inferplane.controlplane.machinery.queue import WorkQueue
from inferplane.kernel.backoff import Backoff
from inferplane.kernel.clock import Clock
from inferplane.kernel.errors import InferplaneError

log = logging.getLogger(__name__)

RETRIES = Backoff(first=0.005, limit=60.0)


@dataclass(frozen=True, slots=True)
class Result:
    """`requeue_after`: seconds until the key is to be looked at again even if nothing changes."""

    requeue_after: float | None = None


Reconcile = Callable[[Key], Awaitable[Result | None]]


class Controller:
    def __init__(
        self, name: str, reconcile: Reconcile, *, clock: Clock, workers: int = 4, backoff: Backoff = RETRIES
    ) -> None:
        self.name = name
        self._reconcile = reconcile
        self._workers = workers
        self._queue = WorkQueue(clock, backoff)
        self._first: Precedence | None = None
        self._said: dict[Key, str] = {}

    def watch(
        self,
        cache: Cache[T],
        keys: Callable[[T], Iterable[Key]],
        *,
        part: Callable[[T], object] | None = None,
    ) -> None:
        """Reconciles `keys` of an object when it changes: those of the new one and those of the old one.

        `part`: all of it that matters, where something else of it changes often.
        """

        def changed(old: T | None, new: T | None) -> None:
            if part is not None and old is not None and new is not None and part(old) == part(new):
                return
            for item in (old, new):
                if item is not None:
                    for key in keys(item):
                        self.enqueue(key)

        cache.on_change(changed)

    def enqueue(self, key: Key, after: float = 0.0) -> None:
        self._queue.add(key, after)

    def idle(self) -> bool:
        """Nothing to do now; what waits for its time doesn't count."""
        return self._queue.idle

    async def run(self, first: Precedence | None = None) -> None:
        """Until cancelled. Start it when the informers are synced: a reconcile must not mistake "not yet listed" for
        "does not exist". `first`: what its reconciles stand back for."""
        self._first = first
        try:
            async with asyncio.TaskGroup() as workers:
                for number in range(self._workers):
                    workers.create_task(self._work(), name=f"{self.name} {number}")
        finally:
            self._queue.close()

    async def _work(self) -> None:
        while True:
            key = await self._queue.take()
            try:
                if self._first is not None:
                    await self._first.calm()
                await self._once(key)
            finally:
                self._queue.done(key)

    async def _once(self, key: Key) -> None:
        try:
            result = await self._reconcile(key)
        except Conflict:
            # What was decided on is out of date; the next attempt sees the newer object.
            self._queue.failed(key)
        except InferplaneError as error:
            delay = self._queue.failed(key)
            self._say(key, str(error), delay)
        except Exception:
            delay = self._queue.failed(key)
            log.exception("reconcile broke controller=%s key=%s retry_in=%.3f", self.name, key, delay)
        else:
            self._queue.succeeded(key)
            self._said.pop(key, None)
            if result is not None and result.requeue_after is not None:
                self._queue.add(key, max(result.requeue_after, 0.001))

    def _say(self, key: Key, text: str, delay: float) -> None:
        """The same failure of the same key is said once, however often it is retried."""
        if self._said.get(key) != text:
            self._said[key] = text
            log.warning("reconcile failed controller=%s key=%s retry_in=%.3f error=%s", self.name, key, delay, text)
