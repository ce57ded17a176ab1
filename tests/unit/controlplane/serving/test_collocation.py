import json
from typing import Any

import pytest

from inferplane.controlplane.serving.collocation import ANNOTATION, SHARED, VARIABLE, shared
from inferplane.controlplane.serving.merging import InvalidPredictor
from inferplane.kernel.json import JsonObject, list_at
from inferplane.resources.meta import ObjectMeta
from inferplane.resources.serving.inferenceservice import InferenceService, ModelFormat, ModelSpec, PredictorSpec

MOUNT: JsonObject = {"name": "models", "mountPath": "/mnt/models"}
MODEL: JsonObject = {
    "name": "kserve-container",
    "image": "kserve/sklearnserver:latest",
    "args": ["--model_name=iris", "--model_dir=/mnt/models"],
    "env": [{"name": "PREDICT_PROBA", "value": "true"}, {"name": "A", "value": "theirs"}],
    "volumeMounts": [MOUNT],
    "resources": {"limits": {"cpu": "1"}},
}
TRANSFORMER: JsonObject = {
    "name": "transformer-container",
    "image": "example.test/t:1",
    "ports": [{"containerPort": 8060}],
    "env": [{"name": "A", "value": "mine"}],
}


def found(pod: JsonObject, wanted: str = SHARED, format: str = "sklearn") -> JsonObject:
    isvc = InferenceService(metadata=ObjectMeta(name="iris", annotations={ANNOTATION: wanted} if wanted else {}))
    spec = PredictorSpec(model=ModelSpec(model_format=ModelFormat(name=format)))
    return shared(isvc, spec, pod)


def pod(*containers: JsonObject) -> JsonObject:
    return {"containers": [*containers]}


def test_the_transformers_container_is_told_of_the_model_and_gets_what_it_needs() -> None:
    [container, other] = list_at(found(pod(MODEL, TRANSFORMER, {"name": "other"})), "containers")
    assert isinstance(container, dict)
    env: Any = {one["name"]: one["value"] for one in list_at(container, "env")}  # type: ignore[index,call-overload]
    assert json.loads(env.pop(VARIABLE)) == ["--format=sklearn", "--model_name=iris", "--model_dir=/mnt/models"]
    assert env == {"A": "mine", "PREDICT_PROBA": "true"}
    assert (container["name"], container["image"]) == ("transformer-container", "example.test/t:1")
    assert (container["volumeMounts"], container["resources"]) == ([MOUNT], MODEL["resources"])
    assert (container["ports"], other) == (TRANSFORMER["ports"], {"name": "other"})


def test_without_the_annotation_nothing_changes() -> None:
    both = pod(MODEL, TRANSFORMER)
    assert found(both, "") is both


@pytest.mark.parametrize(
    ("containers", "wanted", "format", "words"),
    [
        ((MODEL, TRANSFORMER), "one", "sklearn", "expected shared-process, got one"),
        ((MODEL,), SHARED, "sklearn", "no container transformer-container beside a model"),
        ((MODEL, TRANSFORMER), SHARED, "pytorch", "only models that our own server loads"),
        (({**MODEL, "command": ["x"]}, TRANSFORMER), SHARED, "sklearn", "only models that our own server loads"),
    ],
)
def test_what_cannot_share_a_process_is_refused(
    containers: tuple[JsonObject, ...], wanted: str, format: str, words: str
) -> None:
    with pytest.raises(InvalidPredictor, match=words):
        found(pod(*containers), wanted, format)
