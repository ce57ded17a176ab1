"""A model in an image (`oci://…`) without fetching it: as a container beside the server, or as a volume.

`ociModelMode` of the configuration says which, or the URI's own prefix (`oci+modelcar://`, `oci+native://`); else the
image is fetched like any other URI (`storage`), which also works where nothing runs images. Names are KServe's (6.7).
Pure.
"""

from collections.abc import Sequence
from posixpath import dirname

from inferplane.controlplane.serving import names
from inferplane.controlplane.serving.merging import InvalidPredictor, set_variable
from inferplane.kernel.json import Json, JsonObject, list_at, object_at, text_at
from inferplane.resources.serving.config import StorageInitializer

FETCH, MODELCAR, NATIVE = "fetch", "modelcar", "native"
_VOLUME = "kserve-provision-location"
_PREFIXES = {"oci+fetch://": FETCH, "oci+modelcar://": MODELCAR, "oci+native://": NATIVE}
_MOST = 10
Place = tuple[str, str]
"""A URI and the path at which the server finds the model."""


def mode(uri: str, config: StorageInitializer) -> str:
    """How the URI's image gets into the pod; "" for a URI of another kind."""
    for prefix, asked in _PREFIXES.items():
        if uri.startswith(prefix):
            return asked
    if not uri.startswith("oci://"):
        return ""
    return config.oci_model_mode or (MODELCAR if config.enable_modelcar or config.enable_oci_model_support else FETCH)


def targets(pod: JsonObject) -> tuple[str, str]:
    """Names of the containers that are to find the model: the workers' on the other nodes of one that spans several."""
    have = {text_at(one, "name") for one in list_at(pod, "containers") if isinstance(one, dict)}
    main = names.MAIN_CONTAINER if names.MAIN_CONTAINER in have else names.WORKER_CONTAINER
    return main, names.TRANSFORMER_CONTAINER


def reference(uri: str) -> str:
    return uri.partition("://")[2]


def attached(pod: JsonObject, places: Sequence[Place], config: StorageInitializer) -> JsonObject:
    """The pod with every image that isn't fetched. Raises InvalidPredictor: too many, or in each other's way."""
    by_mode = {kind: [one for one in places if mode(one[0], config) == kind] for kind in (MODELCAR, NATIVE)}
    _check(places, by_mode)
    for index, (uri, path) in enumerate(by_mode[MODELCAR]):
        pod = _with_modelcar(pod, reference(uri), path, f"-{index}" if index else "", config)
    for uri, path in by_mode[NATIVE]:
        pod = _with_volume(pod, reference(uri), path)
    return pod


def _check(places: Sequence[Place], by_mode: dict[str, list[Place]]) -> None:
    images = [path for paths in by_mode.values() for _, path in paths]
    if len(images) > _MOST:
        raise InvalidPredictor(f"storageUris: at most {_MOST} images, got {len(images)}")
    for kind, key, what in ((MODELCAR, dirname, "the same parent directory"), (NATIVE, str, "the same path")):
        found = [key(path) for _, path in by_mode[kind]]
        if len(set(found)) < len(found):
            raise InvalidPredictor(
                f"storageUris: two images ({kind}) are mounted at {what}: {', '.join(sorted(found))}"
            )


# --- as a container ---------------------------------------------------------------------------------------------------


def _with_modelcar(pod: JsonObject, image: str, path: str, suffix: str, config: StorageInitializer) -> JsonObject:
    """The server sees the other container's files by way of /proc, so processes share one namespace."""
    containers = [one for one in list_at(pod, "containers") if isinstance(one, dict)]
    if any(one.get("name") == f"modelcar{suffix}" for one in containers):
        return pod
    mount: JsonObject = {"name": f"{_VOLUME}{suffix}", "mountPath": dirname(path), "readOnly": False}
    resources: JsonObject = {"cpu": config.cpu_modelcar, "memory": config.memory_modelcar}
    common: JsonObject = {
        "image": image,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "resources": {"limits": {**resources}, "requests": {**resources}},
        "securityContext": {"runAsUser": config.uid_modelcar},
    }
    # Kubernetes expands $(NAME) and makes $ of $$, so the shell gets its own number from $$$$.
    link = f"ln -sf /proc/$$$$/root/models {path} && sleep infinity"
    check = '[ -n "$(ls -A /models)" ] || { echo "the image has no files in /models"; exit 1; }'
    car: JsonObject = {"name": f"modelcar{suffix}", "args": ["sh", "-c", link], "volumeMounts": [mount], **common}
    first: JsonObject = {"name": f"modelcar-init{suffix}", "args": ["sh", "-c", check], **common}
    wanted = targets(pod)
    served: list[Json] = [_served(one, mount, config) if one.get("name") in wanted else one for one in containers]
    return pod | {
        "containers": [*served, car],
        "initContainers": [*list_at(pod, "initContainers"), first],
        "volumes": [*list_at(pod, "volumes"), {"name": mount["name"], "emptyDir": {}}],
        "shareProcessNamespace": True,
    }


def _served(container: JsonObject, mount: JsonObject, config: StorageInitializer) -> JsonObject:
    # The link appears a moment after the server starts.
    container = set_variable(container, "MODEL_INIT_MODE", "async")
    user = object_at(container, "securityContext") | {"runAsUser": config.uid_modelcar}
    return _mounted(container, mount) | {"securityContext": user}


# --- as a volume ------------------------------------------------------------------------------------------------------


def _with_volume(pod: JsonObject, image: str, path: str) -> JsonObject:
    name = path.strip("/").replace("/", "-")
    volume: JsonObject = {"name": name, "image": {"reference": image, "pullPolicy": "IfNotPresent"}}
    mount: JsonObject = {"name": name, "mountPath": path, "subPath": "models", "readOnly": True}
    wanted = targets(pod)
    containers: list[Json] = [
        _mounted(one, mount) if isinstance(one, dict) and text_at(one, "name") in wanted else one
        for one in list_at(pod, "containers")
    ]
    return pod | {"containers": containers, "volumes": [*list_at(pod, "volumes"), volume]}


def _mounted(container: JsonObject, mount: JsonObject) -> JsonObject:
    return container | {"volumeMounts": [*list_at(container, "volumeMounts"), mount]}
