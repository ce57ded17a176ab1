"""What logging all payloads costs: `python -m bench.payload_log [--rounds 7] [--seconds 3] [--connections 16]`.

scikit-learn's SVC on iris over V1, asked by wrk: one server without a log, one with each kind of sink, and one whose
sink is down. They are asked in turns, and what is compared is the median of each round's ratio to the server without a
log in the same round. Beside it stand what the server's own process computed for a request (other load on the machine
changes that less than the rate), what the log's process did, and how much of the events was dropped.
"""

import argparse
import re
import statistics
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench import models, wrk
from bench.cases import Request
from bench.servers import Launch, Ports, Running, free_ports, started

BUDGET = 0.10
"""Share of the throughput."""

_SINK = Path(__file__).with_name("peer") / "event_sink.py"
_BODY = b'{"instances": [[6.8, 2.8, 4.8, 1.4], [6.0, 3.4, 4.5, 1.6]]}'
_PREDICT = Request(f"/v1/models/{models.IRIS.name}:predict", _BODY, {"Content-Type": "application/json"})
_COUNTED = re.compile(r'^inferplane_logger_(sent|dropped)_total{sink="[^"]*"} (\S+)$', re.M)


@dataclass(frozen=True)
class Seen:
    """Requests a second; microseconds of CPU for a request, of the server and of the log's process."""

    rate: float
    server: float
    writer: float


def launch(model: Path, flags: Sequence[str]) -> Launch:
    ports = free_ports()
    command = (
        sys.executable, "-m", "inferplane.assembly.model_server", f"--model_name={models.IRIS.name}",
        f"--model_dir={model}", "--host=127.0.0.1", f"--http_port={ports.http}", "--enable_grpc=false", *flags,
    )  # fmt: skip
    return Launch(command, {"OMP_NUM_THREADS": "1"}, ports)


def is_ready(ports: Ports) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{ports.http}/v2/health/ready", timeout=5):
            return True
    except (OSError, urllib.error.URLError):
        return False


def measure(server: Running, connections: int, seconds: int) -> Seen:
    own = psutil.Process(server.pid)
    family = own.children(recursive=True)
    before, others = _used(own), sum(map(_used, family))
    found = wrk.load(server.ports, _PREDICT, connections, seconds)
    millionths = 1e6 / found.requests
    return Seen(found.rate, (_used(own) - before) * millionths, (sum(map(_used, family)) - others) * millionths)


def _used(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def dropped(server: Running) -> float:
    """Share of the events."""
    with urllib.request.urlopen(f"http://127.0.0.1:{server.ports.http}/metrics", timeout=30) as answer:
        counts = {"sent": 0.0, "dropped": 0.0}
        for name, value in _COUNTED.findall(answer.read().decode()):
            counts[name] += float(value)
    return counts["dropped"] / max(1.0, sum(counts.values()))


@contextmanager
def sink() -> Iterator[str]:
    """Its URL."""
    ports = free_ports()
    command = (sys.executable, str(_SINK), str(ports.http))

    def listens(_: Ports) -> bool:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{ports.http}/", timeout=5).close()
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False
        return True

    with started("sink", Launch(command, {}, ports), listens):
        yield f"http://127.0.0.1:{ports.http}/"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench.payload_log", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=3, help="length of a load")
    parser.add_argument("--connections", type=int, default=16)
    options = parser.parse_args(arguments)
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        model = models.save(models.IRIS, directory).parent
        url = stack.enter_context(sink())
        kinds = {
            "no log": (),
            "lines in a file": (f"--log-url=file://{directory}/events",),
            "HTTP, batched": (f"--log-url={url}", "--log-content-mode=batched"),
            "HTTP, one by one": (f"--log-url={url}",),
            "sink down": (f"--log-url=http://127.0.0.1:{free_ports().http}/",),
        }
        running = {name: stack.enter_context(started(name, launch(model, flags), is_ready))
                   for name, flags in kinds.items()}  # fmt: skip
        for server in running.values():
            measure(server, options.connections, 1)
        rounds = [
            {name: measure(server, options.connections, options.seconds) for name, server in running.items()}
            for _ in range(options.rounds)
        ]
        report(rounds, {name: dropped(server) for name, server in running.items()})
    return 0


def report(rounds: Sequence[dict[str, Seen]], lost: dict[str, float]) -> None:
    print(f"{'':18}{'req/s':>8}{'cost':>8}{'CPU of the server':>20}{'of the log':>12}{'dropped':>9}")
    for name in rounds[0]:
        seen = [one[name] for one in rounds]
        cost = 1 - statistics.median(one[name].rate / one["no log"].rate for one in rounds)
        rate, server, writer = (
            statistics.median(of) for of in zip(*((s.rate, s.server, s.writer) for s in seen), strict=True)
        )
        print(f"{name:18}{rate:8.0f}{cost:8.1%}{server:17.1f} µs{writer:9.1f} µs{lost[name]:9.1%}")
    print(f"budget: {BUDGET:.0%} of the throughput")


if __name__ == "__main__":
    sys.exit(main())
