"""Keepers with preloaded modules have the next process ready: real keepers, real forks."""

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from inferplane.controlplane.node import procfs
from inferplane.controlplane.node.protocol import Close, Exited, Hello, Launch, Start, Started, decode_event, line

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the node runs on Linux"),
]

LIMIT = 60.0

PLAY = """
    import os
    rehearsed_in = []

    def load():
        return rehearse

    def rehearse():
        rehearsed_in.append(os.getpid())

    def load_forgetful():
        return forget

    def forget():
        rehearsed_in.append(os.getpid())
        if len(set(rehearsed_in)) > 1:
            raise RuntimeError("in the spare, not in its zygote")

    def run(argv):
        print(os.getpid(), os.getpid() in rehearsed_in, os.environ["GREETING"], os.getcwd(), flush=True)
"""


class Stage:
    """A keeper of the module `play`, and our connection to it."""

    def __init__(self, directory: Path, preload: str) -> None:
        (directory / "play.py").write_text(textwrap.dedent(PLAY))
        self.directory, self.runs = directory, 0
        path = str(directory / "k.sock")
        command = [sys.executable, "-m", "inferplane.assembly.keeper", "--socket", path, "--name", "play"]
        environment = {**os.environ, "PYTHONPATH": str(directory)}
        self.process = subprocess.Popen([*command, "--preload", preload], env=environment, stdout=subprocess.DEVNULL)
        eventually(lambda: Path(path).exists())
        self.socket = socket.socket(socket.AF_UNIX)
        eventually(lambda: self.socket.connect_ex(path) == 0)
        self.socket.settimeout(LIMIT)
        self.events = self.socket.makefile("rb")
        assert isinstance(decode_event(self.events.readline()), Hello)

    @property
    def spare(self) -> int | None:
        """Its pid, while nothing runs."""
        return next(iter(procfs.children(self.process.pid)), None)

    def run(self) -> list[str]:
        """One run to its end: pid, whether that process has rehearsed, its GREETING and its directory."""
        where = self.directory / f"run{self.runs}"
        where.mkdir()
        launch = Launch(
            id=f"pod/main/{self.runs}",
            directory=str(where),
            attempt=0,
            argv=[],
            environment={"GREETING": f"hello{self.runs}"},
            cwd=str(where),
            entrypoint="play:run",
        )
        self.runs += 1
        self.socket.sendall(line(Start(launch=launch)))
        assert isinstance(decode_event(self.events.readline()), Started)
        assert isinstance(decode_event(self.events.readline()), Exited)
        assert json.loads((where / "0.json").read_text())["exit"]["code"] == 0
        return (where / "0.log").read_text().split()

    def run_rehearsed(self) -> tuple[int, list[str]]:
        """Runs until a spare was ready for one. Returns that spare's pid and what its run said."""
        end = time.monotonic() + LIMIT
        while time.monotonic() < end:
            eventually(lambda: self.spare is not None)
            spare = self.spare
            said = self.run()
            if said[0] == str(spare):
                assert spare is not None
                return spare, said
        raise AssertionError("no run was given to a spare")

    def close(self) -> None:
        if self.process.poll() is None:
            self.socket.sendall(line(Close()))
        self.process.wait(LIMIT)
        self.events.close()
        self.socket.close()


def eventually(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path, "play:load")
    yield stage
    stage.close()


def test_a_run_becomes_the_spare_which_has_rehearsed(stage: Stage) -> None:
    pid, said = stage.run_rehearsed()
    number = stage.runs - 1
    assert said == [str(pid), "True", f"hello{number}", str(stage.directory / f"run{number}")]


def test_each_run_has_a_spare_of_its_own(stage: Stage) -> None:
    assert stage.run_rehearsed()[0] != stage.run_rehearsed()[0]


def test_a_run_starts_though_its_spare_was_killed(stage: Stage) -> None:
    eventually(lambda: stage.spare is not None)
    spare = stage.spare
    assert spare is not None
    os.kill(spare, signal.SIGKILL)
    eventually(lambda: procfs.stat(spare) is None)  # the keeper has seen it end
    assert stage.run()[0] != str(spare)


def test_the_spare_ends_with_its_keeper(stage: Stage) -> None:
    eventually(lambda: stage.spare is not None)
    spare = stage.spare
    assert spare is not None
    stage.close()
    assert procfs.stat(spare) is None


def test_the_spare_of_a_killed_keeper_ends(stage: Stage) -> None:
    eventually(lambda: stage.spare is not None)
    spare = stage.spare
    assert spare is not None
    stage.process.kill()
    stage.process.wait(LIMIT)
    eventually(lambda: procfs.stat(spare) is None)


def test_a_rehearsal_that_fails_does_not_keep_a_run_from_starting(tmp_path: Path) -> None:
    stage = Stage(tmp_path, "play:load_forgetful")
    stage.run_rehearsed()
    stage.close()
