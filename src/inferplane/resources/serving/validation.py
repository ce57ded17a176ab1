"""What is wrong with an InferenceService, in words: the rules of KServe's validating webhook for Standard mode.

There are no webhooks here. What a schema can say (types, enumerations, patterns, bounds) is in the types, and so in the
CRD; reading a spec into them checks it once more, as a cluster may have somebody else's CRD. The rest is here. The
controller shows the messages in the condition PredictorReady. `unsupported` names what is well-formed but not there
yet.
"""

import re
from collections.abc import Iterable, Iterator

from inferplane.kernel.json import Json, JsonObject, list_at, object_at, text_at
from inferplane.resources.serving.defaulting import DEPLOYMENT_MODE, MAIN_CONTAINER, frameworks_in
from inferplane.resources.serving.inferenceservice import (
    NAME_PATTERN,
    ComponentExtension,
    InferenceService,
    InferenceServiceSpec,
    LoggerSpec,
    StorageUri,
)

AUTOSCALER_CLASS = "serving.kserve.io/autoscalerClass"
CLASSES = ("hpa", "external", "keda", "none")
_COMPONENTS = ("predictor", "transformer", "explainer")
_BLOCKED_ENV = "PYTHONPATH"


def problems(isvc: InferenceService, spec: InferenceServiceSpec) -> list[str]:
    """`isvc` after defaulting and its typed `spec`; an empty list means that it is valid."""
    found = [*_of_metadata(isvc), *_of_predictor(isvc.spec, spec)]
    for name, component in _components(spec):
        path = f"spec.{name}"
        found += [*_of_environment(isvc.spec, name), *_of_bounds(path, component), *_of_logger(path, component.logger)]
    if isvc.metadata.annotations.get(AUTOSCALER_CLASS) == "hpa":
        found += _of_scaling("spec.predictor", spec.predictor)
    return found


def _components(spec: InferenceServiceSpec) -> Iterator[tuple[str, ComponentExtension]]:
    for name, component in zip(_COMPONENTS, (spec.predictor, spec.transformer, spec.explainer), strict=True):
        if component is not None:
            yield name, component


def _of_metadata(isvc: InferenceService) -> Iterator[str]:
    if not re.fullmatch(NAME_PATTERN, isvc.metadata.name):
        yield (
            f"metadata.name: {isvc.metadata.name!r} must start with a lower-case letter and hold only lower-case "
            "letters, digits and '-'"
        )
    scaler = isvc.metadata.annotations.get(AUTOSCALER_CLASS)
    if scaler is not None and scaler not in CLASSES:
        yield f"metadata.annotations[{AUTOSCALER_CLASS}]: expected one of {', '.join(CLASSES)}, got {scaler!r}"
    mode, was = isvc.metadata.annotations.get(DEPLOYMENT_MODE), isvc.status.deployment_mode
    if mode and was and mode != was:
        yield f"metadata.annotations[{DEPLOYMENT_MODE}]: cannot change from {was} to {mode}: delete and create it again"


def _of_environment(spec: JsonObject, component: str) -> Iterator[str]:
    raw = object_at(spec, component)
    places = [(f"{component}.{kind}", one) for kind in ("containers", "initContainers") for one in list_at(raw, kind)]
    places += [(f"{component}.{name}", raw[name]) for name in (*frameworks_in(raw), "art") if name in raw]
    for path, container in places:
        if _BLOCKED_ENV in _environment(container):
            yield f"spec.{path}: env {_BLOCKED_ENV} is not allowed"


def _environment(container: Json) -> dict[str, str]:
    entries = list_at(container, "env") if isinstance(container, dict) else []
    return {text_at(one, "name"): text_at(one, "value") for one in entries if isinstance(one, dict)}


def _of_predictor(spec: JsonObject, typed: InferenceServiceSpec) -> Iterator[str]:
    raw = object_at(spec, "predictor")
    yield from _of_implementations(raw)
    yield from _of_containers(raw)
    for name in frameworks_in(raw):
        if text_at(raw, name, "name"):
            yield f"spec.predictor.{name}.name: the container of a model cannot be named"
    uri = typed.predictor.model.storage_uri if typed.predictor.model else _custom_storage(raw)
    if typed.predictor.storage_uris is not None:
        if uri:
            yield "spec.predictor: storageUri and storageUris cannot both be set"
        yield from _of_storage_uris("spec.predictor.storageUris", typed.predictor.storage_uris)


def _custom_storage(predictor: JsonObject) -> str:
    containers = [one for one in list_at(predictor, "containers") if isinstance(one, dict)]
    return next((_environment(one).get("STORAGE_URI", "") for one in containers), "")


def _of_implementations(predictor: JsonObject) -> Iterator[str]:
    frameworks = list(frameworks_in(predictor))
    names = [text_at(one, "name") for one in list_at(predictor, "containers") if isinstance(one, dict)]
    custom = MAIN_CONTAINER in names or (bool(names) and not frameworks)
    have = frameworks + (["containers"] if custom else [])
    if len(have) != 1:
        what = f"has {', '.join(have)}" if have else "has none"
        yield f"spec.predictor: exactly one of model, a framework or containers of your own is needed, {what}"


def _of_containers(predictor: JsonObject) -> Iterator[str]:
    containers = [one for one in list_at(predictor, "containers") if isinstance(one, dict)]
    for one in containers:
        if text_at(one, "name") == "transformer-container" and "STORAGE_URI" in _environment(one):
            yield "spec.predictor.containers: transformer-container cannot have env STORAGE_URI"
    protocol = _environment(containers[0]).get("PROTOCOL") if containers and not any(frameworks_in(predictor)) else None
    if protocol is not None and protocol not in ("v1", "v2"):
        yield f"spec.predictor.containers[0]: env PROTOCOL: expected v1 or v2, got {protocol!r}"


def _of_storage_uris(path: str, uris: list[StorageUri]) -> Iterator[str]:
    for index, one in enumerate(uris):
        where = f"{path}[{index}]"
        if not one.uri:
            yield f"{where}.uri: is empty"
        if one.mount_path == "/" or not one.mount_path.startswith("/") or ".." in one.mount_path.split("/"):
            yield f"{where}.mountPath: expected an absolute path below / without '..', got {one.mount_path!r}"
    fetched = [one.mount_path for one in uris if not one.uri.startswith("pvc://")]
    claims = [one.mount_path for one in uris if one.uri.startswith("pvc://")]
    if len(fetched) < 2:
        return
    if len(set(claims)) < len(claims):
        yield f"{path}: two pvc:// items have the same mountPath"
    if len({one.split("/")[1] for one in fetched if one.startswith("/")}) > 1:
        yield f"{path}: the mountPaths {', '.join(fetched)} need a common parent below /"


def _of_bounds(path: str, component: ComponentExtension) -> Iterator[str]:
    least, most = component.min_replicas, component.max_replicas
    if most and (1 if least is None else least) > most:
        yield f"{path}: minReplicas ({1 if least is None else least}) is more than maxReplicas ({most})"


def _of_logger(path: str, logger: LoggerSpec | None) -> Iterator[str]:
    if logger is None:
        return
    if logger.mode is None:
        yield f"{path}.logger.mode: is needed: all, request or response"
    if logger.storage is not None:
        storage = logger.storage
        missing = [name for name in ("path", "parameters", "key") if not getattr(storage, name)]
        if missing:
            yield f"{path}.logger.storage: needs {', '.join(missing)}"


def _of_scaling(path: str, component: ComponentExtension) -> Iterator[str]:
    metric, target = component.scale_metric, component.scale_target
    if metric is not None and metric not in ("cpu", "memory"):
        yield f"{path}.scaleMetric: the class hpa knows cpu and memory, got {metric}"
    if target is not None and (target > 100 or (metric is not None and target < 1)):
        yield f"{path}.scaleTarget: expected 1 to 100 percent, got {target}"
    for index, one in enumerate(component.auto_scaling.metrics if component.auto_scaling else []):
        if one.type != "Resource":
            yield f"{path}.autoScaling.metrics[{index}].type: the class hpa knows Resource, got {one.type}"
        elif one.resource is None:
            yield f"{path}.autoScaling.metrics[{index}]: resource is needed for the type Resource"


def unsupported(isvc: InferenceService, spec: InferenceServiceSpec, mode: str) -> list[str]:
    """Fields that ask for what this version cannot do yet. `mode` is the effective deployment mode."""
    found: list[str] = []
    if mode != "Standard":
        where = f"metadata.annotations[{DEPLOYMENT_MODE}]"
        found.append(f"{where}: {mode} mode is not supported yet; set it to Standard")
    if isvc.metadata.annotations.get(AUTOSCALER_CLASS) == "keda":
        found.append(f"metadata.annotations[{AUTOSCALER_CLASS}]: keda is not supported yet")
    predictor, model = spec.predictor, spec.predictor.model
    asked: Iterable[tuple[str, object]] = (
        ("spec.transformer", spec.transformer),
        ("spec.explainer", spec.explainer),
        ("spec.canary", spec.canary or None),
        ("spec.predictor.workerSpec", predictor.worker_spec),
        ("spec.predictor.canaryTrafficPercent", predictor.canary_traffic_percent),
        ("spec.predictor.logger", predictor.logger),
        ("spec.predictor.batcher", predictor.batcher),
        ("spec.predictor.storageContainerName", predictor.storage_container_name),
        ("spec.predictor.model.storage", model.storage if model else None),
        ("spec.predictor.model.confidential", model.confidential if model else None),
    )
    return found + [f"{path} is not supported yet" for path, value in asked if value is not None]


def not_scaled(isvc: InferenceService, spec: InferenceServiceSpec) -> list[str]:
    """Autoscaling fields that have no effect yet: the service runs at `minReplicas` meanwhile."""
    if isvc.metadata.annotations.get(AUTOSCALER_CLASS) in ("none", "external"):
        return []
    component = spec.predictor
    least = 1 if component.min_replicas is None else max(1, component.min_replicas)
    asked = {
        "maxReplicas": (component.max_replicas or 0) > least,
        "scaleTarget": component.scale_target is not None,
        "scaleMetric": component.scale_metric is not None,
        "autoScaling": component.auto_scaling is not None,
    }
    return [f"spec.predictor.{name}" for name, is_set in asked.items() if is_set]
