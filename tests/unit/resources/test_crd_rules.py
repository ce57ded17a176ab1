"""The rules in our CRDs: a cluster takes them (they are sound and cheap enough), and they say what they should."""

import pytest

from inferplane.controlplane.apiserver.cel.definition import rule_errors
from inferplane.controlplane.apiserver.cel.rules import Rules
from inferplane.kernel.json import Json, JsonObject, list_at, object_at, text_at
from inferplane.resources.crds import all_crds

CRDS = {text_at(one, "spec", "names", "kind"): one for one in all_crds()}
MODEL: JsonObject = {"model": {"modelFormat": {"name": "sklearn"}, "storageUri": "s3://b"}}


def schema(kind: str) -> JsonObject:
    (version,) = list_at(CRDS[kind], "spec", "versions")
    assert isinstance(version, dict)
    return object_at(version, "schema", "openAPIV3Schema")


RULES = {
    kind: Rules.of(schema(kind)) for kind in ("InferenceService", "InferenceGraph", "ServingRuntime", "TrainedModel")
}


def violations(kind: str, spec: JsonObject, old: JsonObject | None = None, name: str = "iris") -> list[str]:
    rules = RULES[kind]
    assert rules is not None
    before: JsonObject | None = {"metadata": {"name": name}, "spec": old} if old is not None else None
    found = rules.violations({"metadata": {"name": name}, "spec": spec}, before)
    return [f"{one.path}: {one.message.partition(': ')[2].partition(': ')[2]}" for one in found]


def predictor(*models: JsonObject, **fields: Json) -> JsonObject:
    merged: JsonObject = {}
    for one in models or (MODEL,):
        merged |= one
    return {"predictor": merged | fields}


@pytest.mark.parametrize("kind", list(CRDS))
def test_a_cluster_takes_the_rules(kind: str) -> None:
    assert [f"{one.path}: {one.message}" for one in rule_errors(schema(kind), "schema")] == []


@pytest.mark.parametrize(
    "spec",
    [
        predictor(),
        predictor({"sklearn": {}}),
        predictor({"containers": [{"image": "a"}]}),
        predictor(containers=[{"name": "transformer-container"}]),
        predictor(minReplicas=0, maxReplicas=1),
        predictor(minReplicas=3, maxReplicas=0),
        predictor(logger={"mode": "all", "storage": {"path": "p", "parameters": {"a": "b"}, "key": "k"}}),
        predictor(batcher={"maxBatchSize": 1, "maxLatency": 0, "timeout": 1}),
        predictor(batcher={}),
        predictor({"sklearn": {}}, storageUris=[{"uri": "s3://b"}]),
        predictor(workerSpec={"pipelineParallelSize": 2, "containers": [{"name": "w"}]}),
        predictor() | {"transformer": {"containers": [{"image": "a"}]}, "explainer": {"art": {"type": "SquareAttack"}}},
    ],
)
def test_what_is_valid_breaks_no_rule(spec: JsonObject) -> None:
    assert violations("InferenceService", spec) == []


ONE_MODEL = "exactly one of model, a framework or containers of your own is needed"


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (predictor({}), f"spec.predictor: {ONE_MODEL}, there is none"),
        (predictor({"containers": []}), f"spec.predictor: {ONE_MODEL}, there is none"),
        (predictor({"sklearn": {}, "xgboost": {}}), f"spec.predictor: {ONE_MODEL}"),
        (predictor(MODEL, {"onnx": {}}), f"spec.predictor: {ONE_MODEL}"),
        (predictor(minReplicas=3, maxReplicas=2), "spec.predictor: minReplicas is more than maxReplicas"),
        (predictor(storageUris=[{"uri": "a"}]), "spec.predictor: storageUri and storageUris cannot both be set"),
        (predictor(logger={}), "spec.predictor.logger: mode is needed: all, request or response"),
        (
            predictor(logger={"mode": "all", "storage": {"key": "k"}}),
            "spec.predictor.logger: storage needs path, parameters and key",
        ),
        (predictor(logger={"mode": "all", "batchSize": 0}), "spec.predictor.logger: batchSize must be 1 or more"),
        (predictor(batcher={"maxBatchSize": 0}), "spec.predictor.batcher: maxBatchSize must be 1 or more"),
        (predictor(batcher={"maxLatency": -1}), "spec.predictor.batcher: maxLatency must be 0 or more"),
        (predictor(batcher={"timeout": 0}), "spec.predictor.batcher: timeout must be 1 or more"),
        (predictor({"sklearn": {"name": "x"}}), "spec.predictor.sklearn: the container of a model cannot be named"),
        (
            predictor({"sklearn": {"confidential": {"enabled": True}}}),
            "spec.predictor.sklearn: an encrypted model needs storageUri",
        ),
        (
            predictor(workerSpec={"containers": [{}, {}]}),
            "spec.predictor.workerSpec: workers have one container at most",
        ),
        (
            predictor(workerSpec={"tensorParallelSize": 0}),
            "spec.predictor.workerSpec: tensorParallelSize must be 1 or more",
        ),
        (predictor() | {"transformer": {}}, "spec.transformer: containers of your own are needed"),
        (predictor() | {"explainer": {}}, "spec.explainer: art or containers of your own are needed"),
    ],
)
def test_each_rule_refuses_with_its_words(spec: JsonObject, words: str) -> None:
    assert violations("InferenceService", spec) == [words]


def test_the_name_must_be_one_that_every_child_can_have() -> None:
    (words,) = violations("InferenceService", predictor(), name="1iris")
    assert "must start with a lower-case letter" in words


def test_the_predictors_name_changes_only_with_its_model() -> None:
    named = predictor(name="b")
    other = predictor({"model": {"modelFormat": {"name": "sklearn"}, "storageUri": "s3://c"}})
    assert violations("InferenceService", named, old=predictor()) == [
        "spec.predictor: name can change only together with the model's storageUri"
    ]
    assert violations("InferenceService", named, old=other) == []
    assert violations("InferenceService", predictor({"sklearn": {}}, name="b"), old=predictor({"sklearn": {}})) == []


A_STEP: JsonObject = {"serviceName": "a"}


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        ({"root": {"routerType": "Sequence", "steps": [A_STEP]}}, []),
        ({"root": {"routerType": "Splitter", "steps": [A_STEP | {"weight": 100}]}}, []),
        (
            {"start": {"routerType": "Sequence", "steps": [A_STEP]}},
            ["spec.nodes: no node is named root, which takes the requests"],
        ),
        (
            {"root": {"routerType": "Sequence", "steps": [A_STEP, {"nodeName": ""}]}},
            ["spec.nodes[root].steps[1]: exactly one of nodeName, serviceName and serviceUrl is needed"],
        ),
        (
            {"root": {"routerType": "Splitter", "steps": [A_STEP]}},
            ["spec.nodes[root]: every step of a Splitter needs a weight"],
        ),
    ],
)
def test_a_graphs_nodes_and_steps_are_held_to_rules(nodes: JsonObject, words: list[str]) -> None:
    assert violations("InferenceGraph", {"nodes": nodes}) == words


def test_a_runtimes_workers_cannot_be_removed() -> None:
    with_workers: JsonObject = {"containers": [], "workerSpec": {"containers": [{"name": "w"}]}}
    without: JsonObject = {"containers": []}
    assert violations("ServingRuntime", without, old=with_workers) == ["spec: workerSpec cannot be removed"]
    assert violations("ServingRuntime", without | {"disabled": True}, old=with_workers) == []
    assert violations("ServingRuntime", with_workers, old=without) == []


def trained(uri: str = "s3://b/m", memory: Json = "1Gi") -> JsonObject:
    source: JsonObject = {"storageUri": uri, "framework": "sklearn", "memory": memory}
    return {"inferenceService": "many", "model": source}


def test_a_trained_models_memory_stays_and_its_uri_is_one_that_can_be_fetched() -> None:
    assert violations("TrainedModel", trained("gs://b/other"), trained()) == []
    assert violations("TrainedModel", trained(memory="2Gi"), trained()) == [
        "spec.model: memory cannot be changed: delete the TrainedModel and create it again"
    ]
    [refused] = violations("TrainedModel", trained("pvc://claim/m"))
    assert refused.startswith("spec.model: storageUri must begin with one of s3://, gs://")
    [refused] = violations("TrainedModel", trained(), name="1model")
    assert "the name must start with a lower-case letter" in refused
