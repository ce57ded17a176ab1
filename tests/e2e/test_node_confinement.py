"""What holds containers in: control groups where the machine has them, and users of their own when asked for."""

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.e2e.node_under_test import Machine, sh

from inferplane.assembly import unprivileged
from inferplane.client.kubernetes import kinds
from inferplane.controlplane.node import cgroups
from inferplane.controlplane.node.users import own_id
from inferplane.kernel.json import Json, JsonObject, text_at

pytestmark = pytest.mark.e2e

IDENTITY = "id -u; id -g; id -G"
MOUNTS: list[Json] = [{"name": "v", "mountPath": "/mnt/v"}, {"name": "s", "mountPath": "/mnt/s"}]
VOLUMES: list[Json] = [
    {"name": "v", "emptyDir": {}},
    {"name": "s", "secret": {"secretName": "s", "defaultMode": 0o400}},
]


@pytest.fixture
async def open_machine() -> AsyncIterator[Machine]:
    """With users for pods, below a directory that others may pass."""
    if os.geteuid() != 0:
        pytest.skip("only root can give pods users of their own")
    root = Path(tempfile.mkdtemp(prefix="confined-"))
    root.chmod(0o755)
    try:
        machine = Machine(root / "home", unprivileged=True)
        unprivileged.open_home(machine.home)
        machine.api.add(kinds.SECRET, {"metadata": {"name": "s"}, "data": {"token": "aGVsbG8="}})
        yield machine
        await machine.end()
    finally:
        shutil.rmtree(root)


@pytest.fixture
async def machine(tmp_path: Path) -> AsyncIterator[Machine]:
    machine = Machine(tmp_path)
    yield machine
    await machine.end()


@pytest.fixture
def kernel_holds_limits() -> None:
    groups = cgroups.found("inferplane-test-of-limits")
    if groups is None:
        pytest.skip("this machine's control groups cannot be written")
    groups.close()


async def said(machine: Machine, name: str, lines: int) -> list[str]:
    """The first lines of the pod's log."""
    async with asyncio.timeout(60):
        while True:
            _, text = await machine.logs(f"{name}/main")
            if text.count("\n") >= lines:
                return text.splitlines()
            await asyncio.sleep(0.01)


def confined(script: str, **more: Json) -> JsonObject:
    return sh(script, volumeMounts=MOUNTS, **more)


async def test_a_pod_is_a_user_of_its_own_that_reaches_its_volumes_and_no_other_s(open_machine: Machine) -> None:
    machine = open_machine
    async with machine.node():
        reads = (
            f"{IDENTITY}; cat /mnt/s/token; echo; echo mine > /mnt/v/file; cat /mnt/v/file; echo > $HOME/x && echo home"
        )
        uid = machine.run("one", confined(f"{reads}; exec sleep 1000"), volumes=VOLUMES)
        await machine.until_ready("one")
        own = str(own_id(text_at(machine.status("one"), "podIP")))
        assert await said(machine, "one", 6) == [own, own, own, "hello", "mine", "home"]
        theirs = machine.home.pods / uid / "volumes/s/token"
        machine.run("two", sh(f"cat {theirs} {machine.home.state} 2>&1; ls {machine.home.root} 2>&1; exec sleep 1000"))
        await machine.until_ready("two")
        assert [line.rpartition(": ")[2] for line in await said(machine, "two", 3)] == ["Permission denied"] * 3


async def test_the_security_context_says_who(open_machine: Machine) -> None:
    machine = open_machine
    whole: Json = {"runAsUser": 4001, "runAsGroup": 4002, "fsGroup": 4003, "supplementalGroups": [4004]}
    async with machine.node():
        container = confined(
            f"{IDENTITY}; cat /mnt/s/token; echo; stat -c %g /mnt/v/; exec sleep 1000",
            securityContext={"runAsUser": 5001},
        )
        machine.run("one", container, volumes=VOLUMES, securityContext=whole)
        await machine.until_ready("one")
        own = own_id(text_at(machine.status("one"), "podIP"))
        assert await said(machine, "one", 5) == ["5001", "4002", f"4002 4003 4004 {own}", "hello", "4003"]


async def test_exec_probes_are_that_user_too(open_machine: Machine) -> None:
    machine = open_machine
    probe: Json = {"exec": {"command": ["sh", "-c", "id -u > /mnt/v/probe"]}}
    async with machine.node():
        uid = machine.run("one", confined("exec sleep 1000", readinessProbe=probe), volumes=VOLUMES)
        await machine.until_ready("one")
        own = own_id(text_at(machine.status("one"), "podIP"))
        assert (machine.home.pods / uid / "volumes/v/probe").read_text() == f"{own}\n"


@pytest.mark.usefixtures("kernel_holds_limits")
async def test_a_cpu_limit_is_held_and_not_named_in_the_event(machine: Machine) -> None:
    burn = "import time; e = time.monotonic() + 1.5\nwhile time.monotonic() < e: pass\nprint(time.process_time())"
    async with machine.node():
        limits: Json = {"limits": {"cpu": "100m"}}
        machine.run("one", sh(f'{sys.executable} -c "$CODE"; exec sleep 1000', resources=limits,
                              env=[{"name": "CODE", "value": burn}]))  # fmt: skip
        assert float((await said(machine, "one", 1))[0]) < 0.9
        events = machine.api.objects(kinds.EVENT)
        assert not any(text_at(one, "reason") == "FieldsNotApplied" for one in events)


@pytest.mark.usefixtures("kernel_holds_limits")
async def test_no_control_group_is_left(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    async with machine.node() as agent:
        groups = agent._confinement.cgroups
        assert groups is not None
        machine.run("one", sh("exec sleep 1000", resources={"limits": {"cpu": "2"}}))
        await machine.until_ready("one")
        assert [one.name for one in groups.place.iterdir() if one.is_dir()] != []
        await machine.api.delete(kinds.POD, "one", "default")
        await machine.until(lambda: machine.api.peek(kinds.POD, "one") is None)
        assert [one.name for one in groups.place.iterdir() if one.is_dir()] == []
        agent.stop()
    assert not groups.place.exists()
