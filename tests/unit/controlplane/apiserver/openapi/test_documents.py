"""OpenAPI documents: what kubectl looks for in them."""

from collections.abc import Iterator

import pytest

from inferplane.client.kubernetes.api import Resource
from inferplane.controlplane.apiserver import openapi
from inferplane.controlplane.apiserver.kinds import BUILT_IN, Definition, Kind
from inferplane.kernel.json import Json, JsonObject, list_at, object_at
from inferplane.resources import schemas

KNOB_SCHEMA: JsonObject = {
    "type": "object",
    "description": "A knob.",
    "properties": {"spec": {"type": "object", "properties": {"either": {"x-kubernetes-int-or-string": True}}}},
}
KNOB_RESOURCE = Resource("team.example.com", "v1", "knobs", "Knob")
KNOB = Kind(
    resource=KNOB_RESOURCE,
    singular="knob",
    list_kind="KnobList",
    storage=KNOB_RESOURCE,
    subresources=("status",),
    definition=Definition(name="knobs.team.example.com", schema=schemas.custom(KNOB_SCHEMA)),
)
VERSIONS = sorted({kind.resource.api_version for kind in BUILT_IN})


def references(value: Json) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield str(value["$ref"])
        for child in value.values():
            yield from references(child)
    elif isinstance(value, list):
        for child in value:
            yield from references(child)


def names(parameters: list[Json]) -> set[Json]:
    return {one["name"] for one in parameters if isinstance(one, dict)}


@pytest.mark.parametrize("version", VERSIONS)
def test_everything_that_is_referred_to_is_there(version: str) -> None:
    document = openapi.v3(version, BUILT_IN)
    known = object_at(document, "components", "schemas")
    assert {one.removeprefix("#/components/schemas/") for one in references(document)} <= known.keys()


def test_a_kind_is_found_by_group_version_and_kind() -> None:
    document = openapi.v3("apps/v1", BUILT_IN)
    gvk: JsonObject = {"group": "apps", "version": "v1", "kind": "Deployment"}
    deployment = object_at(document, "components", "schemas", "io.k8s.api.apps.v1.Deployment")
    assert list_at(deployment, "x-kubernetes-group-version-kind") == [gvk]
    path = object_at(document, "paths", "/apis/apps/v1/namespaces/{namespace}/deployments")
    assert object_at(path, "get", "x-kubernetes-group-version-kind") == gvk
    assert set(object_at(document, "paths")) >= {
        "/apis/apps/v1/deployments",
        "/apis/apps/v1/namespaces/{namespace}/deployments/{name}",
        "/apis/apps/v1/namespaces/{namespace}/deployments/{name}/status",
    }


def test_a_patch_says_that_the_server_validates_fields_and_merges_strategically() -> None:
    item = "/api/v1/namespaces/{namespace}/pods/{name}"
    patch = object_at(openapi.v3("v1", BUILT_IN), "paths", item, "patch")
    assert "fieldValidation" in names(list_at(patch, "parameters"))
    assert "application/strategic-merge-patch+json" in object_at(patch, "requestBody", "content")


def test_patch_keys_are_published() -> None:
    spec = object_at(openapi.v3("v1", BUILT_IN), "components", "schemas", "io.k8s.api.core.v1.PodSpec", "properties")
    containers = object_at(spec, "containers")
    assert containers["x-kubernetes-patch-merge-key"] == "name"
    assert containers["items"] == {"$ref": "#/components/schemas/io.k8s.api.core.v1.Container"}


def test_a_described_reference_is_wrapped() -> None:
    spec = object_at(
        openapi.v3("v1", BUILT_IN), "components", "schemas", "io.k8s.api.core.v1.Pod", "properties", "spec"
    )
    assert spec["allOf"] == [{"$ref": "#/components/schemas/io.k8s.api.core.v1.PodSpec"}]
    assert spec["description"]


def test_a_custom_kind_is_described_by_its_definition() -> None:
    document = openapi.v3("team.example.com/v1", [*BUILT_IN, KNOB])
    knob = object_at(document, "components", "schemas", "com.example.team.v1.Knob")
    assert knob["description"] == "A knob."
    assert object_at(knob, "properties", "spec") == object_at(KNOB_SCHEMA, "properties", "spec")
    assert set(object_at(knob, "properties")) == {"apiVersion", "kind", "metadata", "spec"}
    item = "/apis/team.example.com/v1/namespaces/{namespace}/knobs/{name}"
    patch = object_at(document, "paths", item, "patch")
    assert "application/strategic-merge-patch+json" not in object_at(patch, "requestBody", "content")
    assert "io.k8s.api.core.v1.Pod" not in object_at(document, "components", "schemas")


def test_a_kind_that_is_only_asked_can_only_be_posted() -> None:
    found = object_at(openapi.v3("authorization.k8s.io/v1", BUILT_IN), "paths")
    path = object_at(found, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews")
    assert set(path) == {"post", "parameters"}
    assert "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews/{name}" not in found


def test_the_index_points_at_each_document() -> None:
    assert openapi.index({"v1": "a", "apps/v1": "b"}) == {
        "paths": {
            "api/v1": {"serverRelativeURL": "/openapi/v3/api/v1?hash=a"},
            "apis/apps/v1": {"serverRelativeURL": "/openapi/v3/apis/apps/v1?hash=b"},
        }
    }


def test_the_second_version_has_the_same_kinds_in_its_own_words() -> None:
    document = openapi.v2([*BUILT_IN, KNOB])
    known = object_at(document, "definitions")
    assert {one.removeprefix("#/definitions/") for one in references(document)} <= known.keys()
    assert {"io.k8s.api.core.v1.Pod", "com.example.team.v1.Knob"} <= known.keys()
    patch = object_at(document, "paths", "/api/v1/namespaces/{namespace}/pods/{name}", "patch")
    assert names(list_at(patch, "parameters")) >= {"body", "fieldValidation"}
    props = object_at(known, "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps", "properties")
    assert {"not", "anyOf", "$ref", "nullable"} <= props.keys()


def test_our_own_words_are_not_published() -> None:
    assert "x-inferplane" not in str(openapi.v3("v1", BUILT_IN))
