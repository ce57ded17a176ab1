"""Label selectors (`app=iris,tier in (a, b),!old`), read as Kubernetes reads them and refused in its words. Pure.

The grammar is that of `k8s.io/apimachinery/pkg/labels`: tokens are signs and words, and `in` and `notin` are words
where a value is expected.
"""

import re
from collections.abc import Callable, Mapping

from inferplane.controlplane.apiserver.builtin import names
from inferplane.controlplane.apiserver.errors import StatusError, bad_request
from inferplane.kernel.json import Json
from inferplane.resources.schemas.values import printed

Requirement = Callable[[Mapping[str, Json]], bool]

_TOKEN = re.compile(r"\s*(==|!=|[=!(),<>]|[^\s=!(),<>]+)")
_SIGNS = frozenset(["==", "!=", "=", "!", "(", ")", ",", "<", ">"])
_OPERATORS = ("in", "notin", "=", "==", "!=", "gt", "lt")
_END = ""
_INTEGER = re.compile(r"[+-]?\d+")


def parse(text: str) -> list[Requirement]:
    """Raises 400."""
    return _Parser(_TOKEN.findall(text)).requirements()


def _is_word(token: str) -> bool:
    return token != _END and token not in _SIGNS


def _unreadable(found: str, expected: str) -> StatusError:
    return bad_request(f"unable to parse requirement: found '{found}', expected: {expected}")


class _Parser:
    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._at = 0

    def requirements(self) -> list[Requirement]:
        found: list[Requirement] = []
        if self._next() != _END and not self._begins():
            raise bad_request(f"found '{self._next()}', expected: !, identifier, or 'end of string'")
        while self._begins():
            found.append(self._requirement())
            after = self._take()
            if after == _END:
                break
            if after != ",":
                raise bad_request(f"found '{after}', expected: ',' or 'end of string'")
            if not self._begins():
                raise bad_request(f"found '{self._next()}', expected: identifier after ','")
        return found

    def _next(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else _END

    def _take(self) -> str:
        token = self._next()
        self._at += 1
        return token

    def _begins(self) -> bool:
        return self._next() == "!" or _is_word(self._next())

    def _requirement(self) -> Requirement:
        absent = self._next() == "!"
        if absent:
            self._take()
        key = self._take()
        if not _is_word(key):
            raise _unreadable(key, "identifier")
        _check_key(key)
        if absent:
            return lambda labels: key not in labels
        if self._next() in (_END, ","):
            return lambda labels: key in labels
        return self._compared(key)

    def _compared(self, key: str) -> Requirement:
        operator = self._take()
        if operator in ("in", "notin"):
            values = self._values()
            _check_values(key, values)
            if operator == "in":
                return lambda labels: key in labels and labels[key] in values
            return lambda labels: key not in labels or labels[key] not in values
        if operator not in ("=", "==", "!=", "<", ">"):
            raise _unreadable(operator, ", ".join(_OPERATORS))
        value = "" if self._next() in (_END, ",") else self._take()
        if value and not _is_word(value):
            raise _unreadable(value, "identifier")
        if operator in ("<", ">"):
            return _ordered(key, operator, value)
        _check_values(key, [value])
        if operator == "!=":
            return lambda labels: labels.get(key) != value
        return lambda labels: labels.get(key) == value

    def _values(self) -> list[str]:
        opening = self._take()
        if opening != "(":
            raise bad_request(f"unable to parse requirement: found '{opening}' expected: '('")
        if self._next() == ")":
            self._take()
            why = "for 'in', 'notin' operators, values set can't be empty"
            raise bad_request(f"unable to parse requirement: values: Invalid value: []: {why}")
        if self._next() != "," and not _is_word(self._next()):
            raise _unreadable(self._next(), "',', ')' or identifier")
        return self._listed()

    def _listed(self) -> list[str]:
        """Words between commas; nothing between two commas is the empty value."""
        found = [""]
        while (token := self._take()) != ")":
            if token == ",":
                found.append("")
            elif _is_word(token) and not found[-1]:
                found[-1] = token
            else:
                raise _unreadable(token, "',' or ')'")
        return found


def _check_key(key: str) -> None:
    faults = names.qualified_name(key)
    if faults:
        raise bad_request(f"unable to parse requirement: <nil>: Invalid value: {printed(key)}: {'; '.join(faults)}")


def _check_values(key: str, values: list[str]) -> None:
    for place, value in enumerate(values):
        faults = names.label_value(value)
        if faults:
            where = f"values[{place}][{key}]"
            raise bad_request(f"unable to parse requirement: {where}: Invalid value: {printed(value)}: {faults[0]}")


def _ordered(key: str, operator: str, value: str) -> Requirement:
    if not _INTEGER.fullmatch(value):
        why = "for 'Gt', 'Lt' operators, the value must be an integer"
        raise bad_request(f"unable to parse requirement: values[0]: Invalid value: {printed(value)}: {why}")
    bound = int(value)

    def compare(labels: Mapping[str, Json]) -> bool:
        found = str(labels.get(key, ""))
        if not _INTEGER.fullmatch(found):
            return False
        return int(found) > bound if operator == ">" else int(found) < bound

    return compare
