"""Three times as many requests as a server can answer: what it still answers, and how fast it refuses the others.

In each round the most that the server answers is measured first, with clients that wait for their answers, at the best
of several numbers of them. Then requests come at three times that rate whatever becomes of those before them, from 300
connections. The model is a random forest of some milliseconds, run one request at a time. h2load, a process of its own,
sends the requests and notes each one's status and time. Beside the share of the peak that is left stands that share for
each CPU second of the server, which other load on the machine changes less.

usage: python -m bench.overload [--rounds N] [--seconds N]
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import joblib
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier

from bench import figures, h2load, servers
from bench.servers import Launch, Ports, Running, free_ports
from bench.wrk import Failed, printed

PATH = "/v1/models/forest:predict"
BODY = b'{"instances":[[6.8,2.8,4.8,1.4]]}'
CLIENTS = (4, 16, 64)
CONNECTIONS = 300
TIMES = 3
FLAGS = ("--max_batch_size=1", "--max_queue=100")
TREES = 1000


@dataclass(frozen=True)
class Log:
    """Of a load that took `seconds`, and `cpu` CPU seconds of the server: milliseconds by status."""

    seconds: float
    latencies: dict[int, list[float]]
    cpu: float = 0.0

    @property
    def goodput(self) -> float:
        """Requests answered a second."""
        return len(self.latencies.get(200, ())) / self.seconds


@dataclass(frozen=True)
class Round:
    """`grown` is the memory in MiB that the overload left behind."""

    peak: Log
    over: Log
    grown: float

    @property
    def share(self) -> float:
        return self.over.goodput / self.peak.goodput

    @property
    def share_of_cpu(self) -> float:
        """The same for a CPU second: had the server got as much of the processor both times."""
        return self.share * self.peak.cpu / self.over.cpu

    def __str__(self) -> str:
        refused, answered = (sorted(self.over.latencies.get(status, [0.0])) for status in (503, 200))
        return (
            f"peak {self.peak.goodput:.0f}/s; at {TIMES} times goodput {self.over.goodput:.0f}/s "
            f"({self.share:.0%}, for a CPU second {self.share_of_cpu:.0%}), "
            f"answers p99 {figures.percentile(answered, 99):.0f} ms, {len(refused)} refused: "
            f"p50 {figures.percentile(refused, 50):.1f} p99 {figures.percentile(refused, 99):.1f} ms; "
            f"statuses {sorted(self.over.latencies)}; memory {self.grown:+.1f} MiB"
        )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench.overload", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3, help="length of a load")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as directory:
        joblib.dump(RandomForestClassifier(TREES).fit(*load_iris(return_X_y=True)), Path(directory, "model.joblib"))
        with servers.started("inferplane", _launch(Path(directory)), _answers) as server:
            rounds = [_round(server, options.seconds) for _ in range(options.rounds)]
    print(*rounds, sep="\n")
    share = statistics.median(found.share for found in rounds)
    of_cpu = statistics.median(found.share_of_cpu for found in rounds)
    print(f"goodput at {TIMES} times the peak: {share:.0%} of it, for a CPU second {of_cpu:.0%} (medians)")
    return 0


def _launch(directory: Path) -> Launch:
    ports = free_ports()
    command = (
        sys.executable, "-m", "inferplane.assembly.model_server", "--model_name=forest", f"--model_dir={directory}",
        "--host=127.0.0.1", f"--http_port={ports.http}", "--enable_grpc=false", *FLAGS,
    )  # fmt: skip
    return Launch(command, {"OMP_NUM_THREADS": "1"}, ports)


def _answers(ports: Ports) -> bool:
    try:
        return sent(ports, 1, "-n20").goodput > 0
    except (Failed, subprocess.SubprocessError):
        return False


def _round(server: Running, seconds: int) -> Round:
    loads = [_load(server, clients, seconds) for clients in CLIENTS]
    peak = max(loads, key=lambda load: load.goodput)
    before = server.private_memory
    over = _load(server, CONNECTIONS, seconds, f"--rps={TIMES * peak.goodput / CONNECTIONS:.2f}")
    return Round(peak, over, server.private_memory - before)


def _load(server: Running, connections: int, seconds: int, *how: str) -> Log:
    before = server.cpu_seconds
    found = sent(server.ports, connections, f"-D{seconds}", *how, seconds=seconds)
    return replace(found, cpu=server.cpu_seconds - before)


def sent(ports: Ports, connections: int, *how: str, seconds: float = 1.0) -> Log:
    """A load of h2load over HTTP/1.1, read from its log."""
    with tempfile.TemporaryDirectory() as directory:
        body, log = Path(directory, "body"), Path(directory, "log")
        body.write_bytes(BODY)
        command = [h2load.available(), "--h1", "-t1", f"-c{connections}", *how, "-d", str(body), f"--log-file={log}"]
        printed([*command, f"http://127.0.0.1:{ports.http}{PATH}"])
        return read(log.read_text().splitlines(), seconds)


def read(lines: Sequence[str], seconds: float) -> Log:
    """Of lines of (start, status, microseconds)."""
    latencies: dict[int, list[float]] = {}
    for line in lines:
        _, status, microseconds = line.split("\t")[:3]
        latencies.setdefault(int(status), []).append(int(microseconds) / 1000)
    return Log(seconds, latencies)


if __name__ == "__main__":
    sys.exit(main())
