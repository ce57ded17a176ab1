"""What people type at kubectl, unmodified, against the API server alone: no controller, no node."""

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.contract.apiserver.replaying import Target

pytestmark = [
    pytest.mark.kubectl,
    pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not on the PATH: install it to run these"),
]
PATIENCE = 60.0
SETTINGS = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, labels: {app: iris}}
data: {level: info, extra: "1"}
"""
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: main, image: "i:1"}
      - {name: side, image: "s:1"}
"""


@dataclass(frozen=True)
class Kubectl:
    """kubectl in a namespace and a home of its own."""

    kubeconfig: Path
    namespace: str
    home: Path

    @property
    def environ(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(self.home), "KUBECONFIG": str(self.kubeconfig)}

    def words(self, *words: str) -> list[str]:
        return ["kubectl", "-n", self.namespace, *words]

    def __call__(self, *words: str, stdin: str | None = None, fails: int = 0, **environ: str) -> str:
        """What it prints, on both streams; it must exit with `fails`."""
        done = subprocess.run(
            self.words(*words),
            env=self.environ | environ,
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == fails, f"{words}: {done.stdout}"
        return done.stdout

    def data(self, name: str = "settings") -> dict[str, str]:
        found: dict[str, str] = json.loads(self("get", "configmap", name, "-o", "json"))["data"]
        return found


@pytest.fixture
def kubectl(target: Target, tmp_path: Path) -> Kubectl:
    # The directory of a test has a name of its own.
    name = re.sub(r"[^a-z0-9]+", "-", tmp_path.name.lower())
    found = Kubectl(target.kubeconfig, name, tmp_path)
    found("create", "namespace", name)
    return found


def test_apply_creates_then_changes_only_what_differs_and_takes_away_what_is_left_out(kubectl: Kubectl) -> None:
    assert "configmap/settings created" in kubectl("apply", "-f", "-", stdin=SETTINGS)
    assert "configmap/settings unchanged" in kubectl("apply", "-f", "-", stdin=SETTINGS)
    kubectl("patch", "configmap", "settings", "-p", '{"data": {"own": "kept"}}')
    changed = SETTINGS.replace('info, extra: "1"', "debug")
    assert "configmap/settings configured" in kubectl("apply", "-f", "-", stdin=changed)
    assert kubectl.data() == {"level": "debug", "own": "kept"}


def test_server_side_apply_refuses_what_another_manager_owns_until_it_is_forced(kubectl: Kubectl) -> None:
    assert "serverside-applied" in kubectl("apply", "--server-side", "-f", "-", stdin=SETTINGS)
    other = SETTINGS.replace("info", "debug")
    refused = kubectl("apply", "--server-side", "--field-manager=me", "-f", "-", stdin=other, fails=1)
    assert 'conflict with "kubectl": .data.level' in refused
    kubectl("apply", "--server-side", "--field-manager=me", "--force-conflicts", "-f", "-", stdin=other)
    assert kubectl.data()["level"] == "debug"


def test_diff_shows_what_an_apply_would_change_and_changes_nothing(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=SETTINGS)
    kubectl("diff", "-f", "-", stdin=SETTINGS)
    said = kubectl("diff", "-f", "-", stdin=SETTINGS.replace("info", "debug"), fails=1)
    assert "-  level: info" in said
    assert "+  level: debug" in said
    assert kubectl.data()["level"] == "info"


def test_edit_puts_back_what_the_editor_wrote(kubectl: Kubectl, tmp_path: Path) -> None:
    kubectl("apply", "-f", "-", stdin=SETTINGS)
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsed -i s/info/edited/ "$1"\n')
    editor.chmod(0o755)
    assert "configmap/settings edited" in kubectl("edit", "configmap", "settings", KUBE_EDITOR=str(editor))
    assert kubectl.data()["level"] == "edited"


@pytest.mark.parametrize(
    ("kind", "patch"),
    [
        ("json", '[{"op": "replace", "path": "/spec/template/spec/containers/1/image", "value": "s:2"}]'),
        ("strategic", '{"spec": {"template": {"spec": {"containers": [{"name": "side", "image": "s:2"}]}}}}'),
        (
            "merge",
            (
                '{"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "i:1"}, '
                '{"name": "side", "image": "s:2"}]}}}}'
            ),
        ),
    ],
)
def test_the_three_kinds_of_patch_change_one_image(kubectl: Kubectl, kind: str, patch: str) -> None:
    kubectl("create", "-f", "-", stdin=DEPLOYMENT)
    kubectl("patch", "deployment", "web", "--type", kind, "-p", patch)
    images = kubectl("get", "deployment", "web", "-o", "jsonpath={.spec.template.spec.containers[*].image}")
    assert images == "i:1 s:2"


def test_watching_get_prints_each_change(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=SETTINGS)
    words = kubectl.words("get", "configmap", "settings", "-w", "--no-headers")
    with subprocess.Popen(words, env=kubectl.environ, stdout=subprocess.PIPE, text=True) as watching:
        assert watching.stdout is not None
        assert watching.stdout.readline().split()[:2] == ["settings", "2"]
        kubectl("patch", "configmap", "settings", "-p", '{"data": {"third": "3"}}')
        assert watching.stdout.readline().split()[:2] == ["settings", "3"]
        watching.kill()


def test_wait_ends_with_what_it_waits_for(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=SETTINGS)
    wait = kubectl.words("wait", "--for=jsonpath={.data.level}=debug", "configmap/settings", "--timeout=50s")
    with subprocess.Popen(wait, env=kubectl.environ, stdout=subprocess.PIPE, text=True) as waiting:
        kubectl("patch", "configmap", "settings", "-p", '{"data": {"level": "debug"}}')
        assert waiting.communicate(timeout=PATIENCE)[0] == "configmap/settings condition met\n"
    gone = kubectl.words("wait", "--for=delete", "configmap/settings", "--timeout=50s")
    with subprocess.Popen(gone, env=kubectl.environ, stdout=subprocess.PIPE, text=True) as waiting:
        kubectl("delete", "configmap", "settings")
        waiting.communicate(timeout=PATIENCE)
        assert waiting.returncode == 0
    assert "timed out" in kubectl("wait", "--for=create", "configmap/never", "--timeout=1s", fails=1)


def test_labels_and_annotations_are_set_changed_and_taken_away(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=SETTINGS)
    kubectl("label", "configmap", "settings", "tier=db")
    assert "already has a value" in kubectl("label", "configmap", "settings", "tier=web", fails=1)
    kubectl("label", "--overwrite", "configmap", "settings", "tier=web")
    assert kubectl("get", "configmap", "-l", "tier in (web)", "-o", "name") == "configmap/settings\n"
    kubectl("label", "configmap", "settings", "tier-")
    kubectl("annotate", "configmap", "settings", "note=a b")
    metadata = json.loads(kubectl("get", "configmap", "settings", "-o", "json"))["metadata"]
    assert (metadata["labels"], metadata["annotations"]["note"]) == ({"app": "iris"}, "a b")


def test_who_am_i_and_what_may_i(kubectl: Kubectl) -> None:
    assert kubectl("auth", "can-i", "create", "deployments") == "yes\n"
    assert "*.*" in kubectl("auth", "can-i", "--list")
    assert "inferplane-admin" in kubectl("auth", "whoami")


def test_create_makes_what_it_is_told(kubectl: Kubectl) -> None:
    kubectl("create", "configmap", "c", "--from-literal=a=1")
    kubectl("create", "secret", "generic", "s", "--from-literal=password=x")
    kubectl("create", "serviceaccount", "model")
    kubectl("create", "deployment", "d", "--image=i:1", "--replicas=2")
    assert kubectl("get", "secret", "s", "-o", "jsonpath={.data.password}") == "eA=="
    assert kubectl("get", "deploy,sa,cm", "-o", "name").split() == [
        "deployment.apps/d",
        "serviceaccount/model",
        "configmap/c",
    ]


def test_a_token_of_a_service_account_says_whose_it_is_and_opens_little(kubectl: Kubectl) -> None:
    kubectl("create", "serviceaccount", "model")
    token = kubectl("create", "token", "model", "--duration=15m").strip()
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
    answer = json.loads(kubectl("create", "-f", "-", "-o", "json", stdin=json.dumps(review)))
    user = f"system:serviceaccount:{kubectl.namespace}:model"
    assert answer["status"]["user"]["username"] == user


def test_what_the_server_is_and_has(kubectl: Kubectl) -> None:
    assert "is running at https://127.0.0.1:" in kubectl("cluster-info")
    assert "deploy" in kubectl("api-resources", "--api-group=apps")
    assert {"v1", "apps/v1", "coordination.k8s.io/v1"} <= set(kubectl("api-versions").split())
    assert kubectl("get", "--raw", "/readyz") == "ok"
    assert "Server Version: v1.36" in kubectl("version")
    assert "replicas\t<integer>" in kubectl("explain", "deployment.spec")
    assert "items" in json.loads(kubectl("get", "--raw", "/api/v1/namespaces"))


def test_replace_needs_what_is_there_and_puts_all_of_it(kubectl: Kubectl) -> None:
    assert "not found" in kubectl("replace", "-f", "-", stdin=SETTINGS, fails=1)
    kubectl("create", "-f", "-", stdin=SETTINGS)
    kubectl("replace", "-f", "-", stdin=SETTINGS.replace(', extra: "1"', ""))
    assert kubectl.data() == {"level": "info"}


def test_events_are_listed_by_the_object_they_are_about(kubectl: Kubectl) -> None:
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "e", "namespace": kubectl.namespace},
        "involvedObject": {"apiVersion": "v1", "kind": "ConfigMap", "name": "settings", "namespace": kubectl.namespace},
        "reason": "Read",
        "message": "was read",
        "type": "Normal",
        "lastTimestamp": "2026-01-01T00:00:00Z",
    }
    kubectl("create", "-f", "-", stdin=json.dumps(event))
    assert "was read" in kubectl("events", "--for", "configmap/settings")
    assert "No events found" in kubectl("events", "--for", "configmap/other")


def test_a_node_is_cordoned_and_tainted(kubectl: Kubectl) -> None:
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": kubectl.namespace}}
    kubectl("create", "-f", "-", stdin=json.dumps(node))
    assert "cordoned" in kubectl("cordon", kubectl.namespace)
    assert "SchedulingDisabled" in kubectl("get", "node", kubectl.namespace)
    kubectl("uncordon", kubectl.namespace)
    kubectl("taint", "node", kubectl.namespace, "gpu=yes:NoSchedule")
    taints = kubectl("get", "node", kubectl.namespace, "-o", "jsonpath={.spec.taints}")
    assert json.loads(taints) == [{"effect": "NoSchedule", "key": "gpu", "value": "yes"}]
    kubectl("delete", "node", kubectl.namespace)


@pytest.mark.parametrize("words", [("exec", "web", "--", "ls"), ("port-forward", "web", "8080"), ("attach", "web")])
def test_there_is_no_stream_into_a_pod_that_is_on_no_node(kubectl: Kubectl, words: tuple[str, ...]) -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}}
    pod |= {"spec": {"containers": [{"name": "main", "image": "i:1"}]}}
    kubectl("create", "-f", "-", stdin=json.dumps(pod))
    status = {"status": {"phase": "Running", "podIP": "127.0.0.9"}}
    kubectl("patch", "pod", "web", "--subresource=status", "--type=merge", "-p", json.dumps(status))
    assert "pod web does not have a host assigned" in kubectl(*words, fails=1)
