"""What the router of an inference graph adds: `python -m bench.graph [--rounds 7] [--requests 2000]`.

The predictor is our server with scikit-learn's SVC on iris; before it a graph of one step, a sequence of two and an
ensemble of two, each a router of its own; one client connection. All are asked in turns, a block of requests each, and
what is compared is the median of each round. (The second step of the sequence is sent the request again.)
"""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench import launches, models
from bench.servers import Launch, Ports, free_ports, started
from bench.transformer import Client, answers, request

SHAPES = {"one step": ("Sequence", 1), "sequence of two": ("Sequence", 2), "ensemble of two": ("Ensemble", 2)}


def router(predictor: Ports, kind: str, steps: int) -> Launch:
    ports = free_ports()
    step = {"serviceUrl": f"http://127.0.0.1:{predictor.http}/v1/models/{models.IRIS.name}:predict"}
    graph = {"nodes": {"root": {"routerType": kind, "steps": [step] * steps}}}
    words = ("-m", "inferplane.assembly.router", f"--http_port={ports.http}", "--graph-json", json.dumps(graph))
    return Launch((sys.executable, *words), {"POD_IP": "127.0.0.1"}, ports)


@contextmanager
def asked_in_turns(directory: Path, asked: bytes) -> Iterator[Mapping[str, Client]]:
    model = models.save(models.IRIS, directory)
    with ExitStack() as stack:
        launch = launches.inferplane(Path(sys.executable), models.IRIS, model, directory)
        behind = stack.enter_context(started("predictor", launch, lambda on: answers(on, asked)))
        found = {"predictor alone": behind.ports}
        for name, (kind, steps) in SHAPES.items():
            launch = router(behind.ports, kind, steps)
            found[name] = stack.enter_context(started(name, launch, lambda on: answers(on, asked))).ports
        clients = {name: Client(ports.http) for name, ports in found.items()}
        for client in clients.values():
            stack.callback(client.close)
        yield clients


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__)
    flags.add_argument("--rounds", type=int, default=7)
    flags.add_argument("--requests", type=int, default=2000)
    given = flags.parse_args()
    asked = request("v1")
    with tempfile.TemporaryDirectory() as directory, asked_in_turns(Path(directory), asked) as clients:
        for client in clients.values():
            client.median(asked, given.requests)
        rounds = [
            {name: client.median(asked, given.requests) for name, client in clients.items()}
            for _ in range(given.rounds)
        ]
    alone = statistics.median(one["predictor alone"] for one in rounds)
    print(f"predictor alone   {alone:.3f} ms p50")
    for name in SHAPES:
        added = statistics.median(one[name] - one["predictor alone"] for one in rounds)
        print(f"{name:16}  adds {added:.3f} ms")


if __name__ == "__main__":
    main()
