"""How the model gets into the pod: KServe's storage initializer, or a claim's volume, written straight into the pod.

A pod spec and where the model is go in, the pod spec with volumes, mounts and init container comes out. What cannot be
fetched is for the initializer to say; here only a scheme that nobody knows is refused.
"""

import re
from collections.abc import Sequence
from posixpath import commonpath

from inferplane.controlplane.serving import modelimages, names
from inferplane.controlplane.serving.storagecontainers import takes
from inferplane.kernel.json import Json, JsonObject, list_at, text_at
from inferplane.resources.serving.config import StorageInitializer
from inferplane.resources.serving.inferenceservice import StorageUri
from inferplane.resources.serving.storagecontainer import ClusterStorageContainer

_SCHEME = re.compile(r"^\w[\w+.-]*://")
SCHEMES = (
    "gs://",
    "s3://",
    "pvc://",
    "file://",
    "https://",
    "http://",
    "hdfs://",
    "webhdfs://",
    "oci://",
    "oci+native://",
    "oci+modelcar://",
    "oci+fetch://",
    "hf://",
)
_UNFETCHED = (modelimages.MODELCAR, modelimages.NATIVE)
_PROVISION_VOLUME = "kserve-provision-location"
_CLAIM_VOLUME = "kserve-pvc-source"
_DOWNLOAD_SETTINGS = {
    "HF_HUB_ENABLE_HF_TRANSFER": "1",
    "HF_XET_HIGH_PERFORMANCE": "1",
    "HF_XET_NUM_CONCURRENT_RANGE_GETS": "8",
}

# To our own initializer: files of its own for the pod, not links into the cache that all pods share.
_WRITABLE = {"INFERPLANE_MODEL_WRITABLE": "true"}
_IMAGES = ("oci://", "oci+fetch://")
_REGISTRY_VOLUME = "oci-fetch-auth"
_REGISTRY_LOGIN = "/mnt/oci-fetch-auth"


def refusal(uri: str, fetchers: Sequence[ClusterStorageContainer] = ()) -> str | None:
    """Why `uri` cannot be served from, or None. Text without a scheme is a path on the machine."""
    if not _SCHEME.match(uri) or uri.startswith(SCHEMES) or any(takes(one, uri) for one in fetchers):
        return None
    return f"storageUri {uri!r} is not supported: expected a path or one of {', '.join(SCHEMES)}"


def with_model(pod: JsonObject, uri: str, *, read_only: bool, initializer: StorageInitializer) -> JsonObject:
    """One `storageUri`, found by the containers at /mnt/models. Raises InvalidPredictor."""
    if modelimages.mode(uri, initializer) in _UNFETCHED:
        return _told(modelimages.attached(pod, [(uri, names.MODEL_DIR)], initializer))
    if uri.startswith("pvc://"):
        volume, mount = _claim(uri, _CLAIM_VOLUME, names.MODEL_DIR, read_only)
    else:
        volume, mount = (
            {"name": _PROVISION_VOLUME, "emptyDir": {}},
            _mount(_PROVISION_VOLUME, names.MODEL_DIR, read_only),
        )
        pod = _with_initializer(
            pod, [uri, names.MODEL_DIR], _mount(_PROVISION_VOLUME, names.MODEL_DIR), initializer, read_only
        )
    return _mounted(pod, [volume], [mount])


def with_several(
    pod: JsonObject, uris: Sequence[StorageUri], *, read_only: bool, initializer: StorageInitializer
) -> JsonObject:
    """`storageUris`: every claim and image at its own path, everything that is fetched below one common volume.

    Raises InvalidPredictor.
    """
    images = [one for one in uris if modelimages.mode(one.uri, initializer) in _UNFETCHED]
    pod = modelimages.attached(pod, [(one.uri, one.mount_path) for one in images], initializer)
    claims = [one for one in uris if one.uri.startswith("pvc://")]
    fetched = [one for one in uris if one not in claims and one not in images]
    pairs = [_claim(one.uri, _volume_name(one.mount_path), one.mount_path, read_only) for one in claims]
    if fetched:
        parent = commonpath([one.mount_path for one in fetched])
        name = _volume_name(parent)
        args = [part for one in fetched for part in (one.uri, one.mount_path)]
        pod = _with_initializer(pod, args, _mount(name, parent), initializer, read_only)
        pairs.append(({"name": name, "emptyDir": {}}, _mount(name, parent, read_only)))
    return _mounted(pod, [volume for volume, _ in pairs], [mount for _, mount in pairs])


def _volume_name(path: str) -> str:
    return path.strip("/").replace("/", "-")


def _claim(uri: str, name: str, path: str, read_only: bool) -> tuple[JsonObject, JsonObject]:
    claim, _, inside = uri.removeprefix("pvc://").partition("/")
    volume: JsonObject = {"name": name, "persistentVolumeClaim": {"claimName": claim}}
    mount = _mount(name, path, read_only)
    return volume, mount | {"subPath": inside.strip("/")} if inside.strip("/") else mount


def _mount(name: str, path: str, read_only: bool = False) -> JsonObject:
    mount: JsonObject = {"name": name, "mountPath": path}
    return mount | {"readOnly": True} if read_only else mount


def _with_initializer(
    pod: JsonObject, args: list[str], mount: JsonObject, config: StorageInitializer, read_only: bool
) -> JsonObject:
    existing = list_at(pod, "initContainers")
    if any(isinstance(one, dict) and one.get("name") == names.STORAGE_INITIALIZER for one in existing):
        return pod
    settings = _DOWNLOAD_SETTINGS if read_only else _DOWNLOAD_SETTINGS | _WRITABLE
    container: JsonObject = {
        "name": names.STORAGE_INITIALIZER,
        "image": config.image,
        "args": [*args],
        "env": [{"name": name, "value": value} for name, value in settings.items()],
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "resources": {
            "requests": {"cpu": config.cpu_request, "memory": config.memory_request},
            "limits": {"cpu": config.cpu_limit, "memory": config.memory_limit},
        },
        "volumeMounts": [mount],
    }
    if any(one.startswith(_IMAGES) for one in args[::2]):
        pod, container = _with_registry(pod, container, config)
    return pod | {"initContainers": [*existing, container]}


def _with_registry(pod: JsonObject, container: JsonObject, config: StorageInitializer) -> tuple[JsonObject, JsonObject]:
    """KServe's fetch mode for images: the first pull secret is how the initializer logs in."""
    env: list[Json] = [*list_at(container, "env")]
    if config.oci_insecure_registry:
        env.append({"name": "KSERVE_OCI_INSECURE_REGISTRY", "value": "true"})
    pull = next((text_at(one, "name") for one in list_at(pod, "imagePullSecrets") if isinstance(one, dict)), "")
    if not pull:
        return pod, container | {"env": env}
    env.append({"name": "KSERVE_OCI_DOCKER_CONFIG", "value": f"{_REGISTRY_LOGIN}/config.json"})
    items: list[Json] = [{"key": ".dockerconfigjson", "path": "config.json", "mode": 0o400}]
    projected: JsonObject = {"sources": [{"secret": {"name": pull, "items": items}}]}
    volume: JsonObject = {"name": _REGISTRY_VOLUME, "projected": projected}
    mounts: list[Json] = [*list_at(container, "volumeMounts"), _mount(_REGISTRY_VOLUME, _REGISTRY_LOGIN, True)]
    pod = pod | {"volumes": [*list_at(pod, "volumes"), volume]}
    return pod, container | {"env": env, "volumeMounts": mounts}


def _mounted(pod: JsonObject, volumes: Sequence[JsonObject], mounts: Sequence[JsonObject]) -> JsonObject:
    wanted = modelimages.targets(pod)
    containers: list[Json] = [
        _with_mounts(one, mounts) if isinstance(one, dict) and one.get("name") in wanted else one
        for one in list_at(pod, "containers")
    ]
    have = {text_at(one, "name") for one in list_at(pod, "volumes") if isinstance(one, dict)}
    added = [one for one in volumes if one["name"] not in have]
    return pod | {"containers": containers, "volumes": [*list_at(pod, "volumes"), *added]}


def _with_mounts(container: JsonObject, mounts: Sequence[JsonObject]) -> JsonObject:
    have = {text_at(one, "mountPath") for one in list_at(container, "volumeMounts") if isinstance(one, dict)}
    added = [one for one in mounts if one["mountPath"] not in have]
    return _with_path(container | {"volumeMounts": [*list_at(container, "volumeMounts"), *added]})


def _told(pod: JsonObject) -> JsonObject:
    wanted = modelimages.targets(pod)
    containers: list[Json] = [
        _with_path(one) if isinstance(one, dict) and one.get("name") in wanted else one
        for one in list_at(pod, "containers")
    ]
    return pod | {"containers": containers}


def _with_path(container: JsonObject) -> JsonObject:
    """Where a container of the user's own was told a URI, it now finds a path."""
    env: list[Json] = [
        one | {"value": names.MODEL_DIR}
        if isinstance(one, dict) and one.get("name") == "STORAGE_URI" and one.get("value")
        else one
        for one in list_at(container, "env")
    ]
    return container | {"env": env} if env else container
