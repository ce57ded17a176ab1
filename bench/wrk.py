"""One round of load by wrk, a process of its own."""

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Round:
    """Requests per second, and the median latency in milliseconds."""

    rate: float
    median: float


class WrkMissing(Exception):
    pass


class Failed(Exception):
    """Some answers were not 200, or the connection broke."""


_SCRIPT = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = [==[%s]==]
"""
_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


def available() -> str:
    path = shutil.which("wrk")
    if path is None:
        raise WrkMissing("the load generator wrk is not installed: apt-get install wrk (or brew install wrk)")
    return path


def load(url: str, body: str, connections: int, seconds: int) -> Round:
    with tempfile.TemporaryDirectory() as directory:
        script = Path(directory, "post.lua")
        script.write_text(_SCRIPT % body)
        command = [available(), "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(script), url]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return read(output, url)


def read(output: str, url: str) -> Round:
    """What wrk printed, as numbers; Failed when it saw errors."""
    wrong = re.search(r"^ *(Non-2xx.*|Socket errors:.*)$", output, re.MULTILINE)
    if wrong:
        raise Failed(f"{url}: {wrong[1]}")
    rate = re.search(r"Requests/sec: +([\d.]+)", output)
    median = re.search(r"50% +([\d.]+)(us|ms|s)", output)
    if rate is None or median is None or float(rate[1]) == 0:
        raise Failed(f"{url}: wrk said nothing that can be read: {output!r}")
    return Round(float(rate[1]), float(median[1]) * _UNITS[median[2]])
