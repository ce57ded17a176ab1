"""Fields that have no effect on one machine are named, and what nobody asked for is not."""

import msgspec

from inferplane.controlplane.node.inapplicable import inapplicable
from inferplane.kernel.json import Json, JsonObject
from inferplane.resources.core import Pod


def fields(*containers: JsonObject, **spec: Json) -> list[str]:
    body: JsonObject = {"spec": {"containers": list[Json](containers or [{"name": "c"}]), **spec}}
    return inapplicable(msgspec.convert(body, Pod))


def test_what_the_api_server_and_kserve_put_on_every_pod_is_not_named() -> None:
    ours: JsonObject = {
        "name": "kserve-container",
        "imagePullPolicy": "IfNotPresent",
        "resources": {"limits": {"cpu": "1", "memory": "2Gi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "privileged": False,
            "runAsNonRoot": True,
        },
        "volumeMounts": [{"name": "m", "mountPath": "/mnt/models", "readOnly": True}],
    }
    assert fields(ours, dnsPolicy="ClusterFirst", securityContext={}, schedulerName="default-scheduler") == []


def test_what_a_pod_asks_for_is_named_by_its_path() -> None:
    container: JsonObject = {
        "name": "c",
        "stdin": True,
        "resources": {"limits": {"cpu": "3"}},
        "securityContext": {"runAsUser": 1000, "capabilities": {"add": ["NET_ADMIN"]}},
        "volumeMounts": [{"name": "d", "mountPath": "/data", "readOnly": True}],
    }
    spec: JsonObject = {
        "affinity": {"nodeAffinity": {}},
        "topologySpreadConstraints": [{"maxSkew": 1}],
        "hostPID": True,
        "imagePullSecrets": [{"name": "s"}],
        "securityContext": {"fsGroup": 7},
        "volumes": [{"name": "d", "emptyDir": {"medium": "Memory"}}],
    }
    assert fields(container, **spec) == [
        "spec.affinity",
        "spec.topologySpreadConstraints",
        "spec.hostPID",
        "spec.imagePullSecrets",
        "spec.securityContext.fsGroup",
        "spec.volumes[].emptyDir.medium",
        "spec.containers[0].stdin",
        "spec.containers[0].securityContext.runAsUser",
        "spec.containers[0].securityContext.capabilities.add",
        "spec.containers[0].resources.limits.cpu",
        "spec.containers[0].volumeMounts[].readOnly",
    ]


def test_init_containers_are_looked_at_too() -> None:
    assert fields(initContainers=[{"name": "i", "tty": True}]) == ["spec.initContainers[0].tty"]


def test_what_this_machine_does_is_not_named() -> None:
    body: JsonObject = {
        "securityContext": {"fsGroup": 1, "sysctls": [{}]},
        "containers": [{"name": "c", "resources": {"limits": {"cpu": "3"}}, "securityContext": {"runAsUser": 1000}}],
    }
    pod = msgspec.convert({"spec": body}, Pod)
    assert inapplicable(pod, frozenset({"users", "cpu"})) == ["spec.securityContext.sysctls"]
    assert "spec.containers[0].resources.limits.cpu" in inapplicable(pod, frozenset({"users"}))
