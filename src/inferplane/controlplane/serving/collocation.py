"""Transformer and predictor of one pod in one process, where the service asks for that. Pure.

`inferplane.dev/collocation: shared-process` on the service: the pod has the transformer's container alone, and a
variable tells its server which model to load beside it (`assembly/collocated.py`). Both must run our code, and the
transformer's Python has to have the model's library.
"""

import json

from inferplane.controlplane.serving import names
from inferplane.controlplane.serving.merging import InvalidPredictor
from inferplane.kernel.json import Json, JsonObject, list_at, object_at, text_at
from inferplane.resources.serving.inferenceservice import InferenceService, PredictorSpec

ANNOTATION = "inferplane.dev/collocation"
SHARED = "shared-process"
VARIABLE = "INFERPLANE_COLLOCATED_PREDICTOR"
"""JSON: the arguments of the predictor's server."""

FORMATS = ("sklearn", "xgboost", "lightgbm", "onnx")


def shared(isvc: InferenceService, spec: PredictorSpec, pod: JsonObject) -> JsonObject:
    """The pod as asked for. Raises InvalidPredictor for what cannot share a process."""
    wanted = isvc.metadata.annotations.get(ANNOTATION, "")
    if not wanted:
        return pod
    containers = {text_at(one, "name"): one for one in list_at(pod, "containers") if isinstance(one, dict)}
    model, transformer = containers.get(names.MAIN_CONTAINER), containers.get(names.TRANSFORMER_CONTAINER)
    where = f"metadata.annotations[{ANNOTATION}]"
    if wanted != SHARED:
        raise InvalidPredictor(f"{where}: expected {SHARED}, got {wanted}")
    if model is None or transformer is None:
        raise InvalidPredictor(f"{where}: there is no container {names.TRANSFORMER_CONTAINER} beside a model")
    kind = spec.model.model_format.name if spec.model else ""
    if kind not in FORMATS or list_at(model, "command"):
        raise InvalidPredictor(
            f"{where}: only models that our own server loads can share a process ({', '.join(FORMATS)}), "
            f"this one is {kind or 'a container of your own'}"
        )
    others = [one for one in list_at(pod, "containers") if one is not model and one is not transformer]
    return pod | {"containers": [_with(transformer, model, kind), *others]}


def _with(transformer: JsonObject, model: JsonObject, kind: str) -> JsonObject:
    """The transformer's container with what the model's would have had."""
    told: JsonObject = {"name": VARIABLE, "value": json.dumps([f"--format={kind}", *list_at(model, "args")])}
    env = _joined(list_at(transformer, "env"), list_at(model, "env"), "name")
    mounts = _joined(list_at(transformer, "volumeMounts"), list_at(model, "volumeMounts"), "mountPath")
    container = transformer | {"env": [*env, told]}
    if mounts:
        container |= {"volumeMounts": mounts}
    if not object_at(transformer, "resources") and object_at(model, "resources"):
        container |= {"resources": object_at(model, "resources")}
    return container


def _joined(own: list[Json], other: list[Json], key: str) -> list[Json]:
    """Its own, then those of the other that it has none of."""
    have = {one.get(key) for one in own if isinstance(one, dict)}
    return [*own, *(one for one in other if isinstance(one, dict) and one.get(key) not in have)]
