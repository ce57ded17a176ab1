"""The servers under test: started on loopback ports that the system chose, measured as process trees, ended by pid."""

import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

PATIENCE = 120.0
_GRACE = 15.0
_STEP = 0.005


class DoesNotServe(Exception):
    """The end of what a server wrote before it gave up, or what it answered instead."""


class Gone(Exception):
    """A server that served has ended."""


@dataclass(frozen=True)
class Ports:
    """On the loopback address. `host` is the name to ask for, where that is not the address."""

    http: int
    grpc: int
    metrics: int
    host: str = ""


@dataclass(frozen=True)
class Launch:
    """How to start one server; `environment` is added to this process's own."""

    command: tuple[str, ...]
    environment: Mapping[str, str]
    ports: Ports


@dataclass(frozen=True)
class Running:
    """`start` is seconds from the start of the process to its first correct answer."""

    name: str
    ports: Ports
    pid: int
    start: float

    @property
    def private_memory(self) -> float:
        """MiB that the server's processes share with nobody."""
        return sum(_of_each(self.pid, lambda process: float(process.memory_full_info().uss))) / 2**20

    @property
    def cpu_seconds(self) -> float:
        """What the server's processes have used so far, user and system."""
        return sum(_of_each(self.pid, lambda process: sum(process.cpu_times()[:2])))


def _of_each(pid: int, measure: Callable[[psutil.Process], float]) -> Iterator[float]:
    """A child may end while its siblings are looked at."""
    for process in tree(pid):
        with suppress(psutil.NoSuchProcess):
            yield measure(process)


def tree(pid: int) -> list[psutil.Process]:
    """A process and all below it; Gone when it has ended."""
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess as error:
        raise Gone(f"process {pid} has ended") from error


def free_ports() -> Ports:
    """Three that nothing listened on a moment ago."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(3)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        http, grpc, metrics = (int(probe.getsockname()[1]) for probe in probes)
        return Ports(http, grpc, metrics)


@contextmanager
def started(name: str, launch: Launch, answers: Callable[[Ports], bool]) -> Iterator[Running]:
    """A server that `answers`; DoesNotServe when it ends before it does, or is not there after PATIENCE seconds."""
    with tempfile.TemporaryDirectory() as directory:
        # A file, not a pipe: one that nobody reads fills up and stops the server.
        log = Path(directory, "log")
        with log.open("w") as output:
            begin = time.perf_counter()
            process = subprocess.Popen(
                launch.command, stdout=output, stderr=output, env={**os.environ, **launch.environment}, cwd=directory
            )
        try:
            while not answers(launch.ports):
                if process.poll() is not None or time.perf_counter() > begin + PATIENCE:
                    raise DoesNotServe(f"{name}: {' '.join(log.read_text().split())[-200:]}")
                time.sleep(_STEP)
            yield Running(name, launch.ports, process.pid, time.perf_counter() - begin)
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """The first process may end the others in its own way; those that are left after it are killed."""
    family = tree(process.pid) if process.poll() is None else []
    process.terminate()
    try:
        process.wait(timeout=_GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    alive = [left for left in family if left.is_running()]
    for left in alive:
        left.kill()
    psutil.wait_procs(alive, timeout=_GRACE)
