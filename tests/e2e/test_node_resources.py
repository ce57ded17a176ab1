"""What becomes of pods that take more than they may."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.e2e.node_under_test import Machine, alive, sh

from inferplane.client.kubernetes import kinds
from inferplane.controlplane.node import disk_limits
from inferplane.kernel.json import Json, JsonObject, object_at, text_at

pytestmark = pytest.mark.e2e


@pytest.fixture
async def machine(tmp_path: Path) -> AsyncIterator[Machine]:
    machine = Machine(tmp_path)
    yield machine
    await machine.end()


def python(script: str, **more: Json) -> JsonObject:
    return {"name": "main", "image": "any", "command": [sys.executable, "-c", script], **more}


def limit(memory: str) -> JsonObject:
    return {"limits": {"memory": memory}}


async def test_a_container_past_its_memory_limit_is_killed_and_says_so(machine: Machine) -> None:
    greedy = python("held = b'x' * 300_000_000; import time; time.sleep(1000)", resources=limit("100Mi"))
    async with machine.node():
        uid = machine.run("greedy", greedy, restartPolicy="Never")
        await machine.until(lambda: machine.status("greedy").get("phase") == "Failed")
        end = object_at(machine.container("greedy"), "state", "terminated")
        assert (end["exitCode"], end["reason"], "signal" in end) == (137, "OOMKilled", False)
        assert "limit of 100Mi" in text_at(end, "message")
        assert not alive(machine.pid(uid))


async def test_children_of_a_container_count_too_and_die_with_it(machine: Machine) -> None:
    script = "import os, time; os.fork(); held = b'x' * 80_000_000; time.sleep(1000)"
    async with machine.node():
        machine.run("family", python(script, resources=limit("100Mi")), restartPolicy="Never")
        await machine.until(lambda: machine.status("family").get("phase") == "Failed")
        end = object_at(machine.container("family"), "state", "terminated")
        assert end["reason"] == "OOMKilled"


async def test_a_container_within_its_limit_runs(machine: Machine) -> None:
    script = "held = b'x' * 20_000_000; open('held', 'w').close(); import time; time.sleep(1000)"
    async with machine.node():
        uid = machine.run("modest", python(script, resources=limit("200Mi")))
        machine.run(
            "greedy", python("held = b'x' * 300_000_000; import time; time.sleep(1000)", resources=limit("100Mi"))
        )
        held = machine.home.pods / uid / "containers/main/root/held"
        await machine.until(held.exists)

        # When the other has been found out, this one has been looked at as well.
        def last() -> JsonObject:
            return object_at(machine.container("greedy"), "lastState", "terminated")

        await machine.until(lambda: last().get("reason") == "OOMKilled")
        assert machine.container("modest")["restartCount"] == 0
        assert machine.is_ready("modest")


@pytest.fixture
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_limits, "_LOOK_EVERY", 0.05)


@pytest.mark.usefixtures("looks_often")
async def test_a_pod_whose_volume_outgrows_its_limit_is_evicted_and_stays_so(machine: Machine) -> None:
    mount: list[Json] = [{"name": "v", "mountPath": "/data"}]
    volumes: list[Json] = [{"name": "v", "emptyDir": {"sizeLimit": "1Mi"}}]
    writer = sh("head -c 3000000 /dev/zero > /data/file; exec sleep 1000", volumeMounts=mount)
    message = 'Usage of EmptyDir volume "v" exceeds the limit "1Mi". '
    async with machine.node():
        uid = machine.run("writer", writer, volumes=volumes)
        await machine.until(lambda: "terminated" in object_at(machine.container("writer"), "state"))
        status = machine.status("writer")
        assert (status["phase"], status["reason"], status["message"]) == ("Failed", "Evicted", message)
        volume = machine.home.pods / uid / "volumes"
        await machine.until(lambda: not volume.exists())
    async with machine.node():
        machine.run("other", sh("exec sleep 1000"))
        await machine.until_ready("other")
        assert machine.status("writer")["phase"] == "Failed"
        assert machine.container("writer")["restartCount"] == 0
        await machine.api.delete(kinds.POD, "writer", "default")
        await machine.until(lambda: machine.api.peek(kinds.POD, "writer") is None)
        assert not (machine.home.pods / uid).exists()


@pytest.mark.usefixtures("looks_often")
async def test_a_container_past_its_ephemeral_storage_is_evicted(machine: Machine) -> None:
    resources: JsonObject = {"limits": {"ephemeral-storage": "1M"}}
    async with machine.node():
        machine.run("writer", sh("head -c 3000000 /dev/zero > file; exec sleep 1000", resources=resources))
        await machine.until(lambda: machine.status("writer").get("reason") == "Evicted")
        said = 'Container main exceeded its local ephemeral storage limit "1M". '
        assert machine.status("writer")["message"] == said
