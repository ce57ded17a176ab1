"""Any process may be killed: what runs goes on, what was written is there, what died comes back."""

import json
import signal
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from urllib.parse import urlsplit

import psutil
import pytest
from tests.e2e.whole import EXAMPLE, INFERPLANE, Whole, eventually, whole_platform

pytestmark = pytest.mark.e2e

HOST = "sklearn-iris.default.localhost"
PATH = "/v1/models/sklearn-iris:predict"
BODY = b'{"instances":[[6.8,2.8,4.8,1.4]]}'
CONNECTIONS = 16


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with whole_platform(tmp_path_factory.mktemp("resilience")) as started:
        started.train()
        started.inferplane("apply", "-f", EXAMPLE / "isvc.yaml")
        yield started


def predict(platform: Whole) -> int:
    """The status of one prediction over a connection of its own; 0 when there was no answer."""
    request = urllib.request.Request(platform.gateway + PATH, BODY, {"Host": HOST})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def service(platform: Whole) -> dict[str, object]:
    found = json.loads(platform.inferplane("get", "isvc", "sklearn-iris", "-o", "json"))
    assert isinstance(found, dict)
    return found


def is_ready(platform: Whole) -> bool:
    status = service(platform).get("status", {})
    assert isinstance(status, dict)
    return any(one["type"] == "Ready" and one["status"] == "True" for one in status.get("conditions", []))


def model_server(platform: Whole) -> psutil.Process:
    """The container's process: it listens on the pod's address."""
    pods = json.loads(platform.inferplane("get", "pods", "-o", "json"))["items"]
    address = next(pod["status"]["podIP"] for pod in pods if "deletionTimestamp" not in pod["metadata"])
    listeners = psutil.net_connections(kind="tcp")
    pid = next(one.pid for one in listeners if one.laddr and one.laddr.ip == address and one.status == "LISTEN")
    assert pid is not None
    return psutil.Process(pid)


@dataclass
class Load:
    """What a number of clients met, each on a connection that it keeps."""

    answered: int = 0
    failures: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def work(self, address: str) -> None:
        connection = HTTPConnection(address, timeout=10)
        while not self.stop.is_set():
            try:
                connection.request("POST", PATH, BODY, {"Host": HOST})
                answer = connection.getresponse()
                text = answer.read()
            except OSError as error:
                self.failures.append(repr(error))
                return
            if answer.status != 200:
                self.failures.append(f"{answer.status} {text!r}")
            self.answered += 1
        connection.close()


@contextmanager
def load(platform: Whole) -> Iterator[Load]:
    address = urlsplit(platform.gateway).netloc
    running = Load()
    clients = [threading.Thread(target=running.work, args=(address,)) for _ in range(CONNECTIONS)]
    for client in clients:
        client.start()
    try:
        yield running
    finally:
        running.stop.set()
        for client in clients:
            client.join()


def answers_more(running: Load, count: int) -> None:
    seen = running.answered
    eventually(lambda: running.answered >= seen + count or running.failures, within=20)


def test_a_killed_control_plane_fails_no_request_and_forgets_nothing(platform: Whole) -> None:
    before = service(platform)
    with load(platform) as running:
        answers_more(running, 200)
        dead = platform.kill("control-plane")
        eventually(lambda: platform.pid("control-plane") != dead, within=10)
        answers_more(running, 200)
        eventually(lambda: _reads(platform), within=15)
        answers_more(running, 200)
    assert running.failures == []
    after = service(platform)
    assert after["metadata"] == before["metadata"], "nothing was lost and nothing was written anew"
    assert is_ready(platform)


def _reads(platform: Whole) -> bool:
    words = (str(INFERPLANE), "get", "isvc")
    return subprocess.run(words, env=platform.environ, capture_output=True, check=False).returncode == 0


def test_a_killed_model_server_is_ready_again_within_three_seconds(platform: Whole) -> None:
    model_server(platform).send_signal(signal.SIGKILL)
    eventually(lambda: predict(platform) == 200 and is_ready(platform), within=3)
    pods = json.loads(platform.inferplane("get", "pods", "-o", "json"))["items"]
    assert pods[0]["status"]["containerStatuses"][0]["lastState"]["terminated"]["signal"] == signal.SIGKILL


def test_a_killed_envoy_serves_again_within_three_seconds(platform: Whole) -> None:
    dead = platform.kill("envoy")
    eventually(lambda: predict(platform) == 200, within=3)
    assert platform.pid("envoy") != dead


def test_a_killed_node_leaves_pods_alone_and_the_next_one_adopts_them(platform: Whole) -> None:
    server = model_server(platform)
    dead = platform.kill("node")
    with load(platform) as running:
        eventually(lambda: platform.pid("node") != dead, within=10)
        answers_more(running, 500)
    assert running.failures == []
    assert model_server(platform).pid == server.pid, "the very same process"
    pods = json.loads(platform.inferplane("get", "pods", "-o", "json"))["items"]
    platform.inferplane("delete", "pod", pods[0]["metadata"]["name"])
    server.wait(timeout=40)
    eventually(lambda: predict(platform) == 200 and is_ready(platform), within=5)


def test_a_killed_supervisor_is_replaced_by_the_next_up_and_pods_live_on(platform: Whole) -> None:
    server = model_server(platform)
    port, api = (str(urlsplit(url).port) for url in (platform.status().gateway, platform.status().api))
    platform.kill("supervisor")
    platform.inferplane("up", "-d", "--port", port, "--api-port", api)
    assert platform.gateway.endswith(f":{port}"), "the old processes gave their ports up"
    eventually(lambda: predict(platform) == 200, within=5)
    assert model_server(platform).pid == server.pid
