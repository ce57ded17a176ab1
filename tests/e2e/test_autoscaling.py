"""A service under real load grows and, when it is left in peace, shrinks again; no request fails on the way.

Figures are sampled and looked at every second here instead of every 15.
"""

import json
import re
import shutil
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from tests.e2e.whole import INFERPLANE, Whole, eventually, whole_platform

from inferplane.kernel.json import JsonObject, number_at, object_at

pytestmark = pytest.mark.e2e

CLAIM = """\
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: models}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
"""
SERVICE = """\
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata: {name: iris, annotations: {serving.kserve.io/deploymentMode: Standard}}
spec:
  predictor:
    minReplicas: 1
    maxReplicas: 3
    autoScaling:
      metrics:
      - type: Resource
        resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}
      behavior:
        scaleDown: {stabilizationWindowSeconds: 2}
    model:
      modelFormat: {name: sklearn}
      storageUri: pvc://models/sklearn-iris
      resources: {requests: {cpu: 100m, memory: 100Mi}}
"""
DEPLOYMENT = "iris-predictor"
# One of these keeps the model busy for milliseconds and its client for none.
LARGE = json.dumps({"instances": [[6.8, 2.8, 4.8, 1.4]] * 5000}).encode()
SMALL = json.dumps({"instances": [[6.8, 2.8, 4.8, 1.4]]}).encode()
PATIENCE = 120.0


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with pytest.MonkeyPatch.context() as environ:
        environ.setenv("INFERPLANE_HPA_SYNC_PERIOD", "1")
        environ.setenv("INFERPLANE_METRICS_RESOLUTION", "1")
        with whole_platform(tmp_path_factory.mktemp("autoscaling")) as started:
            started.train()
            started.run(INFERPLANE, "apply", "-f", "-", stdin=f"{CLAIM}---\n{SERVICE}")
            yield started


def shown(platform: Whole, kind: str, name: str) -> JsonObject:
    found: JsonObject = json.loads(platform.inferplane("get", kind, name, "-o", "json"))
    return found


def sizes(platform: Whole) -> tuple[int, int, int]:
    """Replicas wanted, there, and ready."""
    found = shown(platform, "deploy", DEPLOYMENT)
    status = object_at(found, "status")
    return number_at(found, "spec", "replicas"), number_at(status, "replicas"), number_at(status, "readyReplicas")


@dataclass
class Clients:
    """Send one request after another until told to stop; `failures` are those that were not answered with 200."""

    url: str
    body: bytes
    pause: float = 0.0
    failures: list[str] = field(default_factory=list)
    answered: int = 0
    stopped: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        while not self.stopped.wait(self.pause):
            try:
                with urllib.request.urlopen(urllib.request.Request(self.url, self.body), timeout=60) as answer:
                    answer.read()
                self.answered += 1
            except OSError as error:
                self.failures.append(repr(error))


@contextmanager
def sending(platform: Whole, body: bytes, count: int, pause: float = 0.0) -> Iterator[Clients]:
    clients = Clients(f"{platform.gateway}/serving/default/iris/v1/models/iris:predict", body, pause)
    threads = [threading.Thread(target=clients.run) for _ in range(count)]
    for one in threads:
        one.start()
    try:
        yield clients
    finally:
        clients.stopped.set()
        for one in threads:
            one.join()


def test_a_busy_service_grows_to_its_most_and_shrinks_to_its_least_without_a_failed_request(platform: Whole) -> None:
    assert sizes(platform) == (1, 1, 1)
    with sending(platform, SMALL, 1, pause=0.05) as regular:
        with sending(platform, LARGE, 2) as busy:
            eventually(lambda: sizes(platform) == (3, 3, 3), PATIENCE)
            hpa = object_at(shown(platform, "hpa", DEPLOYMENT), "status")
        eventually(lambda: sizes(platform) == (1, 1, 1), PATIENCE)
    assert (regular.failures, busy.failures) == ([], [])
    assert regular.answered > 0
    assert (hpa["desiredReplicas"], "lastScaleTime" in hpa) == (3, True)


def test_the_table_shows_use_beside_its_target(platform: Whole) -> None:
    eventually(lambda: re.search(r"cpu: \d+%/50%", platform.inferplane("get", "hpa")), PATIENCE)


def test_top_shows_what_a_service_does(platform: Whole) -> None:
    def busy() -> bool:
        found = json.loads(platform.inferplane("top", "iris", "--interval", "0.5", "-o", "json"))
        [component] = found["components"]
        known = (component["requestsPerSecond"], component["latencyMs"]["mean"], component["cpu"], component["memory"])
        return all(one is not None and one > 0 for one in known)

    with sending(platform, LARGE, 1):
        eventually(busy, PATIENCE)
    assert "iris   predictor" in platform.inferplane("top", "--once", "--interval", "0.2")


@pytest.mark.kubectl
@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not on the PATH: install it to run these")
def test_kubectl_scales_autoscales_and_describes(platform: Whole) -> None:
    platform.kubectl("create", "deployment", "web", "--image=none")
    platform.kubectl("scale", "deployment/web", "--replicas=4")
    assert platform.kubectl("get", "deploy/web", "-o", "jsonpath={.spec.replicas}") == "4"
    platform.kubectl("autoscale", "deployment", "web", "--cpu-percent=70", "--min=1", "--max=2")
    eventually(lambda: platform.kubectl("get", "deploy/web", "-o", "jsonpath={.spec.replicas}") == "2", PATIENCE)
    eventually(lambda: "SuccessfulRescale" in platform.kubectl("describe", "hpa/web"), PATIENCE)
    said = platform.kubectl("describe", "hpa/web")
    assert "New size: 2; reason: Current number of replicas above Spec.MaxReplicas" in said
    assert re.search(r"AbleToScale\s+True", said)
    assert "cpu: <unknown>/70%" in platform.kubectl("get", "hpa/web")
    eventually(lambda: DEPLOYMENT in platform.kubectl("top", "pods"), PATIENCE)
