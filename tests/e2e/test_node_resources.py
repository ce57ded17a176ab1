"""What becomes of pods that take more than they may."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.e2e.node_under_test import Machine, alive

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
        assert text_at(end, "message").endswith("of memory, more than its limit of 100Mi")
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
