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

import joblib
import psutil
import pytest
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from tests.e2e.test_model_server import PREDICT, TIMEOUT, free_port, iris, post, started

pytestmark = pytest.mark.e2e
__all__ = ["iris"]

ROW = '{"instances":[[6.8,2.8,4.8,1.4]]}'
GENERATOR = Path(__file__).with_name("open_loop.py")

TWO_MODELS = """
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

models = [Quick("quick"), Slow("slow")]
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
def two_models() -> Iterator[int]:
    port = free_port()
    # numpy's threads would take every core from the server and from the load.
    alone = {**os.environ, "POD_IP": "127.0.0.1", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([sys.executable, "-c", TWO_MODELS, str(port)], stderr=subprocess.DEVNULL, env=alone)
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
        yield port
    finally:
        process.kill()
        process.wait()


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
def test_a_long_predict_hurts_neither_other_models_nor_health_checks(two_models: int, how: str) -> None:
    # What else the machine does only ever adds to a latency: one fair round shows that the server takes no more.
    rounds: list[Round] = []
    while not (rounds and rounds[-1].is_fair) and len(rounds) < ROUNDS:
        rounds.append(beside_a_long_predict(two_models, how))
        print(f"{how}: {rounds[-1]}")
    assert rounds[-1].is_fair, "\n".join(map(str, rounds))


@pytest.fixture(scope="session")
def forest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of some milliseconds a request."""
    directory = tmp_path_factory.mktemp("forest")
    joblib.dump(RandomForestClassifier(150).fit(*load_iris(return_X_y=True)), directory / "model.joblib")
    return directory


def test_overload_is_refused_fast_and_costs_little(forest: Path) -> None:
    flags = ["--max_batch_size=1", "--max_queue=16"]
    with started(f"--model_dir={forest}", *flags) as (process, _, port):
        assert post(port, PREDICT, json.loads(ROW)) == {"predictions": [1]}
        memory = psutil.Process(process.pid).memory_info()
        alone = load(port, PREDICT, ROW, 400, 4, 8)["200"]
        peak = 1000 * len(alone) / max(4000.0, max(alone) + 4000.0)
        over = load(port, PREDICT, ROW, 3 * peak, 5, 300)
        grown = psutil.Process(process.pid).memory_info().rss - memory.rss
    goodput = len(over["200"]) / 5
    refused = over["503"]
    print(
        f"peak {peak:.0f}/s; at 3 times: goodput {goodput:.0f}/s ({goodput / peak:.0%}), {len(refused)} refused, "
        f"p50 {median(refused):.1f} ms p99 {p99(refused):.0f} ms; memory grew {grown / 2**20:.1f} MiB"
    )
    assert over.keys() == {"200", "503"}
    assert goodput > 0.7 * peak
    assert median(refused) < 50
    assert grown < 30 * 2**20


def test_a_thousand_connections_are_held_and_answered(iris: Path) -> None:
    with started(f"--model_dir={iris}") as (process, _, port):
        found = load(port, PREDICT, ROW, 1000, 3, 1000)
        print(f"1,000 connections, 1,000 requests a second: p99 {p99(found['200']):.1f} ms")
        assert found.keys() == {"200"}
        assert len(found["200"]) == 3000
        assert psutil.Process(process.pid).memory_info().rss < 400 * 2**20
