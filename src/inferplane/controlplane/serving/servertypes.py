"""What some model servers need beside their runtime's container: protocol, environment and labels by server type.

Nothing of this is written back to the InferenceService; it goes into what is rendered.
"""

import msgspec

from inferplane.controlplane.serving import images, names
from inferplane.kernel.json import Json, JsonObject, list_at, object_at, text_at
from inferplane.resources.serving.inferenceservice import InferenceService
from inferplane.resources.serving.runtime import ServingRuntime

_MLSERVER_CLASSES = {
    "sklearn": "mlserver_sklearn.SKLearnModel",
    "xgboost": "mlserver_xgboost.XGBoostModel",
    "lightgbm": "mlserver_lightgbm.LightGBMModel",
    "mlflow": "mlserver_mlflow.MLflowRuntime",
}
_DEFAULT_PROTOCOL = {"mlserver": "v2", "tritonserver": "v2", "torchserve": "v1"}
_PROTOCOLS = ("v1", "v2", "grpc-v1", "grpc-v2")


def of(runtime: ServingRuntime) -> str:
    return images.server_type(runtime.metadata.annotations.get(names.SERVER_TYPE), runtime.metadata.name)


def fitted(isvc: InferenceService, runtime: ServingRuntime) -> InferenceService:
    """`isvc` with what the server type of the chosen runtime asks for; what the user has set stays."""
    predictor = object_at(isvc.spec, "predictor")
    model = dict(object_at(predictor, "model"))
    server = of(runtime)
    first = next((one for one in _PROTOCOLS if one in runtime.spec.protocol_versions), None)
    if not model.get("protocolVersion") and (protocol := _DEFAULT_PROTOCOL.get(server) or first):
        model["protocolVersion"] = protocol
    labels: dict[str, str] = {}
    match server:
        case "mlserver":
            _add_environment(model, _mlserver_environment(isvc.metadata.name, model))
            labels["modelClass"] = _MLSERVER_CLASSES.get(
                text_at(model, "modelFormat", "name"), _MLSERVER_CLASSES["sklearn"]
            )
        case "torchserve":
            protocol = text_at(model, "protocolVersion")
            _add_environment(model, {"PROTOCOL_VERSION": protocol})
            labels["serviceEnvelope"] = "kservev2" if protocol in ("v2", "grpc-v2") else "kserve"
        case "tritonserver" if not _has_storage(model):
            model["args"] = [*list_at(model, "args"), "--model-control-mode=explicit"]
    metadata = msgspec.structs.replace(isvc.metadata, labels=isvc.metadata.labels | labels)
    spec: JsonObject = isvc.spec | {"predictor": predictor | {"model": model}}
    return msgspec.structs.replace(isvc, metadata=metadata, spec=spec)


def _mlserver_environment(name: str, model: JsonObject) -> dict[str, str]:
    if not _has_storage(model):
        return {"MLSERVER_LOAD_MODELS_AT_STARTUP": "false"}
    return {"MLSERVER_MODEL_NAME": name, "MLSERVER_MODEL_URI": names.MODEL_DIR}


def _has_storage(model: JsonObject) -> bool:
    return bool(model.get("storageUri") or model.get("storage"))


def _add_environment(model: JsonObject, variables: dict[str, str]) -> None:
    env = list_at(model, "env")
    have = {text_at(one, "name") for one in env if isinstance(one, dict)}
    more: list[Json] = [{"name": name, "value": value} for name, value in variables.items() if name not in have]
    if more:
        model["env"] = env + more
