"""Protocol buffers without their schemas: ONNX models, and the version in TensorFlow's `saved_model.pb`."""

import re
from collections.abc import Iterator
from typing import IO

from inferplane.inference.formats.found import Found, Sample

_VARINT, _LENGTH = 0, 2
# ModelProto of onnx.proto: numbers of fields and how each is written.
_IR_VERSION, _PRODUCER, _PRODUCER_VERSION, _GRAPH, _OPSETS = 1, 2, 3, 7, 8
_MODEL = {1: _VARINT, 2: _LENGTH, 3: _LENGTH, 4: _LENGTH, 5: _VARINT, 6: _LENGTH, 7: _LENGTH, 8: _LENGTH, 14: _LENGTH}
_MODEL |= {20: _LENGTH, 25: _LENGTH, 26: _LENGTH}
_LONGEST_TEXT = 4096
_LATEST_IR = 64
# MetaInfoDef: tensorflow_version (field 5), then tensorflow_git_version (6).
_TENSORFLOW = re.compile(rb"\x2a[\x05-\x20](\d+\.\d+\.\d+[\w.+-]{0,16}?)\x32", re.DOTALL)


class _Other(Exception):
    """The bytes are no such message."""


def onnx(file: Sample) -> Found | None:
    if file.head[:1] != b"\x08":
        return None
    try:
        with file.open() as stream:
            return _onnx(file.name, stream)
    except _Other:
        return None


def _onnx(name: str, stream: IO[bytes]) -> Found:
    words: dict[int, str] = {}
    opset, seen = 0, set[int]()
    for number, value in _fields(stream):
        seen.add(number)
        if number == _IR_VERSION and not (isinstance(value, int) and 0 < value < _LATEST_IR):
            raise _Other
        if number in (_PRODUCER, _PRODUCER_VERSION) and isinstance(value, bytes):
            words[number] = value.decode(errors="replace")
        if number == _OPSETS and isinstance(value, bytes):
            opset = max(opset, _opset(value))
    if _GRAPH not in seen:
        raise _Other
    made = " ".join(words[number] for number in sorted(words) if words[number])
    told = [f"opset {opset}" if opset else "", f"made by {made}" if made else ""]
    return Found("onnx", "ONNX", "graph", what=", ".join(one for one in told if one), file=name)


def _fields(stream: IO[bytes]) -> Iterator[tuple[int, int | bytes]]:
    """(number, value) of each field; b"" for long ones. A graph that is cut off counts as one, and is the last."""
    while (tag := _varint(stream)) is not None:
        number, written = tag >> 3, tag & 7
        if _MODEL.get(number) != written:
            raise _Other
        value = _varint(stream)
        if value is None:
            raise _Other
        if written == _VARINT:
            yield number, value
        elif value <= _LONGEST_TEXT and number != _GRAPH:
            yield number, stream.read(value)
        else:
            stream.seek(value, 1)
            yield number, b""


def _varint(stream: IO[bytes]) -> int | None:
    """None at the end."""
    value, shift = 0, 0
    while byte := stream.read(1):
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
        shift += 7
        if shift > 63:
            raise _Other
    return None


def _opset(message: bytes) -> int:
    """Of the default domain; 0 for another. OperatorSetIdProto: domain = 1, version = 2."""
    if message[:1] == b"\x0a" and message[1:2] not in (b"\0", b""):
        domain, rest = message[2 : 2 + message[1]], message[2 + message[1] :]
        if domain != b"ai.onnx":
            return 0
    else:
        rest = message[2:] if message[:1] == b"\x0a" else message
    return rest[1] if len(rest) >= 2 and rest[0] == 0x10 and rest[1] < 0x80 else 0


def tensorflow_version(file: Sample) -> str:
    """Of `saved_model.pb`; it stands behind a list of operators."""
    with file.open() as stream:
        found = _TENSORFLOW.search(stream.read(1 << 20))
    return found[1].decode() if found else ""
