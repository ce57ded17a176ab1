"""Schemas of CRDs that a real API server refuses, each with its place and words, and what it takes."""

import pytest

from inferplane.assembly.addons import addons
from inferplane.controlplane.apiserver.builtin.definitions import definition_errors
from inferplane.controlplane.apiserver.builtin.structural import structural_errors
from inferplane.kernel.json import Json, JsonObject

STRING: JsonObject = {"type": "string"}
EITHER: list[Json] = [{"type": "integer"}, {"type": "string"}]
NOT_NULL: JsonObject = {"not": {"nullable": True}}
BRIEF: JsonObject = {"properties": {"b": {"minLength": 1}}}
INT_OR_STRING: JsonObject = {"x-kubernetes-int-or-string": True}


def x(**extensions: Json) -> JsonObject:
    return {f"x-kubernetes-{name.replace('_', '-')}": value for name, value in extensions.items()}


def root(**fields: Json) -> JsonObject:
    return {"type": "object", **fields}


def spec(**fields: Json) -> JsonObject:
    return root(properties={"spec": {"type": "object", "properties": {"a": {**fields}}}})


def keyed(key: Json = "name", **name: Json) -> JsonObject:
    item: JsonObject = {"type": "object", "properties": {"name": {**name}}, "required": ["name"]}
    keys: list[Json] = [key]
    return spec(type="array", items=item, **x(list_type="map", list_map_keys=keys))


def told(schema: JsonObject) -> list[str]:
    return [str(one).replace("s.properties[spec].properties[a]", "A") for one in structural_errors(schema, "s")]


@pytest.mark.parametrize(
    "schema",
    [
        root(),
        root(**x(preserve_unknown_fields=True)),
        spec(**STRING),
        spec(type="object", additionalProperties=STRING),
        spec(type="object", additionalProperties=True),
        spec(type="array", items=STRING, **x(list_type="set")),
        spec(**x(preserve_unknown_fields=True)),
        spec(type="object", **x(embedded_resource=True, preserve_unknown_fields=True)),
        spec(**INT_OR_STRING),
        spec(**INT_OR_STRING, anyOf=EITHER, pattern="^[0-9]+%$"),
        spec(**INT_OR_STRING, allOf=[{"anyOf": EITHER}, {"pattern": "^[0-9]+%$"}]),
        spec(
            type="object",
            properties={"b": STRING},
            anyOf=[{"required": ["b"]}, BRIEF],
        ),
        root(properties={"metadata": {"type": "object", "properties": {"name": STRING | {"maxLength": 5}}}}),
        keyed(type="string"),
    ],
)
def test_what_is_structural_is_taken(schema: JsonObject) -> None:
    assert told(schema) == []


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({}, "s.type: Required value: must not be empty at the root"),
        (spec(), "A.type: Required value: must not be empty for specified object fields"),
        (spec(type="array"), "A.items: Required value: must be specified"),
        (spec(type="array", items={}), "A.items.type: Required value: must not be empty for specified array items"),
        (
            spec(type="object", additionalProperties={}),
            "A.additionalProperties.type: Required value: must not be empty for specified object fields",
        ),
        (
            root(additionalProperties=STRING),
            "s.additionalProperties: Forbidden: must not be used at the root",
        ),
        (root(nullable=True), "s.nullable: Forbidden: nullable cannot be true at the root"),
        (spec(type="number", definitions={}), "A.definitions: Forbidden: definitions is not supported"),
        (spec(type="string", **{"$ref": "#/a"}), "A.$ref: Forbidden: $ref is not supported"),
        (
            spec(type="text"),
            'A.type: Unsupported value: "text": supported values: "array", "boolean", "integer", "number"',
        ),
        (spec(type="null"), "A.type: Forbidden: type cannot be set to null, use nullable as an alternative"),
        (
            spec(type="array", items=STRING, uniqueItems=True),
            "A.uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes",
        ),
        (
            spec(type="object", additionalProperties=False),
            "A.additionalProperties: Forbidden: additionalProperties cannot be set to false",
        ),
        (
            spec(type="object", additionalProperties=STRING, properties={"b": STRING}),
            "A.additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive",
        ),
        (spec(type="array", items=[STRING]), "A.items: Forbidden: items must be a schema object and not an array"),
        (
            spec(type="string", **x(preserve_unknown_fields=False)),
            "A.x-kubernetes-preserve-unknown-fields: Invalid value: false: must be true or undefined",
        ),
        (
            spec(type="string", **x(list_type="atomic")),
            'A.type: Invalid value: "string": must be array if x-kubernetes-list-type is specified',
        ),
        (
            spec(type="object", **x(map_type="set")),
            'A.x-kubernetes-map-type: Unsupported value: "set": supported values: "atomic", "granular"',
        ),
        (
            spec(type="array", items=STRING, **x(list_map_keys=["a"])),
            "A.x-kubernetes-list-type: Required value: must be map if x-kubernetes-list-map-keys is non-empty",
        ),
        (
            spec(type="array", items=root(), **x(list_type="map")),
            "A.x-kubernetes-list-map-keys: Required value: must not be empty if x-kubernetes-list-type is map",
        ),
        (
            keyed("other", type="string"),
            'A.x-kubernetes-list-map-keys[0]: Invalid value: "other": entries must all be names of item properties',
        ),
        (
            keyed(type="object"),
            (
                'A.items.properties[name].type: Invalid value: "object": must be a scalar type if parent array\'s '
                "x-kubernetes-list-type is map"
            ),
        ),
        (
            spec(type="array", items=root(), **x(list_type="set")),
            "A.items.x-kubernetes-map-type: Forbidden: must be atomic as item of a list with",
        ),
        (
            spec(type="string", **x(embedded_resource=True, preserve_unknown_fields=True)),
            'A.type: Invalid value: "string": must be object if x-kubernetes-embedded-resource is true',
        ),
        (
            spec(type="object", **x(embedded_resource=True)),
            (
                "A.properties: Required value: must not be empty if x-kubernetes-embedded-resource is true without "
                "x-kubernetes-preserve-unknown-fields"
            ),
        ),
        (
            spec(**INT_OR_STRING, **x(preserve_unknown_fields=True)),
            "A.x-kubernetes-preserve-unknown-fields: Invalid value: true: must be false if x-kubernetes-int",
        ),
        (
            root(properties={"kind": {"type": "integer"}}),
            's.properties[kind].type: Invalid value: "integer": must be string',
        ),
        (
            root(properties={"metadata": {"type": "object", "properties": {"labels": {"type": "object"}}}}),
            "s.properties[metadata]: Forbidden: must not specify anything other than name and generateName, but",
        ),
        (spec(type="string", anyOf=EITHER[:1]), "A.anyOf[0].type: Forbidden: must be empty to be structural"),
        (
            spec(type="string", **NOT_NULL),
            "A.not.nullable: Forbidden: must be false to be structural",
        ),
        (
            spec(type="string", oneOf=[{"default": "a"}]),
            "A.oneOf[0].default: Forbidden: must be undefined to be structural",
        ),
        (
            spec(type="object", allOf=[BRIEF]),
            "A.properties[b]: Required value: because it is defined in A.allOf[0].properties[b]",
        ),
        (
            spec(type="object", allOf=[{"properties": {"metadata": {}}}], properties={"metadata": root()}),
            "A.allOf[0].properties[metadata]: Forbidden: must not be specified in a nested context",
        ),
        (
            spec(**INT_OR_STRING, allOf=[{"pattern": "a"}, {"anyOf": EITHER}]),
            "A.allOf[1].anyOf[0].type: Forbidden: must be empty to be structural",
        ),
    ],
)
def test_what_is_not_structural_is_named(schema: JsonObject, words: str) -> None:
    assert told(schema)[0].startswith(words)


def crd(*schemas: JsonObject) -> JsonObject:
    versions: list[Json] = [
        {"name": f"v{n}", "served": True, "storage": n == 1, "schema": {"openAPIV3Schema": one}}
        for n, one in enumerate(schemas, 1)
    ]
    names: JsonObject = {"plural": "as", "kind": "A"}
    return {
        "metadata": {"name": "as.a.b"},
        "spec": {"group": "a.b", "scope": "Namespaced", "names": names, "versions": versions},
    }


def test_a_schema_of_all_versions_is_named_as_one_and_rules_wait_until_it_is_sound() -> None:
    wrong = spec(**x(validations=[{"rule": "nonsense("}]))
    assert [one.path for one in definition_errors(crd(wrong, wrong))] == [
        "spec.validation.openAPIV3Schema.properties[spec].properties[a].type"
    ]
    assert [one.path for one in definition_errors(crd(spec(**STRING), wrong))] == [
        "spec.versions[1].schema.openAPIV3Schema.properties[spec].properties[a].type"
    ]


def test_the_definitions_that_we_bring_are_structural() -> None:
    bodies = [one.body for one in addons(8080) if one.resource.kind == "CustomResourceDefinition"]
    assert [str(error) for body in bodies for error in definition_errors(body)] == []
