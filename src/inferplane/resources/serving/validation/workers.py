"""Rules about models that span nodes (`predictor.workerSpec`)."""

from collections.abc import Iterator, Mapping

import msgspec

from inferplane.kernel.json import JsonObject, object_at
from inferplane.resources.serving.inferenceservice import InferenceService, ModelSpec, PredictorSpec, WorkerSpec
from inferplane.resources.serving.validation.metadata import AUTOSCALER_CLASS
from inferplane.resources.serving.validation.parts import containers_of, environment

GPU_TYPES_ANNOTATION = "serving.kserve.io/gpu-resource-types"
GPU_TYPES = frozenset({"nvidia.com/gpu", "amd.com/gpu", "intel.com/gpu", "habana.ai/gaudi"})
_PLAIN = frozenset({"cpu", "memory", "storage", "ephemeral-storage"})
_SCHEMES = ("pvc://", "oci://")
_WORKERS = "spec.predictor.workerSpec"
_MODEL = "spec.predictor.model"


def problems(
    isvc: InferenceService, predictor: PredictorSpec, workers: WorkerSpec, gpu_types: frozenset[str]
) -> Iterator[str]:
    raw = object_at(isvc.spec, "predictor")
    containers = containers_of(object_at(raw, "workerSpec"))
    if len(containers) > 1:
        yield f"{_WORKERS}.containers: one container at most, got {len(containers)}"
    known = _PLAIN | GPU_TYPES | gpu_types
    try:
        known |= _annotated(isvc.metadata.annotations)
    except msgspec.MsgspecError:
        given = isvc.metadata.annotations[GPU_TYPES_ANNOTATION]
        yield f"metadata.annotations[{GPU_TYPES_ANNOTATION}]: expected a JSON list of texts, got {given!r}"
    if predictor.model is not None:
        yield from _of_model(isvc, predictor.model, object_at(raw, "model"), known)
    for name in ("pipelineParallelSize", "tensorParallelSize"):
        size = object_at(raw, "workerSpec").get(name)
        if isinstance(size, int) and size < 1:
            yield f"{_WORKERS}.{name}: expected 1 or more, got {size}"
    for one in containers:
        yield from _of_resources(f"{_WORKERS}.containers", one, known)


def _annotated(annotations: Mapping[str, str]) -> frozenset[str]:
    text = annotations.get(GPU_TYPES_ANNOTATION)
    return frozenset(msgspec.json.decode(text, type=list[str])) if text else frozenset()


def _of_model(isvc: InferenceService, model: ModelSpec, raw: JsonObject, known: frozenset[str]) -> Iterator[str]:
    for name, field in (("PIPELINE_PARALLEL_SIZE", "pipeline"), ("TENSOR_PARALLEL_SIZE", "tensor")):
        if name in environment(raw):
            yield f"{_MODEL}.env: {name} is set by workerSpec.{field}ParallelSize alone"
    yield from _of_resources(_MODEL, raw, known)
    if not model.storage_uri:
        yield f"{_MODEL}.storageUri: is needed for a model that spans nodes"
    elif not model.storage_uri.startswith(_SCHEMES):
        yield f"{_MODEL}.storageUri: a model that spans nodes needs {' or '.join(_SCHEMES)}, got {model.storage_uri!r}"
    scaler = isvc.metadata.annotations.get(AUTOSCALER_CLASS)
    if scaler != "none":
        words = "a model that spans nodes is not scaled: expected none"
        yield f"metadata.annotations[{AUTOSCALER_CLASS}]: {words}, got {scaler or 'nothing'}"


def _of_resources(path: str, container: JsonObject, known: frozenset[str]) -> Iterator[str]:
    asked = {name: None for kind in ("limits", "requests") for name in object_at(container, "resources", kind)}
    for name in asked:
        if name not in known:
            gpus = ", ".join(sorted(known - _PLAIN))
            yield f"{path}.resources: {name} is no known kind of GPU ({gpus}): name it in {GPU_TYPES_ANNOTATION}"
