"""Rules that are refused with the CRD that has them."""

import pytest

from inferplane.controlplane.apiserver.cel.definition import rule_errors
from inferplane.kernel.json import Json, JsonObject

PATH = "spec.validation.openAPIV3Schema"
SPEC = f"{PATH}.properties[spec].x-kubernetes-validations[0]"


def with_rule(rule: JsonObject, **fields: Json) -> JsonObject:
    properties: JsonObject = {"size": {"type": "integer"}, "name": {"type": "string"}, **fields}
    spec: JsonObject = {"type": "object", "properties": properties, "x-kubernetes-validations": [rule]}
    return {"type": "object", "properties": {"spec": spec}}


def faults(schema: JsonObject) -> list[str]:
    return [str(one) for one in rule_errors(schema, PATH)]


def test_a_sound_rule_is_taken() -> None:
    rule: JsonObject = {
        "rule": "self.size > 0 && (!has(self.name) || self.name != '')",
        "messageExpression": "'size must be positive' + (self.size < -5 ? ', by far' : '')",
        "reason": "FieldValueForbidden",
        "fieldPath": ".size",
    }
    assert faults(with_rule(rule)) == []


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"rule": " "}, ".rule: Required value: rule is not specified"),
        ({"rule": "true", "message": " "}, '.message: Invalid value: " ": message must be non-empty if specified'),
        (
            {"rule": "true", "message": "a\nb"},
            '.message: Invalid value: "a\\nb": message must not contain line breaks',
        ),
        (
            {"rule": "true &&\ntrue"},
            ".message: Required value: message must be specified if rule contains line breaks",
        ),
        (
            {"rule": "true", "reason": "Because"},
            (
                '.reason: Unsupported value: "Because": supported values: "FieldValueDuplicate", '
                '"FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"'
            ),
        ),
        (
            {"rule": "true", "fieldPath": ".sise"},
            '.fieldPath: Invalid value: ".sise": fieldPath must be a valid path',
        ),
        (
            {"rule": "true", "optionalOldSelf": True},
            ".optionalOldSelf: Invalid value: true: may not be set if oldSelf is not used in rule",
        ),
    ],
)
def test_what_is_wrong_with_a_rule_is_said_at_its_place(rule: JsonObject, said: str) -> None:
    assert faults(with_rule(rule)) == [f"{SPEC}{said}"]


def shown(rule: str) -> str:
    return (
        f'{{"Rule":"{rule}","Message":"","MessageExpression":"","Reason":null,"FieldPath":"","OptionalOldSelf":null}}'
    )


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("self.sise > 1", "compilation failed: ERROR: <input>:1:5: undefined field 'sise'\n | self.sise > 1\n | ....^"),
        ("self.size + 1", "cel expression must evaluate to a bool"),
    ],
)
def test_a_rule_that_does_not_compile_is_refused_with_the_place_of_the_fault(rule: str, said: str) -> None:
    assert faults(with_rule({"rule": rule})) == [f"{SPEC}.rule: Invalid value: {shown(rule)}: {said}"]


def test_a_message_expression_gives_a_text() -> None:
    (fault,) = faults(with_rule({"rule": "true", "messageExpression": "self.size"}))
    assert fault.startswith(f"{SPEC}.messageExpression: Invalid value: ")
    assert fault.endswith("messageExpression must evaluate to a string")


def test_a_rule_that_can_get_too_dear_is_refused_by_its_factor() -> None:
    numbers: JsonObject = {"type": "array", "items": {"type": "integer"}}
    found = faults(with_rule({"rule": "self.list.all(a, self.list.all(b, a != b || a == b))"}, list=numbers))
    ways = "adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared"
    factor = f"exceeds budget by factor of more than 100x (try simplifying the rule, or {ways})"
    whole = "total for entire OpenAPIv3 schema"
    over = "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema"
    assert found == [
        f"{SPEC}.rule: Forbidden: estimated rule cost {factor}",
        f"{SPEC}.rule: Forbidden: {over}",
        f"{PATH}: Forbidden: x-kubernetes-validations estimated rule cost {whole} {factor}",
    ]
    assert faults(with_rule({"rule": "self.list.all(a, a > 0)"}, list=numbers | {"maxItems": 100})) == []


def test_a_rule_within_a_list_counts_for_each_of_its_items() -> None:
    item: JsonObject = {
        "type": "object",
        "properties": {"s": {"type": "string", "maxLength": 1000}},
        "x-kubernetes-validations": [{"rule": "self.s.contains('a')"}],
    }
    unbounded: JsonObject = {"type": "object", "properties": {"list": {"type": "array", "items": item}}}
    bounded: JsonObject = {"type": "object", "properties": {"list": {"type": "array", "items": item, "maxItems": 50}}}
    assert any("estimated rule cost exceeds budget" in one for one in faults(unbounded))
    assert faults(bounded) == []


def test_old_values_cannot_be_told_within_a_list_whose_items_have_no_name() -> None:
    item: JsonObject = {
        "type": "object",
        "properties": {"name": {"type": "string", "maxLength": 10}},
        "required": ["name"],
        "x-kubernetes-validations": [{"rule": "self.name == oldSelf.name"}],
    }
    atomic: JsonObject = {"type": "array", "items": item, "maxItems": 5}
    named = atomic | {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}
    (fault,) = faults({"type": "object", "properties": {"list": atomic}})
    assert fault.endswith(
        f"oldSelf cannot be used on the uncorrelatable portion of the schema within {PATH}.properties[list]"
    )
    assert faults({"type": "object", "properties": {"list": named}}) == []


def test_a_rule_on_what_rules_cannot_see_is_refused() -> None:
    free: JsonObject = {
        "type": "array",
        "items": {"x-kubernetes-preserve-unknown-fields": True},
        "x-kubernetes-validations": [{"rule": "true"}],
    }
    (fault,) = faults({"type": "object", "properties": {"free": free}})
    assert "rule declared on schema that does not support validation rules" in fault
