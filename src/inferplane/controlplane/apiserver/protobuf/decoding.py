"""From protobuf to the JSON that the same object has.

A body is the four bytes `k8s\\0`, then a `runtime.Unknown` that names the type and holds the object's own message.
Which field has which number says `fields.txt`. Go writes fields that are not set as empty strings: those are left out.
"""

import base64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import resources

import msgspec

from inferplane.controlplane.apiserver.errors import StatusError, bad_request
from inferplane.kernel.clock import micro_timestamp, timestamp
from inferplane.kernel.json import Json, JsonObject

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
MAGIC = b"k8s\x00"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

Value = int | bytes


@dataclass(frozen=True, slots=True)
class Field:
    """`shape`: "" once, `*` repeated, `%` map, `^` its fields belong to the parent in JSON."""

    name: str
    type: str
    shape: str


class Malformed(ValueError):
    """The bytes are no protobuf."""


def decode(raw: bytes) -> JsonObject:
    """Raises 400 for bytes that can't be read, and for a type that isn't known."""
    try:
        if not raw.startswith(MAGIC):
            raise Malformed("the body does not begin with k8s\\0")
        envelope = dict(_fields(raw[len(MAGIC) :]))
        type_meta = dict(_fields(_bytes(envelope.get(1, b""))))
        api_version, kind = _text(type_meta.get(1, b"")), _text(type_meta.get(2, b""))
        message = message_name(api_version, kind)
        if message not in table():
            raise Malformed(f"{kind} of {api_version} is not a type with a protobuf encoding here")
        return {"apiVersion": api_version, "kind": kind, **_message(message, _bytes(envelope.get(2, b"")))}
    except (Malformed, UnicodeDecodeError) as error:
        raise _refusal(error) from error


def _refusal(error: Exception) -> StatusError:
    return bad_request(f"the body of the request can't be read as protobuf: {error}")


def message_name(api_version: str, kind: str) -> str:
    """`apps/v1` and `Deployment` → `apps.v1.Deployment`."""
    group, _, version = api_version.rpartition("/")
    package = group.split(".")[0] or "core"
    return f"meta.v1.{kind}" if kind in ("DeleteOptions", "Patch") else f"{package}.{version}.{kind}"


@cache
def table() -> dict[str, dict[int, Field]]:
    """The fields of each message by number."""
    text = resources.files(__package__).joinpath("fields.txt").read_text()
    lines = (line.split() for line in text.splitlines() if not line.startswith("#"))
    return {name: dict(map(_field, fields)) for name, *fields in lines}


def _field(text: str) -> tuple[int, Field]:
    number, name, type_ = text.split(":")
    shape = type_[0] if type_[0] in "*%^" else ""
    return int(number), Field(name, type_[len(shape) :], shape)


def _message(name: str, raw: bytes) -> JsonObject:
    fields, found = table()[name], dict[str, Json]()
    for number, value in _fields(raw):
        field = fields.get(number)
        if field is None:
            continue  # of a newer Kubernetes
        if field.shape == "*":
            _into_list(found, field, value)
        elif field.shape == "%":
            _into_map(found, field, value)
        elif field.shape == "^":
            found |= _message(field.type, _bytes(value))
        elif (one := _value(field.type, value)) is not None and one != "":
            found[field.name] = one
    if name == "meta.v1.ObjectMeta" and not found.get("generation"):
        found.pop("generation", None)
    return found


def _into_list(found: JsonObject, field: Field, value: Value) -> None:
    items = found.setdefault(field.name, [])
    assert isinstance(items, list)  # a field has one shape
    items.append(_value(field.type, value))


def _into_map(found: JsonObject, field: Field, value: Value) -> None:
    entries = found.setdefault(field.name, {})
    assert isinstance(entries, dict)  # a field has one shape
    entry = dict(_fields(_bytes(value)))
    entries[_text(entry.get(1, b""))] = _value(field.type, entry.get(2, b""))


def _value(type_: str, value: Value) -> Json:
    """None for a time that isn't set."""
    match type_:
        case "s":
            return _text(value)
        case "y":
            return base64.b64encode(_bytes(value)).decode()
        case "i":
            number = _number(value)
            return number - (1 << 64) if number >> 63 else number
        case "u":
            return _number(value)
        case "b":
            return bool(_number(value))
        case "Quantity":
            return _text(dict(_fields(_bytes(value))).get(1, b""))
        case "IntOrString":
            return _int_or_string(_bytes(value))
        case "meta.v1.Time" | "meta.v1.MicroTime":
            return _time(type_, _bytes(value))
        case "meta.v1.FieldsV1":
            fields: Json = msgspec.json.decode(_bytes(dict(_fields(_bytes(value))).get(1, b"{}")))
            return fields
        case "authentication.v1.ExtraValue" | "authorization.v1.ExtraValue":
            return _message(type_, _bytes(value)).get("items", [])
        case _:
            return _message(type_, _bytes(value))


def _int_or_string(raw: bytes) -> Json:
    parts = dict(_fields(raw))
    if _number(parts.get(1, 0)):
        return _text(parts.get(3, b""))
    number = _number(parts.get(2, 0))
    return number - (1 << 64) if number >> 63 else number


def _time(type_: str, raw: bytes) -> Json:
    parts = dict(_fields(raw))
    if not parts:
        return None
    moment = EPOCH + timedelta(seconds=_number(parts.get(1, 0)), microseconds=_number(parts.get(2, 0)) // 1000)
    return micro_timestamp(moment) if type_.endswith("MicroTime") else timestamp(moment)


def _fields(raw: bytes) -> list[tuple[int, Value]]:
    """The numbered values of a message, in order."""
    found: list[tuple[int, Value]] = []
    at = 0
    while at < len(raw):
        tag, at = _varint(raw, at)
        value, at = _read(raw, at, tag & 7)
        found.append((tag >> 3, value))
    return found


def _read(raw: bytes, at: int, wire_type: int) -> tuple[Value, int]:
    if wire_type == VARINT:
        return _varint(raw, at)
    if wire_type == BYTES:
        size, at = _varint(raw, at)
    elif wire_type in (FIXED64, FIXED32):
        size = 8 if wire_type == FIXED64 else 4
    else:
        raise Malformed(f"wire type {wire_type} at byte {at}")
    if at + size > len(raw):
        raise Malformed(f"{size} bytes at {at} of {len(raw)}")
    return raw[at : at + size], at + size


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    value, shift = 0, 0
    while at < len(raw) and shift < 70:
        byte = raw[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value, at
        shift += 7
    raise Malformed(f"no end of a number at byte {at}")


def _bytes(value: Value) -> bytes:
    if isinstance(value, bytes):
        return value
    raise Malformed(f"the number {value} where bytes are expected")


def _number(value: Value) -> int:
    if isinstance(value, int):
        return value
    raise Malformed("bytes where a number is expected")


def _text(value: Value) -> str:
    return _bytes(value).decode()
