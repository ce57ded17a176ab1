"""Schemas of built-in kinds, derived from the models' source."""

import pytest

from inferplane.resources.schemas import Models, builtin, builtin_definition, definition_name


def test_a_kind_is_found_by_api_version_and_name() -> None:
    assert definition_name("v1", "Pod") == "io.k8s.api.core.v1.Pod"
    assert definition_name("discovery.k8s.io/v1", "EndpointSlice") == "io.k8s.api.discovery.v1.EndpointSlice"
    assert definition_name("apiextensions.k8s.io/v1", "CustomResourceDefinition") == (
        "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition"
    )


def test_fields_have_types_descriptions_and_references() -> None:
    container = builtin_definition("io.k8s.api.core.v1.Container")
    assert container.required == ("name",)
    assert container.properties["args"].items.type == "string"
    assert container.properties["stdin"].type == "boolean"
    assert str(container.properties["image"].document["description"]).startswith("Container image name.")
    assert container.properties["resources"].properties["limits"].additional is builtin_definition(
        "io.k8s.apimachinery.pkg.api.resource.Quantity"
    )


def test_references_to_one_definition_share_its_schema() -> None:
    template = builtin("apps/v1", "Deployment").properties["spec"].properties["template"]
    assert template.properties["spec"].properties["containers"].items is builtin_definition(
        "io.k8s.api.core.v1.Container"
    )


def test_names_that_python_reserves_are_those_of_the_wire() -> None:
    props = builtin_definition("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps")
    assert {"$ref", "not", "x-kubernetes-list-type"} <= props.properties.keys()
    assert props.properties["properties"].additional is props


def test_lists_merge_by_the_published_keys() -> None:
    container = builtin_definition("io.k8s.api.core.v1.Container")
    ports, env = container.properties["ports"], container.properties["env"]
    assert (ports.list_type, ports.map_keys, ports.key_defaults) == (
        "map",
        ("containerPort", "protocol"),
        {"protocol": "TCP"},
    )
    assert (ports.patch_merge_key, env.patch_merge_key) == ("containerPort", "name")
    assert container.properties["args"].list_type == "atomic"
    assert builtin("v1", "Pod").properties["metadata"].properties["finalizers"].list_type == "set"
    assert builtin("apps/v1", "Deployment").properties["spec"].properties["selector"].atomic_map


def test_an_unknown_kind_is_a_key_error() -> None:
    with pytest.raises(KeyError, match=r"io\.k8s\.api\.core\.v1\.Pood"):
        builtin("v1", "Pood")
    with pytest.raises(KeyError):
        builtin("nowhere.example.com/v1", "Pod")


def test_what_was_derived_can_be_kept_and_given_back() -> None:
    first = Models()
    wanted = first.schema(definition_name("v1", "ConfigMap"))
    second = Models()
    second.know(first.derived())
    again = second.schema(definition_name("v1", "ConfigMap"))
    assert again.document == wanted.document
    assert again.properties["metadata"].properties["labels"].additional is not None


def test_every_fact_about_a_list_names_a_field_that_exists() -> None:
    from inferplane.resources.schemas.facts import _LIST_FACTS

    for (definition, field), facts in _LIST_FACTS.items():
        group, version, kind = definition.split(".")
        name = {
            "meta": f"io.k8s.apimachinery.pkg.apis.meta.{version}.{kind}",
            "apiextensions": f"io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.{version}.{kind}",
        }.get(group, f"io.k8s.api.{group}.{version}.{kind}")
        found = builtin_definition(name).properties[field]
        assert found.type == "array", definition
        keys = facts.get("x-kubernetes-list-map-keys", [])
        assert isinstance(keys, list)
        assert {str(key) for key in keys} <= found.items.properties.keys(), (definition, field)
