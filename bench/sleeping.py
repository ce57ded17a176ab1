"""Many services at zero: `python -m bench.sleeping [--services 10000] [--trials 60] [--at-once 100] [--copied]`.

Every service is an InferenceService in Knative mode with scikit-learn's iris model, and asleep from the beginning
(`initial-scale: "0"`). First a few are there and some of them are woken, one after the other, through the gateway; then
all are. Printed: what each service takes of the processes' private memory (smaps) and of the control plane's CPU when
it is made, CPU while nothing happens, the times of wakes among few and among all, and of many at the same moment. Each
trial wakes another service, so nothing is warm but what always is.

`--copied`: those that come to the first few are not made but copied in the store of the stopped platform
(`bench.multiplied`), so that the figures are those of a platform that was started with all of them.
"""

import argparse
import http.client
import json
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from bench import models
from bench.multiplied import multiply
from bench.rest import cpu
from bench.soak import KIND, Client, Platform, memory, running, until

FEW = 100
IDLE_SECONDS = 30.0
CONFIG = "/api/v1/namespaces/knative-serving/configmaps/config-autoscaler"
CLAIMS = "/api/v1/namespaces/default/persistentvolumeclaims"
CLAIM = "models"
BODY = json.dumps({"instances": models.IRIS.tensor.tolist()})
PATIENCE = 600.0
REST = 25.0
"""Seconds after which the control plane has packed what nobody needs."""
ORIGINAL = "zoriginal"
BUSY = 10.0
"""Percent of a core that all processes take together, from which on they have something to do."""
PAUSE = 0.5
"""Seconds between two wakes: a spare is forked when nothing was started for half as long."""


@dataclass(frozen=True, slots=True)
class Wake:
    """`timing`: the answer's Server-Timing, milliseconds by phase."""

    status: int
    took: float
    timing: dict[str, float]


def claimed(platform: Platform) -> str:
    """The model's URI, in a claim of the platform: nothing has to be fetched before a server can start."""
    directory = platform.home / "volumes" / "default" / CLAIM
    models.save(models.IRIS, directory)
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    platform.client().call("POST", CLAIMS, {"metadata": {"name": CLAIM}, "spec": spec})
    return f"pvc://{CLAIM}/{models.IRIS.name}"


def service(name: str, model: str) -> dict[str, object]:
    annotations = {"serving.kserve.io/deploymentMode": "Knative", "autoscaling.knative.dev/initial-scale": "0"}
    predictor = {"minReplicas": 0, "model": {"modelFormat": {"name": "sklearn"}, "storageUri": model}}
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name, "annotations": annotations},
        "spec": {"predictor": predictor},
    }


def create(
    platform: Platform,
    names: Sequence[str],
    model: str,
    made: Callable[[str, str], dict[str, object]] = service,
    workers: int = 4,
) -> None:
    """Makes them, `made` of a name and the model, and waits until each is ready."""

    def work(number: int) -> None:
        client = platform.client()
        for name in names[number::workers]:
            status, answer = client.call("POST", KIND, made(name, model))
            assert status == 201, answer

    threads = [threading.Thread(target=work, args=(number,)) for number in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    client = platform.client()
    for name in names:
        await_ready(client, name)


def copied(platform: Platform, names: Sequence[str], model: str) -> None:
    """Starts the platform anew with copies of a service, and waits until it has nothing to do."""
    create(platform, [ORIGINAL], model)
    platform.command("down")
    multiply(platform.home / "state.db", ORIGINAL, names)
    begun = time.monotonic()
    platform.up()
    print(f"up with {len(names)} copies after {time.monotonic() - begun:.0f} s", flush=True)
    calm = 0
    while calm < 2:
        calm = calm + 1 if sum(cpu(platform, 5.0).values()) < BUSY else 0
    print(f"at rest after {time.monotonic() - begun:.0f} s", flush=True)


def await_ready(client: Client, name: str) -> None:
    """One after the other: to list all of them again and again would be load of its own."""
    end = time.monotonic() + PATIENCE
    while not _is_ready(client.call("GET", f"{KIND}/{name}")[1].get("status", {}).get("conditions", [])):
        if time.monotonic() > end:
            raise SystemExit(f"NOT SO after {PATIENCE:g} s: {name} is ready")
        time.sleep(0.5)


def _is_ready(conditions: Sequence[dict[str, str]]) -> bool:
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def wake(gateway: str, name: str) -> Wake:
    connection = http.client.HTTPConnection(gateway, timeout=60)
    headers = {"Host": f"{name}.default.localhost", "Content-Type": "application/json"}
    begun = time.perf_counter()
    connection.request("POST", f"/v1/models/{name}:predict", BODY, headers)
    answer = connection.getresponse()
    took = (time.perf_counter() - begun) * 1e3
    said = answer.read()
    connection.close()
    right = answer.status == 200 and json.loads(said) == {"predictions": [*models.IRIS.answer]}
    return Wake(answer.status if right else 0, took, _timing(answer.getheader("Server-Timing", "")))


def _timing(text: str) -> dict[str, float]:
    parts = (one.strip().partition(";dur=") for one in text.split(",") if one)
    return {name: float(took) for name, _, took in parts}


def wakes(gateway: str, names: Sequence[str]) -> list[Wake]:
    """One after the other."""
    found = []
    for name in names:
        time.sleep(PAUSE)
        found.append(wake(gateway, name))
    return found


def at_once(gateway: str, names: Sequence[str]) -> list[Wake]:
    with ThreadPoolExecutor(len(names)) as clients:
        return [*clients.map(lambda name: wake(gateway, name), names)]


def words(found: Sequence[Wake]) -> str:
    times = sorted(one.took for one in found)
    failed = sum(one.status != 200 for one in found)
    shares = {
        phase: statistics.median(one.timing[phase] for one in found if phase in one.timing)
        for phase in ("queue", "schedule", "fork", "load", "ready")
        if any(phase in one.timing for one in found)
    }
    spent = ", ".join(f"{phase} {took:.1f}" for phase, took in shares.items())
    return (
        f"p50 {statistics.median(times):.1f} ms, p99 {times[int(len(times) * 0.99)]:.1f}, most {times[-1]:.1f}, "
        f"{failed} failed of {len(times)} ({spent})"
    )


class Figures:
    """What the platform took, from one look to the next."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._memory = memory(platform)
        self._pid, self._cpu = self._seconds()

    def _seconds(self) -> tuple[int, float]:
        """Of which process, and how many."""
        pid = self._platform.processes()["control-plane"]
        return pid, sum(psutil.Process(pid).cpu_times()[:2])

    def of_each(self, count: int) -> str:
        """Since the last look, for each of so many services."""
        memory_before, pid_before, cpu_before = self._memory, self._pid, self._cpu
        self._memory = memory(self._platform)
        self._pid, self._cpu = self._seconds()
        spent = self._cpu - (cpu_before if self._pid == pid_before else 0.0)
        sizes = {name: (self._memory[name] - memory_before[name]) * 1e3 / count for name in memory_before}
        shown = ", ".join(f"{name} {size:.1f}" for name, size in sizes.items() if name in self._memory)
        return f"kB each: {shown}; CPU of the control plane for each: {spent * 1e3 / count:.1f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--services", type=int, default=10_000)
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--at-once", type=int, default=100)
    parser.add_argument("--copied", action="store_true", help="copy services in the store instead of making them")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sleeping-") as work, running(Path(work) / "home") as platform:
        measure(platform, claimed(platform), given)


def measure(platform: Platform, model: str, given: argparse.Namespace) -> None:
    patch = {"data": {"allow-zero-initial-scale": "true"}}
    platform.client().call("PATCH", CONFIG, patch, "application/merge-patch+json")
    gateway = urlsplit(json.loads(platform.command("status", "-o", "json"))["gateway"]).netloc
    few = [f"few-{number}" for number in range(FEW)]
    create(platform, few, model)
    tried = random.sample(few, min(given.trials, FEW))
    print(f"among {FEW}: {words(wakes(gateway, tried))}", flush=True)
    until("all are asleep again", lambda: _awake(platform))
    figures = Figures(platform)
    names = [f"many-{number}" for number in range(given.services - FEW)]
    if given.copied:
        copied(platform, names, model)
    else:
        create(platform, names, model)
    time.sleep(REST)
    print(figures.of_each(len(names)), flush=True)
    shares = cpu(platform, IDLE_SECONDS)
    print("idle: " + ", ".join(f"{name} {share:.2f} % of a core" for name, share in shares.items()), flush=True)
    print("in all: " + ", ".join(f"{name} {size:.0f} MB" for name, size in memory(platform).items()), flush=True)
    chosen = random.sample(names, given.trials + given.at_once)
    print(f"among {given.services}: {words(wakes(gateway, chosen[: given.trials]))}", flush=True)
    until("all are asleep again", lambda: _awake(platform))
    print(f"{given.at_once} at once: {words(at_once(gateway, chosen[given.trials :]))}", flush=True)


def _awake(platform: Platform) -> list[str]:
    listed = platform.client().call("GET", "/api/v1/namespaces/default/pods")[1]["items"]
    return [one["metadata"]["name"] for one in listed][:3]


if __name__ == "__main__":
    main()
