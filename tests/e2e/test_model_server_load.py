"""The server under more load than it can take, beside a model that keeps the processor, with many connections.

The load comes from a process of its own. Figures are printed; bounds leave room for a busy machine.
"""

import json
import math
import os
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

import psutil
import pytest
from tests.e2e.test_model_server import PREDICT, TIMEOUT, free_port, iris, post, started

pytestmark = pytest.mark.e2e
__all__ = ["iris"]

ROW = '{"instances":[[6.8,2.8,4.8,1.4]]}'
GENERATOR = Path(__file__).with_name("open_loop.py")

MODELS = """
import sys, time
import numpy as np
from inferplane import Model, ModelServer

class Quick(Model):
    def predict(self, payload, headers=None):
        return {"predictions": payload["instances"]}

MATRIX = np.ones((500, 500))

class Slow(Model):
    def predict(self, payload, headers=None):
        seconds, how = payload["instances"]
        end = time.monotonic() + seconds
        if how == "waits":
            time.sleep(seconds)
        while time.monotonic() < end:
            if how == "computes in numpy":
                MATRIX @ MATRIX
        return {"predictions": []}

class Steady(Model):
    def predict(self, payload, headers=None):
        time.sleep(0.005)  # whatever else the machine does, at most 200 a second
        return {"predictions": []}

models = [Quick("quick"), Slow("slow"), Steady("steady")]
for model in models:
    model.load()
ModelServer(http_port=int(sys.argv[1]), enable_grpc=False, enable_latency_logging=False).start(models)
"""


def load(port: int, path: str, body: str, rate: float, seconds: float, connections: int) -> dict[str, list[float]]:
    """Latencies in ms by status."""
    arguments = [str(port), path, body, str(rate), str(seconds), str(connections)]
    done = subprocess.run(
        [sys.executable, str(GENERATOR), *arguments], capture_output=True, text=True, timeout=TIMEOUT, check=True
    )
    found: dict[str, list[float]] = json.loads(done.stdout)
    return found


def p99(latencies: list[float]) -> float:
    return quantiles(latencies, n=100)[98]


@pytest.fixture(scope="module")
def server() -> Iterator["Server"]:
    port = free_port()
    # numpy's threads would take every core from the server and from the load.
    alone = {**os.environ, "POD_IP": "127.0.0.1", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", MODELS, str(port), "--max_queue=16"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, env=alone)
    try:
        waited = threading.Event()
        while True:
            assert process.poll() is None
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/health/ready", timeout=TIMEOUT).close()
                break
            except OSError:
                waited.wait(0.05)
        load(port, *QUICK, 50, 1, 4)
        yield Server(port, process.pid)
    finally:
        process.kill()
        process.wait()


@dataclass
class Server:
    port: int
    pid: int


QUICK = ("/v1/models/quick:predict", '{"instances":[1]}')
HEALTH = ("/v2/health/live", "")
ROUNDS = 6
LONG = 5.0
"""Seconds."""


@dataclass
class Round:
    """Latencies in ms, of another model and of health checks, before and beside a long predict."""

    idle: list[float]
    beside: list[float]
    health: list[float]

    def __str__(self) -> str:
        kinds = (("idle", self.idle), ("beside", self.beside), ("health", self.health))
        return "; ".join(f"{kind}: p50 {median(found):.2f} p99 {p99(found):.2f} ms" for kind, found in kinds)

    @property
    def is_fair(self) -> bool:
        """What the server promises, and room for the system's scheduler.

        A thread that wakes up while all cores are taken, and the long predict takes one of two, waits for slices of
        3 ms, some of them in a row: that is what the room is for; an idle p99 knows nothing of it. With the
        interpreter changing hands every 5 ms, as Python has it, the median is 5 ms more; a predict on the loop shows
        everywhere, as seconds.
        """
        return (
            p99(self.beside) <= 2 * p99(self.idle) + 100
            and median(self.beside) <= 2 * median(self.idle) + 4
            and median(self.health) <= 20
            and p99(self.health) <= 120
        )


def beside_a_long_predict(port: int, how: str) -> Round:
    idle = load(port, *QUICK, 50, 2, 4)
    slow = threading.Thread(target=post, args=(port, "/v1/models/slow:predict", {"instances": [LONG, how]}))
    slow.start()
    beside = load(port, *QUICK, 50, 2, 4)
    health = load(port, *HEALTH, 50, 1, 2)
    in_time = slow.is_alive()
    slow.join(TIMEOUT)
    assert idle.keys() == beside.keys() == health.keys() == {"200"}
    return Round(idle["200"], beside["200"] if in_time else [math.inf] * 2, health["200"])


@pytest.mark.parametrize("how", ["waits", "computes in numpy", "computes in Python"])
def test_a_long_predict_hurts_neither_other_models_nor_health_checks(server: Server, how: str) -> None:
    # What else the machine does only ever adds to a latency: one fair round shows that the server takes no more.
    rounds: list[Round] = []
    while not (rounds and rounds[-1].is_fair) and len(rounds) < ROUNDS:
        rounds.append(beside_a_long_predict(server.port, how))
        print(f"{how}: {rounds[-1]}")
    assert rounds[-1].is_fair, "\n".join(map(str, rounds))


STEADY = ("/v1/models/steady:predict", '{"instances":[]}')


def test_overload_is_refused_fast_and_costs_little(server: Server) -> None:
    """Bounds are loose; `python -m bench.overload` has figures."""
    process = psutil.Process(server.pid)
    load(server.port, *STEADY, 100, 1, 4)
    before = process.memory_info().rss
    shares: list[float] = []
    # As above: one good round shows that it is not the server that takes the rest.
    while not (shares and shares[-1] > 0.4) and len(shares) < ROUNDS:
        peak = len(load(server.port, *STEADY, 180, 2, 8)["200"]) / 2
        over = load(server.port, *STEADY, 3 * 200, 3, 300)
        assert over.keys() == {"200", "503"}
        shares.append(len(over["200"]) / 3 / peak)
        print(
            f"{peak:.0f}/s answered; at 600/s {shares[-1]:.0%} of it, {len(over['503'])} refused, "
            f"p50 {median(over['503']):.1f} ms p99 {p99(over['503']):.0f} ms"
        )
    assert shares[-1] > 0.4
    assert median(over["503"]) < 50
    assert process.memory_info().rss - before < 30 * 2**20


def test_a_thousand_connections_are_held_and_answered(iris: Path) -> None:
    with started(f"--model_dir={iris}") as (process, _, port):
        found = load(port, PREDICT, ROW, 1000, 3, 1000)
        print(f"1,000 connections, 1,000 requests a second: p99 {p99(found['200']):.1f} ms")
        assert found.keys() == {"200"}
        assert len(found["200"]) == 3000
        assert psutil.Process(process.pid).memory_info().rss < 400 * 2**20
