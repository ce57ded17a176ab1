"""Has a server serve what the model config file lists: fetches, loads and unloads, model by model.

For one model things happen in order, one at a time; several models at the same time. Only the newest version of the
file counts: what it listed in between and has not begun never happens. What fails is tried again, after a pause that
grows; a newer spec ends the pause. What a server already has stays until what takes its place is on disk.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol, TypeVar, TypeVarTuple

from inferplane.dataplane.puller.config import ModelSpec
from inferplane.dataplane.puller.files import ModelFiles
from inferplane.dataplane.puller.plan import Step, steps
from inferplane.kernel.backoff import Backoff
from inferplane.kernel.clock import Clock
from inferplane.kernel.errors import InferplaneError

log = logging.getLogger("inferplane.puller")

_R = TypeVar("_R")
_A = TypeVarTuple("_A")

RETRIES = Backoff(first=1.0, limit=60.0)
AT_ONCE = 8
"""Models that are fetched at the same time."""


class CannotLoad(InferplaneError):
    """A server did not load, or unload, a model."""


class Target(Protocol):
    """A server. `in_place`: it takes a new version of a model while the old one answers."""

    in_place: bool

    def expect(self, name: str) -> None:
        """The model is on its way."""
        ...

    async def load(self, name: str, spec: ModelSpec, directory: Path) -> None:
        """The version in `directory`; where not `in_place` the model's own leads there. Raises InferplaneError."""
        ...

    async def unload(self, name: str) -> None:
        """Fine, too, when the server has no such model. Raises InferplaneError."""
        ...

    def forget(self, name: str) -> None:
        """It is expected no more."""
        ...

    def failed(self, name: str, reason: str) -> None:
        """It is not to be had at present; it will be tried again."""
        ...


class Phase(StrEnum):
    WAITING = "waiting"
    FETCHING = "fetching"
    LOADING = "loading"
    SERVED = "served"
    REMOVING = "removing"
    FAILED = "failed"


_PHASES = {Step.FETCH: Phase.FETCHING, Step.LOAD: Phase.LOADING, Step.PLACE: Phase.LOADING}


@dataclass
class Pull:
    """One model: what is wanted of it, what the server was given, and how far it is. `failures` in a row."""

    wants: ModelSpec | None = None
    has: ModelSpec | None = None
    phase: Phase = Phase.WAITING
    reason: str = ""
    failures: int = 0
    task: "asyncio.Task[None] | None" = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class Counts:
    """Since the start: operations that ended, by what they were and how they ended."""

    ended: dict[tuple[Step, bool], int] = field(default_factory=dict)

    def add(self, step: Step, *, ok: bool) -> None:
        self.ended[step, ok] = self.ended.get((step, ok), 0) + 1


class Puller:
    def __init__(
        self,
        files: ModelFiles,
        target: Target,
        executor: Executor,
        clock: Clock,
        *,
        retries: Backoff = RETRIES,
        at_once: int = AT_ONCE,
    ) -> None:
        """`files` are read and written on the threads of `executor`."""
        self._files = files
        self._target = target
        self._executor = executor
        self._clock = clock
        self._retries = retries
        self._fetching = asyncio.Semaphore(at_once)
        self._pulls: dict[str, Pull] = {}
        self._awaited: set[str] | None = None
        self._brought = asyncio.Event()
        self.counts = Counts()

    @property
    def pulls(self) -> Mapping[str, Pull]:
        return self._pulls

    async def run(self, versions: AsyncIterator[dict[str, ModelSpec]]) -> None:
        """Until cancelled. `versions` are what the config file lists, the newest last."""
        try:
            left = await self._call(self._files.present)
            async for wanted in versions:
                if self._awaited is None:
                    self._awaited = set(wanted)
                self._want(wanted, left)
                left = {}
                self._on_disk("")
        finally:
            await self._end()

    async def brought(self) -> None:
        """Returns once everything in the file's first version is on disk, or has failed to be. Loading begins then."""
        await self._brought.wait()

    def _on_disk(self, name: str) -> None:
        """Or known to be out of reach, or wanted no more."""
        if self._awaited is not None:
            self._awaited.discard(name)
            if not self._awaited:
                self._brought.set()

    def _want(self, wanted: Mapping[str, ModelSpec], left: Mapping[str, ModelSpec]) -> None:
        """`left` is what a puller before this one has left on disk."""
        for name in {**left, **self._pulls}:
            if name not in wanted:
                self._aim(name, self._pulls.setdefault(name, Pull(has=left.get(name))), None)
        for name, spec in wanted.items():
            self._aim(name, self._pulls.setdefault(name, Pull(has=self._served_before(left.get(name), spec))), spec)

    def _served_before(self, left: ModelSpec | None, spec: ModelSpec) -> ModelSpec | None:
        """What a server beside us may still have of another version; ours has started together with us."""
        return None if self._target.in_place or left == spec else left

    def _aim(self, name: str, pull: Pull, spec: ModelSpec | None) -> None:
        if pull.wants == spec and (pull.task is not None or pull.has == spec):
            return
        pull.wants, pull.failures = spec, 0
        if spec is None:
            self._on_disk(name)
        elif pull.has is None:
            self._target.expect(name)
        pull.changed.set()
        if pull.task is None:
            pull.task = asyncio.get_running_loop().create_task(self._work(name, pull), name=f"pull {name}")

    async def _work(self, name: str, pull: Pull) -> None:
        """Until the server has what is wanted; of a model that is not, nothing stays."""
        while True:
            while pull.has != pull.wants:
                await self._attempt(name, pull, pull.wants)
            if pull.wants is not None:
                pull.phase = Phase.SERVED
                break
            await self._call(self._files.remove, name)  # of one that never came, what was fetched of it
            if pull.wants is None:
                self._target.forget(name)
                del self._pulls[name]
                break
        pull.task = None

    async def _attempt(self, name: str, pull: Pull, wanted: ModelSpec | None) -> None:
        pull.changed.clear()
        try:
            await self._bring_about(name, pull, wanted)
        except Exception as error:
            if not isinstance(error, InferplaneError | OSError):
                log.exception("model=%s %s broke", name, pull.phase)
            if not pull.changed.is_set():
                await self._failed(name, pull, str(error) or type(error).__name__)
        else:
            pull.failures, pull.reason = 0, ""

    async def _bring_about(self, name: str, pull: Pull, wanted: ModelSpec | None) -> None:
        for step in steps(pull.has, wanted, in_place=self._target.in_place):
            if pull.changed.is_set() and step is not Step.PLACE:
                return  # a newer spec: begin again with that
            pull.phase = _PHASES.get(step, Phase.REMOVING)
            ok = False
            try:
                await self._do(step, name, pull, wanted)
                ok = True
            finally:
                self.counts.add(step, ok=ok)
        log.info("model=%s %s", name, "removed" if wanted is None else f"served from {wanted.storage_uri}")

    async def _do(self, step: Step, name: str, pull: Pull, wanted: ModelSpec | None) -> None:
        match step, wanted:
            case Step.FETCH, ModelSpec():
                async with self._fetching:
                    if not pull.changed.is_set():
                        await self._call(self._files.bring, name, wanted)
                self._on_disk(name)
            case Step.PLACE, ModelSpec():
                await self._call(self._files.place, name, wanted)
            case Step.LOAD, ModelSpec():
                await self._brought.wait()
                await self._target.load(name, wanted, self._files.version(name, wanted))
                pull.has = wanted
            case Step.UNLOAD, _:
                await self._target.unload(name)
                pull.has = None
            case Step.REMOVE, _:
                await self._call(self._files.remove, name)

    async def _failed(self, name: str, pull: Pull, reason: str) -> None:
        """Waits for the next attempt, or for a newer spec."""
        pull.failures += 1
        delay = self._retries.delay(pull.failures)
        words = f"{reason}; tried {pull.failures} times" if pull.failures > 1 else reason
        if pull.reason != reason:
            log.warning("model=%s %s failed, next attempt in %.0f s: %s", name, pull.phase, delay, reason)
        pull.phase, pull.reason = Phase.FAILED, reason
        self._target.failed(name, words)
        self._on_disk(name)
        pause = asyncio.ensure_future(self._clock.sleep(delay))
        newer = asyncio.ensure_future(pull.changed.wait())
        try:
            await asyncio.wait({pause, newer}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            pause.cancel()
            newer.cancel()

    async def _call(self, function: Callable[[*_A], _R], *arguments: *_A) -> _R:
        return await asyncio.get_running_loop().run_in_executor(self._executor, function, *arguments)

    async def _end(self) -> None:
        tasks = [pull.task for pull in self._pulls.values() if pull.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
