"""Payloads logged by real processes: our server, its workers, and the agent before a server that is not ours."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import grpc
import psutil
import pytest
from tests.e2e.sinks import sink
from tests.e2e.test_model_server import PREDICT, ROWS, TIMEOUT, free_port, iris, post, started
from tests.e2e.test_model_server_workers import until

from inferplane.dataplane.agent.events import Event, parsed
from inferplane.inference.grpc import grpc_predict_v2_pb2 as pb

pytestmark = pytest.mark.e2e
__all__ = ["iris"]

V2 = "/v2/models/iris/infer"
INFER = "/inference.GRPCInferenceService/ModelInfer"
STREAM = "/inference.GRPCInferenceService/ModelStreamInfer"


def lines(directory: Path) -> list[Event]:
    files = sorted(directory.glob("*.jsonl"))
    return [parsed(line) for file in files for line in file.read_bytes().splitlines()]


def request_of(row: Sequence[float]) -> pb.ModelInferRequest:
    tensor = pb.ModelInferRequest.InferInputTensor(name="x", datatype="FP64", shape=[1, 4])
    tensor.contents.fp64_contents.extend(row)
    return pb.ModelInferRequest(model_name="iris", inputs=[tensor])


def together(port: int, number: int) -> None:
    """As many requests at the same time, each with numbers of its own."""
    gate = threading.Barrier(number)

    def ask(index: int) -> None:
        gate.wait(TIMEOUT)
        post(port, PREDICT, {"instances": [[index, 1.0, 1.0, 1.0]]})

    threads = [threading.Thread(target=ask, args=(index,)) for index in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def metric(port: int, name: str, label: str) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=TIMEOUT) as answer:
        found = re.search(rf'^{name}{{sink="{re.escape(label)}"}} (\S+)$', answer.read().decode(), re.M)
    return float(found[1]) if found else 0.0


def test_every_request_is_two_events_in_every_sink_over_every_protocol_and_none_is_lost_at_the_end(
    iris: Path, tmp_path: Path
) -> None:
    flags = ("--inference-service=iris", "--namespace=demo", "--component=predictor", "--metadata-headers=X-User")
    grpc_port = free_port()
    with sink() as receiver:
        # So slow that most events are still to be sent when the server is told to stop.
        receiver.delay = 0.02
        urls = f"--log-url=file://{tmp_path}/log,{receiver.url}"
        with started(f"--model_dir={iris}", urls, f"--grpc_port={grpc_port}", *flags) as (process, event, port):
            assert event == {"event": "ready"}
            asked = {"instances": ROWS}
            post(port, PREDICT, asked)
            tensor = {"name": "x", "shape": [2, 4], "datatype": "FP64", "data": ROWS}
            post(port, V2, {"id": "1", "inputs": [tensor]})
            with grpc.insecure_channel(f"127.0.0.1:{grpc_port}") as channel:
                message = request_of(ROWS[0]).SerializeToString()
                answer = channel.unary_unary(INFER)(message, timeout=TIMEOUT)
                streamed = list(channel.stream_stream(STREAM)(iter([message, message]), timeout=TIMEOUT))
            with pytest.raises(urllib.error.HTTPError) as refused:
                post(port, PREDICT, {"instances": "rows"})
            refused.value.close()
            together(port, 32)
            process.send_signal(signal.SIGTERM)
            assert process.wait(TIMEOUT) == 0
    events = lines(tmp_path / "log")
    assert Counter((one.kind, str(one.attributes["path"])) for one in events) == {
        ("request", PREDICT): 34,
        ("response", PREDICT): 33,
        ("request", V2): 1,
        ("response", V2): 1,
        ("request", INFER): 1,
        ("response", INFER): 1,
        ("request", STREAM): 2,
        ("response", STREAM): 2,
    }
    of_path = {path: [one for one in events if one.attributes["path"] == path] for path in (INFER, STREAM)}
    assert [one.data for one in of_path[INFER]] == [message, answer]
    assert sorted(str(one.attributes["sequence"]) for one in of_path[STREAM]) == ["1", "1", "2", "2"]
    assert {one.data for one in of_path[STREAM]} == {message, *streamed}
    pairs = Counter(one.id for one in events if one.attributes["path"] == PREDICT)
    assert Counter(pairs.values()) == {2: 33, 1: 1}
    # Those that were computed together are logged each with its own rows.
    firsts = {json.loads(one.data)["instances"][0][0] for one in events if one.data.startswith(b'{"instances": [[')}
    assert set(range(32)) <= firsts
    assert {(one.attributes["namespace"], one.attributes["source"]) for one in events} == {
        ("demo", f"http://localhost:{port}/")
    }
    assert Counter((one.id, one.kind, one.body) for one in receiver.events) == Counter(
        (one.id, one.kind, one.data) for one in events
    )
    posted = next(one for one in receiver.events if one.id == events[0].id and one.kind == "request")
    assert {name: unquote(posted.headers[f"ce-{name}"]) for name in events[0].attributes if name != _KIND} == {
        name: str(value) for name, value in events[0].attributes.items() if name != _KIND
    }


_KIND = "datacontenttype"


def test_a_sink_that_is_down_costs_no_request_and_gets_what_there_was_room_for(iris: Path) -> None:
    with sink() as receiver:
        receiver.status = 503
        flags = (f"--log-url={receiver.url}", "--log-queue=10", "--log-mode=request", "--workers=2", "--log-flush=30")
        with started(f"--model_dir={iris}", *flags) as (process, _, port):
            for _ in range(40):
                assert post(port, PREDICT, {"instances": ROWS}) == {"predictions": [1, 1]}
            until(lambda: metric(port, "inferplane_logger_dropped_total", receiver.url) == 30)
            assert metric(port, "inferplane_logger_queued", receiver.url) == 10
            # The process that sends them dies: what it held is gone, the next requests are logged by another.
            [keeper] = [one for one in psutil.Process(process.pid).children() if len(one.children()) == 1]
            [writer] = keeper.children()
            writer.kill()
            until(lambda: any(one.pid != writer.pid for one in keeper.children()))
            receiver.status = 200
            for _ in range(5):
                post(port, PREDICT, {"instances": ROWS})
            assert len(receiver.wait(5)) == 5
            process.send_signal(signal.SIGTERM)
            assert process.wait(TIMEOUT) == 0
        assert [one.kind for one in receiver.events] == ["request"] * 5
        assert not keeper.is_running()


# --- the agent before another server ----------------------------------------------------------------------------------


class Foreign(BaseHTTPRequestHandler):
    """A server that is not ours: V1's predict of a model that doubles."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._say(200, json.dumps({"predictions": [2 * one for one in body["instances"]]}).encode())

    def do_GET(self) -> None:
        self._say(200, b"ok")

    def _say(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def foreign() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Foreign)
    server.daemon_threads = True
    server.block_on_close = False
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def agent(component: int, *flags: str) -> Iterator[tuple["subprocess.Popen[bytes]", int, int]]:
    """Process, port, and port of its metrics."""
    port, metrics = free_port(), free_port()
    probe = json.dumps({"httpGet": {"path": "/", "port": component}})
    reading, writing = os.pipe()
    given = [f"--port={port}", f"--component-port={component}", f"--metrics-port={metrics}", *flags]
    process = subprocess.Popen(
        [sys.executable, "-m", "inferplane.assembly.agent", *given],
        env={
            **os.environ,
            "POD_IP": "127.0.0.1",
            "INFERPLANE_READY_FD": str(writing),
            "SERVING_READINESS_PROBE": probe,
        },
        pass_fds=[writing],
    )
    os.close(writing)
    try:
        with open(reading) as pipe:
            assert json.loads(pipe.readline()) == {"event": "ready"}
        yield process, port, metrics
    finally:
        process.kill()
        process.wait()


def test_the_agent_logs_for_a_server_that_is_not_ours_and_loses_nothing_when_it_stops() -> None:
    with foreign() as component, sink() as receiver:
        receiver.delay = 0.02
        flags = (f"--log-url={receiver.url}", "--source-uri=pod-0", "--component=predictor")
        with agent(component, *flags) as (process, port, metrics):
            asked = urllib.request.Request(f"http://127.0.0.1:{port}/", headers={"K-Network-Probe": "queue"})
            with urllib.request.urlopen(asked, timeout=TIMEOUT) as answer:
                assert answer.read() == b"queue"
            for number in range(40):
                assert post(port, PREDICT, {"instances": [number]}) == {"predictions": [2 * number]}
            receiver.wait(1)
            assert metric(metrics, "inferplane_logger_sent_total", receiver.url) >= 0
            process.send_signal(signal.SIGTERM)
            assert process.wait(TIMEOUT) == 0
    assert Counter(one.kind for one in receiver.events) == {"request": 40, "response": 40}
    answers = sorted(json.loads(one.body)["predictions"][0] for one in receiver.events if one.kind == "response")
    assert answers == list(range(0, 80, 2))
    assert {one.headers["ce-source"] for one in receiver.events} == {"pod-0"}


@pytest.mark.parametrize(
    ("flags", "words", "code"),
    [
        (("--log-mode=some",), "expected all, request, response", 2),
        (("--colour",), "--colour", 2),
        (("--log-url=s3a://b",), "write s3 in place of s3a", 1),
    ],
)
def test_an_agent_that_cannot_be_says_why(flags: tuple[str, ...], words: str, code: int) -> None:
    command = [sys.executable, "-m", "inferplane.assembly.agent", *flags]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    assert (words in ran.stderr, ran.returncode) == (True, code)
