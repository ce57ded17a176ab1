"""How long a model's next call will take, judged by its last ones; and where the call should run."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

SHORT = 0.001
"""Seconds. A call expected to take less runs in place: handing it to a thread and back costs about 0.1 ms."""

_WEIGHT = 0.2


class Pace:
    """Moving averages of the time and the body size of a model's calls."""

    __slots__ = ("_seconds", "_size")

    def __init__(self) -> None:
        self._seconds: float | None = None
        self._size = 1.0

    def expected(self, size: int) -> float | None:
        """Seconds for a body of `size` bytes; None before the first call. Larger bodies than usual take longer."""
        if self._seconds is None:
            return None
        return self._seconds * max(1.0, size / self._size)

    def record(self, seconds: float, size: int) -> None:
        if self._seconds is None:
            self._seconds, self._size = seconds, max(1.0, size)
            return
        self._seconds += _WEIGHT * (seconds - self._seconds)
        self._size += _WEIGHT * (max(1.0, size) - self._size)

    def is_short(self, size: int) -> bool:
        expected = self.expected(size)
        return expected is not None and expected < SHORT


class Worker:
    """One thread a model, started when first needed. Hooks of one model never run at the same time.

    `busy` is what keeps calls out of place while the thread has some: the model's code need not be thread-safe.
    """

    __slots__ = ("_executor", "_pending", "_thread_name")

    def __init__(self, model_name: str) -> None:
        self._thread_name = f"model-{model_name}"
        self._executor: ThreadPoolExecutor | None = None
        self._pending = 0

    @property
    def busy(self) -> bool:
        return self._pending > 0

    def submit(self, call: Callable[[], T]) -> asyncio.Future[T]:
        if self._executor is None:
            self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=self._thread_name)
        self._pending += 1
        thread_side = self._executor.submit(call)
        loop = asyncio.get_running_loop()
        # Counts the thread's work, not the waiter: a caller that gives up leaves its call running.
        thread_side.add_done_callback(lambda _: self._tell(loop))
        return asyncio.wrap_future(thread_side)

    def _tell(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            loop.call_soon_threadsafe(self._done)
        except RuntimeError:
            # The server has stopped in the meantime; there is nobody left to count for.
            pass

    def _done(self) -> None:
        self._pending -= 1

    def close(self) -> None:
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
            self._executor = None
