"""Validation rules of a CRD over the wire: refused with the definition, or asked of every write."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.contract.apiserver.test_server import Client, running

from inferplane.kernel.json import Json, JsonObject, list_at, object_at, text_at

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
JOBS = "/apis/x.example.com/v1/namespaces/default/jobs"


def definition(*rules: Json, **fields: Json) -> JsonObject:
    properties: JsonObject = {"min": {"type": "integer"}, "max": {"type": "integer"}, "class": {"type": "string"}}
    spec: JsonObject = {"type": "object", "properties": properties | fields, "x-kubernetes-validations": list(rules)}
    schema: JsonObject = {"type": "object", "properties": {"spec": spec, "status": {"type": "object"}}}
    names: JsonObject = {"plural": "jobs", "kind": "Job"}
    version: JsonObject = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "jobs.x.example.com"},
        "spec": {"group": "x.example.com", "scope": "Namespaced", "names": names, "versions": [version]},
    }


def job(**spec: Json) -> JsonObject:
    return {"apiVersion": "x.example.com/v1", "kind": "Job", "metadata": {"name": "a"}, "spec": spec}


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with running(tmp_path) as found:
        yield found


async def test_what_is_created_updated_and_patched_must_meet_the_rules(client: Client) -> None:
    ordered: Json = {"rule": "self.min <= self.max", "fieldPath": ".min", "message": "min is above max"}
    fixed: Json = {
        "rule": "self.class == oldSelf.class",
        "message": "class is immutable",
        "reason": "FieldValueForbidden",
    }
    assert (await client.call("POST", CRDS, definition(ordered, fixed)))["kind"] == "CustomResourceDefinition"

    refused = await client.call("POST", JOBS, job(min=2, max=1, **{"class": "a"}))
    assert refused["code"] == 422
    assert refused["message"] == (
        'Job.x.example.com "a" is invalid: spec.min: Invalid value: "object": min is above max'
    )
    assert (await client.call("POST", JOBS, job(min=1, max=2, **{"class": "a"})))["kind"] == "Job"

    merge = "application/merge-patch+json"
    moved = await client.call("PATCH", f"{JOBS}/a", {"spec": {"class": "b"}}, merge)
    assert moved["message"] == 'Job.x.example.com "a" is invalid: spec: Forbidden: class is immutable'
    assert object_at(moved, "details")["causes"] == [
        {"reason": "FieldValueForbidden", "message": "Forbidden: class is immutable", "field": "spec"}
    ]
    assert object_at(await client.call("PATCH", f"{JOBS}/a", {"spec": {"max": 3}}, merge), "spec")["max"] == 3


async def test_an_object_of_the_wrong_shape_is_not_asked_for_more(client: Client) -> None:
    await client.call("POST", CRDS, definition({"rule": "self.min <= self.max"}))
    refused = await client.call("POST", JOBS, job(min="one", max=1))
    assert text_at(refused, "message").endswith(
        "<nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct "
        "the existing errors to complete validation]"
    )


async def test_a_definition_with_a_rule_that_is_not_sound_is_refused(client: Client) -> None:
    refused = await client.call("POST", CRDS, definition({"rule": "self.mim > 0"}))
    assert refused["code"] == 422
    assert "compilation failed: ERROR: <input>:1:5: undefined field 'mim'" in text_at(refused, "message")


async def test_a_rule_added_later_lets_alone_what_stays_as_it_was(client: Client) -> None:
    await client.call("POST", CRDS, definition())
    await client.call("POST", JOBS, job(min=2, max=1))
    crd = await client.call("GET", f"{CRDS}/jobs.x.example.com")
    await client.call(
        "PUT", f"{CRDS}/jobs.x.example.com", crd | {"spec": definition({"rule": "self.min <= self.max"})["spec"]}
    )

    merge = "application/merge-patch+json"
    labelled = await client.call("PATCH", f"{JOBS}/a", {"metadata": {"labels": {"a": "b"}}}, merge)
    assert labelled["kind"] == "Job"
    assert (await client.call("PATCH", f"{JOBS}/a", {"spec": {"max": 0}}, merge))["code"] == 422


async def test_a_schema_that_becomes_stricter_lets_alone_what_stays_as_it_was(client: Client) -> None:
    await client.call("POST", CRDS, definition())
    await client.call("POST", JOBS, job(min=2, max=9))
    crd = await client.call("GET", f"{CRDS}/jobs.x.example.com")
    [version] = list_at(definition(), "spec", "versions")
    assert isinstance(version, dict)
    object_at(version, "schema", "openAPIV3Schema", "properties", "spec", "properties", "max")["maximum"] = 5
    spec = object_at(definition(), "spec") | {"versions": [version]}
    await client.call("PUT", f"{CRDS}/jobs.x.example.com", crd | {"spec": spec})

    merge = "application/merge-patch+json"
    labelled = await client.call("PATCH", f"{JOBS}/a", {"metadata": {"labels": {"a": "b"}}}, merge)
    beside = await client.call("PATCH", f"{JOBS}/a", {"spec": {"min": 3}}, merge)
    assert (labelled["kind"], object_at(beside, "spec")) == ("Job", {"min": 3, "max": 9})
    refused = await client.call("PATCH", f"{JOBS}/a", {"spec": {"max": 8}}, merge)
    assert "spec.max: Invalid value: 8: spec.max in body should be less than or equal to 5" in text_at(
        refused, "message"
    )
