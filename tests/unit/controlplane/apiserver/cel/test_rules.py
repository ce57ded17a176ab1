"""Rules on the objects of a kind: where they are, what they say, what they compare with."""

from inferplane.controlplane.apiserver.cel.rules import Rules
from inferplane.kernel.json import Json, JsonObject


def kind(*spec_rules: Json, root: list[Json] | None = None, **fields: Json) -> Rules:
    properties: JsonObject = {
        "min": {"type": "integer"},
        "max": {"type": "integer"},
        "name": {"type": "string"},
        **fields,
    }
    spec: JsonObject = {"type": "object", "properties": properties, "x-kubernetes-validations": list(spec_rules)}
    found = Rules.of({"type": "object", "properties": {"spec": spec}, "x-kubernetes-validations": root or []})
    assert found is not None
    return found


def said(rules: Rules, new: JsonObject, old: JsonObject | None = None) -> list[str]:
    before: JsonObject | None = {"spec": old} if old is not None else None
    return [str(one) for one in rules.violations({"metadata": {"name": "a"}, "spec": new}, before)]


ORDERED: Json = {"rule": "self.min <= self.max"}


def test_a_schema_without_rules_has_none() -> None:
    assert Rules.of({"type": "object", "properties": {"spec": {"type": "object"}}}) is None


def test_a_broken_rule_is_named_when_it_has_no_message() -> None:
    assert said(kind(ORDERED), {"min": 2, "max": 1}) == [
        'spec: Invalid value: "object": failed rule: self.min <= self.max'
    ]
    assert said(kind(ORDERED), {"min": 1, "max": 2}) == []


def test_a_field_that_is_absent_is_no_such_key() -> None:
    assert said(kind(ORDERED), {"min": 2}) == [
        'spec: Invalid value: "object": no such key: max evaluating rule: self.min <= self.max'
    ]


def test_the_message_is_the_rules_own_or_evaluated() -> None:
    plain: Json = {"rule": "self.min > 0", "message": " min must be positive "}
    made: Json = {"rule": "self.min > 0", "message": "no", "messageExpression": "'min is ' + string(self.min)"}
    failing: Json = {"rule": "self.min > 0", "message": "fallback", "messageExpression": "self.name"}
    assert [
        one.removeprefix('spec: Invalid value: "object": ') for one in said(kind(plain, made, failing), {"min": 0})
    ] == [
        "min must be positive",
        "min is 0",
        "fallback",
    ]


def test_reason_and_path_are_as_the_rule_says() -> None:
    rules: list[Json] = [
        {"rule": "self.min > 0", "message": "m", "reason": reason, "fieldPath": ".min"}
        for reason in ("FieldValueForbidden", "FieldValueRequired", "FieldValueDuplicate", "FieldValueInvalid")
    ]
    assert said(kind(*rules), {"min": 0}) == [
        "spec.min: Forbidden: m",
        "spec.min: Required value: m",
        'spec.min: Duplicate value: "object"',
        'spec.min: Invalid value: "object": m',
    ]


def test_a_rule_at_the_root_sees_the_name_and_has_no_field() -> None:
    rules = kind(root=[{"rule": "self.metadata.name.startsWith('b')"}])
    assert said(rules, {}) == ["<nil>: Invalid value: \"object\": failed rule: self.metadata.name.startsWith('b')"]


def test_a_transition_rule_waits_for_a_value_to_compare_with() -> None:
    fixed: Json = {"type": "string", "x-kubernetes-validations": [{"rule": "self == oldSelf", "message": "is fixed"}]}
    rules = kind(name=fixed)
    assert said(rules, {"name": "a"}) == []
    assert said(rules, {"name": "b"}, {}) == []
    assert said(rules, {"name": "a"}, {"name": "a"}) == []
    assert said(rules, {"name": "b"}, {"name": "a"}) == ['spec.name: Invalid value: "string": is fixed']


def test_an_optional_old_value_may_be_absent() -> None:
    rule: Json = {"rule": "oldSelf.hasValue() || self.min == 0", "optionalOldSelf": True, "message": "begins at 0"}
    assert said(kind(rule), {"min": 1}) == ['spec: Invalid value: "object": begins at 0']
    assert said(kind(rule), {"min": 1}, {"min": 0}) == []


def test_items_are_compared_by_their_key_not_by_their_place() -> None:
    item: JsonObject = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "port": {"type": "integer"}},
        "x-kubernetes-validations": [{"rule": "self.port >= oldSelf.port", "message": "grows"}],
    }
    ports: JsonObject = {
        "type": "array",
        "items": item,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
    }
    old: JsonObject = {"ports": [{"name": "a", "port": 5}, {"name": "b", "port": 1}]}
    new: JsonObject = {"ports": [{"name": "b", "port": 2}, {"name": "a", "port": 4}]}
    assert said(kind(ports=ports), new, old) == ['spec.ports[1]: Invalid value: "object": grows']


def test_a_value_that_stays_as_it_was_is_not_held_against_a_rule_that_came_later() -> None:
    broken: JsonObject = {"min": 2, "max": 1}
    limits: JsonObject = {"type": "object", "additionalProperties": {"type": "integer"}}
    assert said(kind(ORDERED), broken, broken) == []
    assert said(kind(ORDERED, limits=limits), broken | {"limits": {"x": 1}}, broken) != []


def test_what_no_rule_names_counts_when_whole_values_are_compared() -> None:
    part: JsonObject = {
        "type": "object",
        "properties": {"unnamed": {"type": "integer"}},
        "x-kubernetes-validations": [{"rule": "self == oldSelf", "message": "is fixed"}],
    }
    assert said(kind(part=part), {"part": {"unnamed": 1}}, {"part": {"unnamed": 2}}) == [
        'spec.part: Invalid value: "object": is fixed'
    ]


def test_values_of_maps_and_items_of_lists_are_checked_at_their_place() -> None:
    positive: Json = {"type": "integer", "x-kubernetes-validations": [{"rule": "self > 0", "message": "positive"}]}
    rules = kind(
        limits={"type": "object", "additionalProperties": positive}, sizes={"type": "array", "items": positive}
    )
    assert said(rules, {"limits": {"cpu": 0}, "sizes": [1, 0]}) == [
        'spec.limits[cpu]: Invalid value: "integer": positive',
        'spec.sizes[1]: Invalid value: "integer": positive',
    ]
