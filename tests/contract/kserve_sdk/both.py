"""The author's file on two servers: the `kserve` package in its own environment, and ours with the imports changed."""

import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
AUTHORED = Path(__file__).with_name("authored.py")
KSERVE = "kserve==0.21.0"
PATIENCE = 60.0


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Served:
    http: int
    grpc: int

    def ask(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Answer:
        connection = HTTPConnection("127.0.0.1", self.http, timeout=30)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, found, answer.read())
        finally:
            connection.close()


def kserve_python() -> Path:
    """The Python of an environment that has `kserve`, made once; the test is skipped where it cannot be made."""
    python = ROOT / ".venv-peers" / "kserve" / "bin" / "python"
    if not python.exists():
        uv: str = shutil.which("uv") or pytest.skip("kserve's environment is made by uv, which is not installed")
        subprocess.run([uv, "venv", "-q", "--python", sys.executable, str(python.parents[1])], check=True)
        install = [uv, "pip", "install", "-q", "--python", str(python), KSERVE]
        made = subprocess.run(install, capture_output=True, text=True, check=False)
        if made.returncode:
            pytest.skip(f"kserve cannot be installed: {made.stderr[-500:]}")
    return python


def ported(source: str) -> str:
    """The file with `kserve` changed to `inferplane` in its import lines."""
    return re.sub(r"^(from|import) kserve\b", r"\1 inferplane", source, flags=re.MULTILINE)


@contextmanager
def serving(python: Path, script: Path, *flags: str, workdir: Path) -> Iterator[Served]:
    served = Served(free_port(), free_port())
    ports = (f"--http_port={served.http}", f"--grpc_port={served.grpc}")
    with (workdir / f"{script.stem}-{served.http}.log").open("w+") as log:
        process = subprocess.Popen([python, script, *ports, *flags], stdout=log, stderr=log, cwd=workdir)
        try:
            wait_until_alive(served, process, log.name)
            yield served
        finally:
            process.terminate()
            try:
                process.wait(40)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_until_alive(served: Served, process: "subprocess.Popen[bytes]", log: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            if served.ask("GET", "/v2/health/live").status == 200:
                return
        except OSError:
            pass  # not listening yet
        ended = process.poll() is not None or time.monotonic() > deadline
        assert not ended, f"{log}: {Path(log).read_text()[-3000:]}"
        time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
