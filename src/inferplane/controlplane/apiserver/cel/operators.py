"""The operators and functions of the language itself: arithmetic in 64 bits, comparison, access, conversion, time."""

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from inferplane.controlplane.apiserver.cel.formatting import as_text
from inferplane.controlplane.apiserver.cel.library import before, pattern
from inferplane.controlplane.apiserver.cel.values import (
    INT_MAX,
    INT_MIN,
    NO_OVERLOAD,
    UINT_MAX,
    Maybe,
    RuleError,
    TypeName,
    Unsigned,
    Value,
    conversion,
    duration,
    equal,
    is_number,
    timestamp,
    type_name,
)

_Number = int | float


def _whole(value: int, like: Value) -> Value:
    """Within the bounds of `int`, or of `uint`."""
    if isinstance(like, Unsigned):
        if not 0 <= value <= UINT_MAX:
            raise RuleError("unsigned integer overflow")
        return Unsigned(value)
    if not INT_MIN <= value <= INT_MAX:
        raise RuleError("integer overflow")
    return value


def _numbers(left: Value, right: Value) -> tuple[_Number, _Number]:
    plain = type(left) is type(right) and not isinstance(left, bool)
    if plain and isinstance(left, _Number) and isinstance(right, _Number):
        return left, right
    raise RuleError(NO_OVERLOAD)


def _add(left: Value, right: Value) -> Value:
    match left, right:
        case (str(), str()) | (bytes(), bytes()) | (list(), list()):
            return left + right  # type: ignore[operator]  # both of one type, as the pattern says
        case (datetime(), timedelta()) | (timedelta(), datetime()) | (timedelta(), timedelta()):
            return left + right  # type: ignore[operator]
    one, other = _numbers(left, right)
    total = one + other
    return _whole(total, left) if isinstance(total, int) else total


def _subtract(left: Value, right: Value) -> Value:
    match left, right:
        case (datetime(), datetime()) | (datetime(), timedelta()) | (timedelta(), timedelta()):
            return left - right  # type: ignore[operator]
    one, other = _numbers(left, right)
    rest = one - other
    return _whole(rest, left) if isinstance(rest, int) else rest


def _multiply(left: Value, right: Value) -> Value:
    one, other = _numbers(left, right)
    product = one * other
    return _whole(product, left) if isinstance(product, int) else product


def _divide(left: Value, right: Value) -> Value:
    one, other = _numbers(left, right)
    if isinstance(one, float) or isinstance(other, float):
        if other == 0:
            return math.nan if one == 0 or math.isnan(one) else math.copysign(math.inf, one)
        return one / other
    if other == 0:
        raise RuleError("division by zero")
    return _whole(abs(one) // abs(other) * (1 if (one < 0) == (other < 0) else -1), left)


def _remainder(left: Value, right: Value) -> Value:
    one, other = _numbers(left, right)
    if isinstance(one, float) or isinstance(other, float):
        raise RuleError(NO_OVERLOAD)
    if other == 0:
        raise RuleError("modulus by zero")
    return _whole(abs(one) % abs(other) * (-1 if one < 0 else 1), left)


def _negate(value: Value) -> Value:
    if isinstance(value, float):
        return -value
    if isinstance(value, int) and not isinstance(value, bool | Unsigned):
        return _whole(-value, value)
    raise RuleError(NO_OVERLOAD)


def _not(value: Value) -> Value:
    if not isinstance(value, bool):
        raise RuleError(NO_OVERLOAD)
    return not value


def _in(value: Value, container: Value) -> Value:
    if isinstance(container, dict):
        return any(equal(value, key) for key in container) if is_number(value) else _hashable(value) in container
    if isinstance(container, list):
        return any(equal(value, one) for one in container)
    raise RuleError(NO_OVERLOAD)


def _hashable(value: Value) -> Value:
    if isinstance(value, list | dict):
        raise RuleError(NO_OVERLOAD)
    return value


def _index(container: Value, key: Value) -> Value:
    if isinstance(container, Maybe):
        return _optional_index(container, key)
    if isinstance(container, dict):
        if _hashable(key) not in container:
            raise RuleError(f"no such key: {as_text(key)}")
        return container[key]
    if isinstance(container, list) and is_number(key):
        place = int(key) if isinstance(key, int | float) else 0
        if not 0 <= place < len(container):
            raise RuleError(f"index out of bounds: {place}")
        return container[place]
    raise RuleError(NO_OVERLOAD)


def optional_select(value: Value, field: str) -> Value:
    """`x.?field`: absent when the field is, or when `x` is."""
    if isinstance(value, Maybe):
        return optional_select(value.value, field) if value.present else value
    if not isinstance(value, dict):
        raise RuleError(NO_OVERLOAD)
    return Maybe(True, value[field]) if field in value else Maybe(False)


def _optional_index(value: Value, key: Value) -> Value:
    if isinstance(value, Maybe):
        return _optional_index(value.value, key) if value.present else value
    try:
        return Maybe(True, _index(value, key))
    except RuleError as error:
        if error.message == NO_OVERLOAD:
            raise
        return Maybe(False)


def _size(value: Value) -> Value:
    if not isinstance(value, str | bytes | list | dict):
        raise RuleError(NO_OVERLOAD)
    return len(value)


def _of_texts(test: Callable[[str, str], bool]) -> Callable[[Value, Value], Value]:
    def run(subject: Value, other: Value) -> Value:
        if not isinstance(subject, str) or not isinstance(other, str):
            raise RuleError(NO_OVERLOAD)
        return test(subject, other)

    return run


# conversions


def _int(value: Value) -> Value:
    match value:
        case bool():
            pass
        case int():
            return _whole(int(value), 0)
        case float() if math.isfinite(value):
            return _whole(int(value), 0)
        case datetime():
            return int(value.timestamp())
        case timedelta():
            return round(value.total_seconds() * 1e9)
        case str():
            try:
                return _whole(int(value), 0)
            except ValueError as error:
                raise conversion("string", "int") from error
    raise RuleError(NO_OVERLOAD)


def _uint(value: Value) -> Value:
    if isinstance(value, str) and not value.isdigit():
        raise conversion("string", "uint")
    found = int(value) if isinstance(value, str) else _int(value)
    return _whole(found if isinstance(found, int) else 0, Unsigned())


def _double(value: Value) -> Value:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise RuleError(NO_OVERLOAD)
    try:
        return float(value)
    except ValueError as error:
        raise conversion("string", "double") from error


def _bool(value: Value) -> Value:
    if isinstance(value, bool):
        return value
    if value in ("true", "True", "TRUE", "t", "1"):
        return True
    if value in ("false", "False", "FALSE", "f", "0"):
        return False
    raise conversion(type_name(value), "bool")


def _bytes(value: Value) -> Value:
    if not isinstance(value, str | bytes):
        raise RuleError(NO_OVERLOAD)
    return value.encode() if isinstance(value, str) else value


def _timestamp(value: Value) -> Value:
    match value:
        case datetime():
            return value
        case str():
            return timestamp(value)
        case int() if not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
    raise RuleError(NO_OVERLOAD)


def _duration(value: Value) -> Value:
    match value:
        case timedelta():
            return value
        case str():
            return duration(value)
    raise RuleError(NO_OVERLOAD)


# parts of times


def _part(
    of_moment: Callable[[datetime], int], of_duration: Callable[[float], int] | None = None
) -> Callable[..., Value]:
    def read(value: Value, zone: Value = "UTC") -> Value:
        if isinstance(value, datetime) and isinstance(zone, str):
            return of_moment(value.astimezone(_zone(zone)))
        if isinstance(value, timedelta) and of_duration is not None:
            return of_duration(value.total_seconds())
        raise RuleError(NO_OVERLOAD)

    return read


def _zone(name: str) -> timezone | ZoneInfo:
    sign, _, rest = (name[0], "", name[1:]) if name[:1] in ("+", "-") else ("+", "", name)
    hours, colon, minutes = rest.partition(":")
    if colon and hours.isdigit() and minutes.isdigit():
        offset = timedelta(hours=int(hours), minutes=int(minutes))
        return timezone(-offset if sign == "-" else offset)
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise RuleError(f"unknown time zone {name}") from error


OPERATORS: dict[str, Callable[..., Value]] = {
    "_==_": equal,
    "_!=_": lambda left, right: not equal(left, right),
    "_<_": before,
    "_>_": lambda left, right: before(right, left),
    "_<=_": lambda left, right: before(left, right) or equal(left, right),
    "_>=_": lambda left, right: before(right, left) or equal(left, right),
    "_+_": _add,
    "_-_": _subtract,
    "_*_": _multiply,
    "_/_": _divide,
    "_%_": _remainder,
    "-_": _negate,
    "!_": _not,
    "@in": _in,
    "_in_": _in,
    "_[_]": _index,
    "_?._": optional_select,
    "_[?_]": _optional_index,
    "size": _size,
    "startsWith": _of_texts(str.startswith),
    "endsWith": _of_texts(str.endswith),
    "contains": _of_texts(str.__contains__),
    "matches": _of_texts(lambda subject, wanted: pattern(wanted).search(subject) is not None),
    "int": _int,
    "uint": _uint,
    "double": _double,
    "bool": _bool,
    "bytes": _bytes,
    "string": as_text,
    "timestamp": _timestamp,
    "duration": _duration,
    "dyn": lambda value: value,
    "type": lambda value: TypeName(type_name(value)),
    "getFullYear": _part(lambda t: t.year),
    "getMonth": _part(lambda t: t.month - 1),
    "getDate": _part(lambda t: t.day),
    "getDayOfMonth": _part(lambda t: t.day - 1),
    "getDayOfWeek": _part(lambda t: t.isoweekday() % 7),
    "getDayOfYear": _part(lambda t: t.timetuple().tm_yday - 1),
    "getHours": _part(lambda t: t.hour, lambda seconds: int(seconds // 3600)),
    "getMinutes": _part(lambda t: t.minute, lambda seconds: int(seconds // 60)),
    "getSeconds": _part(lambda t: t.second, int),
    "getMilliseconds": _part(lambda t: t.microsecond // 1000, lambda seconds: int(seconds * 1000)),
}
