"""Requests that wait for a service at zero get an answer, whatever becomes of the service or of the platform meanwhile.

The service's process starts to listen when a file is there, so requests wait for as long as a test wants.
"""

import json
import re
import socket
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.e2e.whole import Whole, eventually, whole_platform

from inferplane.assembly.home import Home

pytestmark = pytest.mark.e2e

PATIENCE = 120.0
WAITING = 20
SERVER = """
import http.server, os, pathlib, time

while not pathlib.Path(os.environ["GATE"]).exists():
    time.sleep(0.01)

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass

http.server.ThreadingHTTPServer((os.environ["POD_IP"], 8080), Handler).serve_forever()
"""
FROM_ZERO = {"data": {"allow-zero-initial-scale": "true"}}


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with whole_platform(tmp_path_factory.mktemp("asleep") / "home") as started:
        patch = ("configmap/config-autoscaler", "-n", "knative-serving", "--type=merge", "-p", json.dumps(FROM_ZERO))
        started.kubectl("patch", *patch)
        yield started


def asleep(platform: Whole, name: str) -> Path:
    """A service that never had a replica. Its process listens once the path that is returned exists."""
    gate = platform.home / f"{name}-may-listen"
    container = {
        "name": "kserve-container",
        "image": "python",
        "command": ["python", "-c", SERVER],
        "env": [
            {"name": "GATE", "value": str(gate)},
            {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        ],
    }
    body = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name, "annotations": {"autoscaling.knative.dev/initial-scale": "0"}},
        "spec": {"predictor": {"minReplicas": 0, "containers": [container]}},
    }
    platform.kubectl("apply", "-f", "-", stdin=json.dumps(body))
    platform.kubectl("wait", "--for=condition=Ready", f"isvc/{name}", "--timeout=50s")
    assert platform.kubectl("get", "pods", "-o", "name", "-l", f"serving.kserve.io/inferenceservice={name}") == ""
    return gate


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def error(self) -> str:
        """What the JSON of a refusal says."""
        found = json.loads(self.body)["error"]
        assert isinstance(found, str)
        return found

    @property
    def may_be_asked_again(self) -> bool:
        return self.status == 503 and int(self.headers["retry-after"]) > 0 and self.error != ""


def ask(platform: Whole, name: str) -> Answer:
    connection = HTTPConnection(urlsplit(platform.gateway).netloc, timeout=PATIENCE)
    try:
        connection.request("GET", "/", headers={"Host": f"{name}.default.localhost"})
        found = connection.getresponse()
        return Answer(found.status, {key.lower(): text for key, text in found.getheaders()}, found.read())
    finally:
        connection.close()


def waiting(platform: Whole) -> int:
    """Requests that the gateway has sent to the activator and that have no answer yet."""
    with socket.socket(socket.AF_UNIX) as admin:
        admin.settimeout(PATIENCE)
        admin.connect(str(Home(platform.home).envoy_admin_socket))
        admin.sendall(b"GET /stats HTTP/1.1\r\nhost: envoy\r\nconnection: close\r\n\r\n")
        page = b"".join(iter(lambda: admin.recv(65536), b""))
    counted = re.findall(
        rb"^cluster\.knative-serving/activator-service_\d+\.upstream_rq_active: (\d+)", page, re.MULTILINE
    )
    return sum(map(int, counted))


@contextmanager
def nobody_starts_it_again(platform: Whole) -> Iterator[None]:
    """The supervisor looks away."""
    supervisor = platform.status().alive("supervisor")
    assert supervisor is not None
    supervisor.suspend()
    try:
        yield
    finally:
        supervisor.resume()


def test_those_who_wait_for_a_service_that_is_deleted_are_told_that_it_is_not_there(platform: Whole) -> None:
    asleep(platform, "doomed")
    with ThreadPoolExecutor(WAITING) as clients:
        asked = [clients.submit(ask, platform, "doomed") for _ in range(WAITING)]
        eventually(lambda: waiting(platform) == WAITING, PATIENCE)
        platform.kubectl("delete", "isvc/doomed")
        answers = [one.result() for one in asked]
    assert {(one.status, one.error) for one in answers} == {
        (404, "there is no revision default/doomed-predictor-00001")
    }
    eventually(lambda: "nothing is served at host doomed.default.localhost" in ask(platform, "doomed").error, PATIENCE)


def test_while_the_control_plane_is_away_those_who_need_it_are_told_to_come_again(platform: Whole) -> None:
    gate = asleep(platform, "sleepy")
    with ThreadPoolExecutor(1) as client:
        asked = client.submit(ask, platform, "sleepy")
        eventually(lambda: waiting(platform) == 1, PATIENCE)
        with nobody_starts_it_again(platform):
            dead = platform.kill("control-plane")
            waited, came = asked.result(), ask(platform, "sleepy")
    assert waited.may_be_asked_again
    assert came.may_be_asked_again
    assert "it wakes services that sleep" in came.error
    gate.touch()
    answers = list[Answer]()

    def is_served() -> bool:
        answers.append(ask(platform, "sleepy"))
        return answers[-1].status == 200

    eventually(is_served, PATIENCE)
    assert all(one.may_be_asked_again for one in answers[:-1])
    assert platform.pid("control-plane") != dead
