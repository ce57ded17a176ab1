"""What a path leads to in a document: the decoded JSON, or MISSING. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from typing import Final, TypeAlias, TypeVar

import msgspec

from inferplane.kernel.json import Json
from inferplane.resources.gjson.paths import (
    IDENTITIES,
    Component,
    Count,
    Each,
    Key,
    Modifier,
    Path,
    Query,
    Several,
)


class _Missing(Enum):
    MISSING = "MISSING"


MISSING: Final = _Missing.MISSING
Found: TypeAlias = Json | _Missing


def exists(path: Path, document: Json) -> bool:
    """Null exists."""
    return find(path, document) is not MISSING


def find(path: Path, document: Json) -> Found:
    found = _walk(path.components, document)
    return found if found is MISSING or path.then is None else find(path.then, found)


def _walk(components: Sequence[Component], value: Json) -> Found:
    first, rest = components[0], components[1:]
    match first:
        case Key():
            for inner in _children(first, value):
                # A wild name may fit several fields, of which only a later one leads on.
                found = _walk(rest, inner) if rest else inner
                if found is not MISSING:
                    return found
            return MISSING
        case Count():
            return len(value) if isinstance(value, list) else MISSING
        case Each():
            return [*_led(first.rest, value)] if isinstance(value, list) else MISSING
        case Query():
            return _queried(first, value) if isinstance(value, list) else MISSING
        case Modifier():
            return _modified(first, value)
        case Several():
            return _several(first, value)


def _children(key: Key, value: Json) -> Iterator[Json]:
    if isinstance(value, dict):
        if key.wild:
            yield from (inner for name, inner in value.items() if fits(name, key.name))
        elif key.name in value:
            yield value[key.name]
    elif isinstance(value, list) and key.name.isdecimal() and int(key.name) < len(value):
        yield value[int(key.name)]


def _led(path: Path, values: Sequence[Json]) -> Iterator[Json]:
    for one in values:
        found = find(path, one)
        if found is not MISSING:
            yield found


def _several(several: Several, value: Json) -> Json:
    found = [find(path, value) for path in several.paths]
    if several.names is None:
        return [one for one in found if one is not MISSING]
    return {name: one for name, one in zip(several.names, found, strict=True) if one is not MISSING}


# --- queries ----------------------------------------------------------------------------------------------------------


def _queried(query: Query, values: Sequence[Json]) -> Found:
    fitting = (one for one in values if _fits(query, one))
    if query.every:
        return [*fitting] if query.rest is None else [*_led(query.rest, [*fitting])]
    for one in fitting:
        return one if query.rest is None else find(query.rest, one)
    return MISSING


def _fits(query: Query, element: Json) -> bool:
    compound = isinstance(element, dict | list)
    if compound != (query.path is not None):
        # gjson looks into objects and arrays by a path only, and into nothing else.
        return False
    found = find(query.path, element) if query.path is not None else element
    wanted = query.value
    if wanted.startswith("~"):
        if wanted not in _ISH:
            return False
        found, wanted = _ISH[wanted](found), "true"
    if found is MISSING:
        return False
    return not query.operator or _compares(found, query.operator, wanted)


def _compares(value: Json, operator: str, wanted: str) -> bool:
    """By the type of what is there: a text as text, a number as a number, true and false by their words."""
    if isinstance(value, bool):
        return _compares_word(value, operator, wanted)
    if isinstance(value, int | float):
        return _ordered(float(value), operator, _number(wanted))
    if isinstance(value, str):
        if operator in ("%", "!%"):
            return fits(value, wanted) == (operator == "%")
        return _ordered(value, operator, wanted)
    return False


def _compares_word(value: bool, operator: str, wanted: str) -> bool:
    """False comes before true, and what is neither is unlike both."""
    word, other = ("true", "false") if value else ("false", "true")
    answers = {"=": wanted == word, "!=": wanted != word, ">" if value else "<": wanted == other}
    return answers.get(operator, operator == (">=" if value else "<="))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0  # as gjson has it


O = TypeVar("O", str, float)  # noqa: E741  # what is ordered


def _ordered(one: O, operator: str, other: O) -> bool:
    answers = {
        "=": one == other,
        "!=": one != other,
        "<": one < other,
        "<=": one <= other,
        ">": one > other,
        ">=": one >= other,
    }
    return answers.get(operator, False)


_TRUE, _FALSE = ("1", "t", "true"), ("0", "f", "false")


def _trueish(value: Found) -> bool:
    if isinstance(value, str):
        return value.lower() in _TRUE
    return isinstance(value, bool | int | float) and bool(value)


def _falseish(value: Found) -> bool:
    if isinstance(value, str):
        return value.lower() in _FALSE
    return value is None or value is MISSING or (isinstance(value, bool | int | float) and not value)


def _nullish(value: Found) -> bool:
    return value is None or value is MISSING


def _is_there(value: Found) -> bool:
    return value is not MISSING


_ISH: Mapping[str, Callable[[Found], bool]] = {
    "~true": _trueish,
    "~false": _falseish,
    "~null": _nullish,
    "~*": _is_there,
}


def fits(text: str, pattern: str) -> bool:
    """Does the whole text fit? `*` is any letters, `?` any one, `\\` takes the next letter as it is."""
    wanted = [*_letters(pattern)]
    here = place = 0
    star, mark = -1, 0
    while place < len(text):
        if here < len(wanted) and wanted[here] == ("*", True):
            star, mark = here, place
            here += 1
        elif here < len(wanted) and (wanted[here] == ("?", True) or wanted[here] == (text[place], False)):
            here, place = here + 1, place + 1
        elif star >= 0:
            # The last star takes one letter more.
            mark += 1
            here, place = star + 1, mark
        else:
            return False
    return all(one == ("*", True) for one in wanted[here:])


def _letters(pattern: str) -> Iterator[tuple[str, bool]]:
    """Each letter, and whether it is a sign."""
    letters = iter(pattern)
    for letter in letters:
        yield (next(letters, letter), False) if letter == "\\" else (letter, letter in "*?")


# --- modifiers --------------------------------------------------------------------------------------------------------


def _modified(modifier: Modifier, value: Json) -> Found:
    match modifier.name, value:
        case name, _ if name in IDENTITIES:
            return value
        case "reverse", list():
            return value[::-1]
        case "reverse", dict():
            return dict(reversed(value.items()))
        case "keys", dict():
            return [*value]
        case "values", dict():
            return [*value.values()]
        case "keys" | "values", list():
            return [None for _ in value] if modifier.name == "keys" else value
        case "flatten", list():
            return [*_flat(value, deep='"deep":true' in modifier.argument.replace(" ", ""))]
        case "fromstr", str():
            return _from_text(value)
        case "tostr", _:
            return msgspec.json.encode(value).decode()
        case _:
            return MISSING if modifier.name in ("keys", "values", "fromstr") else value


def _flat(values: Sequence[Json], *, deep: bool) -> Iterator[Json]:
    for one in values:
        if isinstance(one, list):
            yield from _flat(one, deep=deep) if deep else one
        else:
            yield one


def _from_text(text: str) -> Found:
    try:
        found: Json = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return MISSING
    return found
