"""The CRDs: what a cluster accepts as structural, what users read and see, what is refused."""

from collections.abc import Iterator

import pytest

from inferplane.kernel.json import JsonObject, list_at, object_at, text_at
from inferplane.resources import schemas
from inferplane.resources.crds import all_crds
from inferplane.resources.schemas import Schema, unknown_fields, validate
from inferplane.resources.serving.defaults import cluster_serving_runtimes

CRDS = {text_at(one, "spec", "names", "kind"): one for one in all_crds()}
OURS = ["InferenceService", "ServingRuntime", "ClusterServingRuntime", "ClusterStorageContainer"]
ALLOWED = {
    "type", "format", "description", "properties", "required", "items", "additionalProperties", "enum", "default",
    "pattern", "minimum", "maximum", "minLength", "maxLength", "minItems", "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-int-or-string", "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-map-type",
    "x-kubernetes-validations",
}  # fmt: skip


def version(kind: str) -> JsonObject:
    found = list_at(CRDS[kind], "spec", "versions")[0]
    assert isinstance(found, dict)
    return found


def document(kind: str) -> JsonObject:
    return object_at(version(kind), "schema", "openAPIV3Schema")


def schema(kind: str) -> Schema:
    return schemas.custom(document(kind))


def at(kind: str, path: str) -> JsonObject:
    """`spec.predictor.containers[].env` → that node of the schema."""
    here = document(kind)
    for step in path.split("."):
        here = object_at(here, "properties", step.removesuffix("[]"))
        here = object_at(here, "items") if step.endswith("[]") else here
    return here


def nodes(node: JsonObject, path: str = "") -> Iterator[tuple[str, JsonObject]]:
    yield path, node
    for name, child in object_at(node, "properties").items():
        if isinstance(child, dict):
            yield from nodes(child, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        child = node.get(key)
        if isinstance(child, dict):
            yield from nodes(child, f"{path}[]")


def isvc(predictor: JsonObject) -> JsonObject:
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "a"},
        "spec": {"predictor": predictor},
    }


@pytest.mark.parametrize("kind", OURS)
def test_schemas_are_structural(kind: str) -> None:
    """The rules of apiextensions that a cluster holds a CRD to."""
    for path, node in nodes(document(kind)):
        assert set(node) <= ALLOWED, path
        free = node.get("x-kubernetes-int-or-string") or node.get("x-kubernetes-preserve-unknown-fields")
        assert "type" in node or free, path
        assert not ("properties" in node and "additionalProperties" in node), path
        assert (node.get("type") == "array") == ("items" in node), path
        required = list_at(node, "required")
        assert set(map(str, required)) <= set(object_at(node, "properties")) or not required, path


@pytest.mark.parametrize("kind", OURS)
def test_keys_of_list_maps_are_required_or_have_a_default(kind: str) -> None:
    maps = [(path, node) for path, node in nodes(document(kind)) if node.get("x-kubernetes-list-type") == "map"]
    for path, node in maps:
        items = object_at(node, "items")
        for key in map(str, list_at(node, "x-kubernetes-list-map-keys")):
            assert key in list_at(items, "required") or "default" in object_at(items, "properties", key), (path, key)
    assert maps


def test_columns_are_kserves() -> None:
    columns = [(text_at(one, "name"), text_at(one, "jsonPath")) for one in objects(version("InferenceService"))]
    assert columns == [
        ("URL", ".status.url"),
        ("Ready", ".status.conditions[?(@.type=='Ready')].status"),
        ("Prev", ".status.components.predictor.traffic[?(@.tag=='prev')].percent"),
        ("Latest", ".status.components.predictor.traffic[?(@.latestRevision==true)].percent"),
        ("PrevRolledoutRevision", ".status.components.predictor.traffic[?(@.tag=='prev')].revisionName"),
        ("LatestReadyRevision", ".status.components.predictor.traffic[?(@.latestRevision==true)].revisionName"),
        ("Age", ".metadata.creationTimestamp"),
    ]
    assert [text_at(one, "name") for one in objects(version("ServingRuntime"))] == [
        "Disabled",
        "ModelType",
        "Containers",
        "Age",
    ]


def objects(of: JsonObject) -> list[JsonObject]:
    return [one for one in list_at(of, "additionalPrinterColumns") if isinstance(one, dict)]


def test_names_scopes_and_subresources() -> None:
    facts = {
        kind: (
            text_at(CRDS[kind], "metadata", "name"),
            text_at(CRDS[kind], "spec", "scope"),
            list_at(CRDS[kind], "spec", "names", "shortNames"),
            "status" in object_at(version(kind), "subresources"),
        )
        for kind in OURS
    }
    assert facts == {
        "InferenceService": ("inferenceservices.serving.kserve.io", "Namespaced", ["isvc"], True),
        "ServingRuntime": ("servingruntimes.serving.kserve.io", "Namespaced", [], False),
        "ClusterServingRuntime": ("clusterservingruntimes.serving.kserve.io", "Cluster", [], False),
        "ClusterStorageContainer": ("clusterstoragecontainers.serving.kserve.io", "Cluster", [], False),
    }
    assert {"Gateway", "HTTPRoute", "GatewayClass", "ProcessImage"} <= set(CRDS)


@pytest.mark.parametrize(
    "path",
    ["spec", "spec.predictor", "spec.predictor.model", "spec.predictor.sklearn", "spec.transformer", "spec.canary[]"],
)
def test_what_users_explain_is_described_field_by_field(path: str) -> None:
    node = at("InferenceService", path)
    assert node["description"]
    silent = [
        name
        for name, one in object_at(node, "properties").items()
        if not (isinstance(one, dict) and "description" in one)
    ]
    assert silent == []


@pytest.mark.parametrize(
    ("predictor", "unknown"),
    [
        ({"model": {"modelFormt": {"name": "sklearn"}}}, ["spec.predictor.model.modelFormt"]),
        ({"sklearn": {"storageURI": "s3://b"}}, ["spec.predictor.sklearn.storageURI"]),
        ({"containers": [{"imag": "i"}]}, ["spec.predictor.containers[0].imag"]),
        ({"nodeSelector": {"any": "key"}, "model": {"modelFormat": {"name": "x"}, "args": ["a"]}}, []),
    ],
)
def test_unknown_fields_are_named(predictor: JsonObject, unknown: list[str]) -> None:
    assert unknown_fields(schema("InferenceService"), isvc(predictor)) == unknown


@pytest.mark.parametrize(
    ("predictor", "field"),
    [
        ({"model": {"storageUri": "s3://b"}}, "spec.predictor.model.modelFormat"),
        ({"minReplicas": -1}, "spec.predictor.minReplicas"),
        ({"minReplicas": "1"}, "spec.predictor.minReplicas"),
        ({"scaleMetric": "qps"}, "spec.predictor.scaleMetric"),
        ({"logger": {"mode": "some"}}, "spec.predictor.logger.mode"),
        ({"name": "V2"}, "spec.predictor.name"),
        ({"model": {"modelFormat": {"name": "x"}, "protocolVersion": "v3"}}, "spec.predictor.model.protocolVersion"),
        ({"storageUris": [{"uri": "", "mountPath": "/a"}]}, "spec.predictor.storageUris[0].uri"),
        ({"storageUris": [{"uri": "a", "mountPath": "a"}]}, "spec.predictor.storageUris[0].mountPath"),
        ({"storageUris": []}, "spec.predictor.storageUris"),
    ],
)
def test_wrong_values_are_refused_by_path(predictor: JsonObject, field: str) -> None:
    assert [one.path for one in validate(schema("InferenceService"), isvc(predictor))] == [field]


@pytest.mark.parametrize(
    "predictor",
    [
        {"model": {"modelFormat": {"name": "sklearn"}, "resources": {"limits": {"cpu": 1, "memory": "2Gi"}}}},
        {"containers": [{"image": "a"}]},
        {"autoScaling": {"metrics": [{"type": "PodMetric", "podmetric": {"metric": {"backend": "opentelemetry"}}}]}},
        {"deploymentStrategy": {"rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 1}}},
        {"workerSpec": {"pipelineParallelSize": 2, "containers": [{"name": "w"}]}},
    ],
)
def test_what_kserve_accepts_is_accepted(predictor: JsonObject) -> None:
    body = isvc(predictor)
    assert (validate(schema("InferenceService"), body), unknown_fields(schema("InferenceService"), body)) == ([], [])


def test_the_default_runtimes_fit_their_crd() -> None:
    for one in cluster_serving_runtimes():
        assert validate(schema("ClusterServingRuntime"), one) == []
        assert unknown_fields(schema("ClusterServingRuntime"), one) == []


def test_a_status_may_hold_what_others_know() -> None:
    body = isvc({}) | {"status": {"conditions": [{"type": "Ready", "status": "True"}], "newField": 1}}
    assert unknown_fields(schema("InferenceService"), body) == []
