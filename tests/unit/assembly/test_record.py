import os
import subprocess
import sys
from pathlib import Path

import pytest

from inferplane.assembly.home import Home
from inferplane.assembly.record import Platform, ends_within, only_supervisor, record, recorded, running, started_at
from inferplane.kernel.errors import InferplaneError


def platform(pid: int, started: float) -> Platform:
    return Platform(
        gateway="http://localhost:8080",
        api="https://127.0.0.1:6443",
        kubeconfig="/k",
        home="/h",
        processes={"supervisor": pid},
        started={"supervisor": started},
    )


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home")
    made.make()
    return made


def test_what_was_recorded_is_read_back(home: Home) -> None:
    assert recorded(home) is None
    record(home, platform(1, 0.0))
    assert recorded(home) == platform(1, 0.0)


def test_a_platform_runs_while_its_supervisor_lives(home: Home) -> None:
    record(home, platform(os.getpid(), started_at(os.getpid())))
    assert running(home) is not None


def test_a_pid_that_was_given_to_another_process_does_not_count(home: Home) -> None:
    record(home, platform(os.getpid(), started_at(os.getpid()) - 1.0))
    assert running(home) is None


def test_a_process_that_ended_does_not_count(home: Home) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    record(home, platform(child.pid, started_at(child.pid)))
    assert running(home) is not None
    child.communicate()
    assert running(home) is None


def test_a_process_that_ended_but_was_not_reaped_counts_as_ended() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert not ends_within(child.pid, 0.0)
    child.stdin.close()  # type: ignore[union-attr]  # a pipe, as asked for
    assert ends_within(child.pid, 10.0)
    child.wait()
    assert ends_within(child.pid, 0.0)


def test_a_damaged_record_says_which_file_and_what_to_do(home: Home) -> None:
    home.platform_file.write_text("{")
    with pytest.raises(InferplaneError, match=r"platform\.json: .*remove the file"):
        recorded(home)


def test_a_home_has_one_supervisor_at_a_time(home: Home) -> None:
    with (
        only_supervisor(home),
        pytest.raises(InferplaneError, match="already running"),
        only_supervisor(home),
    ):
        pass
    with only_supervisor(home):
        pass
