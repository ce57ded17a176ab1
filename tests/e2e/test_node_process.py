"""The node as a process, against the real API server: what its signals mean."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.e2e.node_under_test import alive

from inferplane.client.kubernetes import kinds
from inferplane.client.kubernetes.http import HttpApi
from inferplane.client.kubernetes.kubeconfig import read_kubeconfig
from inferplane.controlplane.node import runs
from inferplane.controlplane.node.directories import PodDirectory
from inferplane.kernel.json import JsonObject, list_at, object_at, text_at

pytestmark = pytest.mark.e2e

POD: JsonObject = {
    "metadata": {"name": "sleeper"},
    "spec": {
        "nodeName": "here",
        "terminationGracePeriodSeconds": 5,
        "containers": [{"name": "main", "image": "any", "command": ["sleep", "1000"]}],
    },
}


@contextmanager
def announcing(module: str, home: Path, *flags: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process of the platform, from its announcement to its end."""
    reading, writing = os.pipe()
    command = [sys.executable, "-m", f"inferplane.assembly.{module}", "--home", str(home), *flags]
    environ = {**os.environ, "INFERPLANE_READY_FD": str(writing)}
    with (home / f"{module}.log").open("ab") as log:
        process = subprocess.Popen(command, env=environ, pass_fds=(writing,), stdout=log, stderr=log)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.readline()
    assert b'"ready"' in said, (home / f"{module}.log").read_text()
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[HttpApi]:
    ports = ("--api-port", str(free_port()), "--gateway-port", str(free_port()))
    with announcing("control_plane", tmp_path, *ports):
        async with HttpApi(read_kubeconfig(tmp_path / "kubeconfig")) as api:
            yield api


async def until_ready(api: HttpApi) -> JsonObject:
    listed = await api.list(kinds.POD, "default")
    found = next((one for one in listed.items if _ready(one)), None)
    if found is not None:
        return found
    async for event in api.watch(kinds.POD, "default", since=listed.resource_version):
        if _ready(event.object):
            return event.object
    raise AssertionError("the watch ended")


async def test_sighup_leaves_the_pods_to_the_next_node_and_sigterm_ends_them(api: HttpApi, tmp_path: Path) -> None:
    name = ("--node-name", "here")
    with announcing("node", tmp_path, *name) as node:
        await api.create(kinds.POD, POD, "default")
        uid = text_at(await until_ready(api), "metadata", "uid")
        pid = _pid(tmp_path, uid)
        node.send_signal(signal.SIGHUP)
        assert node.wait(10) == 0
    assert alive(pid)
    with announcing("node", tmp_path, *name) as node:
        await until_ready(api)
        assert _pid(tmp_path, uid) == pid
        node.kill()
        node.wait()
    assert alive(pid)
    with announcing("node", tmp_path, *name) as node:
        begun = time.monotonic()
        node.terminate()
        assert node.wait(30) == 0
        assert time.monotonic() - begun < 5
    assert not alive(pid)
    pod = await api.get(kinds.POD, "sleeper", "default")
    assert not _ready(pod)


def test_a_home_without_a_sound_kubeconfig_is_one_line_and_not_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "kubeconfig").write_text("nonsense: [")
    command = [sys.executable, "-m", "inferplane.assembly.node", "--home", str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith("inferplane node: ")
    assert "Traceback" not in ended.stderr


def _pid(home: Path, uid: str) -> int:
    process = runs.history(PodDirectory(home / "pods" / uid).container("main"))[-1].process
    assert process is not None
    return process.pid


def _ready(pod: JsonObject) -> bool:
    conditions = [one for one in list_at(object_at(pod, "status"), "conditions") if isinstance(one, dict)]
    return any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)
