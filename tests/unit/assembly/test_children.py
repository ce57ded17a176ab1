"""Children are real processes here: small shells and interpreters that end in a few milliseconds."""

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from inferplane.assembly.children import CannotRun, Child, Recipe
from inferplane.kernel.errors import InferplaneError

ANNOUNCE = "import os,signal; os.write(int(os.environ[\"INFERPLANE_READY_FD\"]), b'%s\\n'); signal.pause()"


class NoWaiting:
    """A clock on which sleeping takes no time and is written down."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return sum(self.slept)

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)


class Pids:
    def __init__(self) -> None:
        self.seen: list[int] = []
        self._more = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()

    def __call__(self, name: str, pid: int) -> None:
        self.seen.append(pid)
        task = asyncio.create_task(self._tell())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tell(self) -> None:
        async with self._more:
            self._more.notify_all()

    async def nth(self, count: int) -> int:
        async with self._more:
            await self._more.wait_for(lambda: len(self.seen) >= count)
        return self.seen[count - 1]


def child(tmp_path: Path, code: str, pids: Pids, clock: NoWaiting, **more: object) -> Child:
    recipe = Recipe(name="one", command=[sys.executable, "-c", code], log=tmp_path / "one.log", **more)  # type: ignore[arg-type]
    return Child(recipe, clock, pids, lambda line: None)


async def test_a_child_is_started_when_it_says_so(tmp_path: Path) -> None:
    pids = Pids()
    one = child(tmp_path, ANNOUNCE % '{"event":"ready"}', pids, NoWaiting())
    event = await one.start()
    assert event is not None
    assert event.event == "ready"
    await one.stop()
    assert not os.path.exists(f"/proc/{pids.seen[0]}")


async def test_a_child_that_failed_to_start_says_why(tmp_path: Path) -> None:
    one = child(tmp_path, ANNOUNCE % '{"event":"failed","message":"no disk"}', Pids(), NoWaiting())
    with pytest.raises(InferplaneError, match="one process did not start: no disk"):
        await one.start()
    await one.stop()


async def test_a_child_that_ended_silently_points_to_its_log(tmp_path: Path) -> None:
    one = child(tmp_path, "print('boom')", Pids(), NoWaiting())
    with pytest.raises(InferplaneError, match=r"without a word; see .*one\.log"):
        await one.start()
    assert (tmp_path / "one.log").read_text() == "boom\n"


async def test_a_child_that_dies_is_started_again_at_once_then_with_back_off(tmp_path: Path) -> None:
    pids, clock = Pids(), NoWaiting()
    one = child(tmp_path, "import signal; signal.pause()", pids, clock, announces=False)
    await one.start()
    keeping = asyncio.create_task(one.keep_running())
    for life in (1, 2, 3):
        os.kill(await pids.nth(life), signal.SIGKILL)
    await pids.nth(4)
    await one.stop()
    await keeping
    assert clock.slept == [0.0, 0.05, 0.1]


async def test_a_child_that_ignores_sigterm_is_killed_after_its_grace(tmp_path: Path) -> None:
    ready = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    code = ANNOUNCE.replace("; os.write", f"; {ready}; os.write") % '{"event":"ready"}'
    pids = Pids()
    one = child(tmp_path, code, pids, NoWaiting(), grace=0.05)
    await one.start()
    await one.stop()
    assert not os.path.exists(f"/proc/{pids.seen[0]}")


@pytest.mark.parametrize(
    ("content", "mode", "words"), [(None, 0, "No such file"), ("#!/nowhere\n", 0o644, "Permission denied")]
)
async def test_a_program_that_cannot_be_run_is_named(
    tmp_path: Path, content: str | None, mode: int, words: str
) -> None:
    program = tmp_path / "envoy"
    if content is not None:
        program.write_text(content)
        program.chmod(mode)
    recipe = Recipe(name="envoy", command=[str(program)], log=tmp_path / "one.log")
    with pytest.raises(CannotRun, match=f"the envoy process cannot be run: {program}: {words}") as refused:
        await Child(recipe, NoWaiting(), Pids(), lambda line: None).start()
    assert "install" in str(refused.value.fix)


async def test_a_program_that_goes_while_it_runs_is_started_when_it_is_back(tmp_path: Path) -> None:
    program, away = tmp_path / "envoy", tmp_path / "away"
    program.write_text(f"#!{sys.executable}\nimport signal; signal.pause()\n")
    program.chmod(0o755)
    pids, clock = Pids(), NoWaiting()
    notes: list[str] = []

    def noted(line: str) -> None:
        notes.append(line)
        if len(notes) == 4:
            away.rename(program)

    recipe = Recipe(name="envoy", command=[str(program)], log=tmp_path / "one.log", announces=False)
    one = Child(recipe, clock, pids, noted)
    await one.start()
    keeping = asyncio.create_task(one.keep_running())
    program.rename(away)
    os.kill(await pids.nth(1), signal.SIGKILL)
    await pids.nth(2)
    await one.stop()
    await keeping
    assert clock.slept == [0.0, 0.05, 0.1, 0.2]
    assert ["cannot be run" in one for one in notes] == [False, True, True, True]


async def test_the_end_of_a_child_is_told_in_words(tmp_path: Path) -> None:
    one = child(tmp_path, "raise SystemExit(3)", Pids(), NoWaiting(), announces=False)
    await one.start()
    assert await one.ended() == "ended with code 3"
