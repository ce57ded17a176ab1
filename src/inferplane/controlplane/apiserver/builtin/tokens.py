"""The volume with which a pod's containers reach the API: token, CA, namespace (admission ServiceAccount)."""

from inferplane.controlplane.apiserver.builtin.filling import parts
from inferplane.kernel.json import Json, JsonObject, object_at

MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
_SECONDS = 3607
_MODE = 0o644


def with_token_volume(pod: JsonObject, suffix: str) -> JsonObject:
    """The pod with the volume and with a mount in every container that has nothing at its place.

    `suffix` makes the volume's name unique. A pod that opts out, or whose containers all mount something there, stays
    as it is. The argument is not changed.
    """
    spec = object_at(pod, "spec")
    if spec.get("automountServiceAccountToken") is False:
        return pod
    name = f"kube-api-access-{suffix}"
    mounted: JsonObject = {}
    for key in ("initContainers", "containers"):
        if key in spec:
            mounted[key] = [_mounted(one, name) for one in parts(spec, key)]
    if mounted == {key: spec[key] for key in mounted}:
        return pod
    volumes: list[Json] = [*parts(spec, "volumes"), _volume(name)]
    return {**pod, "spec": {**spec, **mounted, "volumes": volumes}}


def _mounted(container: JsonObject, name: str) -> JsonObject:
    mounts: list[Json] = [*parts(container, "volumeMounts")]
    if any(isinstance(one, dict) and one.get("mountPath") == MOUNT_PATH for one in mounts):
        return container
    mine: JsonObject = {"name": name, "readOnly": True, "mountPath": MOUNT_PATH}
    return {**container, "volumeMounts": [*mounts, mine]}


def _volume(name: str) -> JsonObject:
    namespace: JsonObject = {"apiVersion": "v1", "fieldPath": "metadata.namespace"}
    sources: list[Json] = [
        {"serviceAccountToken": {"expirationSeconds": _SECONDS, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": namespace}]}},
    ]
    return {"name": name, "projected": {"sources": sources, "defaultMode": _MODE}}
