"""Every rejection of KServe's validating webhook, one row each, in its order of evaluation, with the user's words.

Numbers are those of our reference. Rule 20 (frameworks that were not turned into `model`) cannot be reached: beside a
model a framework is refused by rule 18, alone it becomes the model. What the schema refuses by itself is in `SCHEMA`.
"""

import msgspec
import pytest

from inferplane.kernel.json import Json, JsonObject, list_at, object_at, text_at
from inferplane.resources import schemas
from inferplane.resources.crds import all_crds
from inferplane.resources.meta import ObjectMeta
from inferplane.resources.serving.config import Config, parse
from inferplane.resources.serving.defaulting import defaulted
from inferplane.resources.serving.inferenceservice import (
    InferenceService,
    InferenceServiceSpec,
    InferenceServiceStatus,
)
from inferplane.resources.serving.validation import problems

SKLEARN: JsonObject = {"sklearn": {"storageUri": "s3://b"}}
KNATIVE_BY_DEFAULT = parse({"deploy": '{"defaultDeploymentMode": "Knative"}'})


def service(
    spec: JsonObject, annotations: dict[str, str] | None = None, *, name: str = "iris", was: str = "", config: Config
) -> InferenceService:
    """`spec` without `predictor` gets sklearn's; annotations are named without their prefix unless they have one."""
    whole: JsonObject = {"predictor": SKLEARN}
    found = {key if "/" in key else f"serving.kserve.io/{key}": value for key, value in (annotations or {}).items()}
    meta, status = ObjectMeta(name=name, annotations=found), InferenceServiceStatus(deployment_mode=was)
    return defaulted(InferenceService(metadata=meta, spec=whole | spec, status=status), config)


def found(
    spec: JsonObject,
    annotations: dict[str, str] | None = None,
    *,
    name: str = "iris",
    was: str = "",
    config: Config | None = None,
) -> list[str]:
    isvc = service(spec, annotations, name=name, was=was, config=config or Config())
    return problems(isvc, msgspec.convert(isvc.spec, InferenceServiceSpec))


def custom(*env: tuple[str, str], name: str = "kserve-container") -> JsonObject:
    variables: list[Json] = [{"name": key, "value": value} for key, value in env]
    return {"name": name, "image": "i", "env": variables}


def predictor(**fields: Json) -> JsonObject:
    return {"predictor": SKLEARN | fields}


def workers(model: JsonObject | None = None, **fields: Json) -> JsonObject:
    valid: JsonObject = {"modelFormat": {"name": "huggingface"}, "storageUri": "pvc://c/m"}
    return {"predictor": {"model": valid | (model or {}), "workerSpec": {**fields}}}


def metrics(*entries: JsonObject, **fields: Json) -> JsonObject:
    return predictor(autoScaling={"metrics": [*entries]}, **fields)


def resource(name: str, **target: Json) -> JsonObject:
    return {"type": "Resource", "resource": {"name": name, "target": {**target}}}


def query(kind: str, block: str, backend: str, text: str, **target: Json) -> JsonObject:
    return {"type": kind, block: {"metric": {"backend": backend, "query": text}, "target": {**target}}}


def canary(*names_and_shares: tuple[str, int], **fields: Json) -> JsonObject:
    entries: list[Json] = [
        {"predictor": SKLEARN | {"name": name, **fields}, "trafficPercent": share} for name, share in names_and_shares
    ]
    return {"canary": entries}


def one_uri(path: str) -> JsonObject:
    return {"predictor": {"sklearn": {}, "storageUris": [{"uri": "s3://b", "mountPath": path}]}}


PYTHONPATH = custom(("PYTHONPATH", "/x"), name="any")
KNATIVE = {"deploymentMode": "Knative"}
HPA, KEDA, NONE = ({"autoscalerClass": one} for one in ("hpa", "keda", "none"))
PVC_AND_TWO: JsonObject = {
    "storageUris": [
        {"uri": "s3://b", "mountPath": "/m/a"},
        {"uri": "s3://c", "mountPath": "/m/b"},
        {"uri": "pvc://a", "mountPath": "/p"},
        {"uri": "pvc://b", "mountPath": "/p"},
    ]
}


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"predictor": {"model": {"modelFormat": {"name": "x"}}}},
        {"predictor": {"containers": [custom()]}},
        {"predictor": {"containers": [custom(name="mine")]}},
        {"predictor": {"containers": [custom(("PROTOCOL", "v2"))]}},
        predictor(containers=[custom(name="transformer-container")]),
        predictor(minReplicas=0),
        predictor(minReplicas=3, maxReplicas=0),
        {"transformer": {"containers": [custom()]}},
        {"explainer": {"art": {"type": "SquareAttack"}}},
        {"explainer": {"containers": [custom()]}},
        predictor(logger={"mode": "all", "storage": {"path": "p", "parameters": {"a": "b"}, "key": "k"}}),
        {"predictor": {"sklearn": {}, "storageUris": [{"uri": "pvc://a"}, {"uri": "s3://b", "mountPath": "/b"}]}},
        {"predictor": {"sklearn": {}} | PVC_AND_TWO | {"storageUris": [{"uri": "s3://b", "mountPath": "/m/a"}]}},
        {"predictor": {"sklearn": {"storageUri": "s3://b", "confidential": {"enabled": True}}}},
        {"predictor": {"sklearn": {"storageUri": "s3://b", "confidential": {"resourceId": "kbs:///a/b/c"}}}},
        canary(("a", 60), ("b", 40)),
        canary(("a", 0), minReplicas=1),
    ],
)
def test_what_is_valid_has_no_problems(spec: JsonObject) -> None:
    assert found(spec) == []


@pytest.mark.parametrize(
    ("annotations", "spec"),
    [
        (HPA, predictor(scaleMetric="cpu", scaleTarget=80)),
        (HPA, metrics(resource("memory", type="Utilization", averageUtilization=50))),
        (KEDA, metrics(resource("cpu", type="Utilization", averageUtilization=50))),
        (KEDA, metrics(resource("memory", type="AverageValue", averageValue="10Mi"))),
        (KEDA, metrics(query("External", "external", "prometheus", "q", value="0.5"))),
        (KEDA, metrics(query("PodMetric", "podmetric", "opentelemetry", "q", value=5))),
        (NONE, workers(pipelineParallelSize=2, containers=[{"resources": {"limits": {"nvidia.com/gpu": 1}}}])),
        (NONE | {"gpu-resource-types": '["a.com/gpu"]'}, workers({"resources": {"limits": {"a.com/gpu": "1"}}})),
        (KNATIVE, predictor(scaleMetric="rps", scaleTarget=1)),
        ({"deploymentMode": "RawDeployment"}, canary(("a", 1))),
        (
            {"deploymentMode": "Knative", "autoscaling.knative.dev/class": "hpa.autoscaling.knative.dev"},
            predictor(scaleMetric="cpu", scaleTarget=80),
        ),
    ],
)
def test_what_is_valid_with_these_annotations_has_no_problems(annotations: dict[str, str], spec: JsonObject) -> None:
    assert found(spec, annotations) == []


BLOCKED: list[tuple[str, JsonObject]] = [
    ("predictor.containers", {"predictor": {"containers": [PYTHONPATH]}}),
    ("predictor.initContainers", predictor(initContainers=[PYTHONPATH])),
    ("predictor.model", {"predictor": {"sklearn": {"env": [{"name": "PYTHONPATH", "value": "/x"}]}}}),
    ("transformer.containers", {"transformer": {"containers": [PYTHONPATH]}}),
    ("transformer.initContainers", {"transformer": {"containers": [custom()], "initContainers": [PYTHONPATH]}}),
    ("explainer.containers", {"explainer": {"containers": [PYTHONPATH]}}),
    ("explainer.initContainers", {"explainer": {"containers": [custom()], "initContainers": [PYTHONPATH]}}),
    ("explainer.art", {"explainer": {"art": {"env": [{"name": "PYTHONPATH", "value": "/x"}]}}}),
]
REJECTIONS: list[tuple[str, dict[str, str], JsonObject, str]] = [
    ("2", {"autoscalerClass": "kpa"}, {}, "expected one of hpa, external, keda, none, got 'kpa'"),
    *(("3", {}, spec, f"spec.{place}: env PYTHONPATH is not allowed") for place, spec in BLOCKED),
    ("3", NONE, workers(containers=[PYTHONPATH]), "spec.predictor.workerSpec.containers: env PYTHONPATH"),
    ("3", NONE, workers(initContainers=[PYTHONPATH]), "spec.predictor.workerSpec.initContainers: env PYTHONPATH"),
    ("4", NONE, workers(containers=[custom(), custom(name="b")]), "one container at most, got 2"),
    ("5", NONE, workers({"env": [{"name": "PIPELINE_PARALLEL_SIZE"}]}), "set by workerSpec.pipelineParallelSize alone"),
    ("5", NONE, workers({"env": [{"name": "TENSOR_PARALLEL_SIZE"}]}), "set by workerSpec.tensorParallelSize alone"),
    ("6", NONE, workers({"resources": {"limits": {"a.com/gpu": 1}}}), "model.resources: a.com/gpu is no known kind"),
    ("6", NONE | {"gpu-resource-types": "a"}, workers(), "gpu-resource-types]: expected a JSON list of texts, got 'a'"),
    ("7", NONE, workers({"storageUri": ""}), "model.storageUri: is needed for a model that spans nodes"),
    ("8", NONE, workers({"storageUri": "s3://b"}), "needs pvc:// or oci://, got 's3://b'"),
    ("9", {}, workers(), "a model that spans nodes is not scaled: expected none, got nothing"),
    ("9", HPA, workers(), "a model that spans nodes is not scaled: expected none, got hpa"),
    ("10", NONE, workers(pipelineParallelSize=0), "workerSpec.pipelineParallelSize: expected 1 or more, got 0"),
    ("10", NONE, workers(tensorParallelSize=0), "workerSpec.tensorParallelSize: expected 1 or more, got 0"),
    ("11", NONE, workers(containers=[{"resources": {"requests": {"x/y": 1}}}]), "workerSpec.containers.resources: x/y"),
    (
        "12",
        {},
        predictor(containers=[custom(("STORAGE_URI", "s3://b"), name="transformer-container")]),
        "transformer-container cannot have env STORAGE_URI",
    ),
    ("13", {}, {"predictor": {"sklearn": {"name": "x"}}}, "spec.predictor.model.name: the container of a model cannot"),
    (
        "14",
        {},
        {"transformer": {"containers": [custom(("STORAGE_URI", "s3://b"))], "storageUris": [{"uri": "s3://c"}]}},
        "spec.transformer: storageUri and storageUris cannot both be set",
    ),
    (
        "14",
        {},
        {"explainer": {"art": {"storageUri": "s3://b"}, "storageUris": [{"uri": "s3://c"}]}},
        "spec.explainer: storageUri and storageUris cannot both be set",
    ),
    ("14", {}, predictor(storageUris=[{"uri": "s3://c"}]), "spec.predictor: storageUri and storageUris cannot both"),
    (
        "14",
        {},
        {"predictor": {"containers": [custom(("STORAGE_URI", "s3://b"))], "storageUris": [{"uri": "s3://b"}]}},
        "spec.predictor: storageUri and storageUris cannot both be set",
    ),
    ("15", {}, one_uri("/"), "storageUris[0].mountPath: expected an absolute path below / without '..', got '/'"),
    ("15", {}, one_uri("/a/../b"), "without '..', got '/a/../b'"),
    ("16", {}, {"predictor": {"sklearn": {}} | PVC_AND_TWO}, "two pvc:// items have the same mountPath"),
    (
        "16",
        {},
        {"predictor": {"sklearn": {}, "storageUris": [{"uri": "s3://b", "mountPath": p} for p in ("/a", "/b")]}},
        "the mountPaths /a, /b need a common parent below /",
    ),
    ("17", {}, {"predictor": {"sklearn": {"confidential": {"enabled": True}}}}, "an encrypted model needs storageUri"),
    (
        "17",
        {},
        {"predictor": {"sklearn": {"storageUri": "s3://b", "confidential": {"resourceId": "kbs:///a/b"}}}},
        "confidential.resourceId: expected kbs:///REPOSITORY/TYPE/TAG, got 'kbs:///a/b'",
    ),
    (
        "18",
        {},
        {"predictor": {}},
        "spec.predictor: exactly one of model, a framework or containers of your own is needed",
    ),
    ("18", {}, {"predictor": {"sklearn": {}, "xgboost": {}}}, "is needed, has xgboost, model"),
    ("18", {}, predictor(containers=[custom()]), "is needed, has model, containers"),
    ("18", {}, {"transformer": {}}, "spec.transformer: exactly one of containers of your own is needed, has none"),
    ("18", {}, {"explainer": {}}, "spec.explainer: exactly one of art or containers of your own is needed, has none"),
    ("18", {}, {"explainer": {"art": {}, "containers": [custom()]}}, "is needed, has art, containers"),
    (
        "19",
        {},
        {"predictor": {"containers": [custom(("PROTOCOL", "v3"))]}},
        "env PROTOCOL: expected v1 or v2, got 'v3'",
    ),
    ("21", {}, predictor(minReplicas=3, maxReplicas=2), "minReplicas (3) is more than maxReplicas (2)"),
    (
        "22",
        {},
        predictor(logger={"url": "http://x"}),
        "spec.predictor.logger.mode: is needed: all, request or response",
    ),
    ("22", {}, predictor(logger={"mode": "all", "storage": {"key": "k"}}), "logger.storage: needs path, parameters"),
    ("23", HPA, predictor(scaleMetric="rps"), "scaleMetric: the class hpa knows cpu and memory, got rps"),
    ("23", HPA, predictor(scaleTarget=101), "scaleTarget: expected 1 to 100 percent, got 101"),
    ("23", HPA, predictor(scaleMetric="cpu", scaleTarget=0), "scaleTarget: expected 1 to 100 percent, got 0"),
    ("23", HPA, predictor(scaleMetric="memory", scaleTarget=0), "scaleTarget: expected 1 to 100 percent, got 0"),
    ("23", HPA, metrics({"type": "External"}), "metrics[0].type: the class hpa knows Resource, got External"),
    ("23", HPA, metrics({"type": "Resource"}), "metrics[0]: resource is needed for the type Resource"),
    ("24", KEDA, predictor(scaleMetric="cpu"), "scaleMetric: the class keda scales on autoScaling.metrics: remove it"),
    ("24", KEDA, metrics({"type": "Resource"}), "metrics[0]: resource is needed for the type Resource"),
    ("24", KEDA, metrics(resource("cpu", type="Value")), "target.type: cpu knows Utilization, got Value"),
    ("24", KEDA, metrics(resource("memory", type="Value")), "memory knows AverageValue and Utilization, got Value"),
    ("24", KEDA, metrics(resource("memory", type="AverageValue", averageValue="1Ki")), "expected 1Mi or more, got 1Ki"),
    ("24", KEDA, metrics(resource("memory", type="AverageValue")), "averageValue: is needed for the type AverageValue"),
    (
        "24",
        KEDA,
        metrics(resource("cpu", type="Utilization")),
        "averageUtilization: is needed for the type Utilization",
    ),
    (
        "24",
        KEDA,
        metrics(resource("cpu", type="Utilization", averageUtilization=101)),
        "averageUtilization: expected 1 to 100 percent, got 101",
    ),
    ("24", KEDA, metrics({"type": "External"}), "metrics[0]: external is needed for the type External"),
    ("24", KEDA, metrics(query("External", "external", "graphite", "", value=1)), "external.metric.query: is empty"),
    ("24", KEDA, metrics(query("External", "external", "graphite", "q")), "external.target.value: is needed"),
    ("24", KEDA, metrics({"type": "PodMetric"}), "metrics[0]: podmetric is needed for the type PodMetric"),
    ("24", KEDA, metrics(query("PodMetric", "podmetric", "opentelemetry", "", value=1)), "podmetric.metric.query: is"),
    ("24", KEDA, metrics(query("PodMetric", "podmetric", "opentelemetry", "q")), "podmetric.target.value: is needed"),
    ("25", KNATIVE, predictor(deploymentStrategy={"type": "Recreate"}), "is for Standard mode only"),
    ("25", {"deploymentMode": "Serverless"}, predictor(scaleMetric="cpu"), "Knative mode knows concurrency and rps"),
    ("25", KNATIVE, predictor(scaleMetric="rps", scaleTarget=0), "1 or more requests a second"),
    (
        "25",
        {"deploymentMode": "Knative", "autoscaling.knative.dev/class": "hpa.autoscaling.knative.dev"},
        predictor(scaleMetric="rps"),
        "the class hpa knows cpu and memory, got rps",
    ),
    ("26", KNATIVE, canary(("a", 1)), "spec.canary: is for Standard mode only, the mode is Knative"),
    (
        "27",
        {},
        canary(("a", 1)) | {"predictor": {"containers": [custom()]}},
        "spec.canary: the predictor itself needs a model",
    ),
    ("27", {}, {"canary": [{"predictor": SKLEARN, "trafficPercent": 1}]}, "canary[0].predictor.name: is needed"),
    ("27", {}, canary(("a", 1), ("a", 1)), "canary[1].predictor.name: 'a' is the name of another canary"),
    ("27", {}, canary(("a", 1)) | predictor(name="a"), "canary[0].predictor.name: 'a' is the name of the predictor"),
    (
        "27",
        {},
        {"canary": [{"predictor": {"name": "a"}, "trafficPercent": 1}]},
        "spec.canary[0].predictor: exactly one of model",
    ),
    *(
        ("27", {}, canary(("a", 1), **{field: value}), f"spec.canary[0].predictor.{field}: a canary cannot have it")
        for field, value in (
            ("workerSpec", {}),
            ("maxReplicas", 1),
            ("scaleTarget", 1),
            ("scaleMetric", "cpu"),
            ("autoScaling", {}),
        )
    ),
    ("27", {}, canary(("a", 1), minReplicas=2), "minReplicas: 2 is more than the predictor's own (1)"),
    ("27", {}, canary(("a", 60), ("b", 41)), "spec.canary: the trafficPercents add up to 101, more than 100"),
]


@pytest.mark.parametrize(("rule", "annotations", "spec", "message"), REJECTIONS)
def test_each_rule_says_what_is_wrong_and_where(
    rule: str, annotations: dict[str, str], spec: JsonObject, message: str
) -> None:
    (words,) = found(spec, annotations)
    assert message in words


def test_what_is_found_comes_in_the_order_of_evaluation() -> None:
    """All at once, where KServe would tell the first."""
    spec: JsonObject = {
        "predictor": {
            "containers": [custom(("PROTOCOL", "v3"), ("PYTHONPATH", "/x"))],
            "minReplicas": 2,
            "maxReplicas": 1,
        },
        "transformer": {},
        **canary(("a", 60), ("b", 41)),
    }
    order = [
        "metadata.name",
        "autoscalerClass",
        "PYTHONPATH",
        "PROTOCOL",
        "minReplicas",
        "spec.transformer",
        "spec.canary",
    ]
    told = found(spec, {"autoscalerClass": "kpa"}, name="1iris")
    # The predictor of this one has no model, which a canary needs: two of them are about canaries.
    assert [next(word for word in order if word in one) for one in told] == [*order, "spec.canary"]


SCHEMA: list[tuple[str, JsonObject, str]] = [
    ("15", {"storageUris": [{"uri": "", "mountPath": "/a"}]}, "spec.predictor.storageUris[0].uri"),
    ("15", {"storageUris": [{"uri": "a", "mountPath": "a"}]}, "spec.predictor.storageUris[0].mountPath"),
    ("21", {"containerConcurrency": -1}, "spec.predictor.containerConcurrency"),
    ("21", {"minReplicas": -1}, "spec.predictor.minReplicas"),
    ("21", {"maxReplicas": -1}, "spec.predictor.maxReplicas"),
    ("22", {"logger": {"mode": "some"}}, "spec.predictor.logger.mode"),
    ("22", {"logger": {"mode": ""}}, "spec.predictor.logger.mode"),
    (
        "24",
        {"autoScaling": {"metrics": [resource("disk")]}},
        "spec.predictor.autoScaling.metrics[0].resource.name",
    ),
    ("24", {"autoScaling": {"metrics": [{"type": "Any"}]}}, "spec.predictor.autoScaling.metrics[0].type"),
]


@pytest.mark.parametrize(("rule", "fields", "path"), SCHEMA)
def test_the_schema_refuses_these_by_itself(rule: str, fields: JsonObject, path: str) -> None:
    crd = next(one for one in all_crds() if text_at(one, "spec", "names", "kind") == "InferenceService")
    (version,) = list_at(crd, "spec", "versions")
    assert isinstance(version, dict)
    schema = schemas.custom(object_at(version, "schema", "openAPIV3Schema"))
    body: JsonObject = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "iris"},
        "spec": {"predictor": SKLEARN | fields},
    }
    assert [one.path for one in schemas.validate(schema, body)] == [path]


@pytest.mark.parametrize("name", ["1iris", "Iris", "iris.a", "iris-"])
def test_1_names_that_kubernetes_could_not_use_everywhere_are_refused(name: str) -> None:
    (words,) = found({}, name=name)
    assert words.startswith(f"metadata.name: {name!r}")


def test_b_the_mode_cannot_change() -> None:
    (words,) = found({}, {"deploymentMode": "Standard"}, was="Serverless")
    assert words.endswith("cannot change from Knative to Standard: delete and create it again")
    assert found({}, {"deploymentMode": "Standard"}, was="RawDeployment") == []


def test_6_gpu_types_of_the_configuration_are_known() -> None:
    spec = workers({"resources": {"limits": {"a.com/gpu": 1}}})
    isvc = service(spec, NONE, config=Config())
    assert problems(isvc, msgspec.convert(isvc.spec, InferenceServiceSpec), ["a.com/gpu"]) == []


def test_25_applies_when_no_mode_is_written() -> None:
    assert found(predictor(deploymentStrategy={}), config=KNATIVE_BY_DEFAULT) == [
        "spec.predictor.deploymentStrategy: is for Standard mode only"
    ]
    assert found(canary(("a", 1)), config=KNATIVE_BY_DEFAULT) == [
        "spec.canary: is for Standard mode only, the mode is Knative"
    ]
