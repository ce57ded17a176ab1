"""What is wrong with the rules of a schema when its CRD is written: syntax, types, reasons, paths, cost.

Each fault comes with its place in the CRD and in the words of a real API server.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from inferplane.controlplane.apiserver.cel import cost
from inferplane.controlplane.apiserver.cel.checker import Checker, Unsound
from inferplane.controlplane.apiserver.cel.declared import LARGEST_REQUEST, Declared, declare
from inferplane.controlplane.apiserver.cel.paths import named_path
from inferplane.controlplane.apiserver.cel.syntax import Tree
from inferplane.kernel.json import Json, JsonObject, list_at, number_at, text_at
from inferplane.resources.schemas import FieldError
from inferplane.resources.schemas.values import forbidden, invalid, not_supported, required

RULES = "x-kubernetes-validations"
RULE_LIMIT, SCHEMA_LIMIT = 10_000_000, 100_000_000
NOTEWORTHY = SCHEMA_LIMIT // 100
REASONS: list[Json] = ["FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"]
_WORD = re.compile(r"\w+")
_LINE_BREAK = re.compile(r"[\n\r]")


@dataclass(frozen=True, slots=True)
class Place:
    """A part of a schema. `times` is how often it can occur in one object (None: unbounded); `severed` is the path
    within which an old value can't be found for a new one."""

    schema: JsonObject
    path: str
    root: bool = False
    times: int | None = 1
    severed: str = ""


@dataclass(slots=True)
class _Total:
    cost: int = 0
    dearest: list[tuple[int, str]] = field(default_factory=list)

    def add(self, path: str, cost_: int) -> None:
        self.cost += cost_
        if cost_ >= NOTEWORTHY:
            self.dearest = sorted([*self.dearest, (cost_, path)], reverse=True)[:4]


def rule_errors(schema: JsonObject, path: str) -> list[FieldError]:
    """The faults of all rules in a CRD's `openAPIV3Schema`, which is at `path`."""
    found: list[FieldError] = []
    total = _Total()
    for place in places(Place(schema, path, root=True)):
        found += _at(place, total)
    if total.cost > SCHEMA_LIMIT:
        said = "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema"
        found += [forbidden(one, said) for _, one in total.dearest]
        whole = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema"
        found.append(forbidden(path, _too_dear(whole, total.cost, SCHEMA_LIMIT)))
    return found


def places(place: Place) -> list[Place]:
    """The parts of a schema that have rules, each after those within it."""
    found: list[Place] = []
    _collect(place, found)
    return found


def _collect(place: Place, found: list[Place]) -> None:
    schema, path = place.schema, place.path
    properties, values, items = (schema.get(key) for key in ("properties", "additionalProperties", "items"))
    if isinstance(properties, dict):
        severed = place.severed or (path if schema.get("x-kubernetes-map-type") == "atomic" else "")
        for name, part in properties.items():
            if isinstance(part, dict):
                _collect(Place(part, f"{path}.properties[{name}]", _embedded(part), place.times, severed), found)
    if isinstance(values, dict):
        times = _multiplied(place.times, schema, "maxProperties")
        _collect(Place(values, f"{path}.additionalProperties", _embedded(values), times, place.severed), found)
    if isinstance(items, dict):
        severed = place.severed or ("" if schema.get("x-kubernetes-list-type") == "map" else path)
        times = _multiplied(place.times, schema, "maxItems")
        _collect(Place(items, f"{path}.items", _embedded(items), times, severed), found)
    if schema.get(RULES):
        found.append(place)


def _embedded(schema: JsonObject) -> bool:
    return schema.get("x-kubernetes-embedded-resource") is True


def _multiplied(times: int | None, schema: JsonObject, key: str) -> int | None:
    return times * number_at(schema, key) if times is not None and key in schema else None


def _at(place: Place, total: _Total) -> list[FieldError]:
    rules = [one for one in list_at(place.schema, RULES) if isinstance(one, dict)]
    paths = [f"{place.path}.{RULES}[{number}]" for number in range(len(rules))]
    faults = [one for rule, path in zip(rules, paths, strict=True) for one in _written(place.schema, rule, path)]
    if faults:
        return faults
    declared = declare(place.schema, root=place.root, named=named_in(rules))
    if declared is None:
        kept = place.schema.get("x-kubernetes-preserve-unknown-fields") is True
        said = (
            "rule declared on schema that does not support validation rules type: "
            f"'{text_at(place.schema, 'type')}' x-kubernetes-preserve-unknown-fields: '{str(kept).lower()}'"
        )
        return [FieldError(f"{place.path}.{RULES}", "InternalError", f"Internal error: {said}")]
    checker = Checker(declared)
    return [
        one
        for rule, path in zip(rules, paths, strict=True)
        for one in _compiled(_Rule(rule, path, place, declared, checker), total)
    ]


def named_in(rules: list[JsonObject]) -> frozenset[str]:
    """All the words of rules: a field that isn't among them is not looked at."""
    return frozenset(
        word for one in rules for key in ("rule", "messageExpression") for word in _WORD.findall(text_at(one, key))
    )


def _written(schema: JsonObject, rule: JsonObject, path: str) -> Iterator[FieldError]:
    """What can be said of a rule before it is compiled."""
    text, message = text_at(rule, "rule"), text_at(rule, "message")
    if not text.strip():
        yield required(f"{path}.rule", "rule is not specified")
    elif message and not message.strip():
        yield invalid(f"{path}.message", message, "message must be non-empty if specified")
    elif _LINE_BREAK.search(message.strip()):
        yield invalid(f"{path}.message", message, "message must not contain line breaks")
    elif _LINE_BREAK.search(text.strip()) and not message.strip():
        yield required(f"{path}.message", "message must be specified if rule contains line breaks")
    expression = text_at(rule, "messageExpression")
    if expression and not expression.strip():
        yield required(f"{path}.messageExpression", "messageExpression must be non-empty if specified")
    if rule.get("reason") is not None and rule["reason"] not in REASONS:
        yield not_supported(f"{path}.reason", rule["reason"], REASONS)
    yield from _field_path(schema, rule, path)


def _field_path(schema: JsonObject, rule: JsonObject, path: str) -> Iterator[FieldError]:
    given = text_at(rule, "fieldPath")
    if given and not given.strip():
        yield invalid(f"{path}.fieldPath", given, "fieldPath must be non-empty if specified")
    if _LINE_BREAK.search(given):
        yield invalid(f"{path}.fieldPath", given, "fieldPath must not contain line breaks")
    if given and named_path(given, schema) is None:
        yield invalid(f"{path}.fieldPath", given, "fieldPath must be a valid path")


@dataclass(frozen=True, slots=True)
class _Rule:
    rule: JsonObject
    path: str
    place: Place
    declared: Declared
    checker: Checker


def _compiled(rule: _Rule, total: _Total) -> Iterator[FieldError]:
    tree, fault = _checked(rule, "rule", "BOOL", "compilation failed", "cel expression must evaluate to a bool")
    if tree is not None:
        cost_ = _all_times(rule, cost.estimate(tree, rule.declared))
        yield from _priced(rule, "rule", "estimated rule cost", cost_, total)
    if fault is not None:
        yield fault
    yield from _message(rule, total)
    if tree is not None:
        yield from _old_self(rule, tree)


def _checked(rule: _Rule, key: str, wanted: str, failed: str, mistyped: str) -> tuple[Tree | None, FieldError | None]:
    try:
        optional = rule.rule.get("optionalOldSelf") is True
        tree, type_ = rule.checker.check(text_at(rule.rule, key), optional_old=optional)
    except Unsound as error:
        return None, _unfit(rule, key, f"{failed}: {error.message}")
    if type_ not in (wanted, "DYN"):
        return None, _unfit(rule, key, mistyped)
    return tree, None


def _unfit(rule: _Rule, key: str, said: str) -> FieldError:
    """Quotes the whole rule, as a real server does: every field, by the names and in the order of its own type."""
    given = rule.rule
    shown: JsonObject = {
        "Rule": text_at(given, "rule"),
        "Message": text_at(given, "message"),
        "MessageExpression": text_at(given, "messageExpression"),
        "Reason": given.get("reason"),
        "FieldPath": text_at(given, "fieldPath"),
        "OptionalOldSelf": given.get("optionalOldSelf"),
    }
    message = f"Invalid value: {msgspec.json.encode(shown).decode()}: {said}"
    return FieldError(f"{rule.path}.{key}", "FieldValueInvalid", message)


def _all_times(rule: _Rule, cost_: int) -> int:
    """Within a list or map without a bound: as many as fit into one request."""
    times = rule.place.times
    times = times if times is not None else LARGEST_REQUEST // (rule.declared.least + 1)
    return min(cost_ * times, cost.ENDLESS)


def _priced(rule: _Rule, key: str, what: str, cost_: int, total: _Total) -> Iterator[FieldError]:
    if cost_ > RULE_LIMIT:
        yield forbidden(f"{rule.path}.{key}", _too_dear(what, cost_, RULE_LIMIT))
    total.add(f"{rule.path}.{key}", cost_)


def _too_dear(what: str, cost_: int, limit: int) -> str:
    factor = cost_ / limit
    shown = "more than 100x" if factor > 100 else f"{factor:.6f}x" if factor < 1.5 else f"{factor:.1f}x"
    return (
        f"{what} exceeds budget by factor of {shown} (try simplifying the rule, or adding maxItems, maxProperties, and "
        "maxLength where arrays, maps, and strings are declared)"
    )


def _message(rule: _Rule, total: _Total) -> Iterator[FieldError]:
    if not text_at(rule.rule, "messageExpression"):
        return
    failed, mistyped = "messageExpression compilation failed", "messageExpression must evaluate to a string"
    tree, fault = _checked(rule, "messageExpression", "STRING", failed, mistyped)
    if fault is not None:
        yield fault
    elif tree is not None:
        cost_ = cost.estimate(tree, rule.declared)
        yield from _priced(rule, "messageExpression", "estimated messageExpression cost", cost_, total)


def _old_self(rule: _Rule, tree: Tree) -> Iterator[FieldError]:
    if tree.uses("oldSelf"):
        if rule.place.severed:
            said = f"oldSelf cannot be used on the uncorrelatable portion of the schema within {rule.place.severed}"
            yield invalid(f"{rule.path}.rule", text_at(rule.rule, "rule"), said)
    elif rule.rule.get("optionalOldSelf") is not None:
        said = "may not be set if oldSelf is not used in rule"
        yield invalid(f"{rule.path}.optionalOldSelf", rule.rule["optionalOldSelf"], said)
