"""The model server as a process: started, asked, told to stop, started wrongly, forked."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import joblib
import pytest
from sklearn.datasets import load_iris
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

pytestmark = pytest.mark.e2e

ROWS = [[6.8, 2.8, 4.8, 1.4], [6.0, 3.4, 4.5, 1.6]]
PREDICT = "/v1/models/iris:predict"
TIMEOUT = 60


@pytest.fixture(scope="session")
def iris(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("iris")
    joblib.dump(SVC().fit(*load_iris(return_X_y=True)), directory / "model.joblib")
    return directory


@dataclass
class Process:
    pid: int
    port: int
    event: Mapping[str, str]
    """What it announced over the readiness pipe; empty when it ended without a word."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def started(*flags: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], Mapping[str, str], int]]:
    """The process, its announcement and its port. It is killed when the block ends, if it lives."""
    reading, writing = os.pipe()
    port = free_port()
    # A gRPC port of the system's choice: the default one may be another server's.
    given = ["--model_name=iris", f"--http_port={port}", "--grpc_port=0"]
    process = subprocess.Popen(
        [sys.executable, "-m", "inferplane.assembly.model_server", *given, *flags],
        env={**os.environ, "POD_IP": "127.0.0.1", "INFERPLANE_READY_FD": str(writing), **environment},
        pass_fds=[writing],
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(writing)
    try:
        with open(reading) as pipe:
            line = pipe.readline()
        yield process, json.loads(line) if line else {}, port
    finally:
        process.kill()
        process.communicate()


def post(port: int, path: str, body: object) -> object:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
        return json.loads(answer.read())


def test_a_model_is_served_over_both_protocols_once_readiness_is_announced(iris: Path) -> None:
    with started(f"--model_dir={iris}") as (_, event, port):
        assert event == {"event": "ready"}
        assert post(port, PREDICT, {"instances": ROWS}) == {"predictions": [1, 1]}
        tensor = {"name": "x", "shape": [2, 4], "datatype": "FP64", "data": ROWS}
        answer = post(port, "/v2/models/iris/infer", {"id": "1", "inputs": [tensor]})
        assert isinstance(answer, dict)
        assert answer["outputs"][0]["data"] == [1, 1]


def test_a_file_uri_and_probabilities_by_environment(iris: Path, tmp_path: Path) -> None:
    joblib.dump(DecisionTreeClassifier().fit([[0.0], [1.0]], [0, 1]), tmp_path / "m.pkl")
    with started(f"--model_dir=file://{tmp_path}", PREDICT_PROBA="True") as (_, _, port):
        assert post(port, PREDICT, {"instances": [[1.0]]}) == {"predictions": [[0.0, 1.0]]}


class Predictor(BaseHTTPRequestHandler):
    """Says of every model whether it is ready."""

    ready = False

    def do_GET(self) -> None:
        self.send_response(200 if self.ready else 503)
        self.end_headers()
        self.wfile.write(json.dumps({"name": "iris", "ready": self.ready}).encode())

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def predictor() -> Iterator[int]:
    """Its port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Predictor)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def status(port: int, path: str) -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=TIMEOUT) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        refused.close()
        return refused.code


def test_kserves_other_flags_do_what_they_say_or_the_log_says_why_not(
    iris: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with predictor() as behind:
        asked = [f"--predictor_host=127.0.0.1:{behind}", "--enable_predictor_health_check"]
        given = [*asked, "--predictor_request_retries=1", "--max_asyncio_workers=2", "--max_threads=8", "--protocol=v2"]
        with started(f"--model_dir={iris}", *given) as (process, event, port):
            assert event == {"event": "ready"}
            assert status(port, "/v1/models/iris") == 503
            monkeypatch.setattr(Predictor, "ready", True)
            assert status(port, "/v1/models/iris") == 200
            assert post(port, PREDICT, {"instances": ROWS}) == {"predictions": [1, 1]}
            process.terminate()
            _, errors = process.communicate(timeout=TIMEOUT)
    warned = [line.split(": ")[0].split()[-1] for line in errors.splitlines() if "WARNING" in line]
    assert sorted(warned) == ["--max_threads", "--protocol"]


def test_each_requests_stages_are_logged_when_asked_for(iris: Path) -> None:
    with started(f"--model_dir={iris}", "--enable_latency_logging=true") as (process, _, port):
        post(port, PREDICT, {"instances": ROWS})
        process.terminate()
        _, errors = process.communicate(timeout=TIMEOUT)
    assert "predict_ms: " in errors


def test_stopping_under_load_fails_no_request(iris: Path) -> None:
    with started(f"--model_dir={iris}") as (process, _, port):
        clients = [Load(port) for _ in range(8)]
        for client in clients:
            client.start()
        for client in clients:
            assert client.going.wait(TIMEOUT)
        process.send_signal(signal.SIGTERM)
        assert process.wait(TIMEOUT) == 0
        for client in clients:
            client.join(TIMEOUT)
    assert [client.failures for client in clients] == [[]] * len(clients)
    assert all(client.answers > 0 for client in clients)


class Load(threading.Thread):
    """Asks over one kept connection until it is told to close; any error before that is a failure."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.port = port
        self.going = threading.Event()
        self.answers = 0
        self.failures: list[str] = []

    def run(self) -> None:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)
        body = json.dumps({"instances": ROWS})
        told_to_close = False
        while not told_to_close:
            try:
                connection.request("POST", PREDICT, body)
                answer = connection.getresponse()
                told_to_close = answer.getheader("connection") == "close"
                if (answer.status, answer.read()) != (200, b'{"predictions":[1,1]}'):
                    self.failures.append(f"status {answer.status}")
            except OSError as error:
                self.failures.append(repr(error))
                return
            self.answers += 1
            self.going.set()
        connection.close()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            ["--model_dir=/no/such/dir"],
            "Cannot locate source uri /no/such/dir: there is no /no/such/dir on this machine",
        ),
        (["--model_dir=unheard-of://bucket/m"], "Cannot recognize storage type for unheard-of://bucket/m"),
        (["--model_dir=EMPTY"], "EMPTY: found nothing: name its format: --format="),
        (["--format=sklearn", "EMPTY"], "looked for one file ending in .joblib, .pkl, .pickle, found nothing"),
        (["--model_dir=BROKEN"], "model.joblib: cannot be loaded: "),
    ],
)
def test_a_model_that_cannot_be_loaded_is_announced_logged_in_one_line_and_left_behind(
    flags: list[str], message: str, tmp_path: Path
) -> None:
    (tmp_path / "EMPTY").mkdir()
    (tmp_path / "BROKEN").mkdir()
    (tmp_path / "BROKEN" / "model.joblib").write_bytes(b"\x80\x04nonsense")
    log = tmp_path / "termination-log"
    placed = [flag.replace("EMPTY", f"{tmp_path}/EMPTY").replace("BROKEN", f"{tmp_path}/BROKEN") for flag in flags]
    with started(*placed, INFERPLANE_TERMINATION_LOG=str(log)) as (process, event, _):
        _, errors = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 1
    assert (event["event"], event["reason"], event["message"]) == ("failed", "ModelLoadFailed", log.read_text())
    assert message in event["message"]
    assert [line for line in errors.splitlines() if message in line] == errors.splitlines()


def test_a_port_that_is_taken_is_named_with_the_way_out(iris: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with started(f"--model_dir={iris}", f"--http_port={port}") as (process, event, _):
            assert process.wait(TIMEOUT) == 1
    assert event["reason"] == "CannotListen"
    assert event["message"].startswith(f"cannot listen on 127.0.0.1:{port}: ")
    assert event["message"].endswith("choose another with --http_port")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--model_dri=x"], "unknown flag --model_dri: did you mean --model_dir?"),
        ([], "no directory with a model is given: inferplane serve DIR"),
        (["x", "y"], "unexpected argument 'y'"),
        (["x", "--model_dir=y"], "two directories: x and --model_dir=y"),
        (["--model_dir=x", "--http_prot=1"], "unknown flag --http_prot: did you mean --http_port?"),
        (["--model_dir=x", "--workers=0"], "expected 1 or more, got 0"),
        (["--model_dir=x", "--http_port=70000"], "expected a port from 0 to 65535, got 70000"),
        (["--model_dir=x", "--format=onyx"], "invalid choice: 'onyx'"),
    ],
)
def test_wrong_flags_end_with_code_2_and_one_line(flags: list[str], message: str) -> None:
    with started(*flags) as (process, _, _):
        _, errors = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 2
    assert message in errors
    assert len(errors.splitlines()) == 1


FORKING = """
import os, sys
from importlib import import_module
from inferplane.assembly import model_server, warming
warming.sklearn()
sys.stdin.readline()
child = os.fork()
if child == 0:
    os._exit(model_server.main(sys.argv[1:]))
print(child, flush=True)
os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_process_forked_from_a_warm_one_serves_and_stops(iris: Path) -> None:
    reading, writing = os.pipe()
    port = free_port()
    zygote = subprocess.Popen(
        [sys.executable, "-c", FORKING, "--model_name=iris", f"--model_dir={iris}", f"--http_port={port}"],
        env={**os.environ, "POD_IP": "127.0.0.1", "INFERPLANE_READY_FD": str(writing)},
        pass_fds=[writing],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    os.close(writing)
    assert zygote.stdin is not None
    assert zygote.stdout is not None
    zygote.stdin.write("go\n")
    zygote.stdin.flush()
    child = int(zygote.stdout.readline())
    try:
        pipe = os.fdopen(reading)
        start = time.perf_counter()
        assert json.loads(pipe.readline()) == {"event": "ready"}
        assert post(port, PREDICT, {"instances": ROWS}) == {"predictions": [1, 1]}
        print(f"fork seen → first answer: {(time.perf_counter() - start) * 1000:.0f} ms")
    finally:
        os.kill(child, signal.SIGTERM)
        assert zygote.wait(TIMEOUT) == 0
        zygote.stdin.close()
        zygote.stdout.close()
        pipe.close()


def initialized(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "inferplane.assembly.storage_initializer", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )


def test_the_storage_initializer_links_every_pair(iris: Path, tmp_path: Path) -> None:
    done = initialized(f"file://{iris}", f"{tmp_path}/a", str(iris), f"{tmp_path}/b")
    assert done.returncode == 0
    assert [(tmp_path / name / "model.joblib").resolve() for name in "ab"] == [iris / "model.joblib"] * 2


def test_a_storage_initializer_that_fails_says_why_in_one_line_and_in_the_termination_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    done = initialized("/no/such/model", str(tmp_path), INFERPLANE_TERMINATION_LOG=str(log))
    reason = "Cannot locate source uri /no/such/model: there is no /no/such/model on this machine"
    assert (done.returncode, done.stderr, log.read_text()) == (1, f"storage-initializer: {reason}\n", reason)
    assert initialized("one").stderr.startswith("storage-initializer: usage: ")
