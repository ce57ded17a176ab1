"""Values as rules see them, and what they can be compared by.

Numbers, texts, lists and maps are Python's own; a timestamp is an aware datetime, a duration a timedelta.
"""

import base64
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from urllib.parse import SplitResult

from inferplane.controlplane.apiserver.cel.declared import Declared, Sort
from inferplane.kernel.errors import InferplaneError
from inferplane.kernel.json import Json

Value = object
INT_MIN, INT_MAX, UINT_MAX = -(2**63), 2**63 - 1, 2**64 - 1
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"[+-]?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|ms|s|m|h))+|[+-]?0")
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")


class RuleError(InferplaneError):
    """The rule has no value here. The message is the one that cel-go has for it."""


NO_OVERLOAD = "no such overload"


class Unsigned(int):
    """A `uint`."""


@dataclass(frozen=True, slots=True)
class TypeName:
    """What `type(x)` gives."""

    name: str


@dataclass(frozen=True, slots=True)
class Maybe:
    """An optional value."""

    present: bool
    value: Value = None


@dataclass(frozen=True, slots=True)
class Quantity:
    amount: Fraction


@dataclass(frozen=True, slots=True)
class Url:
    parts: SplitResult


@dataclass(frozen=True, slots=True)
class Ip:
    address: IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Cidr:
    """`address` is what was written, `network` what it lies in."""

    address: IPv4Address | IPv6Address
    network: IPv4Network | IPv6Network


def shown_to_rules(declared: Declared, value: Json) -> Value:
    """A JSON value in the types of the language; what isn't declared is not shown."""
    if value is None:
        return None
    match declared.sort:
        case Sort.OBJECT if isinstance(value, dict):
            return {
                escaped: shown_to_rules(declared.fields[escaped], value[name])
                for escaped, name in declared.names.items()
                if name in value
            }
        case Sort.MAP if isinstance(value, dict) and declared.element is not None:
            return {key: shown_to_rules(declared.element, child) for key, child in value.items()}
        case Sort.LIST if isinstance(value, list) and declared.element is not None:
            return [shown_to_rules(declared.element, child) for child in value]
        case Sort.DOUBLE if isinstance(value, int):
            return float(value)
        case Sort.INT if isinstance(value, float):
            return int(value)
        case _:
            return _notated(declared.sort, value) if isinstance(value, str) else value


def _notated(sort: Sort, text: str) -> Value:
    match sort:
        case Sort.TIMESTAMP:
            return timestamp(text)
        case Sort.DURATION:
            return duration(text)
        case Sort.BYTES:
            return base64.b64decode(text)
        case _:
            return text


def timestamp(text: str) -> datetime:
    """From RFC 3339, or a date alone. Raises RuleError."""
    try:
        found = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))
    except ValueError as error:
        raise conversion("string", "google.protobuf.Timestamp") from error
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def duration(text: str) -> timedelta:
    """From Go's notation: `1h30m`. Raises RuleError."""
    if not _DURATION.fullmatch(text):
        raise conversion("string", "google.protobuf.Duration")
    seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    return timedelta(seconds=-seconds if text.startswith("-") else seconds)


def conversion(source: str, wanted: str) -> RuleError:
    return RuleError(f"type conversion error from '{source}' to '{wanted}'")


def is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def equal(left: Value, right: Value) -> bool:
    """Numbers are equal across their types, nothing else is."""
    if is_number(left) and is_number(right):
        return left == right
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(equal, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(equal(value, right[key]) for key, value in left.items())
    return type(left) is type(right) and left == right


def type_name(value: Value) -> str:
    """The language's name of a value's type."""
    for python, name in _NAMES:
        if isinstance(value, python):
            return name
    return "null_type" if value is None else "dyn"


_NAMES: tuple[tuple[type, str], ...] = (
    (bool, "bool"),
    (Unsigned, "uint"),
    (int, "int"),
    (float, "double"),
    (str, "string"),
    (bytes, "bytes"),
    (list, "list"),
    (dict, "map"),
    (datetime, "google.protobuf.Timestamp"),
    (timedelta, "google.protobuf.Duration"),
    (TypeName, "type"),
    (Maybe, "optional_type"),
    (Quantity, "kubernetes.Quantity"),
    (Url, "kubernetes.URL"),
    (Ip, "net.IP"),
    (Cidr, "net.CIDR"),
)
