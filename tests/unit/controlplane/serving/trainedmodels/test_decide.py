import msgspec
import pytest

from inferplane.controlplane.serving.trainedmodels.decide import (
    BY_MEASURE,
    FRAMEWORK,
    MEMORY,
    Parent,
    decide,
    listed,
    status,
)
from inferplane.kernel.json import JsonObject
from inferplane.resources.schemas.quantities import amount
from inferplane.resources.serving.inferenceservice import InferenceService
from inferplane.resources.serving.trainedmodel import ALLOCATED_LABEL, TrainedModel

NOW = "2026-01-01T00:00:00Z"


def parent(*, ready: bool = True, limit: str | None = "2Gi", problem: str = "", measured: bool = False) -> Parent:
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    body = {
        "metadata": {"name": "many", "annotations": {BY_MEASURE: "measured"} if measured else {}},
        "status": {"conditions": conditions, "url": "http://many.localhost", "address": {"url": "http://many.ns"}},
    }
    isvc = msgspec.convert(body, InferenceService)
    return Parent(isvc, problem, amount(limit) if limit else None, ("sklearn",), "/v1/models/{}:predict")


def model(name: str, memory: str = "1Gi", *, old: bool = False, framework: str = "sklearn") -> TrainedModel:
    labels = {ALLOCATED_LABEL: "many"} if old else {}
    source: JsonObject = {"storageUri": f"s3://b/{name}", "framework": framework, "memory": memory}
    body = {"metadata": {"name": name, "labels": labels}, "spec": {"inferenceService": "many", "model": source}}
    return msgspec.convert(body, TrainedModel)


def served(of: Parent, *models: TrainedModel) -> list[str]:
    return [one.model.name for one in decide(of, models) if one.served]


@pytest.mark.parametrize(
    ("of", "models", "names"),
    [
        (parent(), [model("a"), model("b"), model("c")], ["a", "b"]),
        (parent(), [model("a"), model("z", old=True), model("c")], ["a", "z"]),
        (parent(), [model("a", "3Gi"), model("b")], ["b"]),
        (parent(limit=None), [model("a", "100Gi")], ["a"]),
        (parent(limit="1Gi"), [model("a", old=True), model("b", old=True)], ["a", "b"]),
        (parent(ready=False), [model("a"), model("b", old=True)], ["b"]),
        (parent(problem="it has a model"), [model("a"), model("b", old=True)], []),
        (parent(), [model("a", framework="pytorch")], []),
        (parent(), [model("a", framework="SKLearn")], ["a"]),
        (parent(measured=True), [model("a", "2Gi"), model("b", "2Gi"), model("c", "3Gi")], ["a", "b"]),
    ],
)
def test_the_server_gets_what_the_memory_is_enough_for_and_keeps_what_it_has(
    of: Parent, models: list[TrainedModel], names: list[str]
) -> None:
    assert served(of, *models) == names


def test_a_model_that_does_not_fit_says_how_much_is_left() -> None:
    large, late = decide(parent(), [model("big", "3Gi"), model("late", "1.5Gi"), model("x", old=True)])[:2]
    assert large.verdicts[MEMORY].message == (
        "it needs 3Gi, and the container of InferenceService many is limited to 2048Mi"
    )
    assert late.verdicts[MEMORY].reason == "MemoryResourceNotAvailable"
    assert late.verdicts[MEMORY].message.endswith(", of which 1024Mi are taken by other TrainedModels")


def test_a_framework_that_the_server_does_not_have_is_refused_by_name() -> None:
    [one] = decide(parent(), [model("a", framework="pytorch")])
    assert one.verdicts[FRAMEWORK].message == "the server of InferenceService many has no pytorch, only sklearn"


def test_the_list_has_kserves_form() -> None:
    assert listed(decide(parent(), [model("b"), model("a", "1G")])) == (
        '[{"modelName":"a","modelSpec":{"storageUri":"s3://b/a","framework":"sklearn","memory":"1G"}},'
        '{"modelName":"b","modelSpec":{"storageUri":"s3://b/b","framework":"sklearn","memory":"1Gi"}}]'
    )


def test_the_status_leads_to_the_model() -> None:
    of = parent()
    [one] = decide(of, [model("a")])
    found = status(of, one, NOW)
    assert (found.url, found.address and found.address.url) == (
        "http://many.localhost/v1/models/a:predict",
        "http://many.ns/v1/models/a:predict",
    )
    assert {one.type: one.status for one in found.conditions} == dict.fromkeys(
        ["FrameworkSupported", "InferenceServiceReady", "IsMMSPredictor", "MemoryResourceAvailable", "Ready"], "True"
    )
