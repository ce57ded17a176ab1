"""Entry to a model whose author wants the event loop: how many calls at once, how many waiting, and for how long."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext

from inferplane.dataplane.server.metrics import ModelMetrics
from inferplane.dataplane.server.settings import Execution
from inferplane.inference.errors import DeadlineExceeded, Overloaded

_RETRY_AFTER = 1


class Admission:
    """Without `async_concurrency` every call enters at once and `max_queue` bounds how many are inside."""

    def __init__(self, name: str, metrics: ModelMetrics, execution: Execution) -> None:
        self._name = name
        self._metrics = metrics
        self._places = execution.async_concurrency
        self._most = execution.max_queue + (execution.async_concurrency or 0)
        self._turns = None if self._places is None else asyncio.Semaphore(self._places)
        self._inside = 0

    @property
    def inside(self) -> int:
        """Calls that wait or run."""
        return self._inside

    @asynccontextmanager
    async def entered(self, timeout: float | None) -> AsyncIterator[None]:
        """Waits for a place. Overloaded when too many wait; DeadlineExceeded after `timeout` seconds, inside too."""
        if self._inside >= self._most:
            self._metrics.rejected("queue_full")
            raise Overloaded(self._name, self._inside - (self._places or 0), _RETRY_AFTER)
        self._count(1)
        try:
            async with asyncio.timeout(timeout) as limit, self._turns or nullcontext():
                yield
        except TimeoutError:
            if not limit.expired():
                raise  # the model's own
            self._metrics.rejected("deadline")
            raise DeadlineExceeded(self._name) from None
        finally:
            self._count(-1)

    def _count(self, change: int) -> None:
        self._inside += change
        self._metrics.in_flight.set(self._inside)
        self._metrics.queue_length.set(0 if self._places is None else max(0, self._inside - self._places))
