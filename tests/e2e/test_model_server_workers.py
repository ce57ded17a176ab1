"""`--workers N` as processes: one port, one set of metrics, replaced when killed, stopped without a failed request."""

import asyncio
import os
import re
import signal
import socket
import ssl
import subprocess
import threading
import urllib.request
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path

import aiohttp
import psutil
import pytest
from grpc import secure_channel, ssl_channel_credentials
from tests.contract.grpc.certificates import Pair, signed_by_itself
from tests.e2e.test_model_server import PREDICT, ROWS, TIMEOUT, Load, free_port, iris, post, started

pytestmark = pytest.mark.e2e
__all__ = ["iris"]


def workers(process: "subprocess.Popen[str]") -> set[int]:
    return {child.pid for child in psutil.Process(process.pid).children() if child.status() != psutil.STATUS_ZOMBIE}


def until(condition: Callable[[], bool]) -> None:
    """Waits for what another process does; fails after a minute."""
    waited = threading.Event()
    for _ in range(TIMEOUT * 20):
        if condition():
            return
        waited.wait(0.05)
    pytest.fail("it did not happen in time")


def counted(port: int) -> float:
    """Answers with code 200, as /metrics of whichever worker tells."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=TIMEOUT) as answer:
        text = answer.read().decode()
    found = re.search(r'^inferplane_requests_total\{code="200",model_name="iris",protocol="v1"\} (\S+)$', text, re.M)
    return float(found[1]) if found else 0.0


def connections_of(pid: int, port: int) -> int:
    return sum(
        found.status == psutil.CONN_ESTABLISHED and found.laddr.port == port
        for found in psutil.Process(pid).net_connections("tcp")
    )


def test_workers_share_port_load_and_metrics(iris: Path) -> None:
    with started(f"--model_dir={iris}", "--workers=2") as (process, event, port):
        assert event == {"event": "ready"}
        assert len(workers(process)) == 2
        clients = [HTTPConnection("127.0.0.1", port, timeout=TIMEOUT) for _ in range(8)]
        for number in range(80):
            client = clients[number % 8]
            client.request("POST", PREDICT, '{"instances":[[6.8,2.8,4.8,1.4]]}')
            assert client.getresponse().read() == b'{"predictions":[1]}'
        assert [connections_of(pid, port) for pid in workers(process)] == [4, 4]
        for client in clients:
            client.close()
        assert [counted(port) for _ in range(4)] == [80.0] * 4


def test_a_killed_worker_is_replaced_and_what_it_counted_stays(iris: Path) -> None:
    with started(f"--model_dir={iris}", "--workers=2") as (process, _, port):
        for _ in range(20):
            post(port, PREDICT, {"instances": ROWS})
        before = workers(process)
        os.kill(min(before), signal.SIGKILL)
        until(lambda: len(workers(process) - before) == 1 and len(workers(process)) == 2)
        for _ in range(20):
            assert post(port, PREDICT, {"instances": ROWS}) == {"predictions": [1, 1]}
        assert counted(port) == 40.0


def test_stopping_workers_under_load_fails_no_request(iris: Path) -> None:
    with started(f"--model_dir={iris}", "--workers=2") as (process, _, port):
        pids = workers(process)
        clients = [Load(port) for _ in range(8)]
        for client in clients:
            client.start()
        for client in clients:
            assert client.going.wait(TIMEOUT)
        process.send_signal(signal.SIGTERM)
        assert process.wait(TIMEOUT) == 0
        for client in clients:
            client.join(TIMEOUT)
        assert not any(psutil.pid_exists(pid) for pid in pids)
    assert [client.failures for client in clients] == [[]] * len(clients)
    assert all(client.answers > 0 for client in clients)


def test_workers_whose_parent_is_killed_end(iris: Path) -> None:
    with started(f"--model_dir={iris}", "--workers=2") as (process, _, _):
        pids = workers(process)
        process.kill()
        process.wait(TIMEOUT)
        until(lambda: not any(psutil.pid_exists(pid) and _lives(pid) for pid in pids))


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_workers_that_cannot_load_the_model_say_so_once(tmp_path: Path) -> None:
    (tmp_path / "model.joblib").write_bytes(b"\x80\x04nonsense")
    with started(f"--model_dir={tmp_path}", "--workers=2") as (process, event, _):
        assert process.wait(TIMEOUT) == 1
    assert (event["event"], event["reason"]) == ("failed", "ModelLoadFailed")
    assert "model.joblib: cannot be loaded: " in event["message"]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return signed_by_itself(tmp_path_factory.mktemp("tls"))


async def over_tls(port: int, pair: Pair) -> list[list[int]]:
    """The answers of eight clients of REST."""
    trusted = ssl.create_default_context(cafile=str(pair.certificate))
    url = f"https://localhost:{port}{PREDICT}"
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusted)) as client:

        async def asked() -> list[int]:
            async with client.post(url, json={"instances": ROWS}) as answer:
                found: list[int] = (await answer.json())["predictions"]
                return found

        return await asyncio.gather(*(asked() for _ in range(8)))


def test_workers_speak_tls_on_both_ports(iris: Path, pair: Pair) -> None:
    grpc_port = free_port()
    flags = (f"--ssl_certfile={pair.certificate}", f"--ssl_keyfile={pair.key}", f"--grpc_port={grpc_port}")
    with started(f"--model_dir={iris}", "--workers=2", *flags) as (process, event, port):
        assert event == {"event": "ready"}
        assert asyncio.run(over_tls(port, pair)) == [[1, 1]] * 8
        with socket.create_connection(("127.0.0.1", port)) as stranger:
            stranger.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            assert not stranger.recv(100).startswith(b"HTTP")
        credentials = ssl_channel_credentials(pair.certificate.read_bytes())
        named = [("grpc.ssl_target_name_override", "localhost")]
        with secure_channel(f"127.0.0.1:{grpc_port}", credentials, options=named) as channel:
            ready = channel.unary_unary("/inference.GRPCInferenceService/ServerReady")
            assert ready(b"", timeout=TIMEOUT) == b"\x08\x01"
        process.terminate()
        _, errors = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0
    assert "Traceback" not in errors


def test_workers_share_a_grpc_port_of_the_systems_choice(iris: Path) -> None:
    with started(f"--model_dir={iris}", "--workers=2") as (process, _, _):
        process.terminate()
        _, errors = process.communicate(timeout=TIMEOUT)
    assert len(set(re.findall(r" grpc=\S+:(\d+)", errors))) == 1
    assert len(re.findall(r" grpc=\S+:\d+", errors)) == 2


def test_workers_whose_grpc_port_is_taken_say_so_before_they_start(iris: Path) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        taken = f"--grpc_port={held.getsockname()[1]}"
        with started(f"--model_dir={iris}", "--workers=2", taken) as (process, event, _):
            assert process.wait(TIMEOUT) == 1
    assert (event["event"], event["reason"]) == ("failed", "CannotListen")
    assert "--grpc_port" in event["message"]
