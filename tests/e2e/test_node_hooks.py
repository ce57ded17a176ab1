"""Lifecycle hooks with real processes: when they run, what waits for them, and what becomes of one that fails."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.e2e.node_under_test import Machine, alive, sh

from inferplane.client.kubernetes import kinds
from inferplane.kernel.json import Json, JsonObject, number_at, object_at, text_at

pytestmark = pytest.mark.e2e

VOLUME: Json = {"name": "v", "emptyDir": {}}
MOUNTS: list[Json] = [{"name": "v", "mountPath": "/mnt/v"}]


@pytest.fixture
async def machine(tmp_path: Path) -> AsyncIterator[Machine]:
    machine = Machine(tmp_path)
    yield machine
    await machine.end()


def hooked(script: str, **hooks: Json) -> JsonObject:
    return sh(script, volumeMounts=MOUNTS, lifecycle=hooks)


def command(script: str) -> Json:
    return {"exec": {"command": ["sh", "-c", script]}}


def volume(machine: Machine, uid: str) -> Path:
    return machine.home.pods / uid / "volumes" / "v"


def reasons(machine: Machine) -> dict[str, str]:
    """Messages of the events by their reason."""
    return {text_at(one, "reason"): text_at(one, "message") for one in machine.api.objects(kinds.EVENT)}


def restarts(machine: Machine, name: str) -> float:
    return number_at(machine.container(name), "restartCount")


async def test_a_pod_is_ready_once_its_post_start_hook_is_done(machine: Machine) -> None:
    async with machine.node():
        hook = command("while [ ! -e /mnt/v/go ]; do sleep 0.01; done")
        uid = machine.run("one", hooked("exec sleep 1000", postStart=hook), volumes=[VOLUME])
        await machine.until(lambda: "running" in object_at(machine.container("one"), "state"))
        assert not machine.is_ready("one")
        (volume(machine, uid) / "go").touch()
        await machine.until_ready("one")


async def test_a_container_whose_post_start_hook_fails_is_started_again(machine: Machine) -> None:
    async with machine.node():
        hook = command("echo no luck; [ -e /mnt/v/again ] || { touch /mnt/v/again; exit 3; }")
        machine.run("one", hooked("exec sleep 1000", postStart=hook), volumes=[VOLUME])
        await machine.until(lambda: restarts(machine, "one") == 1 and machine.is_ready("one"))
        await machine.until(lambda: "FailedPostStartHook" in reasons(machine))
        assert reasons(machine)["FailedPostStartHook"].endswith("failed: no luck")


async def test_the_pre_stop_hook_comes_before_the_signal(machine: Machine) -> None:
    async with machine.node():
        script = (
            "trap 'cat /mnt/v/hook > /tmp/$POD_NAME.said; exit 0' TERM; touch /mnt/v/set; while :; do sleep 0.01; done"
        )
        script = script.replace("/tmp", str(machine.home.root))
        uid = machine.run("one", hooked(script, preStop=command("echo was here > /mnt/v/hook")), volumes=[VOLUME])
        await machine.until((volume(machine, uid) / "set").exists)
        await machine.api.delete(kinds.POD, "one", "default")
        await machine.until(lambda: machine.api.peek(kinds.POD, "one") is None)
        assert (machine.home.root / "one.said").read_text() == "was here\n"


async def test_a_pre_stop_hook_that_fails_is_told_and_the_container_ends_all_the_same(machine: Machine) -> None:
    async with machine.node():
        machine.run("one", hooked("exec sleep 1000", preStop={"tcpSocket": {"port": 80}}), volumes=[VOLUME])
        await machine.until_ready("one")
        await machine.api.delete(kinds.POD, "one", "default")
        await machine.until(lambda: machine.api.peek(kinds.POD, "one") is None)
        await machine.until(lambda: "FailedPreStopHook" in reasons(machine))
        assert "expected one of exec, httpGet and sleep" in reasons(machine)["FailedPreStopHook"]


async def test_a_pre_stop_hook_has_no_longer_than_the_grace_period(machine: Machine) -> None:
    async with machine.node():
        container = hooked("exec sleep 1000", preStop={"sleep": {"seconds": 1000}})
        uid = machine.run("one", container, volumes=[VOLUME], terminationGracePeriodSeconds=1)
        await machine.until_ready("one")
        pid = machine.pid(uid)
        await machine.api.delete(kinds.POD, "one", "default", grace_seconds=1)
        await machine.until(lambda: machine.api.peek(kinds.POD, "one") is None)
        assert not alive(pid)
        await machine.until(lambda: "FailedPreStopHook" in reasons(machine))


async def test_an_http_hook_is_a_request_to_the_container(machine: Machine) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readline()).decode().strip())
        writer.write(b"HTTP/1.1 500 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    asked: list[str] = []
    async with machine.node(), await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        hook: Json = {"httpGet": {"host": "127.0.0.1", "port": port, "path": "/warm"}}
        machine.run("one", hooked("exec sleep 1000", postStart=hook), volumes=[VOLUME])
        await machine.until_ready("one")  # whatever its status, an answer will do
        assert asked == ["GET /warm HTTP/1.1"]
