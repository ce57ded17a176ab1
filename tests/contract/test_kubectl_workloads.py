"""kubectl on Deployments of a whole platform: rollouts and their history, logs that follow, the ways to delete."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from tests.e2e.whole import Whole, eventually, whole_platform

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.kubectl,
    pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not on the PATH: install it to run these"),
]
PATIENCE = 90.0
WITHIN = "--timeout=80s"
SAYS = "import itertools, time\nfor n in itertools.count():\n    print('line', n, flush=True)\n    time.sleep(0.05)"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with whole_platform(tmp_path_factory.mktemp("workloads")) as started:
        yield started


@dataclass(frozen=True)
class Web:
    """A Deployment of one process that says something all the time."""

    platform: Whole
    name: str

    def kubectl(self, *words: str) -> str:
        return self.platform.kubectl(*words)

    def names(self, kinds: str) -> set[str]:
        return set(self.kubectl("get", kinds, "-l", f"app={self.name}", "-o", "name").split())

    def version(self) -> str:
        path = "jsonpath={.spec.template.metadata.annotations.version}"
        return self.kubectl("get", "deployment", self.name, "-o", path)

    def roll(self, version: str) -> None:
        patch = {"spec": {"template": {"metadata": {"annotations": {"version": version}}}}}
        self.kubectl("patch", "deployment", self.name, "-p", json.dumps(patch))

    def rolled_out(self) -> None:
        self.kubectl("rollout", "status", f"deployment/{self.name}", WITHIN)


def deployment(name: str) -> dict[str, object]:
    container = {"name": "main", "image": "web:1", "command": [sys.executable, "-c", SAYS]}
    labels = {"app": name}
    template = {
        "metadata": {"labels": labels, "annotations": {"version": "1"}},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 1},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": labels},
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template},
    }


def started(platform: Whole, name: str) -> Web:
    platform.kubectl("apply", "-f", "-", stdin=json.dumps(deployment(name)))
    web = Web(platform, name)
    web.rolled_out()
    return web


def test_a_rollout_has_a_history_and_is_undone(platform: Whole) -> None:
    web = started(platform, "history")
    web.roll("2")
    web.rolled_out()
    assert re.findall(r"^(\d+) ", web.kubectl("rollout", "history", "deployment/history"), re.M) == ["1", "2"]
    web.kubectl("rollout", "undo", "deployment/history")
    web.rolled_out()
    assert web.version() == "1"
    assert re.findall(r"^(\d+) ", web.kubectl("rollout", "history", "deployment/history"), re.M) == ["2", "3"]
    web.kubectl("delete", "deployment", "history")


def test_a_paused_rollout_waits_until_it_is_resumed(platform: Whole) -> None:
    web = started(platform, "paused")
    web.kubectl("rollout", "pause", "deployment/paused")
    before = web.names("replicasets")
    web.roll("2")
    path = "jsonpath={.metadata.generation} {.status.observedGeneration}"
    eventually(lambda: len(set(web.kubectl("get", "deployment", "paused", "-o", path).split())) == 1, within=PATIENCE)
    assert web.names("replicasets") == before
    web.kubectl("rollout", "resume", "deployment/paused")
    web.rolled_out()
    assert len(web.names("replicasets")) == 2
    web.kubectl("delete", "deployment", "paused")


def test_logs_follow_and_end_with_who_reads_them(platform: Whole) -> None:
    web = started(platform, "logs")
    words = ["kubectl", "logs", "-f", "deployment/logs"]
    with subprocess.Popen(words, env=platform.environ, stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        lines = [following.stdout.readline() for _ in range(30)]
        following.kill()
    assert lines == [f"line {number}\n" for number in range(30)]
    web.kubectl("delete", "deployment", "logs")


def test_deleting_in_the_background_takes_what_it_owns_along(platform: Whole) -> None:
    web = started(platform, "background")
    web.kubectl("delete", "deployment", "background", "--wait=false")
    eventually(lambda: not web.names("deployments,replicasets,pods"), within=PATIENCE)


def test_deleting_in_the_foreground_ends_when_nothing_is_left(platform: Whole) -> None:
    web = started(platform, "foreground")
    web.kubectl("delete", "deployment", "foreground", "--cascade=foreground", WITHIN)
    assert web.names("deployments,replicasets,pods") == set()


def test_deleting_with_orphans_leaves_them_running(platform: Whole) -> None:
    web = started(platform, "orphans")
    kept = web.names("replicasets,pods")
    web.kubectl("delete", "deployment", "orphans", "--cascade=orphan")
    owner = "jsonpath={.items[*].metadata.ownerReferences}"
    eventually(lambda: not web.kubectl("get", "rs", "-l", "app=orphans", "-o", owner), within=PATIENCE)
    assert web.names("deployments,replicasets,pods") == kept
    assert web.kubectl("get", "pods", "-l", "app=orphans", "-o", "jsonpath={.items[*].status.phase}") == "Running"
    web.kubectl("delete", "rs,pods", "-l", "app=orphans", "--wait=false")
