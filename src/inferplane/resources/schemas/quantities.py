"""Resource quantities (`500m`, `1.5Gi`, `1e3`) as exact numbers, and the one way in which Kubernetes writes each."""

import math
import re
from fractions import Fraction
from functools import lru_cache

_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))((?:[eE][+-]?\d+)|[numkMGTPE]|[KMGTPE]i|)")
_BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_SUFFIXES = {power: suffix for suffix, power in _DECIMAL.items()}
# The smallest step that a quantity keeps; what is finer is rounded up (apimachinery resource.Quantity).
_NANO = 10**9


def is_quantity(value: object) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, int | float) or (isinstance(value, str) and _QUANTITY.fullmatch(value) is not None)


@lru_cache(maxsize=4096)
def amount(text: str) -> Fraction:
    """The exact number; ValueError when the text is no quantity."""
    number, suffix = _parts(text)
    if suffix.endswith("i"):
        return number * Fraction(1024 ** _BINARY.index(suffix))
    power = _power(suffix)
    return number * Fraction(10**power) if power >= 0 else number / Fraction(10**-power)


@lru_cache(maxsize=4096)
def canonical(text: str) -> str:
    """No fraction, the largest suffix that allows it, the notation (binary, decimal, exponent) of the original."""
    value, suffix = amount(text), _parts(text)[1]
    if suffix.endswith("i") and value.denominator == 1 and abs(value) >= 1024:
        return _binary(value.numerator)
    return _decimal(value, exponent=_is_exponent(suffix))


def _parts(text: str) -> tuple[Fraction, str]:
    found = _QUANTITY.fullmatch(text)
    if found is None:
        raise ValueError(f"quantities are numbers with a suffix such as m, k, Mi or e3, got {text!r}")
    return Fraction(found[1]), found[2]


def _power(suffix: str) -> int:
    return int(suffix[1:]) if _is_exponent(suffix) else _DECIMAL[suffix]


def _is_exponent(suffix: str) -> bool:
    return len(suffix) > 1 and suffix[0] in "eE"


def _binary(value: int) -> str:
    index = 0
    while value % 1024 == 0 and index < len(_BINARY) - 1:
        value //= 1024
        index += 1
    return f"{value}{_BINARY[index]}"


def _decimal(value: Fraction, *, exponent: bool) -> str:
    nanos = math.ceil(abs(value) * _NANO)
    if nanos == 0:
        return "0"
    power = 18
    while nanos % 10 ** (power + 9):
        power -= 3
    mantissa = nanos // 10 ** (power + 9) * (1 if value > 0 else -1)
    if exponent:
        return f"{mantissa}e{power}" if power else str(mantissa)
    return f"{mantissa}{_SUFFIXES[power]}"
