"""Durations of the Gateway API (GEP-2257): up to four numbers with a unit, such as `1h30m` or `500ms`."""

import re

_WHOLE = re.compile(r"([0-9]{1,5}(h|ms|m|s)){1,4}")
_PART = re.compile(r"([0-9]{1,5})(h|ms|m|s)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def seconds(text: str) -> float:
    """Raises ValueError on anything else."""
    if not _WHOLE.fullmatch(text):
        raise ValueError(f"expected a duration such as 60s or 1h30m, got {text!r}")
    return sum(int(number) * _SECONDS[unit] for number, unit in _PART.findall(text))
