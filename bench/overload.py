"""Three times as many requests as a server can answer: what it still answers, and how fast it refuses the others.

The most that the server answers is found once, with clients that wait for their answers, at the best of several numbers
of them. Each round then measures that load, three times its rate whatever becomes of the requests before, from 300
connections, and that load again: what is left is a share of the mean of the two around it, which had the same
neighbours on the machine. (The best of several measurements in each round would be luck that the overload has not.)

The model is a random forest of some milliseconds, run one request at a time. h2load, a process of its own, sends the
requests and notes each one's status and time. It needs processor time that the server then lacks where both have to
share; the figures say how much. Beside the share of the peak that is left stands that share for each CPU second of the
server, which other load on the machine changes less.

usage: python -m bench.overload [--rounds N] [--seconds N]
"""

import argparse
import math
import resource
import statistics
import subprocess
import sys
import tempfile
import time
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
    """Of a load that took `seconds`, and `cpu` CPU seconds of the server: milliseconds by status.

    `client` is in CPU seconds too.
    """

    seconds: float
    latencies: dict[int, list[float]]
    cpu: float = 0.0
    client: float = 0.0

    @property
    def goodput(self) -> float:
        """Requests answered a second."""
        return len(self.latencies.get(200, ())) / self.seconds


@dataclass(frozen=True)
class Round:
    """An overload between two loads at the peak. `grown` is the memory in MiB that the overload left behind."""

    before: Log
    over: Log
    after: Log
    grown: float

    @property
    def peak(self) -> float:
        return (self.before.goodput + self.after.goodput) / 2

    @property
    def share(self) -> float:
        return self.over.goodput / self.peak

    @property
    def share_of_cpu(self) -> float:
        """The same for a CPU second: had the server got as much of the processor all three times."""
        return self.share * (self.before.cpu + self.after.cpu) / 2 / self.over.cpu

    def __str__(self) -> str:
        refused, answered = (sorted(self.over.latencies.get(status, [0.0])) for status in (503, 200))
        return (
            f"peak {self.peak:.0f}/s; at {TIMES} times goodput {self.over.goodput:.0f}/s "
            f"({self.share:.0%}, for a CPU second {self.share_of_cpu:.0%}), "
            f"answers p99 {figures.percentile(answered, 99):.0f} ms, {len(refused)} refused: "
            f"p50 {figures.percentile(refused, 50):.1f} p99 {figures.percentile(refused, 99):.1f} ms; "
            f"statuses {sorted(self.over.latencies)}; memory {self.grown:+.1f} MiB; "
            f"CPU of the server {self._cores(self.before)} → {self._cores(self.over)}, "
            f"of the client {self.before.client / self.before.seconds:.0%} → {self.over.client / self.over.seconds:.0%}"
        )

    @staticmethod
    def _cores(log: Log) -> str:
        return f"{log.cpu / log.seconds:.0%}"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench.overload", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="length of a load")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as directory:
        joblib.dump(RandomForestClassifier(TREES).fit(*load_iris(return_X_y=True)), Path(directory, "model.joblib"))
        with servers.started("inferplane", _launch(Path(directory)), _answers) as server:
            clients = _best(server, options.seconds)
            rounds = [_round(server, clients, options.seconds) for _ in range(options.rounds)]
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
        return read(sent(ports, 1, "-n20"), 60.0).goodput > 0
    except (Failed, subprocess.SubprocessError):
        return False


def _best(server: Running, seconds: int) -> int:
    """The number of clients with which the server answers most."""
    return max(CLIENTS, key=lambda clients: _load(server, clients, seconds).goodput)


def _round(server: Running, clients: int, seconds: int) -> Round:
    before = _load(server, clients, seconds)
    memory = server.private_memory
    over = _measured(server, CONNECTIONS, _evenly(TIMES * before.goodput, seconds), seconds, skip=1.0)
    grown = server.private_memory - memory
    return Round(before, over, _load(server, clients, seconds), grown)


def _load(server: Running, clients: int, seconds: int) -> Log:
    """From clients that wait for their answers."""
    return _measured(server, clients, [f"-D{seconds}"], seconds)


def _evenly(rate: float, seconds: int) -> list[str]:
    """h2load's flags for requests at even times, whatever becomes of those before, for a second more than these.

    Connections are opened at the requests' rate, so that each has its turn at another time. All opened at once they
    would all send at once, and the server would have nothing to do between two such bursts.
    """
    apiece = math.ceil(rate * (seconds + 1.0) / CONNECTIONS)
    opened = max(1, round(rate * _STEP / 1000))
    return [f"-n{CONNECTIONS * apiece}", f"--rps={rate / CONNECTIONS:.3f}", f"-r{opened}", f"--rate-period={_STEP}ms"]


_STEP = 10


def _measured(server: Running, connections: int, how: Sequence[str], seconds: float, skip: float = 0.0) -> Log:
    begin, before, own = time.monotonic(), server.cpu_seconds, _of_clients()
    lines = sent(server.ports, connections, *how)
    share = seconds / (time.monotonic() - begin)
    return replace(
        read(lines, seconds, skip), cpu=share * (server.cpu_seconds - before), client=share * (_of_clients() - own)
    )


def _of_clients() -> float:
    """CPU seconds of load generators that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def sent(ports: Ports, connections: int, *how: str) -> Sequence[str]:
    """The log of a load of h2load over HTTP/1.1."""
    with tempfile.TemporaryDirectory() as directory:
        body, log = Path(directory, "body"), Path(directory, "log")
        body.write_bytes(BODY)
        command = [h2load.available(), "--h1", "-t1", f"-c{connections}", *how, "-d", str(body), f"--log-file={log}"]
        printed([*command, f"http://127.0.0.1:{ports.http}{PATH}"])
        return log.read_text().splitlines()


def read(lines: Sequence[str], seconds: float, skip: float = 0.0) -> Log:
    """Of lines of (start, status, microseconds): what was answered in `seconds`, after `skip` seconds."""
    latencies: dict[int, list[float]] = {}
    answers = [tuple(int(number) for number in line.split("\t")[:3]) for line in lines]
    first = min((begin for begin, _, _ in answers), default=0) + skip * 1e6
    for begin, status, took in answers:
        if first <= begin + took <= first + seconds * 1e6:
            latencies.setdefault(status, []).append(took / 1000)
    return Log(seconds, latencies)


if __name__ == "__main__":
    sys.exit(main())
