"""Rules on values: what they give, and what is said when they have no value."""

import pytest

from inferplane.controlplane.apiserver.cel.checker import Checker, Unsound
from inferplane.controlplane.apiserver.cel.declared import declare
from inferplane.controlplane.apiserver.cel.evaluation import program
from inferplane.controlplane.apiserver.cel.syntax import Node
from inferplane.controlplane.apiserver.cel.values import RuleError, Value, shown_to_rules
from inferplane.kernel.json import Json, JsonObject

TEXT: JsonObject = {"type": "string"}
NUMBER: JsonObject = {"type": "integer"}
SCHEMA: JsonObject = {
    "type": "object",
    "properties": {
        "name": TEXT,
        "min": {"type": "integer"},
        "max": {"type": "integer"},
        "ratio": {"type": "number"},
        "on": {"type": "boolean"},
        "tags": {"type": "array", "items": TEXT},
        "ports": {"type": "array", "items": {"type": "object", "properties": {"port": NUMBER, "name": TEXT}}},
        "limits": {"type": "object", "additionalProperties": TEXT},
        "when": {"type": "string", "format": "date-time"},
        "every": {"type": "string", "format": "duration"},
        "raw": {"type": "string", "format": "byte"},
        "x-y": TEXT,
        "namespace": TEXT,
        "share": {"x-kubernetes-int-or-string": True},
        "rows": {"type": "array", "items": {"type": "array", "items": {"type": "integer"}}},
    },
}  # fmt: skip
OBJECT: JsonObject = {
    "name": "iris-2",
    "min": 1,
    "max": 3,
    "ratio": 1,
    "on": True,
    "tags": ["a", "b"],
    "ports": [{"port": 80, "name": "http"}, {"port": 443}],
    "limits": {"cpu": "500m", "memory": "1Gi"},
    "when": "2026-01-02T03:04:05Z",
    "every": "1h30m",
    "raw": "aGk=",
    "x-y": "z",
    "namespace": "n",
    "share": "50%",
    "rows": [[1, 2], [3]],
}
DECLARED = declare(SCHEMA)
assert DECLARED is not None


def checked(rule: str) -> Node:
    assert DECLARED is not None
    return Checker(DECLARED).check(rule)[0].root


def evaluated(rule: str, obj: Json = OBJECT) -> Value:
    assert DECLARED is not None
    value = shown_to_rules(DECLARED, obj)
    return program(checked(rule))({"self": value, "oldSelf": value})


@pytest.mark.parametrize(
    "rule",
    [
        # the language
        "self.min <= self.max && self.min != self.max",
        "self.ratio < 1.5 && self.ratio == 1.0",
        "self.min > 5 || self.on",
        "self.on ? self.min == 1 : self.min == 2",
        "has(self.name) && !has(self.ports[1].name)",
        "self.tags.all(t, t.size() == 1) && self.tags.exists(t, t == 'b') && self.tags.exists_one(t, t == 'a')",
        "self.tags.map(t, t + '!') == ['a!', 'b!'] && self.ports.filter(p, p.port > 100).size() == 1",
        "self.limits.all(k, self.limits[k] != '') && 'cpu' in self.limits && 'c' in ['c']",
        "self.name.startsWith('iris') && self.name.endsWith('2')",
        "self.name.contains('-') && self.name.matches('^[a-z]+')",
        "self.rows[0][1] + self.rows[1][0] == 5",
        "self.when > timestamp('2025-01-01T00:00:00Z') && self.when.getFullYear() == 2026 && self.when.getMonth() == 0",
        "self.every == duration('90m') && self.every.getMinutes() == 90 && self.when + self.every > self.when",
        "self.raw == b'hi' && string(self.raw) == 'hi'",
        "self.x__dash__y == 'z' && self.__namespace__ == 'n'",
        "type(self.share) == string && int(self.share.replace('%', '')) == 50",
        "int('7') + int(2.9) == 9 && double(1) / 4.0 == 0.25 && string(12) == '12'",
        "-7 / 2 == -3 && -7 % 2 == -1 && 7u > 3u",
        "{'a': 1}.a == 1 && [1, 2] == [1, 2] && {'a': [1]} == {'a': [1]} && dyn(1) == dyn(1.0)",
        "self.?name.orValue('') == 'iris-2' && optional.none().orValue(3) == 3",
        "self.limits[?'gpu'].hasValue() == false",
        # what Kubernetes adds
        "[3, 1, 2].max() == 3 && [3, 1, 2].min() == 1 && [1, 2].sum() == 3 && !['b', 'a'].isSorted()",
        "self.tags.indexOf('b') == 1 && 'abca'.lastIndexOf('a') == 3 && [1, 2, 1].lastIndexOf(1) == 2",
        "self.name.find('[0-9]+') == '2' && 'a1b22'.findAll('[0-9]+') == ['1', '22']",
        "'a1b2'.findAll('[0-9]', 1) == ['1']",
        "'a,b'.split(',') == ['a', 'b'] && ['a', 'b'].join('-') == 'a-b'",
        "' x '.trim() == 'x' && 'abc'.substring(1) == 'bc'",
        "'aB'.lowerAscii() == 'ab' && 'aB'.upperAscii() == 'AB'",
        "'abc'.charAt(1) == 'b' && 'a.b.c'.replace('.', '', 1) == 'ab.c'",
        "'%s has %d of %.1f%%'.format([self.name, self.min, self.ratio]) == 'iris-2 has 1 of 1.0%'",
        "quantity(self.limits.cpu).isLessThan(quantity('1')) && quantity('1Ki').asInteger() == 1024",
        "isQuantity('1x') == false",
        "quantity('1').add(quantity('500m')).compareTo(quantity('1.5')) == 0 && quantity('1') == quantity('1000m')",
        "url('https://a.b:80/c?d=e').getHost() == 'a.b:80' && url('https://a.b:80/c').getPort() == '80'",
        "!isURL('..')",
        "url('https://a.b/c?d=e').getQuery()['d'] == ['e'] && url('https://a.b/c').getEscapedPath() == '/c'",
        "cidr('10.0.0.0/8').containsIP('10.1.2.3') && cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16')",
        "ip('::1').isLoopback()",
        "isIP('1.2.3.4') && ip('1.2.3.4').family() == 4 && !isCIDR('1.2.3.4') && ip.isCanonical('::1')",
    ],
)  # fmt: skip
def test_it_holds(rule: str) -> None:
    assert evaluated(rule) is True


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("self.tags[7] == ''", "index out of bounds: 7"),
        ("self.limits['gpu'] == ''", "no such key: gpu"),
        ("self.ports.all(p, p.name != '')", "no such key: name"),
        ("self.min / 0 == 1", "division by zero"),
        ("self.min % 0 == 1", "modulus by zero"),
        ("self.min + 9223372036854775807 > 0", "integer overflow"),
        ("int(self.name) == 1", "type conversion error from 'string' to 'int'"),
        ("self.share > 5", "no such overload"),
        ("'abc'.substring(9) == ''", "index out of range: 9"),
    ],
)
def test_it_has_no_value(rule: str, said: str) -> None:
    with pytest.raises(RuleError) as refused:
        evaluated(rule)
    assert refused.value.message == said


def test_an_error_is_made_up_for_by_what_decides_alone() -> None:
    assert evaluated("self.limits['gpu'] == '' || self.on") is True
    assert evaluated("self.tags.exists(t, t == 'b' || self.limits[t] == '')") is True


def test_a_field_that_is_absent_is_told_apart_from_an_empty_one() -> None:
    assert evaluated("has(self.name)", {"name": ""}) is True
    assert evaluated("has(self.name)", {}) is False


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("self.nme == ''", "ERROR: <input>:1:5: undefined field 'nme'\n | self.nme == ''\n | ....^"),
        ("other == 1", "ERROR: <input>:1:1: undeclared reference to 'other' (in container '')\n | other == 1\n | ^"),
        (
            "self.min == 'a'",
            ("ERROR: <input>:1:10: found no matching overload for '_==_' applied to '(int, string)'\n"
            " | self.min == 'a'\n | .........^"),
        ),
        (
            "self.name.matches(')')",
            ("ERROR: <input>:1:19: invalid matches argument\n"
            " | self.name.matches(')')\n | ..................^"),
        ),
        (
            "self.tags.all(t, t.size == 1)",
            ("ERROR: <input>:1:19: type 'string' does not support field selection\n"
            " | self.tags.all(t, t.size == 1)\n | ..................^"),
        ),
    ],
)  # fmt: skip
def test_it_is_not_sound(rule: str, said: str) -> None:
    with pytest.raises(Unsound) as refused:
        checked(rule)
    assert refused.value.message == said


@pytest.mark.parametrize("rule", ["authorizer.path('/x').check('get').allowed()", "sets.contains([1], [1])"])
def test_functions_that_are_not_there_are_refused_with_the_definition(rule: str) -> None:
    with pytest.raises(Unsound, match="undeclared reference"):
        checked(rule)


def test_names_that_rules_cannot_write_are_not_shown_to_them() -> None:
    declared = declare({"type": "object", "properties": {"1st": TEXT, "a__b": TEXT, "c/d.e": TEXT}})
    assert declared is not None
    assert dict(declared.names) == {"a__underscores__b": "a__b", "c__slash__d__dot__e": "c/d.e"}
