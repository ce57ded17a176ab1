"""What KServe's admission webhook fills in, done when the object is read: nothing is written back.

An InferenceService as the user wrote it goes in; the one that everything downstream works with comes out.
"""

from collections.abc import Iterable

import msgspec

from inferplane.kernel.json import Json, JsonObject, list_at, object_at, text_at
from inferplane.resources.serving.config import KNATIVE, MODE_ALIASES, Config, Resources
from inferplane.resources.serving.inferenceservice import FRAMEWORKS, InferenceService

DEPLOYMENT_MODE = "serving.kserve.io/deploymentMode"
MODEL_FORMAT = "modelFormat"
MAIN_CONTAINER = "kserve-container"

_V2_SHORTCUTS = frozenset({"triton", "onnx", "huggingface"})
_V2_FORMATS = frozenset({"triton", "vLLM"})
_COMPONENTS = ("predictor", "transformer", "explainer")


def defaulted(isvc: InferenceService, config: Config) -> InferenceService:
    spec: JsonObject = dict(isvc.spec)
    for name in _COMPONENTS:
        if isinstance(spec.get(name), dict):
            spec[name] = _component(name, object_at(spec, name), config)
    if list_at(spec, "canary"):
        spec["canary"] = [_canary(one) for one in list_at(spec, "canary")]
    annotations = _annotations(isvc, spec, config)
    metadata = msgspec.structs.replace(isvc.metadata, annotations=annotations)
    return msgspec.structs.replace(isvc, metadata=metadata, spec=spec)


def _annotations(isvc: InferenceService, spec: JsonObject, config: Config) -> dict[str, str]:
    """The mode is written unless it is Knative (KServe). One that was decided before the default changed stays."""
    annotations = dict(isvc.metadata.annotations)
    mode = isvc.status.deployment_mode or config.deploy.mode
    if DEPLOYMENT_MODE in annotations:
        annotations[DEPLOYMENT_MODE] = MODE_ALIASES.get(annotations[DEPLOYMENT_MODE], annotations[DEPLOYMENT_MODE])
    elif (decided := MODE_ALIASES.get(mode, mode)) != KNATIVE:
        annotations[DEPLOYMENT_MODE] = decided
    if model_format := text_at(spec, "predictor", "model", "modelFormat", "name"):
        annotations.setdefault(MODEL_FORMAT, model_format)
    return annotations


def _component(name: str, component: JsonObject, config: Config) -> JsonObject:
    component = dict(component)
    if name == "predictor":
        component = _with_model(component)
    if isinstance(art := component.get("art"), dict):
        version: JsonObject = {"runtimeVersion": config.explainers.art.default_image_version}
        component["art"] = version | art
    if list_at(component, "containers") and not component.keys() & {"model", "art"}:
        component["containers"] = _custom(name, component, config.inference_service.resource)
    if not config.security.auto_mount_service_account_token:
        component.setdefault("automountServiceAccountToken", False)
    return component


def _canary(entry: Json) -> Json:
    """A canary names its model as the predictor does; all else it has from the predictor."""
    if not isinstance(entry, dict):
        return entry
    return entry | {"predictor": _with_model(object_at(entry, "predictor"))}


def _with_model(predictor: JsonObject) -> JsonObject:
    """Moves the first shortcut (in KServe's order) into `model`; several of them are left for validation to refuse."""
    shortcut = next((one for one in FRAMEWORKS if isinstance(predictor.get(one), dict)), None)
    if shortcut and "model" not in predictor:
        moved: JsonObject = {"modelFormat": {"name": shortcut}}
        moved |= object_at(predictor, shortcut)
        if shortcut in _V2_SHORTCUTS:
            moved.setdefault("protocolVersion", "v2")
        predictor = {key: value for key, value in predictor.items() if key != shortcut} | {"model": moved}
    if text_at(predictor, "model", "modelFormat", "name") in _V2_FORMATS:
        speaking_v2: JsonObject = {"protocolVersion": "v2"}
        predictor = predictor | {"model": speaking_v2 | object_at(predictor, "model")}
    return predictor


def _custom(name: str, component: JsonObject, resources: Resources) -> list[Json]:
    first, *others = list_at(component, "containers")
    if not isinstance(first, dict):
        return [first, *others]
    if name != "predictor" or not others or not first.get("name"):
        first = first | {"name": MAIN_CONTAINER}
    return [first | {"resources": _with_resources(object_at(first, "resources"), resources)}, *others]


def _with_resources(given: JsonObject, defaults: Resources) -> JsonObject:
    requests: JsonObject = {"cpu": defaults.cpu_request, "memory": defaults.memory_request}
    limits: JsonObject = {"cpu": defaults.cpu_limit, "memory": defaults.memory_limit}
    return given | {
        "requests": requests | object_at(given, "requests"),
        "limits": limits | object_at(given, "limits"),
    }


def frameworks_in(predictor: JsonObject) -> Iterable[str]:
    """The shortcuts and `model` that are set."""
    return (one for one in (*FRAMEWORKS, "model") if isinstance(predictor.get(one), dict))
