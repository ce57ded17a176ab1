"""Values as text: `'%d of %s'.format([…])`, and quoting."""

import json
import re
from datetime import UTC, datetime, timedelta

from inferplane.controlplane.apiserver.cel.values import NO_OVERLOAD, RuleError, Value, is_number

_CLAUSE = re.compile(r"%(%|(?:\.(\d+))?([sdfebxXo]))")


def quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def formatted(text: str, values: list[Value]) -> str:
    """Like Go's Printf with `%s %d %f %e %b %x %X %o`; RuleError when clauses and values don't fit."""
    used = iter(values)

    def fill(found: re.Match[str]) -> str:
        if found[1] == "%":
            return "%"
        value = next(used, used)
        if value is used:
            raise RuleError(f"index {len(values)} out of range")
        return _clause(found[3], found[2], value)

    return _CLAUSE.sub(fill, text)


def _clause(verb: str, precision: str | None, value: Value) -> str:
    if verb == "s":
        return as_text(value)
    if verb in "xX" and isinstance(value, str | bytes):
        shown = (value.encode() if isinstance(value, str) else value).hex()
        return shown.upper() if verb == "X" else shown
    if not is_number(value) and not (verb == "b" and isinstance(value, bool)):
        raise RuleError(NO_OVERLOAD)
    digits = precision if precision is not None else "6"
    return f"{value:.{digits}{verb}}" if verb in "fe" else f"{value:{verb}}"


def as_text(value: Value) -> str:
    """What `string(value)` gives, and `%s` shows."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case bytes():
            return value.decode("utf-8", "replace")
        case float():
            return _float(value)
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case timedelta():
            return f"{_float(value.total_seconds())}s"
        case list():
            return f"[{', '.join(as_text(one) for one in value)}]"
        case dict():
            return "{" + ", ".join(f"{as_text(k)}: {as_text(v)}" for k, v in sorted(value.items())) + "}"
        case _:
            return str(value)


def _float(value: float) -> str:
    return str(int(value)) if value.is_integer() and abs(value) < 1e21 else repr(value)
