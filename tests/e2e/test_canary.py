"""A canary beside a stable predictor, under load: shares of the traffic, promotion and roll-back fail no request."""

import json
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

import pytest
from tests.e2e.whole import Whole, eventually, whole_platform

pytestmark = pytest.mark.e2e

CONSTANTS = """
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
CLAIM = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "models"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}
PATH = "/v1/models/iris:predict"
BODY = json.dumps({"instances": [[0]]}).encode()


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    home = tmp_path_factory.mktemp("canary") / "home"
    with whole_platform(home) as started:
        started.run(sys.executable, "-c", CONSTANTS, home / "volumes" / "default" / "models")
        started.kubectl("apply", "-f", "-", stdin=json.dumps(CLAIM))
        yield started


def service(version: int = 1, name: str = "", canary: int | None = None) -> str:
    predictor: dict[str, object] = {"minReplicas": 2, "model": model(version), **({"name": name} if name else {})}
    spec: dict[str, object] = {"predictor": predictor}
    if canary is not None:
        spec["canary"] = [{"predictor": {"name": "v2", "model": model(2)}, "trafficPercent": canary}]
    meta = {"name": "iris", "annotations": {"serving.kserve.io/autoscalerClass": "none"}}
    body = {"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService", "metadata": meta, "spec": spec}
    return json.dumps(body)


def model(version: int) -> dict[str, object]:
    return {"modelFormat": {"name": "sklearn"}, "storageUri": f"pvc://models/v{version}"}


@dataclass
class Load:
    """Requests one after the other on a few connections. `answers` counts predictions, `failures` is all else."""

    gateway: str
    # Both from the start: the threads change numbers while others iterate, and must not add keys.
    answers: Counter[int] = field(default_factory=lambda: Counter({1: 0, 2: 0}))
    failures: list[str] = field(default_factory=list)
    _ending: threading.Event = field(default_factory=threading.Event)

    def ask(self) -> None:
        connection = HTTPConnection(urlsplit(self.gateway).netloc, timeout=30)
        while not self._ending.is_set():
            try:
                connection.request("POST", PATH, BODY, {"Host": "iris-default.localhost"})
                answer = connection.getresponse()
                body = answer.read()
            except (OSError, HTTPException) as error:
                self.failures.append(repr(error))
                connection.close()
                continue
            if answer.status == 200:
                self.answers[json.loads(body)["predictions"][0]] += 1
            else:
                self.failures.append(f"{answer.status} {body!r}")
        connection.close()

    def next(self, number: int) -> Counter[int]:
        """What the next requests are answered."""
        before = self.answers.copy()
        eventually(lambda: self.answers.total() >= before.total() + number, 60)
        return self.answers - before

    def end(self) -> None:
        self._ending.set()


@contextmanager
def under_load(gateway: str) -> Iterator[Load]:
    load = Load(gateway)
    threads = [threading.Thread(target=load.ask) for _ in range(4)]
    for one in threads:
        one.start()
    try:
        yield load
    finally:
        load.end()
        for one in threads:
            one.join()


def apply(platform: Whole, body: str) -> None:
    platform.kubectl("apply", "-f", "-", stdin=body)


def wait(platform: Whole, condition: str) -> None:
    platform.kubectl("wait", f"--for={condition}", "isvc/iris", "--timeout=60s")


def test_a_canary_its_promotion_and_a_renamed_predictor_fail_no_request(platform: Whole) -> None:
    apply(platform, service())
    wait(platform, "condition=Ready")
    with under_load(platform.gateway) as load:
        assert load.next(50)[2] == 0

        apply(platform, service(canary=50))
        wait(platform, "condition=CanaryPredictorReady")
        eventually(lambda: load.answers[2] > 0, 60)
        half = load.next(400)

        apply(platform, service(canary=0))
        eventually(lambda: load.next(50)[2] == 0, 60)

        apply(platform, service(canary=100))
        eventually(lambda: load.next(50)[1] == 0, 60)

        apply(platform, service(version=2, name="v2"))
        eventually(lambda: deployments(platform) == ["iris-v2-predictor"], 60)
        eventually(lambda: pods(platform) == 2, 60)
        promoted = load.next(50)

        apply(platform, service(version=1, name="v3"))
        eventually(lambda: load.next(50)[2] == 0, 60)
        eventually(lambda: deployments(platform) == ["iris-v3-predictor"], 60)
    assert load.failures == []
    assert 0.3 < half[2] / half.total() < 0.7
    assert promoted[1] == 0


def deployments(platform: Whole) -> list[str]:
    return [one.removeprefix("deployment.apps/") for one in platform.kubectl("get", "deploy", "-o", "name").split()]


def pods(platform: Whole) -> int:
    """Ready ones; those of the old version must be gone."""
    found = json.loads(platform.kubectl("get", "pods", "-o", "json"))["items"]
    ready = [{one["type"]: one["status"] for one in pod["status"].get("conditions", [])}.get("Ready") for pod in found]
    return len(ready) if set(ready) == {"True"} else 0
