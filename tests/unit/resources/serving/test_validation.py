"""Each rule of KServe's validating webhook that applies in Standard mode, with the words that the user sees."""

import msgspec
import pytest

from inferplane.kernel.json import Json, JsonObject
from inferplane.resources.meta import ObjectMeta
from inferplane.resources.serving.config import Config
from inferplane.resources.serving.defaulting import defaulted
from inferplane.resources.serving.inferenceservice import (
    InferenceService,
    InferenceServiceSpec,
    InferenceServiceStatus,
)
from inferplane.resources.serving.validation import not_scaled, problems, unsupported

SKLEARN: JsonObject = {"sklearn": {"storageUri": "s3://b"}}


def service(predictor: JsonObject, name: str = "iris", mode: str = "", **annotations: str) -> InferenceService:
    meta = ObjectMeta(name=name, annotations={f"serving.kserve.io/{k}": v for k, v in annotations.items()})
    status = InferenceServiceStatus(deployment_mode=mode)
    return defaulted(InferenceService(metadata=meta, spec={"predictor": predictor}, status=status), Config())


def found(isvc: InferenceService) -> list[str]:
    return problems(isvc, msgspec.convert(isvc.spec, InferenceServiceSpec))


def custom(*env: tuple[str, str], name: str = "kserve-container") -> JsonObject:
    variables: list[Json] = [{"name": key, "value": value} for key, value in env]
    return {"name": name, "image": "i", "env": variables}


@pytest.mark.parametrize(
    "predictor",
    [
        SKLEARN,
        {"model": {"modelFormat": {"name": "x"}}},
        {"containers": [custom()]},
        {"containers": [custom(name="mine")]},
        SKLEARN | {"containers": [custom(name="transformer-container")]},
        SKLEARN | {"minReplicas": 0},
        SKLEARN | {"minReplicas": 3, "maxReplicas": 0},
        {"containers": [custom(("PROTOCOL", "v2"))]},
        {"sklearn": {}, "storageUris": [{"uri": "pvc://a", "mountPath": "/a"}, {"uri": "s3://b", "mountPath": "/b"}]},
    ],
)
def test_what_is_valid_has_no_problems(predictor: JsonObject) -> None:
    assert found(service(predictor)) == []


@pytest.mark.parametrize(
    ("predictor", "message"),
    [
        ({}, "exactly one of model, a framework or containers of your own is needed, has none"),
        ({"sklearn": {}, "xgboost": {}}, "has xgboost, model"),
        (SKLEARN | {"containers": [custom()]}, "has model, containers"),
        ({"sklearn": {"name": "x"}}, "spec.predictor.model.name: the container of a model cannot be named"),
        ({"sklearn": {"env": [{"name": "PYTHONPATH"}]}}, "spec.predictor.model: env PYTHONPATH is not allowed"),
        ({"containers": [custom(("PYTHONPATH", "/x"))]}, "spec.predictor.containers: env PYTHONPATH"),
        (
            SKLEARN | {"initContainers": [custom(("PYTHONPATH", "/x"), name="i")]},
            "spec.predictor.initContainers: env PYTHONPATH",
        ),
        (
            SKLEARN | {"containers": [custom(("STORAGE_URI", "s3://b"), name="transformer-container")]},
            "transformer-container cannot have env STORAGE_URI",
        ),
        (SKLEARN | {"storageUris": [{"uri": "s3://b"}]}, "storageUri and storageUris cannot both be set"),
        (
            {"containers": [custom(("STORAGE_URI", "s3://b"))], "storageUris": [{"uri": "s3://b"}]},
            "storageUri and storageUris cannot both be set",
        ),
        ({"sklearn": {}, "storageUris": [{"uri": "s3://b", "mountPath": "/"}]}, "storageUris[0].mountPath"),
        ({"sklearn": {}, "storageUris": [{"uri": "s3://b", "mountPath": "/a/../b"}]}, "without '..', got '/a/../b'"),
        (
            {
                "sklearn": {},
                "storageUris": [{"uri": "s3://b", "mountPath": "/a"}, {"uri": "s3://c", "mountPath": "/b"}],
            },
            "the mountPaths /a, /b need a common parent below /",
        ),
        (
            {
                "sklearn": {},
                "storageUris": [
                    {"uri": "s3://b", "mountPath": "/m/a"},
                    {"uri": "s3://c", "mountPath": "/m/b"},
                    {"uri": "pvc://a", "mountPath": "/p"},
                    {"uri": "pvc://b", "mountPath": "/p"},
                ],
            },
            "two pvc:// items have the same mountPath",
        ),
        ({"containers": [custom(("PROTOCOL", "v3"))]}, "env PROTOCOL: expected v1 or v2, got 'v3'"),
        (SKLEARN | {"minReplicas": 3, "maxReplicas": 2}, "minReplicas (3) is more than maxReplicas (2)"),
        (SKLEARN | {"logger": {"url": "http://x"}}, "spec.predictor.logger.mode: is needed"),
        (
            SKLEARN | {"logger": {"mode": "all", "storage": {"key": "k"}}},
            "spec.predictor.logger.storage: needs path, parameters",
        ),
    ],
)
def test_each_rule_says_what_is_wrong_and_where(predictor: JsonObject, message: str) -> None:
    (words,) = found(service(predictor))
    assert message in words


@pytest.mark.parametrize("name", ["1iris", "Iris", "iris.a", "iris-"])
def test_names_that_kubernetes_could_not_use_everywhere_are_refused(name: str) -> None:
    (words,) = found(service(SKLEARN, name))
    assert words.startswith(f"metadata.name: {name!r}")


@pytest.mark.parametrize("scaler", ["hpa", "external", "keda", "none"])
def test_the_autoscaler_classes_are_known(scaler: str) -> None:
    assert found(service(SKLEARN, autoscalerClass=scaler)) == []


def test_an_unknown_autoscaler_class_is_refused() -> None:
    (words,) = found(service(SKLEARN, autoscalerClass="kpa"))
    assert words.endswith("expected one of hpa, external, keda, none, got 'kpa'")


def test_the_mode_cannot_change() -> None:
    (words,) = found(service(SKLEARN, mode="Knative", deploymentMode="Standard"))
    assert words.endswith("cannot change from Knative to Standard: delete and create it again")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"scaleMetric": "rps"}, "scaleMetric: the class hpa knows cpu and memory, got rps"),
        ({"scaleTarget": 101}, "scaleTarget: expected 1 to 100 percent, got 101"),
        ({"scaleMetric": "cpu", "scaleTarget": 0}, "scaleTarget: expected 1 to 100 percent, got 0"),
        ({"autoScaling": {"metrics": [{"type": "External"}]}}, "metrics[0].type: the class hpa knows Resource"),
        ({"autoScaling": {"metrics": [{"type": "Resource"}]}}, "metrics[0]: resource is needed"),
    ],
)
def test_rules_of_the_class_hpa(fields: JsonObject, message: str) -> None:
    (words,) = found(service(SKLEARN | fields, autoscalerClass="hpa"))
    assert message in words
    assert found(service(SKLEARN | fields)) == []


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"transformer": {"containers": [custom()]}}, "spec.transformer"),
        ({"explainer": {"containers": [custom()]}}, "spec.explainer"),
        ({"canary": [{"predictor": {"name": "b"}, "trafficPercent": 10}]}, "spec.canary"),
        ({"predictor": SKLEARN | {"workerSpec": {}}}, "spec.predictor.workerSpec"),
        ({"predictor": SKLEARN | {"canaryTrafficPercent": 0}}, "spec.predictor.canaryTrafficPercent"),
        ({"predictor": SKLEARN | {"logger": {"mode": "all"}}}, "spec.predictor.logger"),
        ({"predictor": SKLEARN | {"batcher": {}}}, "spec.predictor.batcher"),
        ({"predictor": SKLEARN | {"storageContainerName": "x"}}, "spec.predictor.storageContainerName"),
        ({"predictor": {"sklearn": {"storage": {"path": "p"}}}}, "spec.predictor.model.storage"),
        ({"predictor": {"sklearn": {"confidential": {"enabled": True}}}}, "spec.predictor.model.confidential"),
    ],
)
def test_what_is_not_there_yet_is_named(spec: JsonObject, path: str) -> None:
    whole: JsonObject = {"predictor": SKLEARN}
    isvc = defaulted(InferenceService(metadata=ObjectMeta(name="iris"), spec=whole | spec), Config())
    assert unsupported(isvc, msgspec.convert(isvc.spec, InferenceServiceSpec), "Standard") == [
        f"{path} is not supported yet"
    ]


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"minReplicas": 2, "maxReplicas": 2}, []),
        ({"maxReplicas": 1}, []),
        ({"maxReplicas": 3, "scaleTarget": 5}, ["spec.predictor.maxReplicas", "spec.predictor.scaleTarget"]),
        ({"scaleMetric": "cpu", "autoScaling": {}}, ["spec.predictor.scaleMetric", "spec.predictor.autoScaling"]),
    ],
)
def test_autoscaling_that_has_no_effect_is_named(fields: JsonObject, names: list[str]) -> None:
    isvc = service(SKLEARN | fields)
    assert not_scaled(isvc, msgspec.convert(isvc.spec, InferenceServiceSpec)) == names
    left_to_others = service(SKLEARN | fields, autoscalerClass="external")
    assert not_scaled(left_to_others, msgspec.convert(isvc.spec, InferenceServiceSpec)) == []
