"""Children are real processes here: small shells and interpreters that end in a few milliseconds."""

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from inferplane.assembly.children import Child, Recipe
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
