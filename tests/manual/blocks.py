"""Code blocks of a page of the manual, run as a reader would.

```python file=NAME      a file in the reader's directory
```python run            a program to run there
```sh serve              a server to start there, in place of the one that has its port
```sh                    commands
```text                  what the block before must have printed

Ports 8080 and 8081 are replaced by free ones.
"""

import http.client
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PATIENCE = 60.0
_BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    language: str
    rest: str
    text: str
    line: int


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text()
    for found in _BLOCK.finditer(text):
        yield Block(found[1], found[2].strip(), found[3], text[: found.start()].count("\n") + 1)


class Reader:
    """Follows a page in a directory of their own. `printed` is the last block's output."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._ports = {"8080": str(_free_port()), "8081": str(_free_port())}
        self._servers: dict[str, subprocess.Popen[bytes]] = {}
        self.printed = ""

    def follow(self, block: Block) -> None:
        text = re.sub(r"\b(8080|8081)\b", lambda port: self._ports[port[0]], block.text)
        if block.rest.startswith("file="):
            (self._directory / block.rest.removeprefix("file=")).write_text(block.text)
        elif block.rest == "run":
            self.printed = self._run([sys.executable, "-c", text])
        elif block.rest == "serve":
            self._serve(text)
        elif block.language == "sh":
            # One line after the other, each answer on a line of its own.
            self.printed = "".join(self._run(["sh", "-c", line]).rstrip("\n") + "\n" for line in text.splitlines())

    def close(self) -> None:
        for port in list(self._servers):
            self._stop(port)

    def _run(self, command: list[str]) -> str:
        done = subprocess.run(
            command, cwd=self._directory, env=self._environ, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, f"{shlex.join(command)}\n{done.stderr}"
        return done.stdout

    def _serve(self, command: str) -> None:
        found = re.search(r"--http_port=(\d+)", command)
        assert found is not None
        port = found[1]
        if port in self._servers:
            self._stop(port)
        with (self._directory / "server.log").open("ab") as log:
            self._servers[port] = subprocess.Popen(
                ["sh", "-c", f"exec {command.strip()}"],
                cwd=self._directory,
                env=self._environ,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._wait(port)

    def _wait(self, port: str) -> None:
        """Until it answers, and does not say that it is not ready: the port is there while models are loaded."""
        deadline = time.monotonic() + PATIENCE
        while not _ready(port):
            alive = self._servers[port].poll() is None and time.monotonic() < deadline
            assert alive, (self._directory / "server.log").read_text()[-3000:]
            time.sleep(0.02)

    def _stop(self, port: str) -> None:
        server = self._servers.pop(port)
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()

    @property
    def _environ(self) -> dict[str, str]:
        return {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def _ready(port: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=PATIENCE)
    try:
        connection.request("GET", "/v2/health/ready")
        return connection.getresponse().status != http.HTTPStatus.SERVICE_UNAVAILABLE
    except http.client.HTTPException:
        return True  # it speaks something else, TLS say
    except OSError:
        return False
    finally:
        connection.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
