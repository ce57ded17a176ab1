"""Makes one environment with uv: aside, then renamed into its place in one step.

`environments/DIGEST/` is a virtual environment with `inferplane.json` in it; what has no such file is not finished and
is made anew. A lock file beside it is held by uv itself, too, so that a node that was killed and its successor don't
build the same one at once.
"""

import asyncio
import fcntl
import os
import re
import shutil
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from inferplane.controlplane.node.environments.choose import Environment
from inferplane.kernel.clock import Clock
from inferplane.kernel.errors import InferplaneError

# Below `environments/`: links to the platform's packages (`installed.link`).
PLATFORM = "platform"
_RECORD = "inferplane.json"
_KEPT_LINES = 24
_MOST_CAUSES, _LONGEST_CAUSE = 4, 300
_LONGEST = 1800.0
_ASK_LOCK_EVERY = 0.2
# What stands between `//` and `@` of an URL.
_CREDENTIALS = re.compile(r"(?<=//)[^/@\s]+@")
_NO_NETWORK = (
    "error sending request",
    "failed to fetch",
    "request failed after",
    "dns error",
    "connection refused",
    "could not connect",
    "operation timed out",
    "network connectivity is disabled",
    "network was disabled",
    "offline",
)
_NO_SUCH = ("no solution found", "was not found in the package registry", "no wheels with a matching")

Tell = Callable[[str], None]


class BuildFailed(InferplaneError):
    """`lines` are what the installer said about it. The message says what is missing in one sentence."""

    def __init__(self, message: str, lines: tuple[str, ...], fix: str) -> None:
        super().__init__(message, fix=fix)
        self.lines = lines


class Record(msgspec.Struct, frozen=True):
    """What a built environment is, for people and for the next node."""

    requirements: tuple[str, ...]
    constraints: tuple[str, ...]
    python: str
    ours: bool


@dataclass(frozen=True, slots=True)
class Builder:
    """`uv`: its binary, None when there is none. `variables`: the whole environment that it gets."""

    root: Path
    uv: Path | None
    variables: Mapping[str, str]
    clock: Clock

    def path(self, wanted: Environment) -> Path:
        return self.root / wanted.digest

    def is_built(self, wanted: Environment) -> bool:
        return (self.path(wanted) / _RECORD).is_file()

    async def build(self, wanted: Environment, tell: Tell) -> Path:
        """Returns its directory when it is there. Raises BuildFailed. `tell` is given each line of progress."""
        self.root.mkdir(mode=0o755, parents=True, exist_ok=True)
        with (self.root / f"{wanted.digest}.lock").open("w") as lock:
            await self._take(lock.fileno())
            if not self.is_built(wanted):
                await self._build(wanted, lock.fileno(), tell)
        return self.path(wanted)

    async def _take(self, lock: int) -> None:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                await self.clock.sleep(_ASK_LOCK_EVERY)

    async def _build(self, wanted: Environment, lock: int, tell: Tell) -> None:
        if self.uv is None:
            raise BuildFailed(f"no environment with {wanted}: uv is not installed", (), "pip install uv")
        draft = self.root / f".{wanted.digest}.building"
        await asyncio.to_thread(shutil.rmtree, draft, ignore_errors=True)
        with _installs(wanted, self.root) as (requirements, constraints):
            make = ["venv", "--quiet", "--relocatable", "--no-project", "--python", sys.executable, str(draft)]
            fill = ["pip", "install", "--color", "never", "--python", str(draft / "bin" / "python")]
            fill += ["--constraint", str(constraints)] if wanted.constraints else []
            fill += ["--only-binary", wanted.library] if wanted.library else []
            fill += ["--requirement", str(requirements)]
            await self._uv(wanted, make, lock, tell)
            await self._uv(wanted, fill, lock, tell)
        await asyncio.to_thread(self._finish, wanted, draft)

    def _finish(self, wanted: Environment, draft: Path) -> None:
        if wanted.ours:
            (packages,) = draft.glob("lib/python*/site-packages")
            # Relative to where it is read from, so that the home may be moved; after the environment's own packages.
            (packages / "inferplane-platform.pth").write_text(f"../../../../{PLATFORM}\n")
        record = Record(wanted.requirements, wanted.constraints, wanted.python, wanted.ours)
        (draft / _RECORD).write_bytes(msgspec.json.format(msgspec.json.encode(record)))
        target = self.path(wanted)
        shutil.rmtree(target, ignore_errors=True)
        draft.rename(target)

    async def _uv(self, wanted: Environment, arguments: list[str], lock: int, tell: Tell) -> None:
        assert self.uv is not None
        said: deque[str] = deque(maxlen=_KEPT_LINES)
        process = await asyncio.create_subprocess_exec(
            str(self.uv),
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env=dict(self.variables),
            cwd=self.root,
            pass_fds=(lock,),
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(_LONGEST):
                await _listen(process, said, tell)
                code = await process.wait()
        except BaseException as error:
            _kill(process)
            await process.wait()
            if isinstance(error, TimeoutError):
                raise _failure(wanted, [*said, f"not done after {_LONGEST:g} s"]) from None
            raise
        if code != 0:
            raise _failure(wanted, list(said))

    async def remove_unfinished(self) -> None:
        """Clears away what a node that was killed had begun, unless its uv still works on it."""
        for draft in self.root.glob(".*.building"):
            with (self.root / f"{draft.name[1:].partition('.')[0]}.lock").open("w") as lock:
                try:
                    fcntl.flock(lock.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue
                await asyncio.to_thread(shutil.rmtree, draft, ignore_errors=True)

    def note_use(self, digest: str) -> None:
        """Its record's time says when it was used last."""
        try:
            os.utime(self.root / digest / _RECORD)
        except FileNotFoundError:
            pass  # being built, or removed by hand: whoever starts something in it will see

    def unused_since(self, before: float) -> list[str]:
        """Digests of built environments that were last used before that time (seconds since the epoch)."""
        return [path.parent.name for path in self.root.glob(f"*/{_RECORD}") if path.stat().st_mtime < before]

    async def remove(self, digest: str) -> None:
        # The record first: half an environment must not count as one.
        (self.root / digest / _RECORD).unlink(missing_ok=True)
        await asyncio.to_thread(shutil.rmtree, self.root / digest, ignore_errors=True)
        (self.root / f"{digest}.lock").unlink(missing_ok=True)


@contextmanager
def _installs(wanted: Environment, root: Path) -> "Iterator[tuple[Path, Path]]":
    """Files of requirements and constraints for uv, for as long as it needs them."""
    files = tuple(root / f".{wanted.digest}.{name}.txt" for name in ("requirements", "constraints"))
    try:
        for file, lines in zip(files, (wanted.requirements, wanted.constraints), strict=True):
            file.write_text("".join(f"{line}\n" for line in lines))
        yield files[0], files[1]
    finally:
        for file in files:
            file.unlink(missing_ok=True)


async def _listen(process: asyncio.subprocess.Process, said: deque[str], tell: Tell) -> None:
    assert process.stderr is not None
    async for raw in process.stderr:
        line = _CREDENTIALS.sub("", raw.decode(errors="replace")).strip()
        if line:
            said.append(line)
            tell(line)


def _kill(process: asyncio.subprocess.Process) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass  # it has ended by itself


def _failure(wanted: Environment, lines: list[str]) -> BuildFailed:
    """The cause in words, from what uv said."""
    text = " ".join(lines).lower()
    if any(word in text for word in _NO_NETWORK):
        what = f"cannot get {wanted}: the package index cannot be reached"
        fix = "connect to the network, or name an index or directory of wheels in UV_DEFAULT_INDEX or UV_FIND_LINKS"
    elif any(word in text for word in _NO_SUCH):
        what = f"cannot get {wanted}: the package index has no such versions for Python {wanted.python}"
        fix = "ask for a version that there is, or save the model again with one"
    else:
        what, fix = f"cannot install {wanted}", "see the installer's lines"
    return BuildFailed(what, _cause(lines), fix)


def _cause(lines: list[str]) -> tuple[str, ...]:
    """uv's error and its causes, without its hints; its last lines when it says no error."""
    begins = next((place for place, line in enumerate(lines) if line.startswith("error:")), -_MOST_CAUSES)
    ends = next((place for place, line in enumerate(lines) if line.startswith("hint:")), len(lines))
    return tuple(line[:_LONGEST_CAUSE].removeprefix("cause: ") for line in lines[begins:ends][:_MOST_CAUSES])
