"""Real processes, small ones: started, measured as a tree, ended."""

import subprocess
import sys

import psutil
import pytest
from bench.servers import DoesNotServe, Gone, Launch, Ports, Running, free_ports, started

PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
time.sleep(60)
"""


def launch(code: str) -> Launch:
    return Launch((sys.executable, "-c", code), {}, free_ports())


def test_a_server_counts_with_its_children_and_ends_with_them() -> None:
    pids: list[int] = []

    def has_child(ports: Ports) -> bool:
        # One that is only just being forked has no memory of its own to count.
        grandchildren = [child for one in psutil.Process().children() for child in one.children()]
        return any(child.memory_full_info().uss for child in grandchildren)

    with started("s", launch(PARENT), has_child) as running:
        process = psutil.Process(running.pid)
        pids = [running.pid, *(child.pid for child in process.children())]
        assert running.private_memory > process.memory_full_info().uss / 2**20
        assert running.start > 0
    assert len(pids) == 2
    assert not any(map(psutil.pid_exists, pids))


def test_a_server_that_ends_says_what_it_wrote() -> None:
    with (
        pytest.raises(DoesNotServe, match="no such model"),
        started("s", launch("raise SystemExit('no such model')"), lambda ports: False),
    ):
        pass


def test_a_server_that_has_ended_is_gone() -> None:
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    with pytest.raises(Gone, match=f"process {done.pid} has ended"):
        _ = Running("s", free_ports(), done.pid, 1.0).cpu_seconds


def test_ports_are_three_different_ones() -> None:
    ports = free_ports()
    assert len({ports.http, ports.grpc, ports.metrics}) == 3
