"""Numbers, truth values and durations as Go writes them: the texts of Knative's annotations and ConfigMaps.

Each function raises ValueError with what was expected. Rules: Go's packages `strconv` and `time`.
"""

import math
import re

NANOSECONDS = 1_000_000_000
"""In a second."""

_INTEGER = re.compile(r"[+-]?[0-9]+")
_DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_TRUTHS = {
    **dict.fromkeys(("1", "t", "T", "true", "TRUE", "True"), True),
    **dict.fromkeys(("0", "f", "F", "false", "FALSE", "False"), False),
}
_PART = re.compile(r"([0-9]*)(?:\.([0-9]*))?(ns|us|µs|μs|ms|s|m|h)")
_UNITS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,  # U+00B5
    "μs": 1_000,  # U+03BC
    "ms": 1_000_000,
    "s": NANOSECONDS,
    "m": 60 * NANOSECONDS,
    "h": 3600 * NANOSECONDS,
}


def integer(text: str) -> int:
    """An integer of 32 bits."""
    if not _INTEGER.fullmatch(text):
        raise ValueError("expected an integer")
    found = int(text)
    if not -(2**31) <= found < 2**31:
        raise ValueError("expected an integer of 32 bits")
    return found


def decimal(text: str) -> float:
    """A number; infinity and NaN, which Go takes, are none."""
    if not _DECIMAL.fullmatch(text) or not math.isfinite(found := float(text)):
        raise ValueError("expected a number")
    return found


def truth(text: str) -> bool:
    if text not in _TRUTHS:
        raise ValueError("expected true or false")
    return _TRUTHS[text]


def duration(text: str) -> int:
    """Nanoseconds of `1h30m`, `1.5s`, `0`."""
    unsigned = text[1:] if text[:1] in ("+", "-") else text
    if unsigned == "0":
        return 0
    total, at = 0, 0
    while at < len(unsigned) or not at:
        part = _PART.match(unsigned, at)
        if part is None or not (part[1] or part[2]):
            raise ValueError("expected a duration such as 30s or 1m30s")
        total += _nanoseconds(part[1], part[2] or "", _UNITS[part[3]])
        at = part.end()
    if total >= 2**63:
        raise ValueError("expected a duration below 292 years")
    return -total if text.startswith("-") else total


def _nanoseconds(whole: str, fraction: str, unit: int) -> int:
    """What is smaller than a nanosecond is cut off."""
    parts: int = 10 ** len(fraction)
    return int(whole or "0") * unit + int(fraction or "0") * unit // parts


def duration_text(nanoseconds: int) -> str:
    """`1h0m0s`, `1m30s`, `1.5s`, `250ms`, `0s`: as Go prints it."""
    sign, rest = ("-", -nanoseconds) if nanoseconds < 0 else ("", nanoseconds)
    if rest < NANOSECONDS:
        return f"{sign}{_small(rest)}"
    minutes, rest = divmod(rest, _UNITS["m"])
    hours, minutes = divmod(minutes, 60)
    front = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
    return f"{sign}{front}{_in_unit(rest, 's')}"


def _small(nanoseconds: int) -> str:
    unit = next((one for one in ("ms", "µs") if nanoseconds >= _UNITS[one]), "ns" if nanoseconds else "s")
    return _in_unit(nanoseconds, unit)


def _in_unit(nanoseconds: int, unit: str) -> str:
    whole, rest = divmod(nanoseconds, _UNITS[unit])
    digits = f"{rest:0{len(str(_UNITS[unit])) - 1}d}".rstrip("0") if rest else ""
    return f"{whole}.{digits}{unit}" if digits else f"{whole}{unit}"
