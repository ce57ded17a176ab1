"""Rules about `spec.canary`: other versions of the predictor, each with a share of the traffic."""

from collections.abc import Iterator

from inferplane.kernel.json import JsonObject, list_at, object_at
from inferplane.resources.serving.defaulting import DEPLOYMENT_MODE
from inferplane.resources.serving.inferenceservice import InferenceService, InferenceServiceSpec, PredictorSpec
from inferplane.resources.serving.validation.containers import implementations
from inferplane.resources.serving.validation.scaling import bound_problems


def problems(isvc: InferenceService, spec: InferenceServiceSpec) -> Iterator[str]:
    if not spec.canary:
        return
    mode = isvc.metadata.annotations.get(DEPLOYMENT_MODE)
    if mode != "Standard":
        yield f"spec.canary: is for Standard mode only, the mode is {mode or 'Knative'}"
        return
    stable = spec.predictor
    if stable.model is None and not stable.storage_uris:
        yield "spec.canary: the predictor itself needs a model"
    yield from _names(spec)
    raw = [one for one in list_at(isvc.spec, "canary") if isinstance(one, dict)]
    for index, (entry, one) in enumerate(zip(spec.canary, raw, strict=True)):
        yield from _entry(f"spec.canary[{index}].predictor", entry.predictor, object_at(one, "predictor"), stable)
    if (total := sum(one.traffic_percent for one in spec.canary)) > 100:
        yield f"spec.canary: the trafficPercents add up to {total}, more than 100"


def _names(spec: InferenceServiceSpec) -> Iterator[str]:
    seen: set[str] = set()
    for index, entry in enumerate(spec.canary):
        path, name = f"spec.canary[{index}].predictor.name", entry.predictor.name
        if not name:
            yield f"{path}: is needed"
        elif name in seen:
            yield f"{path}: {name!r} is the name of another canary"
        elif name == spec.predictor.name:
            yield f"{path}: {name!r} is the name of the predictor itself"
        seen.add(name or "")


def _entry(path: str, predictor: PredictorSpec, raw: JsonObject, stable: PredictorSpec) -> Iterator[str]:
    have = implementations("predictor", raw)
    if len(have) != 1:
        what = f"has {', '.join(have)}" if have else "has none"
        yield f"{path}: exactly one of model, a framework or containers of your own is needed, {what}"
    yield from bound_problems(path, predictor)
    refused = {
        "workerSpec": predictor.worker_spec is not None,
        "maxReplicas": bool(predictor.max_replicas),
        "scaleTarget": predictor.scale_target is not None,
        "scaleMetric": predictor.scale_metric is not None,
        "autoScaling": predictor.auto_scaling is not None,
    }
    yield from (f"{path}.{name}: a canary cannot have it" for name, given in refused.items() if given)
    most = 1 if stable.min_replicas is None else stable.min_replicas
    if predictor.min_replicas is not None and predictor.min_replicas > most:
        yield f"{path}.minReplicas: {predictor.min_replicas} is more than the predictor's own ({most})"
