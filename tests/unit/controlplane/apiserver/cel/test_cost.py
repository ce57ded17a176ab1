"""What a rule may cost. The figures are those of Kubernetes' own tests of its estimates."""

import pytest

from inferplane.controlplane.apiserver.cel import cost
from inferplane.controlplane.apiserver.cel.checker import Checker
from inferplane.controlplane.apiserver.cel.declared import declare
from inferplane.kernel.json import Json, JsonObject


def of(type_: str, *, most: int | None = None) -> JsonObject:
    """A schema of one plain type: `string`, `date-time`, `int-or-string`, …"""
    if type_ == "int-or-string":
        return {"x-kubernetes-int-or-string": True}
    plain = type_ in ("string", "number", "integer", "boolean")
    schema: JsonObject = {"type": type_} if plain else {"type": "string", "format": type_}
    return schema | ({"maxLength": most} if most is not None else {})


def array(items: JsonObject, most: int | None = None) -> JsonObject:
    bound: JsonObject = {"maxItems": most} if most is not None else {}
    return {"type": "array", "items": items, **bound}


def mapping(values: JsonObject, most: int | None = None) -> JsonObject:
    bound: JsonObject = {"maxProperties": most} if most is not None else {}
    return {"type": "object", "additionalProperties": values, **bound}


def record(**fields: Json) -> JsonObject:
    return {"type": "object", "properties": fields}


def estimated(schema: JsonObject, rule: str) -> int:
    declared = declare(schema)
    assert declared is not None
    return cost.estimate(Checker(declared).check(rule)[0], declared)


ALL = "self.all(x, true)"
ENUM: JsonObject = {"type": "string", "enum": ["A", "B", "C", "LongValue"]}


@pytest.mark.parametrize(
    ("schema", "rule", "expected"),
    [
        (array(of("number")), ALL, 4718591),
        (array(of("number"), 10), ALL, 32),
        (array(of("string")), ALL, 3145727),
        (array(of("boolean")), ALL, 1887437),
        (array(array(of("number"))), ALL, 3145727),
        (array(of("duration")), ALL, 2359295),
        (array(of("date")), ALL, 725936),
        (array(of("date-time")), ALL, 428963),
        (array(of("int-or-string")), ALL, 4718591),
        (mapping(of("number")), ALL, 1348169),
        (mapping(of("string")), ALL, 1179647),
        (mapping(of("string"), 3), ALL, 11),
        (mapping(of("boolean")), ALL, 943718),
        (mapping(mapping(of("number"))), ALL, 1179647),
        (of("string"), "self.contains('test')", 314574),
        (of("string", most=10), "self.contains('test')", 5),
        (of("string"), "self.startsWith('test')", 2),
        (of("string"), 'size(self + "hello") > size("hello")', 314578),
        (of("string", most=4), 'size(self + "hello") > size("hello")', 7),
        (array(of("number")), "self[1] == 0.0", 2),
        (array(of("string")), "self[1] == self[1]", 314577),
        (array(of("number"), 10), "self.all(x, self.all(y, true))", 352),
        (array(of("number"), 10), "self.all(x, self.all(y, self.all(z, true)))", 3552),
        (of("string"), 'self.matches("x")', 314574),
        (of("string", most=50), 'self.matches("x")', 22),
        (of("string"), '"".matches("(((((((((())))))))))[0-9]")', 7),
        (of("string", most=0), 'self == "x"', 1),
        (array(of("number")), "self.all(x, x == 0.0)", 6291454),
        (array(mapping(of("number"))), "self.all(x, x.y == 25.2)", 6291452),
        (array(mapping(of("number"))), "self[0].x > 2.0", 4),
        (array(of("duration")), "self[0].getHours() == 2", 4),
        (array(of("date-time")), "self[2].getMinutes() == 45", 4),
        (of("string"), "self.find('[0-9]+') == ''", 629147),
        (of("string", most=10), "self.find('[0-9]+') == ''", 11),
        (array(of("string")), "self.join(' ') == 'aa bb'", 329853068905),
        (array(of("string", most=10), 10), "self.join(' ') == 'aa bb'", 43),
        (array(of("string")), "self.isSorted() == true", 329854432052),
        (array(of("string", most=10), 10), "self.isSorted() == true", 52),
        (record(str=of("string"), separator=of("string")), "self.str.split(self.separator) == []", 629160),
        (of("string"), "self.lowerAscii() == 'lower!'", 314575),
        (mapping(of("integer")), "oldSelf.size() == self.size()", 5),
        (mapping(of("date-time")), 'self["a"] == self["b"]', 8),
        (ENUM, "self.contains('A')", 2),
    ],
)
def test_a_rule_costs_what_it_costs_on_a_cluster(schema: JsonObject, rule: str, expected: int) -> None:
    assert estimated(schema, rule) == expected


def test_a_loop_within_a_loop_over_a_list_without_bound_is_beyond_any_budget() -> None:
    assert estimated(array(of("number")), "self.all(x, self.all(y, true))") > 10_000_000 * 100
