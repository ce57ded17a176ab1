"""One child process of the supervisor: started, watched, started again with back-off, stopped."""

import asyncio
import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from inferplane.assembly.readiness import Event, Pipe
from inferplane.kernel.backoff import Backoff
from inferplane.kernel.clock import Clock
from inferplane.kernel.errors import InferplaneError

# A child that ran this long had started well: the next failure counts as the first one again. Seconds.
_HEALTHY_AFTER = 30.0
_LOG_LIMIT = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a child is started. `announces`: it speaks the readiness protocol. `grace`: seconds until SIGKILL."""

    name: str
    command: list[str]
    log: Path
    environ: Mapping[str, str] = field(default_factory=dict)
    announces: bool = True
    grace: float = 10.0


class CannotRun(InferplaneError):
    """The system does not run a child's program."""


class Child:
    """Keeps one recipe running until `stop`. `on_start` is told each new pid."""

    def __init__(
        self, recipe: Recipe, clock: Clock, on_start: Callable[[str, int], None], note: Callable[[str], None]
    ) -> None:
        self.recipe = recipe
        self._clock = clock
        self._on_start = on_start
        self._note = note
        self._backoff = Backoff(first=0.05, limit=10.0)
        self._process: asyncio.subprocess.Process | None = None
        self._stopped = asyncio.Event()

    async def start(self) -> Event | None:
        """Starts it the first time; returns what it announced (None: it doesn't announce). Raises when it failed."""
        pipe = await self._spawn()
        if pipe is None:
            return None
        event = await pipe.wait()
        if event is None or event.event != "ready":
            await self.stop()
            said = event.message if event else f"it ended without a word; see {self.recipe.log}"
            raise InferplaneError(f"the {self.recipe.name} process did not start: {said}")
        return event

    async def keep_running(self) -> None:
        """Returns when `stop` was called; until then starts the process again each time it ends."""
        failures, trouble = 0, ""
        while True:
            since = self._clock.monotonic()
            assert self._process is not None, "start comes first"
            code = await self._process.wait()
            if self._stopped.is_set():
                return
            failures = 1 if self._clock.monotonic() - since > _HEALTHY_AFTER else failures + 1
            # The first death is answered at once: users wait behind it.
            delay = self._backoff.delay(failures - 1)
            what = trouble or f"{self.recipe.name} {_ended(code)}"
            self._note(f"{what}; starting it again" + (f" in {delay:g} s" if delay else ""))
            await self._clock.sleep(delay)
            if self._stopped.is_set():
                return
            try:
                pipe, trouble = await self._spawn(), ""
            except CannotRun as error:
                # An installer may be at work on it: it is tried again, later and later.
                trouble = str(error)
                continue
            if pipe is not None:
                # Nobody waits for a restarted child: drain the pipe so that it doesn't get SIGPIPE.
                asyncio.create_task(pipe.wait(), name=f"{self.recipe.name}-ready")  # noqa: RUF006 - ends with the child

    async def ended(self) -> str:
        """Returns when it is gone, with the words for how."""
        assert self._process is not None, "start comes first"
        return _ended(await self._process.wait())

    async def stop(self) -> None:
        """SIGTERM, then SIGKILL after the grace period; returns when it is gone."""
        self._stopped.set()
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(self.recipe.grace):
                await process.wait()
        except TimeoutError:
            self._note(f"{self.recipe.name} did not stop in {self.recipe.grace:g} s; killing it")
            process.kill()
            await process.wait()

    async def _spawn(self) -> Pipe | None:
        """Raises CannotRun."""
        pipe = Pipe() if self.recipe.announces else None
        try:
            self._process = await self._run({**os.environ, **self.recipe.environ}, pipe)
        except OSError as error:
            name, program = self.recipe.name, self.recipe.command[0]
            raise CannotRun(
                f"the {name} process cannot be run: {program}: {error.strerror or error}",
                fix="install Inferplane and what it needs again: a program of theirs is missing or of another machine",
            ) from error
        finally:
            if pipe:
                pipe.handed_down()
        self._on_start(self.recipe.name, self._process.pid)
        return pipe

    async def _run(self, environ: Mapping[str, str], pipe: Pipe | None) -> asyncio.subprocess.Process:
        with _log_file(self.recipe.log) as log:
            return await asyncio.create_subprocess_exec(
                *self.recipe.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**environ, **(pipe.environ if pipe else {})},
                pass_fds=(pipe.descriptor,) if pipe else (),
                # Ctrl-C in the terminal is the supervisor's to act on, in the right order.
                start_new_session=True,
            )


def _log_file(path: Path) -> BinaryIO:
    """Opened to append; a log that grew large is set aside (one old one is kept)."""
    if path.exists() and path.stat().st_size > _LOG_LIMIT:
        path.replace(path.with_suffix(".log.1"))
    return path.open("ab")


def _ended(code: int) -> str:
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
