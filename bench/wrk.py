"""One round of load over HTTP/1.1 by wrk, a process of its own."""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.cases import Request
from bench.figures import Round
from bench.servers import Ports


class ToolMissing(Exception):
    pass


class Failed(Exception):
    """Some answers were errors, or the connection broke."""


_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}
_TIME = r"([\d.]+)(us|ms|s|m)\b"


def available() -> str:
    path = shutil.which("wrk")
    if path is None:
        raise ToolMissing("the load generator wrk is not installed: apt-get install wrk (or brew install wrk)")
    return path


def load(ports: Ports, request: Request, connections: int, seconds: int) -> Round:
    url = f"http://127.0.0.1:{ports.http}{request.path}"
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "body").write_bytes(request.body)
        script = Path(directory, "post.lua")
        script.write_text(script_for(Path(directory, "body"), request, ports.host))
        command = [available(), "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "--latency", "-s"]
        return read(printed([*command, str(script), url]), url)


def printed(command: Sequence[str]) -> str:
    """What a load generator printed; Failed when it gave up."""
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"{command[0]} gave up: {' '.join((done.stdout + done.stderr).split())[-300:]}")
    return done.stdout


def script_for(body: Path, request: Request, host: str) -> str:
    """What wrk sends, in Lua; the body comes from a file, as it may be any bytes."""
    named = {**request.headers, "Host": host} if host else request.headers
    headers = "\n".join(f'wrk.headers["{name}"] = "{value}"' for name, value in named.items())
    return f'wrk.method = "POST"\n{headers}\nwrk.body = io.open("{body}", "rb"):read("*all")\n'


def read(output: str, url: str) -> Round:
    """What wrk printed, as numbers; Failed when it saw errors."""
    wrong = re.search(r"^ *(Non-2xx.*|Socket errors:.*)$", output, re.MULTILINE)
    if wrong:
        raise Failed(f"{url}: {wrong[1]}")
    rate = re.search(r"Requests/sec: +([\d.]+)", output)
    requests = re.search(r"(\d+) requests in ", output)
    median, late = (re.search(rf"^ *{percent}% +{_TIME}", output, re.MULTILINE) for percent in (50, 99))
    if rate is None or requests is None or median is None or late is None or float(rate[1]) == 0:
        raise Failed(f"{url}: wrk said nothing that can be read: {output!r}")
    return Round(float(rate[1]), _milliseconds(median), _milliseconds(late), int(requests[1]))


def _milliseconds(found: re.Match[str]) -> float:
    return float(found[1]) * _UNITS[found[2]]
