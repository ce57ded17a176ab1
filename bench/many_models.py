"""Many models in one server: `python -m bench.many_models [--models 5000] [--limit 2Gi]`.

Small scikit-learn models, each with coefficients of its own, in one server with a puller (`inferplane serve
--enable-puller`). Told are the time until it is ready and until all models are in memory, what each takes, the latency
of a warm model at one connection beside a server that has only that one (in turns, so that other load of the machine
meets both alike), of a model's first request after it was unloaded, and of the warm model while others come and go
because the memory holds only a part of them. No request may fail.
"""

import argparse
import http.client
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import joblib
import numpy as np
import psutil
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from bench.servers import free_ports

BODY = b'{"instances": [[6.8, 2.8, 4.8, 1.4], [6.0, 3.4, 4.5, 1.6]]}'
WARM = "m00000"
ROUNDS, ASKED = 8, 1500
COLD = 300
CHURN = 3000
PATIENCE = 300.0


def make(directory: Path, count: int) -> list[str]:
    """Directories of models that answer alike and are different files."""
    rows, classes = load_iris(return_X_y=True)
    model = LogisticRegression(max_iter=500).fit(rows, classes)
    names = [f"m{number:05}" for number in range(count)]
    for number, name in enumerate(names):
        (directory / name).mkdir(parents=True)
        model.intercept_[0] += 1e-9 * number
        joblib.dump(model, directory / name / "model.joblib")
    return names


def make_large(directory: Path, count: int) -> list[str]:
    """Some 1.2 MiB each: neighbours among 20,000 rows."""
    chance = np.random.default_rng(0)
    rows = chance.normal(size=(20_000, 4))
    names = [f"m{number:05}" for number in range(count)]
    for name in names:
        (directory / name).mkdir(parents=True)
        model = KNeighborsClassifier(1).fit(rows, chance.integers(0, 3, len(rows)))
        joblib.dump(model, directory / name / "model.joblib")
    return names


@dataclass
class Server:
    process: subprocess.Popen[bytes]
    port: int
    started: float

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def get(self, method: str, path: str) -> tuple[int, bytes]:
        connection = self.connection()
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def metric(self, name: str) -> float:
        text = self.get("GET", "/metrics")[1].decode()
        return next((float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(f"{name} ")), 0.0)

    def private(self) -> float:
        """MiB that the process has for itself."""
        return float(psutil.Process(self.process.pid).memory_full_info().uss) / 1024**2

    def until_ready(self) -> float:
        return self._until(lambda: self.get("GET", "/v2/health/ready")[0] == 200)

    def until_loaded(self, count: int) -> float:
        return self._until(lambda: self.metric('inferplane_models{state="loaded"}') >= count)

    def until_full(self) -> float:
        """No load has begun for a second."""
        before = -1.0

        def same() -> bool:
            nonlocal before
            time.sleep(1.0)
            loads = self.metric('inferplane_model_loads_total{result="ok"}')
            unchanged, before = loads == before, loads
            return unchanged

        return self._until(same)

    def _until(self, claim: Callable[[], bool]) -> float:
        while time.monotonic() - self.started < PATIENCE:
            try:
                if claim():
                    return time.monotonic() - self.started
            except OSError:
                pass
            assert self.process.poll() is None, "the server has ended"
            time.sleep(0.05)
        raise AssertionError("not within the time")


@contextmanager
def serving(models: Path, names: Sequence[str], limit: str = "") -> Iterator[Server]:
    with tempfile.TemporaryDirectory() as work:
        entries = [
            {
                "modelName": name,
                "modelSpec": {"storageUri": str(models / name), "framework": "sklearn", "memory": "1Mi"},
            }
            for name in names
        ]
        config, pulled = Path(work, "config"), Path(work, "models")
        config.mkdir()
        (config / "models.json").write_text(json.dumps(entries))
        ports = free_ports()
        command = [sys.executable, "-m", "inferplane.assembly.model_server", f"--model_dir={pulled}", "--enable-puller"]
        command += [f"--config-dir={config}", f"--model-dir={pulled}", "--host=127.0.0.1"]
        command += [f"--http_port={ports.http}", f"--grpc_port={ports.grpc}"]
        command += [f"--memory_limit={limit}"] if limit else []
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            yield Server(process, ports.http, time.monotonic())
        finally:
            process.terminate()
            process.wait()


def asked(connection: http.client.HTTPConnection, name: str) -> float:
    """Milliseconds of one prediction; it must succeed."""
    start = time.perf_counter()
    connection.request("POST", f"/v1/models/{name}:predict", BODY)
    answer = connection.getresponse()
    text = answer.read()
    assert answer.status == 200, (name, answer.status, text)
    return 1000 * (time.perf_counter() - start)


def latencies(server: Server, name: str, count: int) -> list[float]:
    connection = server.connection()
    found = [asked(connection, name) for _ in range(count)]
    connection.close()
    return found


def share(values: Sequence[float], part: float) -> float:
    return sorted(values)[min(len(values) - 1, int(part * len(values)))]


def figures(values: Sequence[float]) -> str:
    return f"p50 {share(values, 0.5):.3f} ms, p99 {share(values, 0.99):.3f} ms"


def warm(models: Path, names: Sequence[str], limit: str) -> None:
    with serving(models, names, limit) as many, serving(models, [WARM]) as alone:
        ready = many.until_ready()
        loaded = many.until_loaded(len(names))
        alone.until_loaded(1)
        print(f"{len(names)} models, limit {limit}: ready after {ready:.1f} s, all in memory after {loaded:.1f} s")
        beyond = many.private() - alone.private()
        each = 1024 * beyond / len(names)
        print(f"private memory {many.private():.0f} MiB, alone {alone.private():.0f} MiB: {each:.1f} KiB a model")
        for name in names:
            latencies(many, name, 1)
        each = 1024 * (many.private() - alone.private()) / len(names)
        print(f"after a request for each: private memory {many.private():.0f} MiB, {each:.1f} KiB a model")
        with_others, by_itself = [], []
        for _ in range(ROUNDS):
            with_others += latencies(many, WARM, ASKED)
            by_itself += latencies(alone, WARM, ASKED)
        print(f"a warm model among {len(names)}: {figures(with_others)}; alone: {figures(by_itself)}")
        cold(many, names)


def cold(server: Server, names: Sequence[str]) -> None:
    chosen = random.Random(0).sample(list(names[1:]), min(COLD, len(names) - 1))
    for name in chosen:
        server.get("POST", f"/v2/repository/models/{name}/unload")
    connection = server.connection()
    print(f"first request of an unloaded model: {figures([asked(connection, name) for name in chosen])}")


def churn(models: Path, names: Sequence[str], limit: str) -> None:
    """`limit` holds a part of the models; another client asks for one at random, over and over."""
    with serving(models, names, limit) as server:
        server.until_ready()
        server.until_full()
        latencies(server, WARM, 200)
        quiet = latencies(server, WARM, ASKED)
        stop, others = threading.Event(), []

        def wander() -> None:
            chance, connection = random.Random(1), server.connection()
            while not stop.is_set():
                others.append(asked(connection, chance.choice(list(names[1:]))))

        thread = threading.Thread(target=wander)
        thread.start()
        busy = latencies(server, WARM, CHURN)
        stop.set()
        thread.join()
        unloads, loads = (
            server.metric("inferplane_model_unloads_total"),
            server.metric('inferplane_model_loads_total{result="ok"}'),
        )
        states = server.metric('inferplane_models{state="loaded"}')
        print(f"limit {limit}: {states:.0f} of {len(names)} in memory, private memory {server.private():.0f} MiB")
        print(
            f"{len(others)} requests at random ({figures(others)}), {loads:.0f} loads and {unloads:.0f} unloads in all"
        )
        print(f"the warm model meanwhile: {figures(busy)}; before, with nothing else asked: {figures(quiet)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=5000)
    parser.add_argument("--limit", default="2Gi")
    parser.add_argument("--large", type=int, default=300, help="larger models, of which the memory holds a part")
    parser.add_argument("--small", default="350Mi", help="the limit for those")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        warm(Path(directory), make(Path(directory), given.models), given.limit)
    with tempfile.TemporaryDirectory() as directory:
        churn(Path(directory), make_large(Path(directory), given.large), given.small)


if __name__ == "__main__":
    main()
