"""The node with real keepers and processes: what a pod's life looks like from the API server and from the machine."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.e2e.node_under_test import Machine, alive, has_its_name, keeper_pids, sh

from inferplane.client.kubernetes import kinds
from inferplane.controlplane.node import procfs
from inferplane.kernel.json import Json, JsonObject, number_at, object_at, text_at
from inferplane.resources.process_image import process_images

pytestmark = pytest.mark.e2e

SLEEP = "exec sleep 1000"
STUBBORN = "trap '' TERM; sleep 1000 & echo $!; wait; wait"


@pytest.fixture
async def machine(tmp_path: Path) -> AsyncIterator[Machine]:
    machine = Machine(tmp_path)
    yield machine
    await machine.end()


async def test_a_pod_runs_with_its_environment_mounts_and_address(machine: Machine) -> None:
    machine.api.add(kinds.SECRET, {"metadata": {"name": "s"}, "data": {"token": "aGVsbG8="}})
    script = "echo $POD_IP $POD_NAME $PORT $TOKEN $(cat $FILE) $0; exec sleep 1000"
    env: list[Json] = [
        {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "token"}}},
        {"name": "FILE", "value": "/etc/secret/token"},
    ]
    container = sh(
        script,
        args=["--dir=/etc/secret"],
        env=env,
        ports=[{"containerPort": 9000}],
        volumeMounts=[{"name": "v", "mountPath": "/etc/secret"}],
    )
    async with machine.node():
        uid = machine.run("one", container, volumes=[{"name": "v", "secret": {"secretName": "s"}}])
        await machine.until_ready("one")
        said = ""
        while not said.endswith("\n"):
            _, said = await machine.logs("one/main")
        address = text_at(machine.status("one"), "podIP")
        place = machine.home.pods / uid / "containers/main/root/etc/secret"
        assert said.split() == [address, "one", "9000", "hello", "hello", f"--dir={place}"]
        assert address.startswith("127.")


async def test_init_containers_run_first_and_share_their_volumes(machine: Machine) -> None:
    mount: list[Json] = [{"name": "v", "mountPath": "/mnt/models"}]
    init = sh("echo iris > /mnt/models/name", name="fetch", volumeMounts=mount)
    main = sh("cat /mnt/models/name; exec sleep 1000", volumeMounts=mount)
    async with machine.node():
        machine.run("two", main, initContainers=[init], volumes=[{"name": "v", "emptyDir": {}}])
        await machine.until_ready("two")
        fetched = object_at(machine.container("two", which="initContainerStatuses"), "state", "terminated")
        assert (fetched["exitCode"], fetched["reason"]) == (0, "Completed")
        while not (await machine.logs("two/main"))[1]:
            pass
        assert await machine.logs("two/main") == (200, "iris\n")


async def test_a_failing_container_shows_its_last_words_and_backs_off(machine: Machine) -> None:
    async with machine.node():
        machine.run("bad", sh("echo no such model >&2; exit 3"))
        await machine.until(lambda: _waiting(machine, "bad") == "CrashLoopBackOff")
        last = object_at(machine.container("bad"), "lastState", "terminated")
        assert (last["exitCode"], last["reason"], last["message"]) == (3, "Error", "no such model")
        assert machine.container("bad")["restartCount"] == 1
        assert await machine.logs("bad/main", previous="true") == (200, "no such model\n")


async def test_a_command_that_does_not_exist_is_a_start_error(machine: Machine) -> None:
    async with machine.node():
        machine.run("typo", {"name": "main", "command": ["no-such-command"]}, restartPolicy="Never")
        await machine.until(lambda: machine.status("typo").get("phase") == "Failed")
        end = object_at(machine.container("typo"), "state", "terminated")
        assert (end["exitCode"], end["reason"]) == (128, "StartError")
        assert "no-such-command" in text_at(end, "message")


async def test_a_killed_process_is_replaced_at_once_and_is_not_ready_in_between(machine: Machine) -> None:
    async with machine.node():
        uid = machine.run("phoenix", sh(SLEEP))
        await machine.until_ready("phoenix")
        first, since = machine.pid(uid), len(machine.api.writes)
        os.kill(first, signal.SIGKILL)
        await machine.until(lambda: machine.is_ready("phoenix") and machine.container("phoenix")["restartCount"] == 1)
        assert machine.ready_statuses("phoenix", since)[-1] == "True"
        assert "False" in machine.ready_statuses("phoenix", since)
        assert object_at(machine.container("phoenix"), "lastState", "terminated")["signal"] == 9
        assert machine.pid(uid) != first


async def test_deletion_waits_for_the_grace_period_and_then_kills_the_children_too(machine: Machine) -> None:
    async with machine.node():
        uid = machine.run("stubborn", sh(STUBBORN))
        await machine.until_ready("stubborn")
        said = ""
        while not said:
            _, said = await machine.logs("stubborn/main")
        parent, child, begun = machine.pid(uid), int(said), time.monotonic()
        await machine.api.delete(kinds.POD, "stubborn", "default", grace_seconds=1)
        await machine.until(lambda: machine.api.peek(kinds.POD, "stubborn") is None)
        assert 1.0 <= time.monotonic() - begun < 4.0
        assert not alive(parent)
        assert not alive(child)
        assert not (machine.home.pods / uid).exists()


async def test_a_failed_liveness_probe_restarts_the_container(machine: Machine) -> None:
    probe: JsonObject = {"exec": {"command": ["test", "!", "-e", "sick"]}, "periodSeconds": 1, "failureThreshold": 1}
    async with machine.node():
        uid = machine.run("patient", sh(SLEEP, livenessProbe=probe))
        await machine.until_ready("patient")
        sick = machine.home.pods / uid / "containers/main/root/sick"
        sick.touch()
        await machine.until(lambda: machine.container("patient")["restartCount"] == 1)
        sick.unlink()
        await machine.until(lambda: "Unhealthy" in _reasons(machine, "patient"))


async def test_a_restarted_node_adopts_living_pods_without_a_flap(machine: Machine) -> None:
    probe: JsonObject = {"exec": {"command": ["true"]}, "periodSeconds": 1}
    async with machine.node():
        uid = machine.run("survivor", sh(SLEEP, readinessProbe=probe))
        await machine.until_ready("survivor")
        first, since = machine.pid(uid), len(machine.api.writes)
    assert alive(first)
    async with machine.node():
        later = machine.run("later", sh(SLEEP))
        await machine.until_ready("later")
        assert machine.pid(uid) == first
        assert set(machine.ready_statuses("survivor", since)) <= {"True"}
        assert machine.container("survivor")["restartCount"] == 0
        assert machine.status("later")["podIP"] != machine.status("survivor")["podIP"]
        os.kill(first, signal.SIGTERM)
        await machine.until(lambda: machine.container("survivor")["restartCount"] == 1)
        assert object_at(machine.container("survivor"), "lastState", "terminated")["signal"] == 15
        assert machine.pid(later)


async def test_what_ended_while_no_node_was_there_is_known_by_its_exit_code(machine: Machine) -> None:
    async with machine.node():
        uid = machine.run("gone", sh("trap 'exit 42' TERM; echo up; while :; do sleep 0.01; done"))
        while "up" not in (await machine.logs("gone/main"))[1]:
            pass
        pid = machine.pid(uid)
    os.kill(pid, signal.SIGTERM)
    async with machine.node():
        await machine.until(lambda: machine.container("gone").get("restartCount") == 1)
        assert object_at(machine.container("gone"), "lastState", "terminated")["exitCode"] == 42


async def test_a_pod_outlives_its_keeper_and_then_its_exit_code_is_unknown(machine: Machine) -> None:
    async with machine.node():
        uid = machine.run("orphan", sh(SLEEP))
        await machine.until_ready("orphan")
        first, since = machine.pid(uid), len(machine.api.writes)
        process = procfs.stat(first)
        assert process is not None
        os.kill(process.parent, signal.SIGKILL)
        machine.run("next", sh(SLEEP))  # needs a new keeper, so the node has noticed
        await machine.until_ready("next")
        assert alive(first)
        assert set(machine.ready_statuses("orphan", since)) <= {"True"}
        os.kill(first, signal.SIGKILL)
        await machine.until(lambda: machine.container("orphan")["restartCount"] == 1)
        last = object_at(machine.container("orphan"), "lastState", "terminated")
        assert (last["exitCode"], last["reason"]) == (137, "ContainerStatusUnknown")


async def test_a_pod_deleted_by_force_while_no_node_was_there_is_cleaned_up(machine: Machine) -> None:
    async with machine.node():
        uid = machine.run("ghost", sh(SLEEP))
        await machine.until_ready("ghost")
        pid = machine.pid(uid)
    machine.api.remove(kinds.POD, "ghost")
    async with machine.node():
        await machine.until(lambda: not alive(pid) and not (machine.home.pods / uid).exists())


async def test_a_pod_deleted_by_force_is_killed_and_its_name_may_be_used_again(machine: Machine) -> None:
    async with machine.node():
        uid = machine.run("again", sh(STUBBORN))
        await machine.until_ready("again")
        pid = machine.pid(uid)
        machine.api.remove(kinds.POD, "again")
        machine.run("again", sh(SLEEP))
        await machine.until_ready("again")
        await machine.until(lambda: not alive(pid) and not (machine.home.pods / uid).exists())


async def test_a_node_that_is_shut_down_ends_everything_and_the_next_one_starts_it_again_at_once(
    machine: Machine,
) -> None:
    async with machine.node() as agent:
        uid = machine.run("daily", sh(SLEEP))
        await machine.until_ready("daily")
        pid = machine.pid(uid)
        agent.stop()
    assert not alive(pid)
    assert not machine.is_ready("daily")
    assert list(machine.home.run.iterdir()) == []
    async with machine.node():
        await machine.until_ready("daily")
        assert number_at(machine.container("daily"), "restartCount") == 1


async def test_a_node_that_is_told_to_end_before_it_knows_its_pods_ends_them_all_the_same(machine: Machine) -> None:
    async with machine.node():
        uid = machine.run("early", sh(SLEEP))
        await machine.until_ready("early")
        pid = machine.pid(uid)
    agent = machine.agent()
    agent.stop()
    await agent.run(asyncio.Event())
    assert not alive(pid)
    assert list(machine.home.run.iterdir()) == []


async def test_a_node_that_ends_while_a_zygote_imports_leaves_no_process_behind(machine: Machine) -> None:
    spec: JsonObject = {"images": ["slow"], "entrypoint": "time:time", "preload": ["signal:pause"]}
    machine.api.add(kinds.PROCESS_IMAGE, {"metadata": {"name": "slow"}, "spec": spec})
    async with machine.node() as agent:
        while not (found := keeper_pids(machine, "slow")):  # noqa: ASYNC110 - no event for a process that imports
            await asyncio.sleep(0.01)
        agent.stop()
    assert not any(alive(pid) for pid in found)


async def test_a_node_finds_the_keeper_that_a_former_one_had_only_begun_to_start(machine: Machine) -> None:
    async with machine.node():
        # Before it has taken its name the next node's may take it, and is then the one that stays.
        while not has_its_name(machine, "plain"):  # noqa: ASYNC110 - no event for a process that imports
            await asyncio.sleep(0)
        begun = keeper_pids(machine, "plain")
    async with machine.node():
        uid = machine.run("pod", sh(SLEEP))
        await machine.until_ready("pod")
        process = procfs.stat(machine.pid(uid))
        assert process is not None
        assert [process.parent] == begun


async def test_an_image_that_is_not_in_the_table_says_what_to_do_until_it_is(machine: Machine) -> None:
    async with machine.node():
        machine.run("foreign", {"name": "main", "image": "nginx:1"})
        await machine.until(lambda: _waiting(machine, "foreign") == "ImageNotRunnable")
        said = text_at(machine.container("foreign"), "state", "waiting", "message")
        assert "nginx:1" in said
        assert "ProcessImage" in said
        assert (await machine.logs("foreign/main"))[0] == 400
        image: JsonObject = {"metadata": {"name": "nginx"}, "spec": {"images": ["nginx"], "command": ["sleep", "1000"]}}
        machine.api.add(kinds.PROCESS_IMAGE, image)
        await machine.until_ready("foreign")


async def test_a_runtime_that_is_not_installed_says_how_to_install_it(machine: Machine) -> None:
    spec: JsonObject = {
        "images": ["exotic"],
        "entrypoint": "no_such_module:main",
        "preload": ["no_such_module"],
        "requirements": ["inferplane[exotic]"],
    }
    machine.api.add(kinds.PROCESS_IMAGE, {"metadata": {"name": "exotic"}, "spec": spec})
    async with machine.node():
        machine.run("exotic", {"name": "main", "image": "me/exotic:1"})
        await machine.until(lambda: _waiting(machine, "exotic") == "RuntimeNotInstalled")
        assert "pip install 'inferplane[exotic]'" in text_at(machine.container("exotic"), "state", "waiting", "message")


async def test_a_missing_claim_is_named(machine: Machine) -> None:
    volume: JsonObject = {"name": "v", "persistentVolumeClaim": {"claimName": "models"}}
    container = sh(SLEEP, volumeMounts=[{"name": "v", "mountPath": "/mnt/models"}])
    async with machine.node():
        machine.run("claimant", container, volumes=[volume])
        await machine.until(lambda: _waiting(machine, "claimant") == "FailedMount")
        said = text_at(machine.container("claimant"), "state", "waiting", "message")
        assert said == 'persistentvolumeclaim "models" not found'


async def test_logs_are_followed_to_the_end_and_can_be_cut_and_stamped(machine: Machine) -> None:
    async with machine.node():
        machine.run("talker", sh("for i in 1 2 3; do echo $i; sleep 0.2; done"), restartPolicy="Never")
        await machine.until(lambda: "running" in object_at(machine.container("talker"), "state"))
        assert await machine.logs("talker/main", follow="true") == (200, "1\n2\n3\n")
        assert await machine.logs("talker/", tailLines="1") == (200, "3\n")
        assert await machine.logs("talker/main", limitBytes="3") == (200, "1\n2")
        _, stamped = await machine.logs("talker/main", timestamps="true")
        assert [line.split(" ")[1] for line in stamped.splitlines()] == ["1", "2", "3"]
        assert [(await machine.logs(path))[0] for path in ("nobody/main", "talker/nobody")] == [404, 400]
        assert (await machine.logs("talker/main", tailLines="many"))[0] == 400


async def test_a_scikit_learn_server_is_forked_from_its_zygote_and_announces_itself(
    machine: Machine, tmp_path: Path
) -> None:
    joblib = pytest.importorskip("joblib")
    svm = pytest.importorskip("sklearn.svm")
    joblib.dump(svm.SVC().fit([[0.0], [1.0]], [0, 1]), tmp_path / "model.joblib")
    for image in process_images():
        machine.api.add(kinds.PROCESS_IMAGE, image)
    mount: list[Json] = [{"name": "m", "mountPath": "/mnt/models"}]
    init: JsonObject = {
        "name": "storage-initializer",
        "image": "kserve/storage-initializer:latest",
        "args": [f"file://{tmp_path}/model.joblib", "/mnt/models"],
        "volumeMounts": mount,
    }
    server: JsonObject = {
        "name": "kserve-container",
        "image": "kserve/sklearnserver:latest",
        "args": ["--model_name=iris", "--model_dir=/mnt/models", "--http_port=8080"],
        "volumeMounts": mount,
    }
    async with machine.node():
        uid = machine.run("iris", server, initContainers=[init], volumes=[{"name": "m", "emptyDir": {}}])
        await machine.until_ready("iris")
        pid = machine.pid(uid, "kserve-container")
        assert Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0") == "iris kserve-container"
        os.kill(pid, signal.SIGKILL)
        begun = time.monotonic()
        await machine.until(lambda: machine.is_ready("iris") and machine.container("iris")["restartCount"] == 1)
        assert time.monotonic() - begun < 3.0


def _waiting(machine: Machine, name: str) -> str:
    return text_at(machine.container(name), "state", "waiting", "reason")


def _reasons(machine: Machine, name: str) -> list[str]:
    events = machine.api.objects(kinds.EVENT)
    return [text_at(one, "reason") for one in events if text_at(one, "involvedObject", "name") == name]


async def test_a_pod_inherits_nothing_from_the_environment_of_the_platform(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of the user")
    monkeypatch.setenv("INFERPLANE_TOKEN", "of the platform")
    async with machine.node():
        machine.run("curious", sh("env | sort; echo end; exec sleep 1000"))
        said = ""
        await machine.until_ready("curious")
        while not said.endswith("end\n"):
            _, said = await machine.logs("curious/main")
    names = {line.partition("=")[0] for line in said.splitlines()[:-1]}
    assert names - {"PWD", "SHLVL", "_", "OLDPWD"} == {
        *("PATH", "HOME", "HOSTNAME", "LANG", "PORT", "PYTHONUNBUFFERED", "POD_IP", "POD_NAME", "POD_NAMESPACE"),
        "INFERPLANE_TERMINATION_LOG",
    }
    for keeper in keeper_pids(machine, "plain"):
        inherited = Path(f"/proc/{keeper}/environ").read_text()
        assert "AWS_SECRET_ACCESS_KEY" not in inherited
        assert "INFERPLANE_TOKEN" not in inherited


async def test_a_process_without_privilege_escalation_cannot_gain_any(machine: Machine) -> None:
    show = "grep NoNewPrivs /proc/self/status; exec sleep 1000"
    async with machine.node():
        machine.run("bound", sh(show, securityContext={"allowPrivilegeEscalation": False}))
        machine.run("free", sh(show))
        for name, value in (("bound", "1"), ("free", "0")):
            await machine.until_ready(name)
            said = ""
            while not said.endswith("\n"):
                _, said = await machine.logs(f"{name}/main")
            assert said.split() == ["NoNewPrivs:", value]
