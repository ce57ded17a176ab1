"""An InferenceService as the parent of TrainedModels: has it a server for many models, and with how much memory?

The answers are those of the plan that its own controller makes of it. Pure.
"""

from fractions import Fraction

from inferplane.controlplane.serving import merging, multimodel, names, servertypes
from inferplane.controlplane.serving.merging import InvalidPredictor
from inferplane.controlplane.serving.plan import Plan, Runtimes, prepared
from inferplane.controlplane.serving.trainedmodels.decide import Parent
from inferplane.kernel.json import JsonObject, list_at, object_at, text_at
from inferplane.resources.schemas.quantities import amount
from inferplane.resources.serving.config import Config
from inferplane.resources.serving.inferenceservice import InferenceService
from inferplane.resources.serving.templates import TemplateError

_V1, _V2 = "/v1/models/{}:predict", "/v2/models/{}/infer"


def parent(isvc: InferenceService, config: Config, runtimes: Runtimes) -> Parent:
    todo = prepared(isvc, config, runtimes, knative=True)
    if problem := _problem(todo):
        return Parent(isvc, problem, None, (), _V1)
    container, protocol = _server(todo)
    formats = [one.name for one in todo.runtime.spec.supported_model_formats] if todo.runtime is not None else []
    path = _V2 if protocol in ("v2", "grpc-v2") else _V1
    return Parent(isvc, "", _limit(container), tuple(dict.fromkeys(formats)), path)


def _problem(todo: Plan) -> str:
    name = todo.isvc.metadata.name
    if todo.spec is None:
        why = todo.blocked.message if todo.blocked is not None else "it is stopped"
        return f"InferenceService {name} has no server now: {why}"
    if not multimodel.is_multi_model(todo.spec.predictor, object_at(todo.isvc.spec, names.PREDICTOR)):
        return (
            f"InferenceService {name} serves a model of its own: only a predictor without storageUri (and not of the "
            f"format huggingface), or a container with {multimodel.VARIABLE}=true, takes TrainedModels"
        )
    return ""


def _server(todo: Plan) -> tuple[JsonObject, str]:
    """(container, protocol) of the predictor; the container is empty when there is none to be had."""
    if todo.spec is None or todo.spec.predictor.model is None:
        containers = list_at(merging.pod_of_containers(todo.isvc), "containers")
        protocol = ""
    elif todo.runtime is None:
        return {}, todo.spec.predictor.model.protocol_version or ""
    else:
        fitted = servertypes.fitted(todo.isvc, todo.runtime)
        protocol = text_at(fitted.spec, names.PREDICTOR, "model", "protocolVersion")
        try:
            containers = list_at(merging.pod_of_model(fitted, todo.runtime), "containers")
        except (InvalidPredictor, TemplateError):
            return {}, protocol  # told by its own controller
    return next((one for one in containers if isinstance(one, dict)), {}), protocol


def _limit(container: JsonObject) -> Fraction | None:
    text = multimodel.memory_limit(container)
    try:
        return amount(text) if text else None
    except ValueError:
        return None
