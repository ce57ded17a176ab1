"""What a transformer's hop costs: `python -m bench.transformer [--rounds 7] [--requests 2000]`.

The predictor is our server with scikit-learn's SVC on iris, the transformer a class of an author's own with
`preprocess` and `postprocess` (bench/peer/transformer_server.py), each a process; one client connection. Both are asked
in turns, a block of requests each, and what is compared is the median of each round.
"""

import argparse
import json
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench import launches, models
from bench.servers import Launch, Ports, free_ports, started

BUDGET = 0.6
"""Milliseconds."""

_SCRIPT = Path(__file__).with_name("peer") / "transformer_server.py"


def transformer(predictor: Ports, protocol: str) -> Launch:
    ports = free_ports()
    host = f"127.0.0.1:{predictor.grpc if protocol == 'grpc-v2' else predictor.http}"
    flags = (
        f"--model_name={models.IRIS.name}",
        f"--http_port={ports.http}",
        f"--grpc_port={ports.grpc}",
        f"--predictor_host={host}",
        f"--predictor_protocol={protocol}",
        "--enable_latency_logging=false",
    )
    return Launch((sys.executable, str(_SCRIPT), *flags), {"OMP_NUM_THREADS": "1", "POD_IP": "127.0.0.1"}, ports)


def request(protocol: str) -> bytes:
    """To `:predict`, or to V2's `infer`."""
    rows = models.IRIS.tensor
    if protocol == "v1":
        path, body = f"/v1/models/{models.IRIS.name}:predict", {"instances": rows.tolist()}
    else:
        tensor = {"name": "x", "shape": list(rows.shape), "datatype": "FP64", "data": rows.ravel().tolist()}
        path, body = f"/v2/models/{models.IRIS.name}/infer", {"inputs": [tensor]}
    text = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(text)}\r\n\r\n"
    return head.encode() + text


class Client:
    """One connection, one request after the other; answers are small enough to come in one piece."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, asked: bytes) -> bytes:
        self._socket.sendall(asked)
        return self._socket.recv(65536)

    def median(self, asked: bytes, requests: int) -> float:
        """Milliseconds of the median request."""
        times = []
        for _ in range(requests):
            begin = time.perf_counter()
            answer = self.ask(asked)
            times.append(time.perf_counter() - begin)
            assert answer.startswith(b"HTTP/1.1 200"), answer
        return statistics.median(times) * 1000

    def close(self) -> None:
        self._socket.close()


def answers(ports: Ports, asked: bytes) -> bool:
    try:
        client = Client(ports.http)
    except OSError:
        return False
    try:
        return client.ask(asked).startswith(b"HTTP/1.1 200")
    finally:
        client.close()


@contextmanager
def pair(directory: Path, protocol: str) -> Iterator[tuple[Client, Client]]:
    """Clients of (predictor, transformer)."""
    work = Path(tempfile.mkdtemp(dir=directory))
    model = models.save(models.IRIS, work)
    asked = request(protocol)
    with ExitStack() as stack:
        launch = launches.inferplane(Path(sys.executable), models.IRIS, model, work)
        behind = stack.enter_context(started("predictor", launch, lambda on: answers(on, asked)))
        launch = transformer(behind.ports, protocol)
        front = stack.enter_context(started("transformer", launch, lambda on: answers(on, asked)))
        clients = Client(behind.ports.http), Client(front.ports.http)
        for client in clients:
            stack.callback(client.close)
        yield clients


def measured(directory: Path, protocol: str, rounds: int, requests: int) -> tuple[float, float]:
    """Medians of the rounds' (predictor alone, added by the transformer), milliseconds."""
    asked = request(protocol)
    with pair(directory, protocol) as clients:
        for client in clients:
            client.median(asked, requests)
        found = [[client.median(asked, requests) for client in clients] for _ in range(rounds)]
    alone = statistics.median(alone for alone, _ in found)
    return alone, statistics.median(both - alone for alone, both in found)


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__)
    flags.add_argument("--rounds", type=int, default=7)
    flags.add_argument("--requests", type=int, default=2000)
    flags.add_argument("--protocols", nargs="+", default=["v1", "v2", "grpc-v2"])
    given = flags.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        for protocol in given.protocols:
            alone, added = measured(Path(directory), protocol, given.rounds, given.requests)
            budget = f", budget {BUDGET}" if protocol != "grpc-v2" else ""
            print(f"{protocol:8} predictor alone {alone:.3f} ms p50, the transformer adds {added:.3f} ms{budget}")


if __name__ == "__main__":
    main()
