"""`metrics.k8s.io` as its clients meet it: objects, tables, selectors, `kubectl top`, a node that is away."""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.fakes.server import real_api

from inferplane.client.kubernetes.api import ApiError, NotFound
from inferplane.client.kubernetes.http import HttpApi
from inferplane.client.kubernetes.kinds import NODE, NODE_METRICS, POD, POD_METRICS
from inferplane.client.kubernetes.kubeconfig import read_kubeconfig
from inferplane.client.kubernetes.tables import CommandLineApi
from inferplane.controlplane.apiserver.logs import NodeGone
from inferplane.kernel.json import JsonObject, object_at, text_at
from inferplane.resources.usage import PodUse, Report, Use

AT = "2026-01-01T12:00:00.250000Z"


@dataclass
class Node:
    """Says what it is told to say; nothing when it is away."""

    said: Report = field(default_factory=Report)
    away: bool = False

    async def report(self) -> Report:
        if self.away:
            raise NodeGone("the node does not answer at node.sock")
        return self.said


@pytest.fixture
def node() -> Node:
    return Node()


@pytest.fixture
async def api(tmp_path: Path, node: Node) -> AsyncIterator[HttpApi]:
    async with real_api(tmp_path, node) as found:
        yield found


def use(name: str, cpu: float, memory: int) -> Use:
    return Use(name=name, cpu=cpu, memory=memory, at=AT, window=15.0)


async def pod(api: HttpApi, name: str, *containers: str, namespace: str = "default") -> None:
    body: JsonObject = {
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"containers": [{"name": one, "image": "i"} for one in containers]},
    }
    await api.create(POD, body, namespace)


async def measured(api: HttpApi, node: Node) -> None:
    """Two pods in two namespaces; the second has two containers."""
    await pod(api, "iris", "main")
    await pod(api, "digits", "main", "agent", namespace="kube-system")
    await api.create(NODE, {"metadata": {"name": "here"}})
    await api.patch(NODE, "here", {"status": {"capacity": {"cpu": "2", "memory": "4Gi"}}}, subresource="status")
    node.said = Report(
        node=use("here", 0.5, 1 << 30),
        pods=[
            PodUse(
                namespace="default",
                name="iris",
                labels={"app": "iris"},
                containers=[use("main", 0.1234567891, 10 << 20)],
            ),
            PodUse(
                namespace="kube-system",
                name="digits",
                labels={"app": "digits"},
                containers=[use("main", 1.5, 5000 << 10), use("agent", 0.0, 1 << 20)],
            ),
        ],
    )


async def test_a_pod_says_what_each_container_uses(api: HttpApi, node: Node) -> None:
    await measured(api, node)
    found = await api.get(POD_METRICS, "iris", "default")
    assert found | {"metadata": {}} == {
        "kind": "PodMetrics",
        "apiVersion": "metrics.k8s.io/v1beta1",
        "metadata": {},
        "timestamp": "2026-01-01T12:00:00Z",
        "window": "15s",
        "containers": [{"name": "main", "usage": {"cpu": "123456790n", "memory": "10Mi"}}],
    }
    assert object_at(found, "metadata", "labels") == {"app": "iris"}


async def test_a_node_says_what_it_uses(api: HttpApi, node: Node) -> None:
    await measured(api, node)
    [found] = (await api.list(NODE_METRICS)).items
    assert (text_at(found, "metadata", "name"), found["usage"]) == ("here", {"cpu": "500m", "memory": "1Gi"})


async def test_namespaces_and_labels_select(api: HttpApi, node: Node) -> None:
    await measured(api, node)
    everywhere = (await api.list(POD_METRICS)).items
    here = (await api.list(POD_METRICS, "kube-system")).items
    labelled = (await api.list(POD_METRICS, labels="app=iris")).items
    names = [[text_at(one, "metadata", "name") for one in found] for found in (everywhere, here, labelled)]
    assert names == [["iris", "digits"], ["digits"], ["iris"]]


async def test_it_can_only_be_read(api: HttpApi) -> None:
    with pytest.raises(NotFound):
        await api.get(POD_METRICS, "nobody", "default")
    with pytest.raises(ApiError) as error:
        await api.create(POD_METRICS, {"metadata": {"name": "x"}}, "default")
    assert error.value.status == 405


async def test_a_node_that_is_away_is_said(api: HttpApi, node: Node) -> None:
    node.away = True
    with pytest.raises(ApiError) as error:
        await api.list(POD_METRICS)
    assert (error.value.status, error.value.reason) == (503, "ServiceUnavailable")
    assert "the node does not answer" in str(error.value)


async def test_the_table_adds_the_containers_up(api: HttpApi, node: Node, tmp_path: Path) -> None:
    await measured(api, node)
    async with CommandLineApi(read_kubeconfig(tmp_path / "kubeconfig")) as line:
        shown = await line.table(POD_METRICS, "kube-system")
    assert [shown.columns, *shown.rows] == [("Name", "CPU", "Memory", "Window"), ("digits", "1500m", "6024Ki", "15s")]


@pytest.mark.kubectl
@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not on the PATH: install it to run these")
async def test_kubectl_top_shows_pods_and_nodes(api: HttpApi, node: Node, tmp_path: Path) -> None:
    await measured(api, node)
    shown = [
        await asyncio.to_thread(kubectl, tmp_path, *words)
        for words in (
            ["top", "pods", "-A"],
            ["top", "pod", "digits", "-n", "kube-system", "--containers"],
            ["top", "nodes"],
        )
    ]
    assert [[line.split() for line in one.splitlines()[1:]] for one in shown] == [
        [["default", "iris", "124m", "10Mi"], ["kube-system", "digits", "1500m", "5Mi"]],
        [["digits", "agent", "0m", "1Mi"], ["digits", "main", "1500m", "4Mi"]],
        [["here", "500m", "25%", "1024Mi", "25%"]],
    ]


@pytest.mark.kubectl
@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not on the PATH: install it to run these")
async def test_kubectl_explains_the_kind_and_names_it(api: HttpApi, tmp_path: Path) -> None:
    said = await asyncio.to_thread(kubectl, tmp_path, "explain", "podmetrics.containers.usage")
    named = await asyncio.to_thread(kubectl, tmp_path, "api-resources", "--api-group=metrics.k8s.io", "-o", "name")
    assert "map[string]Quantity" in said
    assert named.split() == ["nodes.metrics.k8s.io", "pods.metrics.k8s.io"]


def kubectl(home: Path, *words: str) -> str:
    done = subprocess.run(
        ["kubectl", "--kubeconfig", str(home / "kubeconfig"), "--cache-dir", str(home / "cache"), *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
