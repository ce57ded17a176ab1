"""The servers under test: started on ports that the system chose, asked until they answer, stopped."""

import json
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

PATIENCE = 120.0
_STEP = 0.01


@dataclass(frozen=True)
class Running:
    """`start` is seconds from the start of the process to its first correct answer."""

    name: str
    url: str
    pid: int
    start: float

    @property
    def private_memory(self) -> float:
        """MiB that this process shares with nobody."""
        return float(psutil.Process(self.pid).memory_full_info().uss) / 2**20


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def inferplane(model: Path) -> Iterator[Running]:
    port = free_port()
    flags = ["--model_name=iris", f"--model_dir={model.parent}", f"--http_port={port}", "--host=127.0.0.1"]
    with _started("inferplane", [sys.executable, "-m", "inferplane.assembly.model_server", *flags], port) as running:
        yield running


@contextmanager
def kserve(python: Path, model: Path) -> Iterator[Running]:
    port = free_port()
    script = Path(__file__).with_name("kserve_peer.py")
    with _started("kserve", [str(python), str(script), str(model), str(port)], port) as running:
        yield running


@contextmanager
def _started(name: str, command: Sequence[str], port: int) -> Iterator[Running]:
    # A file, not a pipe: one that nobody reads fills up and stops the server.
    with tempfile.TemporaryFile("w+") as log:
        begin = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log, text=True)
        try:
            url = f"http://127.0.0.1:{port}"
            if not _answers(process, url, begin + PATIENCE):
                log.seek(0)
                raise SystemExit(f"{name} does not serve: {log.read()[-2000:]}")
            yield Running(name, url, process.pid, time.perf_counter() - begin)
        finally:
            process.terminate()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _answers(process: subprocess.Popen[str], url: str, deadline: float) -> bool:
    """Waits for the first correct answer; false when the process ends or the time is over."""
    body = json.dumps({"instances": [[6.8, 2.8, 4.8, 1.4]]}).encode()
    request = urllib.request.Request(f"{url}/v1/models/iris:predict", body, {"Content-Type": "application/json"})
    while process.poll() is None and time.perf_counter() < deadline:
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                if json.loads(answer.read()) == {"predictions": [1]}:
                    return True
        except (urllib.error.URLError, ConnectionError):
            time.sleep(_STEP)
    return False
