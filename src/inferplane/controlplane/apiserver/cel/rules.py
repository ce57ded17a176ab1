"""The rules of a custom kind, compiled on first use, and what they say of an object.

    rules = Rules.of(schema)             # None when there are none
    rules.violations(new, old)           # old is None when the object is created

A rule that names `oldSelf` compares with the value that was there and is skipped where there was none. A rule that a
value broke already is not held against it while that value stays as it is.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from inferplane.controlplane.apiserver.cel.checker import Checker, Unsound
from inferplane.controlplane.apiserver.cel.declared import Declared, declare
from inferplane.controlplane.apiserver.cel.definition import RULES, named_in
from inferplane.controlplane.apiserver.cel.evaluation import Program, Scope, program
from inferplane.controlplane.apiserver.cel.paths import named_path
from inferplane.controlplane.apiserver.cel.values import NO_OVERLOAD, Maybe, RuleError, shown_to_rules
from inferplane.kernel.json import Json, JsonObject, list_at, object_at, text_at
from inferplane.resources.schemas import FieldError
from inferplane.resources.schemas.values import forbidden, invalid, printed, required

logger = logging.getLogger(__name__)

LONGEST_MESSAGE = 5 * 1024


@dataclass(frozen=True, slots=True)
class Rule:
    """`message` is the text to show, `said` evaluates one instead."""

    text: str
    message: str
    holds: Program
    says: Program | None
    reason: str
    path: str
    transition: bool
    optional_old: bool
    compares: bool  # whole lists, maps or objects

    @property
    def title(self) -> str:
        return self.message or self.text


@dataclass(frozen=True, slots=True)
class _Spot:
    """A value, what it was before (None: it wasn't there, or can't be told), whether it is as it was."""

    value: Json
    old: Json
    path: str
    same: bool


class Rules:
    """The rules at one part of a schema and those below it."""

    def __init__(self, schema: JsonObject, *, root: bool = False) -> None:
        self._schema = schema
        self._type = text_at(schema, "type")
        self._root = root

    @classmethod
    def of(cls, schema: JsonObject) -> "Rules | None":
        """For a CRD's `openAPIV3Schema`; None when it has no rules."""
        return cls(schema, root=True) if _any_rules(schema) else None

    def violations(self, new: JsonObject, old: JsonObject | None) -> list[FieldError]:
        return list(self._check(_Spot(new, old, "", old is not None and new == old)))

    @cached_property
    def _compiled(self) -> tuple[tuple[Rule, ...], Declared | None]:
        """The rules at this part, and what they see of a value."""
        written = [one for one in list_at(self._schema, RULES) if isinstance(one, dict)]
        declared = declare(self._schema, root=self._root, named=named_in(written)) if written else None
        if declared is None:
            return (), None
        checker = Checker(declared)
        rules = tuple(rule for one in written if (rule := _compiled(one, checker, self._schema)) is not None)
        # Whole values are only compared as wholes.
        whole = any(rule.compares for rule in rules)
        return rules, declare(self._schema, root=self._root) if whole else declared

    @cached_property
    def _fields(self) -> dict[str, "Rules"]:
        parts = object_at(self._schema, "properties")
        return {name: found for name, part in parts.items() if (found := _below(part)) is not None}

    @cached_property
    def _values(self) -> "Rules | None":
        return _below(self._schema.get("additionalProperties"))

    @cached_property
    def _items(self) -> "Rules | None":
        return _below(self._schema.get("items"))

    def _check(self, spot: _Spot) -> Iterator[FieldError]:
        if spot.value is None:
            return
        own, declared = self._compiled
        if own and declared is not None:
            yield from self._evaluate(spot, own, declared)
        if isinstance(spot.value, dict):
            yield from self._check_object(spot, spot.value)
        elif isinstance(spot.value, list) and self._items is not None:
            yield from self._check_list(spot, spot.value, self._items)

    def _check_object(self, spot: _Spot, value: JsonObject) -> Iterator[FieldError]:
        found = spot.old if isinstance(spot.old, dict) else {}
        granular = self._schema.get("x-kubernetes-map-type") != "atomic"
        for name, child in value.items():
            field, before = self._fields.get(name), found.get(name)
            same = spot.same or (name in found and before == child)
            if field is not None:
                path = f"{spot.path}.{name}" if spot.path else name
                yield from field._check(_Spot(child, before if granular else None, path, same))
            elif self._values is not None:
                yield from self._values._check(_Spot(child, before, f"{spot.path}[{name}]", same))

    def _check_list(self, spot: _Spot, values: list[Json], items: "Rules") -> Iterator[FieldError]:
        before = self._by_key(spot.old) if self._schema.get("x-kubernetes-list-type") == "map" else {}
        for number, child in enumerate(values):
            old = before.get(self._key(child))
            same = spot.same or (old is not None and old == child)
            yield from items._check(_Spot(child, old, f"{spot.path}[{number}]", same))

    def _by_key(self, values: Json) -> dict[str, Json]:
        return {self._key(one): one for one in values} if isinstance(values, list) else {}

    def _key(self, item: Json) -> str:
        keys = list_at(self._schema, "x-kubernetes-list-map-keys")
        return printed([item.get(str(key)) for key in keys]) if isinstance(item, dict) else printed(item)

    def _evaluate(self, spot: _Spot, rules: tuple[Rule, ...], declared: Declared) -> Iterator[FieldError]:
        scope = {"self": shown_to_rules(declared, spot.value)}
        old = shown_to_rules(declared, spot.old) if spot.old is not None else None
        for rule in rules:
            if rule.transition and spot.old is None and not rule.optional_old:
                continue
            before = Maybe(spot.old is not None, old) if rule.optional_old else old
            fault = self._fault(rule, scope | {"oldSelf": before}, spot.path or "<nil>")
            if fault is not None and (rule.transition or not spot.same):
                yield fault

    def _fault(self, rule: Rule, scope: Scope, path: str) -> FieldError | None:
        try:
            if rule.holds(scope) is True:
                return None
        except RuleError as error:
            said = f"{error.message} evaluating rule: {rule.title}"
            if error.message.startswith(NO_OVERLOAD):
                said = (
                    f"'{error.message}': call arguments did not match a supported operator, function or macro "
                    f"signature for rule: {rule.title}"
                )
            return invalid(path, self._type, said)
        if rule.path:
            path = rule.path if path == "<nil>" else f"{path}.{rule.path}"
        return self._broken(rule, path, _said(rule, scope))

    def _broken(self, rule: Rule, path: str, said: str) -> FieldError:
        match rule.reason:
            case "FieldValueForbidden":
                return forbidden(path, said)
            case "FieldValueRequired":
                return required(path, said)
            case "FieldValueDuplicate":
                return FieldError(path, "FieldValueDuplicate", f"Duplicate value: {printed(self._type)}")
            case _:
                return invalid(path, self._type, said)


def _said(rule: Rule, scope: Scope) -> str:
    """The rule's own message, its message expression's where that has a value fit to show."""
    if rule.says is not None:
        try:
            found = rule.says(scope)
        except RuleError as error:
            logger.debug("messageExpression failed", extra={"rule": rule.text, "why": error.message})
        else:
            text = found.strip() if isinstance(found, str) else ""
            if text and "\n" not in text and len(text) <= LONGEST_MESSAGE:
                return text
    return rule.message or f"failed rule: {rule.text}"


def _below(schema: Json) -> Rules | None:
    if not isinstance(schema, dict) or not _any_rules(schema):
        return None
    return Rules(schema, root=schema.get("x-kubernetes-embedded-resource") is True)


def _any_rules(schema: Json) -> bool:
    if not isinstance(schema, dict):
        return False
    if schema.get(RULES):
        return True
    parts = [schema.get("additionalProperties"), schema.get("items"), *object_at(schema, "properties").values()]
    return any(_any_rules(part) for part in parts)


def _compiled(written: JsonObject, checker: Checker, schema: JsonObject) -> Rule | None:
    """None for a rule that is not sound: it was refused with its CRD, unless that was written by an older release."""
    optional, text, message = (
        written.get("optionalOldSelf") is True,
        text_at(written, "rule"),
        text_at(written, "messageExpression"),
    )
    try:
        tree, _ = checker.check(text, optional_old=optional)
        shown = checker.check(message, optional_old=optional)[0] if message else None
    except Unsound as error:
        logger.warning("rule ignored", extra={"rule": text, "why": error.message})
        return None
    return Rule(
        text=text.strip(),
        message=text_at(written, "message").strip(),
        holds=program(tree.root),
        says=program(shown.root) if shown is not None else None,
        reason=text_at(written, "reason"),
        path=named_path(text_at(written, "fieldPath"), schema) or "",
        transition=tree.uses("oldSelf"),
        optional_old=optional,
        compares=tree.compares_wholes() or (shown is not None and shown.compares_wholes()),
    )
