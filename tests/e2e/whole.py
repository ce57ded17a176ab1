"""A whole platform for a test: its own home, ports chosen by the system, everything ended afterwards."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import psutil

from inferplane.assembly.home import Home
from inferplane.assembly.record import Platform, recorded

REPOSITORY = Path(__file__).parents[2]
EXAMPLE = REPOSITORY / "examples" / "01-sklearn-iris"
INFERPLANE = Path(sys.executable).with_name("inferplane")
_T = TypeVar("_T")


@dataclass(frozen=True)
class Whole:
    home: Path

    @property
    def environ(self) -> dict[str, str]:
        return {**os.environ, "INFERPLANE_HOME": str(self.home), "KUBECONFIG": str(self.home / "kubeconfig")}

    def run(self, *words: str | Path, timeout: float = 60.0, stdin: str | None = None) -> str:
        """Standard output of a command that must succeed."""
        done = subprocess.run(
            [str(word) for word in words],
            env=self.environ,
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            timeout=timeout,
            input=stdin,
            check=False,
        )
        assert done.returncode == 0, f"{words}: {done.stdout}\n{done.stderr}"
        return done.stdout

    def inferplane(self, *words: str | Path) -> str:
        return self.run(INFERPLANE, *words)

    def kubectl(self, *words: str | Path, stdin: str | None = None) -> str:
        return self.run("kubectl", *words, stdin=stdin)

    def status(self) -> Platform:
        found = recorded(Home(self.home))
        assert found is not None
        return found

    @property
    def gateway(self) -> str:
        return self.status().gateway

    def pid(self, name: str) -> int:
        return self.status().processes[name]

    def kill(self, name: str) -> int:
        """SIGKILL; returns the pid that died."""
        process = self.status().alive(name)
        assert process is not None
        process.send_signal(signal.SIGKILL)
        return process.pid

    def train(self) -> None:
        self.run(sys.executable, EXAMPLE / "train.py")


@contextmanager
def whole_platform(home: Path) -> Iterator[Whole]:
    platform = Whole(home)
    platform.inferplane("up", "-d", "--port", str(free_port()), "--api-port", str(free_port()))
    started = [psutil.Process(pid) for pid in platform.status().processes.values()]
    family = started + [child for one in started for child in one.children(recursive=True)]
    try:
        yield platform
    finally:
        platform.inferplane("down")
        _, alive = psutil.wait_procs(family, timeout=5)
        assert not alive, f"left running after down: {alive}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def eventually(claim: Callable[[], _T], within: float) -> tuple[_T, float]:
    """The first true answer of `claim`, and after how many seconds it came. Fails after `within` seconds."""
    start = time.monotonic()
    while True:
        answer = claim()
        took = time.monotonic() - start
        if answer:
            return answer, took
        assert took < within, f"still not so after {within:g} s: {claim.__name__}, {answer!r}"
        time.sleep(0.01)
