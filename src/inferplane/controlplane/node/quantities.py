"""Kubernetes quantities (`500m`, `1Gi`, `2e3`) as exact numbers (apimachinery `resource.Quantity`)."""

import re
from decimal import Decimal
from math import ceil

_SUFFIXES = {
    "": Decimal(1),
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    **{letter: Decimal(1000) ** power for power, letter in enumerate("kMGTPE", start=1)},
    **{f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", start=1)},
}
_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)([numkKMGTPE]?i?)")


def quantity(text: str | float) -> Decimal:
    """Raises ValueError on anything that is not a quantity."""
    found = _QUANTITY.fullmatch(str(text))
    if found is None or found[2] not in _SUFFIXES:
        raise ValueError(f"{text!r} is not a quantity such as 500m or 1Gi")
    return Decimal(found[1]) * _SUFFIXES[found[2]]


def in_units_of(value: str | float, divisor: str | float) -> str:
    """`value / divisor`, rounded up, as `resourceFieldRef` shows it. A divisor of 0 means 1."""
    return str(ceil(quantity(value) / (quantity(divisor) or 1)))
