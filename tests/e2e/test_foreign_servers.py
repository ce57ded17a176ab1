"""Servers that are not ours behind KServe's agent: MLServer in an environment of its own, and a few lines of Python;
and example 04, whose server is ours.

apply → Ready → gateway, with requests joined and logged by the agent; asleep and awake again.

The environment is the one that the node itself would build for the image. It is built once and kept beside the
emulators', where the platform of this test looks for environments: from a package index that takes a minute or so, from
uv's cache a few seconds, and none when it is there already. Where no index can be reached the tests of MLServer are
skipped, and say so; the others run.
"""

import asyncio
import json
import os
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest
from tests.e2e.libraries import builder
from tests.e2e.whole import REPOSITORY, Whole, eventually, whole_platform

from inferplane.controlplane.node.environments.builder import BuildFailed
from inferplane.controlplane.node.environments.choose import choose, chosen
from inferplane.controlplane.node.environments.installed import installed
from inferplane.controlplane.node.images import wish
from inferplane.resources.process_image import ProcessImage, find, process_images

pytestmark = pytest.mark.e2e

PATIENCE = 170.0
IMAGE = "docker.io/seldonio/mlserver:1.7.1"
SKLEARN = {"MLSERVER_MODEL_IMPLEMENTATION": "mlserver_sklearn.SKLearnModel"}
KEPT = REPOSITORY / ".venv-emulators" / "environments"
TRAIN = """
import sys, joblib
from sklearn.datasets import load_iris
from sklearn.svm import SVC
joblib.dump(SVC(gamma="scale").fit(*load_iris(return_X_y=True)), sys.argv[1])
"""
ADDING = """
import http.server, json, os

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        rows = json.loads(self.rfile.read(int(self.headers["content-length"])))["instances"]
        if any(row[0] < 0 for row in rows):
            return self.say(422, {"why": "below zero"})
        self.say(200, {"predictions": [[sum(row), len(rows)] for row in rows]})

    def say(self, status, body):
        self.send_response(status)
        self.send_header("content-type", "application/json")
        text = json.dumps(body).encode()
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass

http.server.ThreadingHTTPServer((os.environ["POD_IP"], 8080), Handler).serve_forever()
"""
ROWS = [[6.8, 2.8, 4.8, 1.4], [5.1, 3.5, 1.4, 0.2], [6.3, 3.3, 6.0, 2.5]]
CLASSES = [1, 0, 2]


@pytest.fixture(scope="module")
def environment() -> Path | BuildFailed:
    """MLServer's, or why there is none."""
    image = find([msgspec.convert(one, ProcessImage) for one in process_images()], IMAGE)
    assert image is not None
    wanted = choose(chosen(wish(image, IMAGE), SKLEARN), installed())
    assert wanted is not None
    try:
        return asyncio.run(builder(KEPT).build(wanted, print))
    except BuildFailed as error:
        if "the package index cannot be reached" in str(error):
            return error
        raise


class Sink:
    """Takes CloudEvents in binary mode. `events`: type, id and body of each."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str, dict[str, object]]] = []
        sink = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                sink.events.append((self.headers["ce-type"].rpartition(".")[2], self.headers["ce-id"], body))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    made = Sink()
    thread = threading.Thread(target=made.server.serve_forever)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory, environment: Path | BuildFailed, sink: Sink) -> Iterator[Whole]:
    directory = tmp_path_factory.mktemp("foreign")
    home = directory / "home"
    home.mkdir()
    (home / "environments").symlink_to(KEPT)
    with whole_platform(home) as started:
        window = {"data": {"scale-to-zero-grace-period": "1s", "stable-window": "6s"}}
        patch = ("patch", "configmap/config-autoscaler", "-n", "knative-serving", "--type=merge", "-p")
        started.kubectl(*patch, json.dumps(window))
        services = [adding()]
        if isinstance(environment, Path):
            services.append(mlserver(trained(environment, directory / "model"), sink))
        for one in services:
            started.kubectl("apply", "-f", "-", stdin=json.dumps(one))
        started.train()
        started.kubectl("apply", "-f", REPOSITORY / "examples" / "04-batching" / "isvc.yaml")
        wait = ("wait", "--for=condition=Ready", "isvc", "--all", f"--timeout={PATIENCE:g}s")
        started.run("kubectl", *wait, timeout=PATIENCE + 10)
        yield started


@pytest.fixture
def installed_mlserver(environment: Path | BuildFailed) -> None:
    if isinstance(environment, BuildFailed):
        pytest.skip(f"MLServer cannot be installed here: {environment}")


def trained(environment: Path, directory: Path) -> Path:
    """By the scikit-learn that will read it."""
    directory.mkdir()
    train: list[str | Path] = [environment / "bin" / "python", "-c", TRAIN, directory / "model.joblib"]
    subprocess.run(train, check=True, env={"HOME": str(directory), "PATH": os.environ["PATH"]})
    return directory


def isvc(name: str, mode: str, predictor: dict[str, object]) -> dict[str, object]:
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name, "annotations": {"serving.kserve.io/deploymentMode": mode}},
        "spec": {"predictor": predictor},
    }


def adding() -> dict[str, object]:
    """In Standard mode. A batch is full with three rows, and waits for them as long as a test may take."""
    container = {
        "name": "kserve-container",
        "image": "example.test/adding:1",
        "command": [sys.executable, "-c", ADDING],
    }
    return isvc("adding", "Standard", {"containers": [container], "batcher": {"maxBatchSize": 3, "maxLatency": 60000}})


def mlserver(model: Path, sink: Sink) -> dict[str, object]:
    """`protocolVersion: v2` has MLServer chosen, as in KServe."""
    predictor = {
        "minReplicas": 0,
        "batcher": {"maxBatchSize": 8, "maxLatency": 100},
        "logger": {"mode": "all", "url": sink.url},
        "model": {
            "modelFormat": {"name": "sklearn"},
            "protocolVersion": "v2",
            "storageUri": f"file://{model}",
            # It computes in its own process then, and starts in half the time.
            "env": [{"name": "MLSERVER_PARALLEL_WORKERS", "value": "0"}],
        },
    }
    return isvc("foreign", "Knative", predictor)


def post(platform: Whole, host: str, path: str, body: object) -> tuple[int, dict[str, object]]:
    headers = {"Host": host, "Content-Type": "application/json"}
    request = urllib.request.Request(platform.gateway + path, json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def ask(platform: Whole, row: list[float]) -> dict[str, object]:
    tensor = {"name": "x", "shape": [1, 4], "datatype": "FP64", "data": row}
    body = {"id": str(row[0]), "inputs": [tensor]}
    status, found = post(platform, "foreign.default.localhost", "/v2/models/foreign/infer", body)
    assert status == 200, found
    return found


def add(platform: Whole, *rows: list[int]) -> tuple[int, dict[str, object]]:
    return post(platform, "adding-default.localhost", "/v1/models/adding:predict", {"instances": rows})


def classes(answer: dict[str, object]) -> object:
    (output,) = msgspec.convert(answer["outputs"], list[dict[str, object]])
    return output["data"]


def half(sink: Sink, kind: str) -> dict[str, object]:
    """The ids that the bodies of that kind have, by the event's."""
    return {event: body["id"] for found, event, body in sink.events if found == kind}


def containers(platform: Whole, name: str = "foreign") -> list[str]:
    path = "jsonpath={.items[*].spec.containers[*].name}"
    return platform.kubectl("get", "pods", "-l", f"serving.kserve.io/inferenceservice={name}", "-o", path).split()


@pytest.mark.usefixtures("installed_mlserver")
def test_requests_reach_mlserver_and_each_gets_its_own_answer(platform: Whole, sink: Sink) -> None:
    assert containers(platform) == ["kserve-container", "agent"]
    with ThreadPoolExecutor(len(ROWS)) as clients:
        found = list(clients.map(lambda row: ask(platform, row), ROWS))
    assert [classes(one) for one in found] == [[one] for one in CLASSES]
    assert [one["id"] for one in found] == [str(row[0]) for row in ROWS]
    eventually(lambda: len(sink.events) == 2 * len(ROWS), PATIENCE)
    # The logger is before the batcher: it sees what clients sent and what they got.
    assert half(sink, "request") == half(sink, "response")


def test_requests_reach_a_server_in_standard_mode_together(platform: Whole) -> None:
    with ThreadPoolExecutor(3) as clients:
        found = list(clients.map(lambda row: add(platform, row), [[1, 2], [3, 4], [5, 6]]))
    # The second number is how many rows the server saw.
    assert [body["predictions"] for _, body in found] == [[[3, 3]], [[7, 3]], [[11, 3]]]
    assert len({str(body["batchId"]) for _, body in found}) == 1
    path = "jsonpath={.spec.ports[0].targetPort}"
    assert platform.kubectl("get", "service", "adding-predictor", "-o", path) == "9081"


def test_what_the_server_refuses_is_refused_to_its_sender_alone(platform: Whole) -> None:
    with ThreadPoolExecutor(3) as clients:
        found = list(clients.map(lambda row: add(platform, row), [[1, 2], [-3, 4], [5, 6]]))
    assert [status for status, _ in found] == [200, 422, 200]
    assert found[1][1] == {"why": "below zero"}


def test_our_own_server_does_it_without_an_agent(platform: Whole) -> None:
    assert containers(platform, "batched-iris") == ["kserve-container"]
    url = platform.kubectl("get", "isvc", "batched-iris", "-o", "jsonpath={.status.url}")
    path = "/v1/models/batched-iris:predict"
    with ThreadPoolExecutor(len(ROWS)) as clients:
        asked = [{"instances": [row]} for row in ROWS]
        found = list(clients.map(lambda body: post(platform, urlsplit(url).hostname or "", path, body), asked))
    assert [(status, body.get("predictions")) for status, body in found] == [(200, [one]) for one in CLASSES], found
    assert {(*body,) for _, body in found} == {("message", "batchId", "predictions")}


def test_the_agent_counts_what_it_joins(platform: Whole) -> None:
    def counted() -> float:
        path = "jsonpath={.items[0].status.podIP}"
        address = platform.kubectl("get", "pods", "-l", "serving.kserve.io/inferenceservice=adding", "-o", path)
        with urllib.request.urlopen(f"http://{address}:9082/metrics", timeout=PATIENCE) as answer:
            lines = answer.read().decode().splitlines()
        return next((float(one.split()[-1]) for one in lines if one.startswith("inferplane_batch_rows_sum")), 0.0)

    before = counted()
    assert add(platform, [1, 2], [3, 4], [5, 6])[0] == 200
    assert counted() == before + 3


@pytest.mark.usefixtures("installed_mlserver")
def test_it_sleeps_and_wakes_for_whoever_comes(platform: Whole) -> None:
    eventually(lambda: containers(platform) == [], PATIENCE)
    assert classes(ask(platform, ROWS[0])) == [CLASSES[0]]
