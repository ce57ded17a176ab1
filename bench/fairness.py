"""What a predict of five seconds does to another model's requests, and to health checks.

In each round both are asked 50 times a second while nothing else happens, and then beside the long predict. It waits
(as a model does that asks another service), computes in numpy (outside of the interpreter), or computes in Python, one
after the other. The other model does nothing, so all of its time is the server's. `bench.paced` asks, from processes of
its own, and leaves its own part out of the times.

usage: python -m bench.fairness [--rounds N] [--seconds N]
"""

import argparse
import json
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench import figures, servers
from bench.servers import Launch, Ports, free_ports
from inferplane import Model, ModelServer

RATE = 50
KINDS = ("waits", "computes in numpy", "computes in Python")
QUICK = ("/v1/models/quick:predict", '{"instances":[1]}')
HEALTH = ("/v2/health/live", "")


class Quick(Model):
    def predict(self, payload: Any, headers: Any = None) -> Any:
        return {"predictions": payload["instances"]}


class Slow(Model):
    matrix = np.ones((500, 500))

    def predict(self, payload: Any, headers: Any = None) -> Any:
        seconds, kind = payload["instances"]
        end = time.monotonic() + seconds
        if kind == KINDS[0]:
            time.sleep(seconds)
        while time.monotonic() < end:
            if kind == KINDS[1]:
                self.matrix @ self.matrix
        return {"predictions": []}


def serve(port: int) -> None:
    models = [Quick("quick"), Slow("slow")]
    for model in models:
        model.load()
    ModelServer(http_port=port, enable_grpc=False, enable_latency_logging=False).start(list(models))


@dataclass(frozen=True)
class Asked:
    """Milliseconds, in ascending order."""

    quick: Sequence[float]
    health: Sequence[float]


@dataclass(frozen=True)
class Round:
    idle: Asked
    beside: Asked


@dataclass(frozen=True)
class Row:
    """One kind's figures: medians over rounds. The ratio is of each round's two p99, which had the same neighbours."""

    kind: str
    rounds: Sequence[Round]

    @property
    def ratio(self) -> float:
        return statistics.median(_p99(one.beside.quick) / _p99(one.idle.quick) for one in self.rounds)

    @property
    def health(self) -> float:
        """The slowest check of all rounds."""
        return max(max(one.beside.health) for one in self.rounds)

    def cells(self) -> list[str]:
        idle, beside = [one.idle.quick for one in self.rounds], [one.beside.quick for one in self.rounds]
        health = [one.beside.health for one in self.rounds]
        times = [_median(_p50, idle), _median(_p50, beside), _median(_p99, idle), _median(_p99, beside)]
        return [
            self.kind,
            *(f"{value:.2f}" for value in times),
            f"{self.ratio:.2f}",
            f"{_median(_p99, health):.2f}",
            f"{self.health:.1f}",
        ]


HEADS = (
    "the long predict", "p50 idle", "p50 beside", "p99 idle", "p99 beside", "ratio", "health p99", "health slowest",
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench.fairness", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0, help="of the long predict")
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.serve is not None:
        serve(options.serve)
        return 0
    print(table(measured(options.rounds, options.seconds)))
    return 0


def measured(rounds: int, seconds: float) -> list[Row]:
    ports = free_ports()
    command = (sys.executable, "-m", "bench.fairness", f"--serve={ports.http}")
    alone = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "POD_IP": "127.0.0.1", "PYTHONPATH": sys.path[0]}
    with servers.started("inferplane", Launch(command, alone, ports), _answers):
        asked(ports.http, 1.0)  # the first requests find nothing warm
        found: dict[str, list[Round]] = {kind: [] for kind in KINDS}
        for _ in range(rounds):
            for kind in KINDS:
                found[kind].append(_round(ports.http, kind, seconds))
    return [Row(kind, found[kind]) for kind in KINDS]


def table(rows: Sequence[Row]) -> str:
    lines = [HEADS, ["---"] * len(HEADS), *(row.cells() for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n(milliseconds)"


def _round(port: int, kind: str, seconds: float) -> Round:
    during = seconds - 1.0
    idle = asked(port, during)
    slow = threading.Thread(target=_post, args=(port, "/v1/models/slow:predict", {"instances": [seconds, kind]}))
    slow.start()
    beside = asked(port, during)
    if not slow.is_alive():
        raise RuntimeError("the long predict was over before the last request was answered")
    slow.join()
    return Round(idle, beside)


def asked(port: int, seconds: float) -> Asked:
    """Both asked at the same time, by a process each."""
    commands = (
        [sys.executable, "-m", "bench.paced", str(port), path, body, str(RATE), str(seconds)]
        for path, body in (QUICK, HEALTH)
    )
    clients = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for command in commands]
    quick, health = (sorted(json.loads(client.communicate()[0])) for client in clients)
    return Asked(quick, health)


def _post(port: int, path: str, body: object) -> None:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", json.dumps(body).encode())
    urllib.request.urlopen(request, timeout=60).close()


def _answers(ports: Ports) -> bool:
    try:
        _post(ports.http, QUICK[0], {"instances": [1]})
    except OSError:
        return False
    return True


def _p50(ordered: Sequence[float]) -> float:
    return figures.percentile(ordered, 50)


def _p99(ordered: Sequence[float]) -> float:
    return figures.percentile(ordered, 99)


def _median(of: Callable[[Sequence[float]], float], rounds: Sequence[Sequence[float]]) -> float:
    return statistics.median(of(one) for one in rounds)


if __name__ == "__main__":
    sys.exit(main())
