"""A predictor without a model of its own: it serves the TrainedModels that name it. Which one is that, and its pod.

KServe's rules (reference section 8.4): a container of the user's own that says so by a variable, or a model server that
is told of no storage. Its pod gets the ConfigMap with the list of models, an empty directory for them, and the flags of
the puller: in the server's own args where the server is ours, else in those of the agent beside it. Pure.
"""

from inferplane.controlplane.serving import names
from inferplane.kernel.json import Json, JsonObject, list_at, object_at, text_at
from inferplane.resources.serving.inferenceservice import PredictorSpec

VARIABLE = "MULTI_MODEL_SERVER"
FILE = "models.json"
CONFIG_VOLUME, CONFIG_DIR = "model-config", "/mnt/configs"
MODEL_VOLUME = "model-dir"
_HUGGING_FACE = "huggingface"
_LIMIT = "--memory_limit"
_PULLER = "--enable-puller"


def is_multi_model(predictor: PredictorSpec, raw: JsonObject) -> bool:
    """`raw` is the predictor as it is written, `predictor` the same typed, after defaulting."""
    model = predictor.model
    if model is None:
        return any(_says_so(one) for one in list_at(raw, "containers") if isinstance(one, dict))
    has_storage = model.storage_uri or model.storage is not None or predictor.storage_uris
    return model.model_format.name != _HUGGING_FACE and not has_storage


def _says_so(container: JsonObject) -> bool:
    env = [one for one in list_at(container, "env") if isinstance(one, dict)]
    return any(one.get("name") == VARIABLE and text_at(one, "value").lower() == "true" for one in env)


def config_name(isvc: str) -> str:
    """The ConfigMap with the list of models. KServe counts shards, of which it has one."""
    return f"modelconfig-{isvc}-0"


def flags() -> list[str]:
    """Of the puller, as KServe's agent has them."""
    return [_PULLER, "--config-dir", CONFIG_DIR, "--model-dir", names.MODEL_DIR]


def furnished(pod: JsonObject, isvc: str) -> JsonObject:
    """The pod, one of whose containers has `flags`, with what they speak of. A server that pulls by itself is told of
    its memory limit, which bounds what it keeps loaded."""
    volumes = [one for one in list_at(pod, "volumes") if isinstance(one, dict)]
    have = {text_at(one, "name") for one in volumes}
    made: list[JsonObject] = [
        {"name": CONFIG_VOLUME, "configMap": {"name": config_name(isvc)}},
        {"name": MODEL_VOLUME, "emptyDir": {}},
    ]
    containers: list[Json] = [_furnished(one) if isinstance(one, dict) else one for one in list_at(pod, "containers")]
    return pod | {"containers": containers, "volumes": [*volumes, *(one for one in made if one["name"] not in have)]}


def _furnished(container: JsonObject) -> JsonObject:
    serves = container.get("name") == names.MAIN_CONTAINER
    if pulls(container):
        container = _mounted(container, (MODEL_VOLUME, names.MODEL_DIR), (CONFIG_VOLUME, CONFIG_DIR))
        return _limited(container) if serves else container
    return _mounted(container, (MODEL_VOLUME, names.MODEL_DIR)) if serves else container


def pulls(container: JsonObject) -> bool:
    return _PULLER in list_at(container, "args")


def _limited(container: JsonObject) -> JsonObject:
    args, limit = list_at(container, "args"), memory_limit(container)
    if not limit or any(isinstance(one, str) and one.startswith(_LIMIT) for one in args):
        return container
    return container | {"args": [*args, f"{_LIMIT}={limit}"]}


def memory_limit(container: JsonObject) -> str:
    """Of a container, as it is written; "" without one."""
    return str(object_at(container, "resources", "limits").get("memory") or "")


def _mounted(container: JsonObject, *mounts: tuple[str, str]) -> JsonObject:
    existing = [one for one in list_at(container, "volumeMounts") if isinstance(one, dict)]
    have = {text_at(one, "mountPath") for one in existing}
    added: list[Json] = [{"name": name, "mountPath": path} for name, path in mounts if path not in have]
    return container | {"volumeMounts": [*existing, *added]}
