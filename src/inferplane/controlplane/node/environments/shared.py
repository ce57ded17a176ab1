"""The environments of this node: each is built once, however many pods wait for it, and removed when none uses it."""

import asyncio
import logging
import shutil
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from inferplane.controlplane.node.environments import installed as platform
from inferplane.controlplane.node.environments.builder import PLATFORM, Builder, BuildFailed
from inferplane.controlplane.node.environments.choose import Environment, Installed, Wish, choose
from inferplane.kernel.backoff import Backoff
from inferplane.kernel.clock import Clock
from inferplane.kernel.errors import InferplaneError

log = logging.getLogger(__name__)

# As a kubelet tries to pull an image.
_RETRY = Backoff(first=10.0, limit=300.0)
# Building anew takes seconds where the packages are in uv's cache, so little is lost; they share the cache's files.
KEPT_UNUSED = 7 * 86400.0


class EnvironmentFailed(InferplaneError):
    """It could not be built. `retry_after` in seconds; `wanted` is what was asked for."""

    def __init__(self, message: str, fix: str, wanted: Environment, retry_after: float) -> None:
        super().__init__(message, fix=fix)
        self.wanted = wanted
        self.retry_after = retry_after


@dataclass(slots=True)
class _Failed:
    times: int
    error: BuildFailed
    retry_at: float


@dataclass(slots=True)
class Environments:
    """`find_installed` looks at the platform's own environment; tests give another. `path`: the containers' PATH."""

    builder: Builder
    clock: Clock
    find_installed: Callable[[], Installed] = platform.installed
    path: str = ""
    _installed: asyncio.Task[Installed] | None = None
    _linked: bool = False
    _linking: asyncio.Lock = field(default_factory=asyncio.Lock)
    _building: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _progress: dict[str, str] = field(default_factory=dict)
    _listeners: dict[str, list[Callable[[str], None]]] = field(default_factory=dict)
    _failed: dict[str, _Failed] = field(default_factory=dict)

    def begin(self) -> None:
        """Looks at the platform's own environment, beside all else."""
        self._installed = asyncio.create_task(asyncio.to_thread(self.find_installed), name="installed packages")

    async def choose(self, wish: Wish) -> Environment | None:
        """None: the platform's own will do. Raises InvalidRequirements."""
        if wish.program and shutil.which(wish.program, path=self.path):
            return None
        wanted = choose(wish, await self._look())
        if wanted is not None and not self.builder.is_built(wanted):
            # Somebody may have installed what is lacking since.
            self.begin()
            wanted = choose(wish, await self._look())
        return wanted

    async def ready(self, wanted: Environment, tell: Callable[[str], None]) -> None:
        """Returns when it can be used. `tell` is given words of progress. Raises EnvironmentFailed."""
        await self._link()
        if not self.builder.is_built(wanted):
            await self._built(wanted, tell)
        self.builder.note_use(wanted.digest)

    async def _link(self) -> None:
        async with self._linking:
            if not self._linked:
                await asyncio.to_thread(platform.link, self.builder.root / PLATFORM)
                self._linked = True

    async def _look(self) -> Installed:
        if self._installed is None:
            self.begin()
        assert self._installed is not None
        return await asyncio.shield(self._installed)

    async def _built(self, wanted: Environment, tell: Callable[[str], None]) -> None:
        digest = wanted.digest
        failed = self._failed.get(digest)
        if failed is not None and self._now() < failed.retry_at:
            raise self._failure(wanted, failed)
        task = self._building.get(digest)
        if task is None:
            task = self._building[digest] = asyncio.create_task(self._build(wanted), name=f"environment {digest}")
            task.add_done_callback(lambda task: self._over(digest, task))
        listeners = self._listeners.setdefault(digest, [])
        listeners.append(tell)
        tell(self._progress.get(digest, f"building the environment {wanted}"))
        try:
            await asyncio.shield(task)
        except BuildFailed:
            raise self._failure(wanted, self._failed[digest]) from None
        finally:
            listeners.remove(tell)

    def _over(self, digest: str, task: asyncio.Task[None]) -> None:
        self._building.pop(digest, None)
        if not task.cancelled():
            task.exception()  # told already, and nobody may be left who waits for it

    async def _build(self, wanted: Environment) -> None:
        digest, since = wanted.digest, self.clock.monotonic()
        log.info("building environment digest=%s requirements=%s reason=%s", digest, wanted, wanted.reason)
        try:
            await self.builder.build(wanted, lambda line: self._heard(wanted, line))
        except BuildFailed as error:
            before = self._failed.get(digest)
            times = before.times + 1 if before is not None else 1
            self._failed[digest] = _Failed(times, error, self._now() + _RETRY.delay(times))
            log.warning("environment not built digest=%s error=%s lines=%s", digest, error, error.lines)
            raise
        finally:
            self._progress.pop(digest, None)
        self._failed.pop(digest, None)
        log.info("environment built digest=%s seconds=%.1f", digest, self.clock.monotonic() - since)

    def _heard(self, wanted: Environment, line: str) -> None:
        self._progress[wanted.digest] = words = f"building the environment {wanted}: {line}"
        for tell in self._listeners.get(wanted.digest, []):
            tell(words)

    def _failure(self, wanted: Environment, failed: _Failed) -> EnvironmentFailed:
        message = f"{wanted.reason}; {failed.error.message}"
        if failed.error.lines:
            message += " (" + " / ".join(failed.error.lines) + ")"
        return EnvironmentFailed(message, failed.error.fix or "", wanted, max(0.0, failed.retry_at - self._now()))

    def _now(self) -> float:
        return self.clock.now().timestamp()

    # --- clearing up --------------------------------------------------------------------------------------------------

    async def tidy(self, in_use: Collection[str]) -> None:
        """Removes what nobody has used for long. `in_use`: digests of environments with something running in them."""
        for digest in in_use:
            self.builder.note_use(digest)
        for digest in self.builder.unused_since(self._now() - KEPT_UNUSED):
            log.info("removing an environment that nobody uses digest=%s", digest)
            await self.builder.remove(digest)

    async def close(self) -> None:
        """Ends what is being built."""
        tasks: list[asyncio.Task[None] | asyncio.Task[Installed]] = [*self._building.values()]
        tasks += [self._installed] if self._installed is not None else []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
