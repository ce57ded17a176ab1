"""The functions that Kubernetes adds to the language: lists, regular expressions, text, URLs, quantities, addresses.

`SIGNATURES` is what the checker is told, `FUNCTIONS` what is run. What is in neither is refused when a CRD is written
("undeclared reference"): `authorizer`, `format.named`, `semver`, `sets.*`, two-variable loops.
"""

import ipaddress
import re
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from urllib.parse import urlsplit

from inferplane.controlplane.apiserver.cel.formatting import formatted, quoted
from inferplane.controlplane.apiserver.cel.values import (
    INT_MAX,
    INT_MIN,
    NO_OVERLOAD,
    Cidr,
    Ip,
    Maybe,
    Quantity,
    RuleError,
    Url,
    Value,
    equal,
    is_number,
)
from inferplane.resources.schemas.checks import go_pattern
from inferplane.resources.schemas.quantities import amount, is_quantity

OPAQUE = ("kubernetes.Quantity", "kubernetes.URL", "net.IP", "net.CIDR")
_Q, _U, _IP, _CIDR = OPAQUE
_ORDERED = ("int", "double", "string", "bool", "bytes", "timestamp", "duration")

SIGNATURES: dict[str, tuple[str, ...]] = {
    "isSorted": tuple(f"list<{one}>.() -> bool" for one in _ORDERED),
    "sum": tuple(f"list<{one}>.() -> {one}" for one in ("int", "double", "duration")),
    "min": tuple(f"list<{one}>.() -> {one}" for one in _ORDERED),
    "max": tuple(f"list<{one}>.() -> {one}" for one in _ORDERED),
    "indexOf": ("string.(string) -> int", "string.(string, int) -> int", "list<dyn>.(dyn) -> int"),
    "lastIndexOf": ("string.(string) -> int", "string.(string, int) -> int", "list<dyn>.(dyn) -> int"),
    "find": ("string.(string) -> string",),
    "findAll": ("string.(string) -> list<string>", "string.(string, int) -> list<string>"),
    "charAt": ("string.(int) -> string",),
    "join": ("list<string>.() -> string", "list<string>.(string) -> string"),
    "lowerAscii": ("string.() -> string",),
    "upperAscii": ("string.() -> string",),
    "replace": ("string.(string, string) -> string", "string.(string, string, int) -> string"),
    "split": ("string.(string) -> list<string>", "string.(string, int) -> list<string>"),
    "substring": ("string.(int) -> string", "string.(int, int) -> string"),
    "trim": ("string.() -> string",),
    "reverse": ("string.() -> string",),
    "format": ("string.(list<dyn>) -> string",),
    "strings.quote": ("(string) -> string",),
    "url": (f"(string) -> {_U}",),
    "isURL": ("(string) -> bool",),
    "getScheme": (f"{_U}.() -> string",),
    "getHost": (f"{_U}.() -> string",),
    "getHostname": (f"{_U}.() -> string",),
    "getPort": (f"{_U}.() -> string",),
    "getEscapedPath": (f"{_U}.() -> string",),
    "getQuery": (f"{_U}.() -> map<string, list<string>>",),
    "quantity": (f"(string) -> {_Q}",),
    "isQuantity": ("(string) -> bool",),
    "sign": (f"{_Q}.() -> int",),
    "isInteger": (f"{_Q}.() -> bool",),
    "asInteger": (f"{_Q}.() -> int",),
    "asApproximateFloat": (f"{_Q}.() -> double",),
    "add": (f"{_Q}.({_Q}) -> {_Q}", f"{_Q}.(int) -> {_Q}"),
    "sub": (f"{_Q}.({_Q}) -> {_Q}", f"{_Q}.(int) -> {_Q}"),
    "isLessThan": (f"{_Q}.({_Q}) -> bool",),
    "isGreaterThan": (f"{_Q}.({_Q}) -> bool",),
    "compareTo": (f"{_Q}.({_Q}) -> int",),
    "isIP": ("(string) -> bool",),
    "ip": (f"(string) -> {_IP}", f"{_CIDR}.() -> {_IP}"),
    "ip.isCanonical": ("(string) -> bool",),
    "family": (f"{_IP}.() -> int",),
    "isUnspecified": (f"{_IP}.() -> bool",),
    "isLoopback": (f"{_IP}.() -> bool",),
    "isLinkLocalMulticast": (f"{_IP}.() -> bool",),
    "isLinkLocalUnicast": (f"{_IP}.() -> bool",),
    "isGlobalUnicast": (f"{_IP}.() -> bool",),
    "isCIDR": ("(string) -> bool",),
    "cidr": (f"(string) -> {_CIDR}",),
    "containsIP": (f"{_CIDR}.({_IP}) -> bool", f"{_CIDR}.(string) -> bool"),
    "containsCIDR": (f"{_CIDR}.({_CIDR}) -> bool", f"{_CIDR}.(string) -> bool"),
    "masked": (f"{_CIDR}.() -> {_CIDR}",),
    "prefixLength": (f"{_CIDR}.() -> int",),
}


def _text(value: Value) -> str:
    if not isinstance(value, str):
        raise RuleError(NO_OVERLOAD)
    return value


def _list(value: Value) -> list[Value]:
    if not isinstance(value, list):
        raise RuleError(NO_OVERLOAD)
    return value


def _number(value: Value) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise RuleError(NO_OVERLOAD)
    return value


@lru_cache(maxsize=512)
def pattern(text: str) -> re.Pattern[str]:
    try:
        return go_pattern(text)
    except re.error as error:
        raise RuleError(f"error parsing regexp: {error}") from error


# lists


def _is_sorted(values: Value) -> Value:
    return all(not before(second, first) for first, second in pairwise(_list(values)))


def before(left: Value, right: Value) -> bool:
    """Whether `left` is smaller; only values of one ordered kind can be compared."""
    if (is_number(left) and is_number(right)) or (type(left) is type(right) and not isinstance(left, list | dict)):
        try:
            return bool(left < right)  # type: ignore[operator]  # of one ordered type, or the next line says so
        except TypeError as error:
            raise RuleError(NO_OVERLOAD) from error
    raise RuleError(NO_OVERLOAD)


def _sum(values: Value) -> Value:
    found = _list(values)
    if not found:
        return 0
    total = found[0]
    for one in found[1:]:
        total = total + one  # type: ignore[operator]  # the checker lets numbers and durations in, nothing else
    return total


def _extreme(values: Value, *, largest: bool) -> Value:
    found = _list(values)
    if not found:
        raise RuleError(f"{'max' if largest else 'min'} called on empty list")
    best = found[0]
    for one in found[1:]:
        if before(best, one) if largest else before(one, best):
            best = one
    return best


def _index_of(subject: Value, wanted: Value, start: Value = 0) -> Value:
    if isinstance(subject, str):
        first = _number(start)
        if not 0 <= first <= len(subject):
            raise RuleError(f"index out of range: {first}")
        return subject.find(_text(wanted), first)
    return next((i for i, one in enumerate(_list(subject)) if equal(one, wanted)), -1)


def _last_index_of(subject: Value, wanted: Value, start: Value = None) -> Value:
    if isinstance(subject, str):
        text = _text(wanted)
        return subject.rfind(text) if start is None else subject.rfind(text, 0, _number(start) + len(text))
    found = _list(subject)
    return next((i for i in range(len(found) - 1, -1, -1) if equal(found[i], wanted)), -1)


# text


def _find(subject: Value, wanted: Value) -> Value:
    found = pattern(_text(wanted)).search(_text(subject))
    return found[0] if found else ""


def _find_all(subject: Value, wanted: Value, most: Value = -1) -> Value:
    found = [one[0] for one in pattern(_text(wanted)).finditer(_text(subject))]
    limit = _number(most)
    return found if limit < 0 else found[:limit]


def _char_at(subject: Value, index: Value) -> Value:
    text, place = _text(subject), _number(index)
    if not 0 <= place <= len(text):
        raise RuleError(f"index out of range: {place}")
    return text[place : place + 1]


def _join(values: Value, between: Value = "") -> Value:
    return _text(between).join(_text(one) for one in _list(values))


def _ascii(subject: Value, *, upper: bool) -> Value:
    return "".join((c.upper() if upper else c.lower()) if c.isascii() else c for c in _text(subject))


def _replace(subject: Value, old: Value, new: Value, most: Value = -1) -> Value:
    return _text(subject).replace(_text(old), _text(new), _number(most))


def _split(subject: Value, between: Value, most: Value = -1) -> Value:
    text, separator, limit = _text(subject), _text(between), _number(most)
    if limit == 0:
        return []
    if not separator:
        parts = list(text)
        return parts if limit < 0 or limit >= len(parts) else [*parts[: limit - 1], "".join(parts[limit - 1 :])]
    return list(text.split(separator, limit - 1 if limit > 0 else -1))


def _substring(subject: Value, start: Value, end: Value = None) -> Value:
    text, first = _text(subject), _number(start)
    last = len(text) if end is None else _number(end)
    for place in (first, last):
        if not 0 <= place <= len(text):
            raise RuleError(f"index out of range: {place}")
    if first > last:
        raise RuleError(f"invalid substring range. start: {first}, end: {last}")
    return text[first:last]


# URLs


def _url(text: Value) -> Value:
    return Url(urlsplit(_checked_url(_text(text))))


def _is_url(text: Value) -> Value:
    try:
        _checked_url(_text(text))
    except RuleError:
        return False
    return True


def _checked_url(text: str) -> str:
    """Absolute, as Go's url.ParseRequestURI wants it."""
    try:
        parts = urlsplit(text)
        absolute = bool(parts.scheme and (parts.netloc or parts.path)) or text.startswith("/")
        _ = parts.port
    except ValueError:
        absolute = False
    if not absolute or " " in text:
        raise RuleError(f"URL parse error during conversion from string: parse {quoted(text)}: invalid URI for request")
    return text


def _part_of_url(name: str) -> Callable[[Value], Value]:
    def read(url: Value) -> Value:
        if not isinstance(url, Url):
            raise RuleError(NO_OVERLOAD)
        parts = url.parts
        host = parts.netloc.rpartition("@")[2]
        port = str(parts.port) if parts.port is not None else ""
        return {
            "scheme": parts.scheme,
            "host": host,
            "name": host.removesuffix(f":{port}").strip("[]"),
            "port": port,
        }.get(name, parts.path)

    return read


def _query(url: Value) -> Value:
    if not isinstance(url, Url):
        raise RuleError(NO_OVERLOAD)
    found: dict[Value, Value] = {}
    for part in filter(None, url.parts.query.split("&")):
        key, _, value = part.partition("=")
        found.setdefault(key, [])
        _list(found[key]).append(value)
    return found


# quantities


def _quantity(text: Value) -> Value:
    try:
        return Quantity(amount(_text(text)))
    except ValueError as error:
        wanted = "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
        raise RuleError(f"quantities must match the regular expression {wanted}") from error


def _of_quantity(value: Value) -> Fraction:
    if isinstance(value, Quantity):
        return value.amount
    return Fraction(_number(value))


def _as_integer(value: Value) -> Value:
    found = _of_quantity(value)
    if found.denominator != 1 or not INT_MIN <= found <= INT_MAX:
        raise RuleError("cannot convert value to integer")
    return int(found)


def _compare(left: Value, right: Value) -> int:
    one, other = _of_quantity(left), _of_quantity(right)
    return (one > other) - (one < other)


# addresses


def _address(text: str) -> Ip:
    try:
        found = ipaddress.ip_address(text)
    except ValueError as error:
        raise RuleError(f"IP Address {quoted(text)} parse error during conversion from string") from error
    if "%" in text:
        raise RuleError(f"IP address {quoted(text)} with zone value is not allowed")
    return Ip(found)


def _ip(value: Value) -> Value:
    return Ip(value.address) if isinstance(value, Cidr) else _address(_text(value))


def _cidr(value: Value) -> Cidr:
    if isinstance(value, Cidr):
        return value
    text = _text(value)
    try:
        if "/" not in text:
            raise ValueError("no prefix length")
        interface = ipaddress.ip_interface(text)
    except ValueError as error:
        raise RuleError(f"network address parse error during conversion from string: {error}") from error
    return Cidr(interface.ip, interface.network)


def _holds(parse: Callable[[str], object]) -> Callable[[Value], Value]:
    def holds(text: Value) -> Value:
        try:
            parse(_text(text))
        except RuleError:
            return False
        return True

    return holds


def _of_address(test: Callable[[Ip], Value]) -> Callable[[Value], Value]:
    def run(value: Value) -> Value:
        if not isinstance(value, Ip):
            raise RuleError(NO_OVERLOAD)
        return test(value)

    return run


def _is_link_local_multicast(ip: Ip) -> Value:
    networks = ("224.0.0.0/24", "ff02::/16")
    return any(ip.address in ipaddress.ip_network(one) for one in networks if (":" in one) == (ip.address.version == 6))


def _is_global_unicast(ip: Ip) -> Value:
    found = ip.address
    special = found.is_unspecified or found.is_loopback or found.is_multicast or found.is_link_local
    return not special and str(found) != "255.255.255.255"


def _contains_ip(cidr: Value, ip: Value) -> Value:
    address = ip if isinstance(ip, Ip) else _address(_text(ip))
    network = _cidr(cidr).network
    return address.address.version == network.version and address.address in network


def _contains_cidr(cidr: Value, other: Value) -> Value:
    outer, inner = _cidr(cidr).network, _cidr(other).network
    if outer.version != inner.version:
        return False
    return outer.prefixlen <= inner.prefixlen and inner.network_address in outer


def _masked(cidr: Value) -> Value:
    network = _cidr(cidr).network
    return Cidr(network.network_address, network)


# optional values


def _value(optional: Value) -> Value:
    if not isinstance(optional, Maybe):
        raise RuleError(NO_OVERLOAD)
    if not optional.present:
        raise RuleError("optional.none() dereference")
    return optional.value


def _of_non_zero(value: Value) -> Value:
    empty = value is None or (isinstance(value, str | bytes | list | dict | int | float) and not value)
    return Maybe(False) if empty else Maybe(True, value)


FUNCTIONS: dict[str, Callable[..., Value]] = {
    "isSorted": _is_sorted,
    "sum": _sum,
    "min": lambda values: _extreme(values, largest=False),
    "max": lambda values: _extreme(values, largest=True),
    "indexOf": _index_of,
    "lastIndexOf": _last_index_of,
    "find": _find,
    "findAll": _find_all,
    "charAt": _char_at,
    "join": _join,
    "lowerAscii": lambda text: _ascii(text, upper=False),
    "upperAscii": lambda text: _ascii(text, upper=True),
    "replace": _replace,
    "split": _split,
    "substring": _substring,
    "trim": lambda text: _text(text).strip(),
    "reverse": lambda text: _text(text)[::-1],
    "format": lambda text, args: formatted(_text(text), _list(args)),
    "strings.quote": lambda text: quoted(_text(text)),
    "url": _url,
    "isURL": _is_url,
    "getScheme": _part_of_url("scheme"),
    "getHost": _part_of_url("host"),
    "getHostname": _part_of_url("name"),
    "getPort": _part_of_url("port"),
    "getEscapedPath": _part_of_url("path"),
    "getQuery": _query,
    "quantity": _quantity,
    "isQuantity": lambda text: is_quantity(_text(text)),
    "sign": lambda one: _compare(one, 0),
    "isInteger": lambda one: _of_quantity(one).denominator == 1,
    "asInteger": _as_integer,
    "asApproximateFloat": lambda one: float(_of_quantity(one)),
    "add": lambda one, other: Quantity(_of_quantity(one) + _of_quantity(other)),
    "sub": lambda one, other: Quantity(_of_quantity(one) - _of_quantity(other)),
    "isLessThan": lambda one, other: _compare(one, other) < 0,
    "isGreaterThan": lambda one, other: _compare(one, other) > 0,
    "compareTo": _compare,
    "isIP": _holds(_address),
    "ip": _ip,
    "ip.isCanonical": lambda text: str(_address(_text(text)).address) == text,
    "family": _of_address(lambda ip: ip.address.version),
    "isUnspecified": _of_address(lambda ip: ip.address.is_unspecified),
    "isLoopback": _of_address(lambda ip: ip.address.is_loopback),
    "isLinkLocalMulticast": _of_address(_is_link_local_multicast),
    "isLinkLocalUnicast": _of_address(lambda ip: ip.address.is_link_local),
    "isGlobalUnicast": _of_address(_is_global_unicast),
    "isCIDR": _holds(_cidr),
    "cidr": _cidr,
    "containsIP": _contains_ip,
    "containsCIDR": _contains_cidr,
    "masked": _masked,
    "prefixLength": lambda cidr: _cidr(cidr).network.prefixlen,
    "optional.of": lambda value: Maybe(True, value),
    "optional.none": lambda: Maybe(False),
    "optional.ofNonZeroValue": _of_non_zero,
    "hasValue": lambda one: isinstance(one, Maybe) and one.present,
    "value": _value,
    "or": lambda one, other: one if isinstance(one, Maybe) and one.present else other,
    "orValue": lambda one, other: one.value if isinstance(one, Maybe) and one.present else other,
}
