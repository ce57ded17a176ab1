"""A canary under load: 10 %, 50 %, promoted, rolled back; how the requests were really split, and how many failed.

usage: python -m bench.canary [--rate 200] [--seconds 60] [--warm 2]

A platform of its own serves two models, one that answers 1 and one that answers 2, as revisions of one InferenceService
in Knative mode. Requests come at even times, whatever becomes of those before them, and go on while `inferplane
rollout` changes the shares; each step is counted from when the command has returned. Exit code 1 when a request failed,
or a share was off by more than two points.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from bench.servers import free_ports
from inferplane.assembly.home import Home
from inferplane.assembly.record import recorded

POINTS = 2.0
"""How far a measured share may be off."""
_MODELS = """
import sys
from pathlib import Path
import joblib
from sklearn.dummy import DummyClassifier

for number in (1, 2):
    directory = Path(sys.argv[1]) / f"v{number}"
    directory.mkdir(parents=True)
    model = DummyClassifier(strategy="constant", constant=number).fit([[0], [0]], [1, 2])
    joblib.dump(model, directory / "model.joblib")
"""
_PATH, _BODY = "/v1/models/iris:predict", json.dumps({"instances": [[0]]})


@dataclass(frozen=True)
class Step:
    """`words` for `inferplane rollout`, after which the newest revision has `percent`."""

    name: str
    words: Sequence[str]
    percent: int


STEPS = (
    Step("10 %", ("--percent", "10"), 10),
    Step("50 %", ("--percent", "50"), 50),
    Step("promoted", ("--promote",), 100),
    Step("rolled back", ("--rollback",), 0),
)


@dataclass
class Count:
    """Answers by model, and all else."""

    answers: dict[int, int] = field(default_factory=lambda: {1: 0, 2: 0})
    failures: list[str] = field(default_factory=list)
    milliseconds: list[float] = field(default_factory=list)

    @property
    def total(self) -> int:
        return sum(self.answers.values())

    @property
    def share(self) -> float:
        """Percent of the answers that are the newest model's."""
        return 100 * self.answers[2] / self.total if self.total else 0.0

    def at(self, quantile: float) -> float:
        ordered = sorted(self.milliseconds)
        return ordered[min(len(ordered) - 1, int(len(ordered) * quantile))] if ordered else 0.0


class Load:
    """Requests at even times until it is ended; `count` is where they are counted at the moment."""

    def __init__(self, url: str, host: str, rate: float) -> None:
        self._url, self._host, self._rate = url, host, rate
        self.count = Count()

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http, asyncio.TaskGroup() as tasks:
            start, number = loop.time(), 0
            while True:
                await asyncio.sleep(max(0.0, start + number / self._rate - loop.time()))
                tasks.create_task(self._ask(http, self.count))
                number += 1

    async def _ask(self, http: aiohttp.ClientSession, count: Count) -> None:
        """Counted where it was when it was sent."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        headers = {"host": self._host, "content-type": "application/json"}
        try:
            async with http.post(self._url, data=_BODY, headers=headers) as answer:
                text = await answer.text()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            count.failures.append(repr(error))
            return
        if answer.status != 200:
            count.failures.append(f"{answer.status} {text}")
            return
        count.answers[json.loads(text)["predictions"][0]] += 1
        count.milliseconds.append((loop.time() - start) * 1000)


@asynccontextmanager
async def under(load: Load) -> AsyncIterator[None]:
    task = asyncio.create_task(load.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@dataclass(frozen=True)
class Platform:
    """One of its own, by its command line."""

    home: Path

    def say(self, *words: str, stdin: str = "") -> str:
        command = str(Path(sys.executable).with_name("inferplane"))
        environ = {**os.environ, "INFERPLANE_HOME": str(self.home)}
        done = subprocess.run(
            (command, *words), env=environ, input=stdin, capture_output=True, text=True, check=False, timeout=300
        )
        if done.returncode:
            raise SystemExit(f"inferplane {' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout

    def apply(self, version: int, percent: int | None) -> None:
        model = {"modelFormat": {"name": "sklearn"}, "storageUri": f"file://{self.home}/models/v{version}"}
        predictor = {"model": model} | ({} if percent is None else {"canaryTrafficPercent": percent})
        body = {
            "apiVersion": "serving.kserve.io/v1beta1",
            "kind": "InferenceService",
            "metadata": {"name": "iris", "annotations": {"serving.kserve.io/deploymentMode": "Knative"}},
            "spec": {"predictor": predictor},
        }
        self.say("apply", "-f", "-", stdin=json.dumps(body))

    @property
    def gateway(self) -> str:
        found = recorded(Home(self.home))
        assert found is not None, "it runs"
        return found.gateway


@contextmanager
def platform() -> Iterator[Platform]:
    with tempfile.TemporaryDirectory(prefix="canary-") as directory:
        made, ports = Platform(Path(directory)), free_ports()
        subprocess.run([sys.executable, "-c", _MODELS, str(made.home / "models")], check=True)
        made.say("up", "-d", "--port", str(ports.http), "--api-port", str(ports.metrics))
        try:
            yield made
        finally:
            made.say("down")


async def run(running: Platform, rate: float, seconds: float, warm: float) -> dict[str, Count]:
    """Counts by step; those between the steps, while the command runs and for `warm` seconds after, are "between"."""
    running.apply(1, None)
    load = Load(running.gateway + _PATH, f"iris.default.localhost:{urlsplit(running.gateway).port}", rate)
    found = {"between": load.count}
    async with under(load):
        await asyncio.to_thread(running.apply, 2, 0)
        for step in STEPS:
            await asyncio.to_thread(running.say, "rollout", "iris", *step.words)
            await asyncio.sleep(warm)
            load.count = found[step.name] = Count()
            await asyncio.sleep(seconds)
            load.count = found["between"]
    return found


def line(name: str, asked: str, count: Count) -> str:
    share = f"{count.share:.2f} %" if asked else ""
    times = f"{count.at(0.5):.2f} ms | {count.at(0.99):.2f} ms | {count.at(1.0):.1f} ms"
    return f"| {name} | {asked} | {share} | {count.total:,} | {len(count.failures)} | {times} |"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rate", type=float, default=200.0, help="requests a second")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each step")
    parser.add_argument("--warm", type=float, default=2.0, help="seconds after a change that count for no step")
    options = parser.parse_args()
    with platform() as running:
        found = asyncio.run(run(running, options.rate, options.seconds, options.warm))
    print("| step | asked | measured | requests | failed | p50 | p99 | longest |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for step in STEPS:
        print(line(step.name, f"{step.percent} %", found[step.name]))
    print(line("while it changes", "", found["between"]))
    failures = [words for count in found.values() for words in count.failures]
    print("\n".join(failures[:10]), file=sys.stderr)
    off = [step for step in STEPS if abs(found[step.name].share - step.percent) > POINTS]
    return 1 if failures or off else 0


if __name__ == "__main__":
    sys.exit(main())
