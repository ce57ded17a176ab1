"""A child that is not ours, with children of its own."""

import os
import sys
from pathlib import Path

import psutil

from inferplane.dataplane.foreign.process import Foreign

FAMILY = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
child.wait()
"""


def python(code: str, directory: Path) -> Foreign:
    return Foreign([sys.executable, "-c", code], os.environ, directory, piped=True)


async def test_its_end_is_awaited_and_its_code_told(tmp_path: Path) -> None:
    foreign = python("raise SystemExit(7)", tmp_path)
    assert await foreign.ended() == 7
    assert foreign.code() == 7
    assert await foreign.ended() == 7
    foreign.process.communicate()


def test_stopping_it_ends_what_it_started(tmp_path: Path) -> None:
    foreign = python(FAMILY, tmp_path)
    assert foreign.process.stdout is not None
    child = psutil.Process(int(foreign.process.stdout.readline()))
    foreign.stop()
    assert foreign.code() is not None
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
    foreign.process.stdout.close()


def test_what_does_not_heed_is_killed(tmp_path: Path) -> None:
    foreign = python(
        "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); time.sleep(600)", tmp_path
    )
    assert foreign.process.stdout is not None
    foreign.process.stdout.readline()
    foreign.stop(grace=0.1)
    assert foreign.code() == -9
    foreign.process.stdout.close()


def test_one_that_has_ended_is_stopped_already(tmp_path: Path) -> None:
    foreign = python("pass", tmp_path)
    foreign.process.communicate()
    foreign.stop()
    assert foreign.code() == 0
