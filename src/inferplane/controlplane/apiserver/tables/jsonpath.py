"""JSONPath as printer columns use it: `.a.b`, `['a.b']`, `.a\\.b`, `[0]`, `[*]`, `[?(@.type=='Ready')]`, `..a`."""

import re
from collections.abc import Callable, Iterable
from functools import lru_cache

from inferplane.kernel.errors import InferplaneError
from inferplane.kernel.json import Json

Step = Callable[[Json], Iterable[Json]]

_TOKEN = re.compile(
    r"\.\.(?P<deep>(?:[^.\[\]\\]|\\.)+)"
    r"|\.?\[\?\(\s*@(?P<filter>[^=!<>]*?)\s*(?:(?P<op>==|!=|<=|>=|<|>)\s*(?P<value>'[^']*'|\"[^\"]*\"|[^)\s]+)\s*)?\)\]"
    r"|\.?\[(?P<index>-?\d+)\]"
    r"|\.?\[\s*(?:'(?P<quoted>[^']*)'|\"(?P<doubly>[^\"]*)\")\s*\]"
    r"|\.?\[\*\]|\.\*(?P<star>)"
    r"|\.(?P<field>(?:[^.\[\]\\]|\\.)+)"
)


class PathError(InferplaneError):
    """Not a JSONPath."""


@lru_cache(maxsize=2048)
def parse(path: str) -> tuple[Step, ...]:
    """Raises PathError. A leading `$` and surrounding braces are allowed."""
    text = path.strip().removeprefix("{").removesuffix("}").removeprefix("$")
    if text and text[0] not in ".[":
        text = f".{text}"
    steps, at = [], 0
    while at < len(text) and text[at:] != ".":
        match = _TOKEN.match(text, at)
        if match is None:
            raise PathError(f"{path}: not a JSONPath at {text[at:]!r}")
        steps.append(_step(match))
        at = match.end()
    return tuple(steps)


def find(path: str, value: Json) -> list[Json]:
    """Everything the path leads to, in order; nothing when it leads nowhere."""
    found: list[Json] = [value]
    for step in parse(path):
        found = [one for here in found for one in step(here)]
    return found


def _step(match: re.Match[str]) -> Step:
    if match["deep"] is not None:
        name = _unescaped(match["deep"])
        return lambda value: _deep(value, name)
    if match["filter"] is not None:
        return _filter(match["filter"], match["op"], match["value"])
    if match["index"] is not None:
        return _index(int(match["index"]))
    named = next((match[group] for group in ("quoted", "doubly", "field") if match[group] is not None), None)
    if named is None:
        return _children
    name = _unescaped(named)
    return lambda value: [value[name]] if isinstance(value, dict) and name in value else []


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def _children(value: Json) -> list[Json]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _index(at: int) -> Step:
    return lambda value: [value[at]] if isinstance(value, list) and -len(value) <= at < len(value) else []


def _deep(value: Json, name: str) -> list[Json]:
    found = [value[name]] if isinstance(value, dict) and name in value else []
    return found + [one for child in _children(value) for one in _deep(child, name)]


def _filter(path: str, operator: str | None, literal: str | None) -> Step:
    wanted = _literal(literal or "")

    def holds(item: Json) -> bool:
        found = find(path, item) if path else [item]
        return any(operator is None or _compare(operator, one, wanted) for one in found)

    return lambda value: [item for item in _children(value) if holds(item)]


def _literal(text: str) -> Json:
    if text[:1] in ("'", '"'):
        return text[1:-1]
    if re.fullmatch(r"-?\d+", text):
        return int(text)
    return {"true": True, "false": False, "null": None}.get(text, text)


def _compare(operator: str, left: Json, right: Json) -> bool:
    if operator in ("==", "!="):
        return (left == right and isinstance(left, bool) == isinstance(right, bool)) == (operator == "==")
    if not isinstance(left, int | float) or not isinstance(right, int | float):
        return False
    return {"<": left < right, ">": left > right, "<=": left <= right, ">=": left >= right}[operator]
