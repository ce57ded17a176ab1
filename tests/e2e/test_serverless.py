"""A Knative Service on a real platform sleeps, wakes for whoever comes, and grows with its load; no request fails."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest
from tests.e2e.whole import Whole, eventually, whole_platform

pytestmark = pytest.mark.e2e

PATIENCE = 120.0
SERVER = """
import http.server, os, time

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        time.sleep(float(self.path.strip("/")))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass

class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128

Server((os.environ["POD_IP"], int(os.environ["PORT"])), Handler).serve_forever()
"""
CONFIG = {"data": {"scale-to-zero-grace-period": "1s"}}


def service() -> str:
    container = {
        "image": "python",
        "command": ["python", "-c", SERVER],
        "env": [{"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
    }
    marks = {"window": "6s", "target": "2", "target-utilization-percentage": "100", "max-scale": "3"}
    annotations = {f"autoscaling.knative.dev/{key}": text for key, text in marks.items()}
    template = {"metadata": {"annotations": annotations}, "spec": {"containers": [container]}}
    body = {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "metadata": {"name": "hello"}}
    return json.dumps(body | {"spec": {"template": template}})


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with whole_platform(tmp_path_factory.mktemp("serverless") / "home") as started:
        yield started


def ask(platform: Whole, seconds: float = 0.0) -> tuple[int, str]:
    """Status, and how the time of a cold start was spent."""
    connection = HTTPConnection(urlsplit(platform.gateway).netloc, timeout=PATIENCE)
    try:
        connection.request("GET", f"/{seconds}", headers={"Host": "hello.default.localhost"})
        found = connection.getresponse()
        found.read()
        return found.status, found.getheader("server-timing", "")
    finally:
        connection.close()


def replicas(platform: Whole) -> tuple[str, str]:
    """Wanted, and there."""
    path = "jsonpath={.spec.replicas} {.status.replicas}"
    wanted, _, there = platform.kubectl("get", "deployment/hello-00001-deployment", "-o", path).partition(" ")
    return wanted, there or "0"


def is_reached_directly(platform: Whole) -> bool:
    shown = platform.kubectl("get", "service/hello-00001", "-o", "json")
    return "inferplane.dev/backend" not in json.loads(shown)["metadata"].get("annotations", {})


def test_a_service_sleeps_wakes_and_grows_without_a_failed_request(platform: Whole) -> None:
    platform.kubectl(
        "patch", "configmap/config-autoscaler", "-n", "knative-serving", "--type=merge", "-p", json.dumps(CONFIG)
    )
    platform.kubectl("apply", "-f", "-", stdin=service())
    platform.kubectl("wait", "--for=condition=Ready", "ksvc/hello", f"--timeout={PATIENCE:g}s")
    eventually(lambda: replicas(platform) == ("0", "0"), PATIENCE)
    assert "NoTraffic" in platform.kubectl("get", "podautoscaler/hello-00001")

    with ThreadPoolExecutor(20) as clients:
        woke = [*clients.map(lambda _: ask(platform), range(20))]
    assert {status for status, _ in woke} == {200}
    assert any("fork" in timing for _, timing in woke)

    # The way goes from the activator to the pods while requests run; then it is Envoy's figures that count.
    enough, statuses = threading.Event(), list[int]()

    def keep_asking() -> None:
        while not enough.is_set():
            statuses.append(ask(platform, 0.2)[0])

    with ThreadPoolExecutor(6) as clients:
        for _ in range(6):
            clients.submit(keep_asking)
        try:
            eventually(lambda: is_reached_directly(platform), PATIENCE)
            eventually(lambda: replicas(platform) == ("3", "3"), PATIENCE)
        finally:
            enough.set()
    assert {*statuses} == {200}
