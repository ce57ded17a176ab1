"""Everything at once, for minutes: `python -m bench.soak [--minutes 10] [--services 200]`.

A platform of its own serves a pool of InferenceServices that are created, changed and deleted at random while the
control plane, the node, Envoy, pods, keepers and the supervisor are killed with -9 in turn (a killed supervisor is
followed by another `up`). At the end every write that was acknowledged must be there, and Envoy must have routes and
clusters for just the services that live; then all is deleted, and no process, route, cluster or directory may be left.
No process' memory may have grown from the first third of the time to the last.

Services hold a small scikit-learn model; most of them are stopped (`serving.kserve.io/stop`) so that the pool fits the
machine, and start and stop is one of the changes. Figures are printed every half minute and at the end.
"""

import argparse
import http.client
import json
import os
import random
import re
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import yaml

from bench.envoy_config import config_dump, names
from bench.over_time import Sample, sample, trends
from bench.servers import free_ports

KIND = "/apis/serving.kserve.io/v1beta1/namespaces/default/inferenceservices"
STOP = "serving.kserve.io/stop"
MODE = "serving.kserve.io/deploymentMode"
MARK = "soak/mark"
VICTIMS = ("control-plane", "node", "envoy", "pod", "keeper", "supervisor")
PATIENCE = 120.0
LOOK_EVERY, TELL_EVERY = 5.0, 30.0
KEEPER = "inferplane.assembly.keeper"
_OURS = re.compile(r"\bsoak-\d+")


@dataclass(slots=True)
class Expected:
    """What was last acknowledged of each name; None: deleted. `open` names have a write whose fate isn't known."""

    marks: dict[str, str | None] = field(default_factory=dict)
    open: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass(slots=True)
class Tally:
    acknowledged: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    cut: int = 0  # the server died before it answered
    kills: dict[str, int] = field(default_factory=dict)
    memory: list[Sample] = field(default_factory=list)


class Platform:
    def __init__(self, home: Path) -> None:
        self.home = home
        free = free_ports()
        self._ports = ("--port", str(free.http), "--api-port", str(free.metrics))
        self.environ = {**os.environ, "INFERPLANE_HOME": str(home), "KUBECONFIG": str(home / "kubeconfig")}

    def command(self, *words: str, timeout: float = 180.0) -> str:
        program = str(Path(sys.executable).with_name("inferplane"))
        done = subprocess.run(
            [program, *words], env=self.environ, capture_output=True, text=True, timeout=timeout, check=False
        )
        if done.returncode:
            raise SystemExit(f"inferplane {' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout

    def up(self) -> None:
        self.command("up", "-d", *self._ports, timeout=900.0)

    def processes(self) -> dict[str, int]:
        """By name, as the supervisor wrote it last. Raises OSError while there is none."""
        found: dict[str, int] = json.loads((self.home / "platform.json").read_text())["processes"]
        return found

    def keepers(self) -> list[psutil.Process]:
        return [one for one in family(self) if KEEPER in _words(one)]

    def client(self) -> "Client":
        config = yaml.safe_load((self.home / "kubeconfig").read_text())
        target = urllib.parse.urlsplit(config["clusters"][0]["cluster"]["server"])
        return Client(
            target.hostname or "", target.port or 0, self.home / "pki" / "ca.crt", config["users"][0]["user"]["token"]
        )


class Client:
    """One connection; a new one after each failure."""

    def __init__(self, host: str, port: int, ca: Path, token: str) -> None:
        self._make = lambda: http.client.HTTPSConnection(
            host, port, timeout=30, context=ssl.create_default_context(cafile=str(ca))
        )
        self._connection = self._make()
        self._headers = {"authorization": f"Bearer {token}"}

    def call(self, method: str, path: str, body: object = None, media: str = "application/json") -> tuple[int, dict]:  # type: ignore[type-arg]
        """Raises OSError or HTTPException when there is no answer."""
        data = json.dumps(body) if body is not None else None
        try:
            self._connection.request(method, path, data, {**self._headers, "content-type": media})
            answer = self._connection.getresponse()
            return answer.status, json.loads(answer.read() or b"{}")
        except (OSError, http.client.HTTPException):
            self._connection.close()
            self._connection = self._make()
            raise


def service(name: str, model: str, mark: str, running: bool) -> dict[str, object]:
    annotations = {MARK: mark, MODE: "Standard"} | ({} if running else {STOP: "true"})
    predictor = {"minReplicas": 1, "model": {"modelFormat": {"name": "sklearn"}, "storageUri": model}}
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name, "annotations": annotations},
        "spec": {"predictor": predictor},
    }


class Writers:
    """Each worker writes objects of its own, so what is acknowledged last is what must be there."""

    def __init__(self, platform: Platform, names: list[str], model: str, running: int) -> None:
        self._platform = platform
        self._names = names
        self._model = model
        self._running = running
        self.expected, self.tally = Expected(), Tally()
        self.stopping = threading.Event()

    def run(self, number: int, workers: int) -> None:
        mine = self._names[number::workers]
        random_, client, count = random.Random(number), self._platform.client(), 0
        while not self.stopping.is_set():
            name, count = random_.choice(mine), count + 1
            self._write(client, random_, name, f"{number}-{count}")
            self.stopping.wait(random_.uniform(0.05, 0.25))

    def _write(self, client: Client, random_: random.Random, name: str, mark: str) -> None:
        there = self.expected.marks.get(name) is not None
        # Names at the front of the pool run now and then; the others stay stopped.
        running = int(name.rpartition("-")[2]) < self._running and random_.random() < 0.5
        path = f"{KIND}/{name}"
        with self.expected.lock:
            self.expected.open.add(name)
        try:
            if not there:
                result, _ = client.call("POST", KIND, service(name, self._model, mark, running))
            elif random_.random() < 0.25:
                mark = ""
                result, _ = client.call("DELETE", path)
            else:
                annotations = {MARK: mark, STOP: None if running else "true"}
                patch = {
                    "metadata": {"annotations": annotations},
                    "spec": {"predictor": {"timeout": random_.randint(30, 90)}},
                }
                result, _ = client.call("PATCH", path, patch, "application/merge-patch+json")
        except (OSError, http.client.HTTPException):
            self.tally.cut += 1
            self.stopping.wait(0.2)
            return  # whether it was written isn't known
        self._note(client, name, mark, result)

    def _note(self, client: Client, name: str, mark: str, result: int) -> None:
        with self.expected.lock:
            if result < 300:
                self.tally.acknowledged += 1
                self.expected.marks[name] = mark or None
                self.expected.open.discard(name)
            elif result == 404:
                self.expected.marks[name] = None
            elif result == 409:
                self.expected.marks.setdefault(name, "")  # it is there, from a write that was cut
                self.expected.marks[name] = self.expected.marks[name] or ""
            else:
                self.tally.refused[str(result)] = self.tally.refused.get(str(result), 0) + 1


def kill(platform: Platform, victim: str) -> bool:
    """False when there is none at the moment."""
    if victim in ("pod", "keeper"):
        pods = (one for one in psutil.process_iter() if _is_pod(one, platform.home))
        found = platform.keepers() if victim == "keeper" else list(pods)
    else:
        found = [psutil.Process(pid) for name, pid in platform.processes().items() if name == victim]
    if not found:
        return False
    random.choice(found).kill()
    if victim == "supervisor":
        platform.up()
    return True


def _is_pod(process: psutil.Process, home: Path) -> bool:
    try:
        return str(home / "pods") in process.environ().get("HOME", "") or str(home / "pods") in process.cwd()
    except psutil.Error:
        return False


def _words(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def family(platform: Platform) -> list[psutil.Process]:
    """Every process that belongs to this home."""
    found = []
    for process in psutil.process_iter():
        try:
            text = " ".join(process.cmdline())
            if str(platform.home) in text or process.environ().get("INFERPLANE_HOME") == str(platform.home):
                found.append(process)
        except psutil.Error:
            continue
    return [one for one in found if one.pid != os.getpid()]


def memory(platform: Platform) -> dict[str, float]:
    """Private megabytes of the platform's processes; all keepers as one."""
    found = {name: [psutil.Process(pid)] for name, pid in platform.processes().items() if psutil.pid_exists(pid)}
    return sample(found | {"keepers": platform.keepers()})


def killer(platform: Platform, tally: Tally, stopping: threading.Event, every: float) -> None:
    turn = 0
    while not stopping.wait(every):
        victim = VICTIMS[turn % len(VICTIMS)]
        turn += 1
        try:
            if kill(platform, victim):
                tally.kills[victim] = tally.kills.get(victim, 0) + 1
        except (OSError, ValueError, psutil.Error) as error:
            print(f"  no {victim} to kill: {error}", flush=True)


@contextmanager
def running(home: Path) -> Iterator[Platform]:
    platform = Platform(home)
    platform.up()
    try:
        yield platform
    finally:
        platform.command("down")


def until(what: str, claim: Callable[[], object]) -> None:
    """Waits until `claim` gives nothing that is wrong; ends the run with what it gave last."""
    end = time.monotonic() + PATIENCE
    while wrong := _asked(claim):
        if time.monotonic() > end:
            raise SystemExit(f"NOT SO after {PATIENCE:g} s: {what}: {wrong}")
        time.sleep(0.5)
    print(f"  {what}", flush=True)


def _asked(claim: Callable[[], object]) -> object:
    try:
        return claim()
    except (OSError, http.client.HTTPException, psutil.Error) as error:
        return error


def lost(platform: Platform, expected: Expected) -> list[str]:
    """Acknowledged writes that aren't there; names with a write of unknown fate are left out."""
    status, listed = platform.client().call("GET", KIND)
    found = {one["metadata"]["name"]: one["metadata"]["annotations"].get(MARK) for one in listed["items"]}
    wrong = [] if status == 200 else [f"list: {status}"]
    for name, mark in expected.marks.items():
        if name in expected.open or mark == "":
            continue
        if found.get(name) != mark:
            wrong.append(f"{name}: expected {mark}, got {found.get(name)}")
    return wrong


def left_over(platform: Platform) -> list[str]:
    """Objects, processes and directories that nothing owns once every service is gone."""
    client, wrong = platform.client(), []
    for path in (
        "/apis/apps/v1/deployments",
        "/apis/apps/v1/replicasets",
        "/api/v1/pods",
        "/apis/discovery.k8s.io/v1/endpointslices",
        "/apis/gateway.networking.k8s.io/v1/httproutes",
        "/apis/autoscaling/v2/horizontalpodautoscalers",
    ):
        _, listed = client.call("GET", path)
        wrong += [
            f"{path.rpartition('/')[2]}/{one['metadata']['name']}"
            for one in listed["items"]
            if "soak-" in one["metadata"]["name"]
        ]
    _, listed = client.call("GET", "/api/v1/services")
    wrong += [f"services/{one['metadata']['name']}" for one in listed["items"] if "soak-" in one["metadata"]["name"]]
    pods = platform.home / "pods"
    wrong += [f"directory {one.name}" for one in pods.iterdir()] if pods.is_dir() else []
    wrong += [f"process {one.pid}" for one in family(platform) if _is_pod(one, platform.home)]
    return wrong


def astray(platform: Platform) -> list[str]:
    """Where Envoy's routes and clusters are not those of the services that are there and not stopped."""
    _, listed = platform.client().call("GET", KIND)
    living = {one["metadata"]["name"] for one in listed["items"] if STOP not in one["metadata"]["annotations"]}
    found = names(config_dump(platform.home / "run" / "envoy-admin.sock"))
    wrong = []
    for what, have in (("route", found.hosts), ("cluster", found.clusters)):
        served = {name for one in have for name in _OURS.findall(one)}
        wrong += [f"{what} of {name}, which isn't there" for name in sorted(served - living)]
        wrong += [f"no {what} of {name}" for name in sorted(living - served)]
    return wrong


def soak(minutes: float, services: int, live: int, every: float) -> None:
    with tempfile.TemporaryDirectory(prefix="soak-") as directory:
        work = Path(directory)
        model = _model(work)
        with running(work / "home") as platform:
            names = [f"soak-{number}" for number in range(services)]
            writers = Writers(platform, names, model, live)
            workers = min(16, services)
            threads = [threading.Thread(target=writers.run, args=(number, workers)) for number in range(workers)]
            threads.append(threading.Thread(target=killer, args=(platform, writers.tally, writers.stopping, every)))
            for thread in threads:
                thread.start()
            _watch(platform, writers, minutes)
            writers.stopping.set()
            for thread in threads:
                thread.join()
            until("the platform is whole again", lambda: _missing(platform))
            until("every acknowledged write is there", lambda: lost(platform, writers.expected))
            until("Envoy has just the routes and clusters of living services", lambda: astray(platform))
            _delete_all(platform)
            until("nothing is left: no object, process or directory", lambda: left_over(platform))
            until("Envoy has no route or cluster of them", lambda: astray(platform))
            _print(writers.tally)
        rest = family(platform)
        if rest:
            raise SystemExit(f"NOT SO: processes after `down`: {rest}")
        print("  no process after `down`")


def _missing(platform: Platform) -> list[str]:
    try:
        platform.client().call("GET", "/version")
        return [name for name, pid in platform.processes().items() if not psutil.pid_exists(pid)]
    except (OSError, http.client.HTTPException, SystemExit) as error:
        return [str(error)]


def _watch(platform: Platform, writers: Writers, minutes: float) -> None:
    begun = time.monotonic()
    told = begun
    while (now := time.monotonic()) < begun + minutes * 60:
        time.sleep(LOOK_EVERY)
        try:
            writers.tally.memory.append(memory(platform))
        except (OSError, ValueError, psutil.Error) as error:
            print(f"  not looked at: {error}", flush=True)
        if now - told > TELL_EVERY:
            told = now
            print(f"  {writers.tally.acknowledged} writes acknowledged, killed {writers.tally.kills}", flush=True)


def _delete_all(platform: Platform) -> None:
    client = platform.client()

    def left() -> list[str]:
        return [one["metadata"]["name"] for one in client.call("GET", KIND)[1]["items"]][:3]

    client.call("DELETE", KIND)
    until("every service is gone", left)


def _print(tally: Tally) -> None:
    print(f"writes acknowledged {tally.acknowledged}, cut by a kill {tally.cut}, refused {tally.refused or 'none'}")
    print(f"killed {tally.kills}")
    grown = []
    for name, trend in trends(tally.memory).items():
        print(f"memory of {name}, first third → last: {trend}")
        grown += [] if trend.flat else [name]
    if grown:
        raise SystemExit(f"NOT SO: memory has grown: {', '.join(grown)}")


def _model(work: Path) -> str:
    import joblib
    from sklearn.linear_model import LogisticRegression

    target = work / "model"
    target.mkdir()
    joblib.dump(LogisticRegression().fit([[0.0], [1.0]], [0, 1]), target / "model.joblib")
    return target.as_uri()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--services", type=int, default=200)
    parser.add_argument("--live", type=int, default=30, help="how many of them may run at a time")
    parser.add_argument("--every", type=float, default=5, help="seconds between two kills")
    given = parser.parse_args()
    soak(given.minutes, given.services, given.live, given.every)


if __name__ == "__main__":
    main()
