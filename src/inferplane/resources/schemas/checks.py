"""The value keywords of a schema (`minimum`, `pattern`, `enum`, …), compiled once into small functions.

Messages are those of Kubernetes' OpenAPI validation: recorded in the API vectors `custom-schema-rules`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self, TypeAlias

from inferplane.kernel.json import Json, JsonObject
from inferplane.resources.schemas.formats import FORMATS
from inferplane.resources.schemas.values import (
    FieldError,
    invalid,
    mistyped,
    not_supported,
    printed,
    too_long,
    too_many,
)

# Given a value and its path: what is wrong with it, or None.
TextCheck: TypeAlias = Callable[[str, str], FieldError | None]
NumberCheck: TypeAlias = Callable[[float, str], FieldError | None]
ListCheck: TypeAlias = Callable[[list[Json], str], FieldError | None]
ObjectCheck: TypeAlias = Callable[[JsonObject, str], FieldError | None]

_INTEGER_LIMITS = {"int32": 2**31, "int64": 2**63, "": 2**63}
# Classes that Go's expressions know and Python's don't.
_POSIX_CLASSES = {
    "[:alnum:]": "0-9A-Za-z",
    "[:alpha:]": "A-Za-z",
    "[:digit:]": "0-9",
    "[:lower:]": "a-z",
    "[:upper:]": "A-Z",
    "[:space:]": r"\s",
    "[:word:]": r"\w",
    "[:xdigit:]": "0-9A-Fa-f",
    "[:punct:]": r"!-/:-@\[-`{-~",
}


@dataclass(frozen=True, slots=True)
class ValueChecks:
    """Checks by the type of value that they apply to, each in the order in which Kubernetes reports."""

    text: tuple[TextCheck, ...]
    formats: tuple[TextCheck, ...]
    numbers: tuple[NumberCheck, ...]
    lists: tuple[ListCheck, ...]
    objects: tuple[ObjectCheck, ...]
    enum: tuple[Json, ...]

    @classmethod
    def of(cls, document: JsonObject) -> Self:
        enum = document.get("enum")
        return cls(
            text=_text_checks(document),
            formats=_format_checks(document),
            numbers=_number_checks(document),
            lists=_list_checks(document),
            objects=_object_checks(document),
            enum=tuple(enum) if isinstance(enum, list) else (),
        )

    def __bool__(self) -> bool:
        return bool(self.text or self.formats or self.numbers or self.lists or self.objects or self.enum)

    def find(self, value: Json, path: str) -> list[FieldError]:
        """What is wrong with a value itself; its parts are checked elsewhere."""
        found: list[FieldError | None] = []
        if isinstance(value, str):
            # Of length and pattern only the first fault is reported.
            found.append(next(filter(None, (check(value, path) for check in self.text)), None))
            found += [check(value, path) for check in self.formats]
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found += [check(value, path) for check in self.numbers]
        elif isinstance(value, list):
            found += [check(value, path) for check in self.lists]
        elif isinstance(value, dict):
            found += [check(value, path) for check in self.objects]
        if self.enum and not _among(value, self.enum):
            found.append(not_supported(path, value, list(self.enum)))
        return [one for one in found if one is not None]


def _among(value: Json, choices: tuple[Json, ...]) -> bool:
    # In Python True == 1; in JSON it isn't.
    return any(value == one and isinstance(value, bool) == isinstance(one, bool) for one in choices)


def _limit(document: JsonObject, key: str) -> int | None:
    found = document.get(key)
    return int(found) if isinstance(found, int | float) and not isinstance(found, bool) else None


def _text_checks(document: JsonObject) -> tuple[TextCheck, ...]:
    found: list[TextCheck] = []
    longest, shortest = _limit(document, "maxLength"), _limit(document, "minLength")
    pattern = document.get("pattern")
    if longest is not None:
        found.append(lambda value, path: too_long(path, longest) if len(value) > longest else None)
    if shortest is not None:
        fault = f"in body should be at least {shortest} chars long"
        found.append(lambda value, path: invalid(path, value, f"{path} {fault}") if len(value) < shortest else None)
    if isinstance(pattern, str):
        found.append(_pattern_check(pattern))
    return tuple(found)


def _pattern_check(pattern: str) -> TextCheck:
    matches = go_pattern(pattern).search

    def check(value: str, path: str) -> FieldError | None:
        return None if matches(value) else invalid(path, value, f"{path} in body should match '{pattern}'")

    return check


def go_pattern(pattern: str) -> re.Pattern[str]:
    """A Go (RE2) expression as Python's: `$` is the very end of the text, POSIX classes are spelled out."""
    for name, members in _POSIX_CLASSES.items():
        pattern = pattern.replace(name, members)
    pattern = pattern.replace(r"\z", r"\Z")
    if pattern.endswith("$") and not pattern.endswith(r"\$"):
        pattern = pattern[:-1] + r"\Z"
    return re.compile(pattern)


def _format_checks(document: JsonObject) -> tuple[TextCheck, ...]:
    named = document.get("format")
    return (_format_check(named),) if isinstance(named, str) and named in FORMATS else ()


def _format_check(name: str) -> TextCheck:
    fits = FORMATS[name]

    def check(value: str, path: str) -> FieldError | None:
        if fits(value):
            return None
        return mistyped(path, value, f"{path} in body must be of type {name}: {printed(value)}")

    return check


def _number_checks(document: JsonObject) -> tuple[NumberCheck, ...]:
    found: list[NumberCheck] = []
    if document.get("type") == "integer":
        found.append(_integer_check(str(document.get("format") or "")))
    step = document.get("multipleOf")
    if isinstance(step, int | float):
        found.append(_number_check(lambda value: _divides(step, value), f"a multiple of {printed(step)}"))
    found += _bound_checks(document)
    return tuple(found)


def _bound_checks(document: JsonObject) -> list[NumberCheck]:
    found: list[NumberCheck] = []
    top, bottom = document.get("maximum"), document.get("minimum")
    if isinstance(top, int | float):
        if document.get("exclusiveMaximum") is True:
            found.append(_number_check(lambda value: value < top, f"less than {printed(top)}"))
        else:
            found.append(_number_check(lambda value: value <= top, f"less than or equal to {printed(top)}"))
    if isinstance(bottom, int | float):
        if document.get("exclusiveMinimum") is True:
            found.append(_number_check(lambda value: value > bottom, f"greater than {printed(bottom)}"))
        else:
            found.append(_number_check(lambda value: value >= bottom, f"greater than or equal to {printed(bottom)}"))
    return found


def _number_check(fits: Callable[[float], bool], wanted: str) -> NumberCheck:
    def check(value: float, path: str) -> FieldError | None:
        return None if fits(value) else invalid(path, value, f"{path} in body should be {wanted}")

    return check


def _divides(step: float, value: float) -> bool:
    if isinstance(step, int) and isinstance(value, int):
        return value % step == 0
    return (value / step).is_integer()


def _integer_check(format: str) -> NumberCheck:
    limit = _INTEGER_LIMITS.get(format, 2**63)
    kind = f"integer with format {format}" if format else "integer (default format)"

    def check(value: float, path: str) -> FieldError | None:
        if float(value).is_integer() and -limit <= value < limit:
            return None
        return FieldError(
            "<nil>", "FieldValueInvalid", f'Invalid value: "": Checked value must be of type {kind} in {path}'
        )

    return check


def _list_checks(document: JsonObject) -> tuple[ListCheck, ...]:
    found: list[ListCheck] = []
    fewest, most = _limit(document, "minItems"), _limit(document, "maxItems")
    if fewest is not None:
        fault = f"in body should have at least {fewest} items"
        found.append(lambda v, path: invalid(path, len(v), f"{path} {fault}") if len(v) < fewest else None)
    if most is not None:
        found.append(lambda value, path: too_many(path, len(value), most) if len(value) > most else None)
    return tuple(found)


def _object_checks(document: JsonObject) -> tuple[ObjectCheck, ...]:
    found: list[ObjectCheck] = []
    fewest, most = _limit(document, "minProperties"), _limit(document, "maxProperties")
    if most is not None:
        found.append(lambda value, path: too_many(path, len(value), most) if len(value) > most else None)
    if fewest is not None:
        fault = f"in body should have at least {fewest} properties"
        found.append(lambda v, path: invalid(path, len(v), f"{path} {fault}") if len(v) < fewest else None)
    return tuple(found)
