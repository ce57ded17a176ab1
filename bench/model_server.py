"""Throughput of the model server beside the `kserve` SDK's server: one scikit-learn model, one machine, one run.

Rounds of the two servers alternate, so that whatever else the machine does falls on both; medians are compared. Exits 1
when the ratio at 16 connections falls short of the budget.
"""

import argparse
import json
import statistics
import sys
import tempfile
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import joblib
from sklearn.datasets import load_iris
from sklearn.svm import SVC

from bench import peers, servers, wrk

CONNECTIONS = (1, 16, 64)
DECIDING = 16
BUDGET = 4.0
ROWS = [[6.8, 2.8, 4.8, 1.4], [6.0, 3.4, 4.5, 1.6]]


@dataclass(frozen=True)
class Case:
    protocol: str
    path: str
    body: str


CASES = (
    Case("V1", "/v1/models/iris:predict", json.dumps({"instances": ROWS})),
    Case(
        "V2",
        "/v2/models/iris/infer",
        json.dumps({"inputs": [{"name": "input-0", "shape": [2, 4], "datatype": "FP64", "data": ROWS}]}),
    ),
)


@dataclass(frozen=True)
class Line:
    """Medians over the rounds: requests per second, and latency in milliseconds."""

    protocol: str
    connections: int
    ours: float
    theirs: float
    our_median_ms: float
    their_median_ms: float

    @property
    def ratio(self) -> float:
        return self.ours / self.theirs


def main() -> int:
    options = _options()
    try:
        wrk.available()
    except wrk.WrkMissing as missing:
        print(missing, file=sys.stderr)
        return 2
    python = peers.environment(options.peer_env, peers.KSERVE)
    with tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
        model = Path(directory, "model.joblib")
        joblib.dump(SVC().fit(*load_iris(return_X_y=True)), model)
        ours = stack.enter_context(servers.inferplane(model))
        theirs = stack.enter_context(servers.kserve(python, model))
        lines = _measured(ours, theirs, options.rounds, options.seconds)
        running = [(server, server.private_memory) for server in (ours, theirs)]
    _print(lines, running)
    if options.json:
        options.json.write_text(json.dumps(_report(lines, running), indent=1))
    return _verdict(lines)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.model_server", description=__doc__)
    parser.add_argument("--peer-env", type=Path, default=Path(".venv-peers/kserve"), help="environment of the peer")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2, help="length of one round; wrk takes whole ones")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    return parser.parse_args()


def _measured(ours: servers.Running, theirs: servers.Running, rounds: int, seconds: int) -> list[Line]:
    seen: dict[tuple[str, int, str], list[wrk.Round]] = defaultdict(list)
    for number in range(rounds):
        print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
        for case in CASES:
            for connections in CONNECTIONS:
                for server in (ours, theirs):
                    measured = wrk.load(server.url + case.path, case.body, connections, seconds)
                    seen[case.protocol, connections, server.name].append(measured)
    return [
        _line(
            case.protocol,
            connections,
            seen[case.protocol, connections, ours.name],
            seen[case.protocol, connections, theirs.name],
        )
        for case in CASES
        for connections in CONNECTIONS
    ]


def _line(protocol: str, connections: int, ours: list[wrk.Round], theirs: list[wrk.Round]) -> Line:
    return Line(
        protocol,
        connections,
        statistics.median(found.rate for found in ours),
        statistics.median(found.rate for found in theirs),
        statistics.median(found.median for found in ours),
        statistics.median(found.median for found in theirs),
    )


def _print(lines: list[Line], running: list[tuple[servers.Running, float]]) -> None:
    print("scikit-learn SVC on iris, 2 rows, one process each; medians")
    print(f"{'':14}{'inferplane':>22}{'kserve':>22}{'ratio':>8}")
    for line in lines:
        print(
            f"{line.protocol} {line.connections:>3} conn. "
            f"{line.ours:>9,.0f}/s {line.our_median_ms:>7.2f} ms "
            f"{line.theirs:>9,.0f}/s {line.their_median_ms:>7.2f} ms {line.ratio:>6.1f}x"
        )
    for server, memory in running:
        print(f"{server.name}: first correct answer after {server.start:.2f} s, private memory {memory:.0f} MiB")


def _report(lines: list[Line], running: list[tuple[servers.Running, float]]) -> dict[str, object]:
    return {
        "budget": {"connections": DECIDING, "ratio": BUDGET},
        "throughput": [
            {
                "protocol": line.protocol,
                "connections": line.connections,
                "inferplane_per_second": round(line.ours),
                "kserve_per_second": round(line.theirs),
                "inferplane_median_ms": line.our_median_ms,
                "kserve_median_ms": line.their_median_ms,
                "ratio": round(line.ratio, 2),
            }
            for line in lines
        ],
        "start": {
            server.name: {"seconds": round(server.start, 2), "private_mib": round(memory)} for server, memory in running
        },
    }


def _verdict(lines: list[Line]) -> int:
    short = [line for line in lines if line.connections == DECIDING and line.ratio < BUDGET]
    for line in short:
        print(f"below the budget: {line.protocol} {line.ratio:.1f}x, expected at least {BUDGET:g}x", file=sys.stderr)
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main())
