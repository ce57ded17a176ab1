"""A repository whose models are all known and some of them in memory.

`serve` makes a model known and, where there is room, loads it; a request for one that is not in memory has it loaded
(`arrival`) and waits, all requests for it for one load. Past the memory limit those go that were used least recently
and answer nothing now. A new version takes the place of the old one once it is loaded; the old one answers what it was
asked before. Loads run one after the other, so that each can be measured.
"""

import asyncio
import inspect
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Protocol, TypeVar, TypeVarTuple

from inferplane.dataplane.model.lifecycle import OutOfTurn, State
from inferplane.dataplane.model.model import Model
from inferplane.dataplane.model.repository import Arrival, ModelRepository
from inferplane.dataplane.residency.ledger import Ledger
from inferplane.dataplane.residency.memory import Memory, size_on_disk
from inferplane.inference.errors import ModelLoadError, ModelNotFound, ModelNotReady
from inferplane.kernel.errors import InferplaneError

log = logging.getLogger("inferplane.residency")

_R = TypeVar("_R")
_A = TypeVarTuple("_A")

UNLOADED = "not in memory: the next request loads it"
_FETCHED = "being fetched"
_TRIED_AGAIN = 5.0
"""Seconds after which a request has a model loaded again that could not be."""

Make = Callable[[str, str, Path], Model]
"""(name, framework, directory) → the model, not loaded yet. Blocks; raises InferplaneError."""


class Attendant(Protocol):
    """Who answers the requests."""

    def is_idle(self, model: Model) -> bool:
        """Whether no request for it waits or runs."""
        ...

    def last_used(self, model: Model) -> float:
        """When the last request for it came, on the monotonic clock; 0.0 for never."""
        ...

    def retire(self, model: Model) -> None:
        """It gets no more requests: stops it once it has answered those that it has."""
        ...

    def computing(self) -> AbstractContextManager[None]:
        """Around what computes on a thread, so that requests get their turn."""
        ...


@dataclass
class _Known:
    """`problem` is why it cannot be had, or why it is still the version of before; `since` when that was found."""

    model: Model | None = None
    size: int = 0
    on_disk: int = 0
    loaded_at: float = 0.0
    problem: str = ""
    since: float = 0.0
    waiting: int = 0
    coming: "asyncio.Future[None] | None" = None
    loading: "asyncio.Task[None] | None" = None


@dataclass
class Counts:
    """Since the start."""

    loads: int = 0
    failures: int = 0
    unloads: int = 0
    seconds: float = 0.0


class _Nobody:
    """Before there is a server."""

    def is_idle(self, model: Model) -> bool:
        return True

    def last_used(self, model: Model) -> float:
        return 0.0

    def retire(self, model: Model) -> None:
        model.stop()

    def computing(self) -> AbstractContextManager[None]:
        return nullcontext()


class ManyModels(ModelRepository):
    """Belongs to one event loop. `limit` in bytes is for the whole process; None keeps everything in memory."""

    is_many = True

    def __init__(
        self, make: Make, executor: Executor, memory: Memory, limit: int | None = None, models_dir: str = "/mnt/models"
    ) -> None:
        super().__init__(models_dir)
        self._make = make
        self._executor = executor
        self._memory = memory
        self._ledger = Ledger(limit, memory.used())
        self._known: dict[str, _Known] = {}
        self._is_open = False
        self._turn = asyncio.Lock()
        self._background = asyncio.Lock()
        self._attendant: Attendant = _Nobody()
        self.counts = Counts()

    def attended(self, by: Attendant) -> None:
        self._attendant = by

    # What the puller says.

    def expect(self, name: str) -> None:
        """It will be served before long: requests for it wait."""
        known = self._known.setdefault(name, _Known())
        if known.model is not None and known.problem and not known.model.ready:
            known.model = None  # another version of one that could never be loaded
            self._remove(name)
        if known.model is None and (known.coming is None or known.coming.done()):
            known.problem = ""
            known.coming = asyncio.get_running_loop().create_future()

    def cannot(self, name: str, problem: str) -> None:
        """It, or its newest version, cannot be had at present."""
        known = self._known.setdefault(name, _Known())
        known.problem, known.since = problem, monotonic()
        self._arrived(known)

    async def serve(self, name: str, framework: str, directory: Path) -> None:
        """Has requests answered by the model in `directory`.

        It is loaded as soon as nothing else is, unless the memory is full of others. Raises InferplaneError when it
        cannot be loaded or does not fit; what was served before is served on.
        """
        known = self._known.setdefault(name, _Known())
        model, on_disk = await asyncio.to_thread(self._made, name, framework, directory)
        if known.model is None:
            known.model, known.problem, known.on_disk = model, "", on_disk
            self._enter(name, known)
            self._arrived(known)  # who waits for it loads it now
        # One of these at a time in the line for a turn: requests must not wait for all of them.
        async with self._background:
            if known.model is model:
                if not model.ready and self._has_room():
                    await self._loading(name, known, model)
            else:
                await self._replace(name, known, model, on_disk)

    async def _replace(self, name: str, known: _Known, model: Model, on_disk: int) -> None:
        old = known.model
        if self._has_room() or (old is not None and old.ready):
            await self._into_memory(name, known, model, on_disk)
        known.model, known.problem, known.on_disk = model, "", on_disk
        self._enter(name, known)
        if old is not None:
            self._attendant.retire(old)

    def _made(self, name: str, framework: str, directory: Path) -> tuple[Model, int]:
        """(the model, bytes of its files)."""
        return self._make(name, framework, directory), size_on_disk(directory)

    def withdraw(self, name: str) -> None:
        """It is served no more; requests that are under way are answered."""
        known = self._known.pop(name, None)
        self._remove(name)
        if known is not None:
            self._arrived(known)
            if known.model is not None:
                self._attendant.retire(known.model)

    def _remove(self, name: str) -> None:
        self.models.pop(name, None)
        self._states.pop(name, None)
        self._ledger.sizes.pop(name, None)

    # What requests need.

    def arrival(self, name: str) -> Arrival | None:
        """None for a model that is not known."""
        known = self._known.get(name)
        return None if known is None else partial(self._there, name, known)

    async def _there(self, name: str, known: _Known) -> None:
        if known.model is None and known.coming is not None and not known.coming.done():
            await asyncio.shield(known.coming)
        if self._known.get(name) is not known:
            raise ModelNotFound(name)
        model = known.model
        if model is None or (not model.ready and known.problem and monotonic() - known.since < _TRIED_AGAIN):
            raise ModelNotReady(name, known.problem)
        if not model.ready:
            # It stays until those who wait for it have asked it: where little fits, the next load would take it away.
            known.waiting += 1
            try:
                await self._loading(name, known, model)
            except InferplaneError as error:
                raise ModelNotReady(name, str(error)) from error
            finally:
                known.waiting -= 1

    async def _loading(self, name: str, known: _Known, model: Model) -> None:
        """All who want it wait for one load; it goes on though they may leave."""
        if known.loading is None:
            known.loading = asyncio.get_running_loop().create_task(self._load_known(name, known, model))
            # Those who wait for it may all have left by then.
            known.loading.add_done_callback(lambda task: task.cancelled() or task.exception())
        await asyncio.shield(known.loading)

    async def _load_known(self, name: str, known: _Known, model: Model) -> None:
        try:
            await self._into_memory(name, known, model, known.on_disk)
        except InferplaneError as error:
            known.problem, known.since = str(error), monotonic()
            raise
        finally:
            known.loading = None
        if known.model is model and self._known.get(name) is known:
            known.problem = ""
            self._enter(name, known)
        else:
            model.stop()  # meanwhile a new version has come, or the model has gone

    async def load(self, name: str) -> bool:
        """Into memory, of a model that is known."""
        arrival = self.arrival(name)
        if arrival is None:
            raise ModelNotFound(name)
        await arrival()
        return True

    def unload(self, name: str) -> None:
        """Out of memory; the next request loads it again. OutOfTurn while it answers requests."""
        model = self.existing(name)
        if not self._attendant.is_idle(model):
            raise OutOfTurn(f"model {name} answers requests now: unload it when it is idle, or delete it")
        if model.ready:
            self._evict(name)

    def existing(self, name: str) -> Model:
        model = self.models.get(name)
        if model is None and (known := self._known.get(name)) is not None:
            raise ModelNotReady(name, known.problem or _FETCHED)
        return super().existing(name)

    async def is_model_ready(self, name: str) -> bool:
        """Whether a request for it is answered; one that is not in memory is loaded for it."""
        known, model = self._known.get(name), self.models.get(name)
        return model is not None and known is not None and (model.ready or not known.problem)

    def open(self) -> None:
        """From now on the server is ready: all models are on disk, or are known to be out of reach."""
        self._is_open = True

    async def is_ready(self) -> bool:
        """One model that fails does not keep requests from the others."""
        return self._is_open

    def known(self) -> list[str]:
        return list(self._known)

    def reason(self, name: str) -> str:
        known, model = self._known.get(name), self.models.get(name)
        if known is None:
            return ""
        if model is None:
            return known.problem or _FETCHED
        if known.problem:
            return f"the version of before is served: {known.problem}" if model.ready else known.problem
        return "" if model.ready else UNLOADED

    def is_coming(self, name: str) -> bool:
        """Whether it is being fetched or loaded for the first time."""
        known = self._known.get(name)
        return known is not None and known.model is None and not known.problem

    # Memory.

    def _has_room(self) -> bool:
        return self._ledger.excess(self._memory.used()) <= 0

    async def _into_memory(self, name: str, known: _Known, model: Model, on_disk: int) -> None:
        """Loads it and measures what it takes. Raises InferplaneError."""
        async with self._turn:
            self._refuse_too_large(name, on_disk, "on disk")
            self._make_room(name, max(known.size, on_disk))
            before, start = self._memory.used(), monotonic()
            try:
                await self._load(name, model)
            except InferplaneError:
                self.counts.failures += 1
                raise
            self.counts.loads += 1
            self.counts.seconds += monotonic() - start
            size = max(self._memory.used() - before, on_disk, 1)
            if not self._ledger.fits_at_all(size):
                model.stop()
                self._memory.release()
                self._refuse_too_large(name, size, "in memory")
            known.size, known.loaded_at = size, monotonic()
            self._ledger.sizes[name] = size
            self._make_room(name)

    async def _load(self, name: str, model: Model) -> None:
        try:
            with self._attendant.computing():
                loaded = await self._run(model.load)
            if inspect.isawaitable(loaded):
                loaded = await loaded
        except InferplaneError:
            raise
        except Exception as error:
            raise ModelLoadError(f"model {name} failed to load: {type(error).__name__}: {error}") from error
        if not loaded:
            raise ModelNotReady(name)

    def states(self) -> Mapping[str, int]:
        """How many models are loaded, unloaded (not in memory), loading (for the first time), failed."""
        found = dict.fromkeys(("loaded", "unloaded", "loading", "failed"), 0)
        for known in self._known.values():
            if known.model is not None and known.model.ready:
                found["loaded"] += 1
            else:
                found["failed" if known.problem else "loading" if known.model is None else "unloaded"] += 1
        return found

    @property
    def memory(self) -> tuple[int, int | None]:
        """(bytes used, limit) of the process."""
        return self._memory.used(), self._ledger.limit

    def _refuse_too_large(self, name: str, size: int, where: str) -> None:
        ledger = self._ledger
        if ledger.limit is not None and not ledger.fits_at_all(size):
            raise ModelLoadError(
                f"model {name} takes {_mebibytes(size)} {where}; this server may take {_mebibytes(ledger.limit)}, "
                f"{_mebibytes(max(0, ledger.limit - ledger.base))} of them for models",
                fix="raise the memory limit of the InferenceService's container, or make the model smaller",
            )

    def _make_room(self, keep: str, incoming: int = 0) -> None:
        ledger, memory = self._ledger, self._memory
        used = memory.used()
        if ledger.excess(used, incoming) <= 0:
            return
        memory.release()
        used = memory.used()
        last = {name: self._last_used(name) for name in ledger.sizes}
        victims = ledger.victims(ledger.excess(used, incoming), used, last, lambda name: self._may_go(name, keep))
        for name in victims:
            self._evict(name)
        if victims:
            memory.release()

    def _may_go(self, name: str, keep: str) -> bool:
        known, model = self._known.get(name), self.models.get(name)
        is_awaited = known is not None and known.waiting > 0
        return name != keep and not is_awaited and model is not None and self._attendant.is_idle(model)

    def _last_used(self, name: str) -> float:
        known, model = self._known.get(name), self.models.get(name)
        return max(known.loaded_at if known else 0.0, self._attendant.last_used(model) if model else 0.0)

    def _evict(self, name: str) -> None:
        self.models[name].stop()
        self._states[name] = State.UNLOADED
        self._ledger.sizes.pop(name, None)
        self.counts.unloads += 1
        log.debug("model=%s unloaded to make room", name)

    def _enter(self, name: str, known: _Known) -> None:
        model = known.model
        if model is None:
            return
        self.models[name] = model
        self._states[name] = State.READY if model.ready else State.UNLOADED
        if model.ready:
            self._ledger.sizes[name] = known.size
        else:
            self._ledger.sizes.pop(name, None)

    def _arrived(self, known: _Known) -> None:
        if known.coming is not None and not known.coming.done():
            known.coming.set_result(None)

    async def _run(self, function: Callable[[*_A], _R], *arguments: *_A) -> _R:
        return await asyncio.get_running_loop().run_in_executor(self._executor, function, *arguments)


def _mebibytes(size: int) -> str:
    return f"{size / 1024**2:.1f} MiB"
