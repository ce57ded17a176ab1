"""Structural schemas: what a real API server refuses, and in which words."""

import json
from pathlib import Path

import pytest

from inferplane.kernel.json import Json, JsonObject
from inferplane.resources.schemas import FieldError, Schema, custom, default, validate

RECORDED = json.loads((Path(__file__).parent / "refused.json").read_text())
WIDGET = custom(RECORDED["schema"])


def widget(spec: Json) -> JsonObject:
    body: JsonObject = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "a"}}
    return body if spec is None else {**body, "spec": spec}


@pytest.mark.parametrize("case", RECORDED["cases"], ids=lambda case: json.dumps(case["spec"]))
def test_a_body_is_refused_with_the_causes_of_a_real_server(case: dict[str, Json]) -> None:
    causes = [[one.path, one.reason, one.message] for one in validate(WIDGET, default(WIDGET, widget(case["spec"])))]
    assert causes == case["causes"]


def test_a_body_that_fits_has_no_faults() -> None:
    spec: JsonObject = {"size": 1, "ratio": 0.5, "either": "50%", "maybe": None, "when": "2020-01-01T00:00:00Z"}
    assert validate(WIDGET, widget(spec)) == []


def faults(schema: JsonObject, value: Json) -> list[FieldError]:
    return validate(Schema({"type": "object", "properties": {"x": schema}}), {"x": value})


@pytest.mark.parametrize(
    ("schema", "fits", "fails"),
    [
        ({"type": "integer", "format": "int32"}, 2**31 - 1, 2**31),
        ({"type": "integer"}, 2**53 + 1, 2**63),
        ({"type": "number"}, 3, "3"),
        ({"type": "integer"}, 4.0, 4.5),
        ({"type": "integer", "exclusiveMaximum": True, "maximum": 3}, 2, 3),
        ({"type": "string", "pattern": "^a$"}, "a", "a\n"),
        ({"type": "string", "pattern": "^[[:alpha:]]+$"}, "ab", "a1"),
        ({"type": "string", "minLength": 2, "maxLength": 2}, "éé", "ééé"),
        ({"type": "string", "format": "ipv4"}, "10.0.0.1", "::1"),
        ({"type": "string", "format": "duration"}, "1h30m", "soon"),
        ({"type": "string", "format": "byte"}, "aGk=", "~"),
        ({"type": "string", "format": "date"}, "2020-02-29", "2021-02-29"),
        ({"type": "string", "format": "uuid"}, "123e4567-e89b-12d3-a456-426614174000", "123"),
        ({"type": "object", "minProperties": 1, "additionalProperties": {"type": "string"}}, {"a": "b"}, {}),
        ({"type": "string", "enum": ["a"]}, "a", "b"),
        ({"type": "integer", "enum": [1]}, 1, True),
        ({"type": "string", "nullable": True}, None, 1),
        ({"type": "object", "x-kubernetes-embedded-resource": True}, {"apiVersion": "v1", "kind": "A"}, {"kind": "A"}),
    ],
)
def test_a_keyword_lets_one_value_pass_and_stops_another(schema: JsonObject, fits: Json, fails: Json) -> None:
    assert faults(schema, fits) == []
    assert faults(schema, fails)


def test_exactly_one_of_several_schemas_must_fit() -> None:
    schema: JsonObject = {"type": "object", "oneOf": [{"required": ["a"]}, {"required": ["b"]}]}
    schema["properties"] = {"a": {"type": "string"}, "b": {"type": "string"}}
    assert faults(schema, {"a": ""}) == []
    assert [str(one) for one in faults(schema, {"a": "", "b": ""})] == [
        '<nil>: Invalid value: "": "x" must validate one and only one schema (oneOf). Found 2 valid alternatives'
    ]
    assert [str(one) for one in faults(schema, {})] == [
        '<nil>: Invalid value: "": "x" must validate one and only one schema (oneOf). Found none valid',
        "x.a: Required value",
    ]


def test_all_any_and_not_are_checked() -> None:
    small: JsonObject = {"maximum": 3}
    odd: JsonObject = {"not": {"multipleOf": 2}}
    assert faults({"type": "integer", "allOf": [small, odd]}, 1) == []
    assert faults({"type": "integer", "allOf": [small, odd]}, 2)
    assert faults({"type": "integer", "anyOf": [small, odd]}, 2) == []
    assert faults({"type": "integer", "anyOf": [small, odd]}, 4)


def test_a_list_of_maps_may_not_hold_a_key_twice_even_by_default() -> None:
    schema: JsonObject = {
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["port", "protocol"],
        "items": {"type": "object", "properties": {"port": {"type": "integer"}, "protocol": {"default": "TCP"}}},
    }
    found = faults(schema, [{"port": 1}, {"port": 1, "protocol": "UDP"}, {"port": 1, "protocol": "TCP"}])
    assert [str(one) for one in found] == ['x[2]: Duplicate value: {"port":1,"protocol":"TCP"}']
