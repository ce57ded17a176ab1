"""The messages that servers see all day, read and written by hand: in half the time, and with the same outcome.

A plain request has a model, perhaps a version and an id, and inputs without parameters, all with numbers that are
memory as they are sent (FP32 and FP64 typed, anything raw). A plain response has outputs without parameters but for the
size of raw contents. For every other message there is None here, and protobuf reads and writes it: also those that are
wrong, so that what is said of them is in one place.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from google.protobuf.message import DecodeError

from inferplane.inference import binary
from inferplane.inference.binary import Array, Buffer
from inferplane.inference.datatypes import NUMPY, Datatype
from inferplane.inference.errors import InvalidInput
from inferplane.inference.grpc.grpc_predict_v2_pb2 import ModelInferRequest
from inferplane.inference.grpc.wire import read_varint, varint
from inferplane.inference.tensors import BINARY_SIZE, InferInput, InferOutput

LARGEST = 32 * 1024
"""Bytes of a message. In a larger one other things take the time."""


class Plain(NamedTuple):
    """`raw`: the contents came raw."""

    model_name: str
    model_version: str
    id: str
    inputs: list[InferInput]
    raw: bool


class _Description(NamedTuple):
    """What comes before an input's contents. `tag` and `dtype` are of typed contents that are memory."""

    name: str
    datatype: Datatype
    shape: tuple[int, ...]
    tag: int
    dtype: np.dtype[np.generic] | None
    size: int


# Tags: the field's number and the wire type 2, of things that say their length.
_MODEL_NAME, _MODEL_VERSION, _ID, _INPUT, _RAW = 0x0A, 0x12, 0x1A, 0x2A, 0x3A
_NAME, _DATATYPE, _SHAPE, _CONTENTS = 0x0A, 0x12, 0x1A, 0x2A
_OUTPUT = 0x2A
_FLOATS: dict[Datatype, tuple[int, np.dtype[np.generic] | None]] = {
    Datatype.FP32: (0x32, np.dtype("<f4")),
    Datatype.FP64: (0x3A, np.dtype("<f8")),
}

_KEPT = 512
_LONGEST = 256


def read(body: bytes) -> Plain | None:
    """What protobuf would find in the message, if it is plain."""
    name = version = request_id = b""
    inputs: list[tuple[_Description, int, int]] = []
    raws: list[memoryview] = []
    at, end = 0, len(body)
    try:
        while at < end:
            tag, size, at = body[at], body[at + 1], at + 2
            if size > 0x7F:
                size, at = read_varint(body, at - 1)
            stop = at + size
            if stop > end:
                return None
            if tag == _INPUT:
                found = _input(body, at, stop)
                if found is None:
                    return None
                inputs.append(found)
            elif tag == _RAW:
                raws.append(memoryview(body)[at:stop])
            elif tag == _MODEL_NAME and not name:
                name = body[at:stop]
            elif tag == _ID and not request_id:
                request_id = body[at:stop]
            elif tag == _MODEL_VERSION and not version:
                version = body[at:stop]
            else:
                return None  # such as a text that comes twice: protobuf looks at the first one too
            at = stop
        tensors = _tensors(body, inputs, raws)
        if tensors is None:
            return None
        return Plain(name.decode(), version.decode(), request_id.decode(), tensors, bool(raws))
    except (IndexError, UnicodeDecodeError, DecodeError, InvalidInput):
        return None


def _input(body: bytes, start: int, stop: int) -> tuple[_Description, int, int] | None:
    """An input's description, and where its contents begin and end: at the same place where it has none."""
    at = start
    while at < stop:
        tag, size = body[at], body[at + 1]
        if tag == _CONTENTS:
            break
        if size > 0x7F or tag not in (_NAME, _DATATYPE, _SHAPE):
            return None
        at += 2 + size
    if at > stop:
        return None
    head = body[start:at]
    description = _descriptions.get(head) or _described(head)
    if description is None or at == stop:
        return None if description is None else (description, stop, stop)
    size, at = (body[at + 1], at + 2) if body[at + 1] < 0x80 else read_varint(body, at + 1)
    return (description, at, stop) if at + size == stop else None


_descriptions: dict[bytes, _Description] = {}


def _described(head: bytes) -> _Description | None:
    """None for one that is wrong, or leaves a size open."""
    if len(head) > _LONGEST:
        return None
    message = ModelInferRequest.InferInputTensor.FromString(head)
    datatype = Datatype.__members__.get(message.datatype)
    shape = tuple(message.shape)
    if datatype is None or any(size < 0 for size in shape):
        return None
    count = 1
    for size in shape:
        count *= size
    tag, dtype = _FLOATS.get(datatype, (0, None))
    size = 0 if dtype is None else count * dtype.itemsize
    found = _Description(message.name, datatype, shape, tag, dtype, size)
    if len(_descriptions) >= _KEPT:
        _descriptions.clear()  # descriptions are the client's to make up
    _descriptions[head] = found
    return found


def _tensors(
    body: bytes, inputs: Sequence[tuple[_Description, int, int]], raws: Sequence[memoryview]
) -> list[InferInput] | None:
    if not inputs or (raws and len(raws) != len(inputs)):
        return None
    found: list[InferInput] = []
    for number, (description, start, stop) in enumerate(inputs):
        if not raws:
            values = _floats(body, description, start, stop)
        else:
            values = _raw(raws[number], description) if start == stop else None
        if values is None:
            return None
        found.append(InferInput.decoded(description.name, description.datatype, values))
    return found


def _floats(body: bytes, description: _Description, start: int, stop: int) -> Array | None:
    """Typed contents of one field, packed."""
    dtype = description.dtype
    if dtype is None or stop - start < 2 or body[start] != description.tag:
        return None
    size, at = (body[start + 1], start + 2) if body[start + 1] < 0x80 else read_varint(body, start + 1)
    if size != description.size or at + size != stop:
        return None
    values = np.frombuffer(body, dtype, size // dtype.itemsize, at).copy()
    return values if len(description.shape) == 1 else values.reshape(description.shape)


def _raw(data: memoryview, description: _Description) -> Array:
    values = binary.array(data, description.datatype, description.shape, "")
    return values if values.flags.aligned else values.copy()


# --- responses --------------------------------------------------------------------------------------------------------


def write(
    model_name: str, model_version: str, id: str, outputs: Sequence[InferOutput], raws: Sequence[Buffer] | None
) -> bytes | None:
    """The bytes that protobuf would make: with raw contents (only the head of the message, without them), or typed."""
    parts = [head(model_name)]
    if model_version:
        parts.append(_text(_MODEL_VERSION, model_version))
    if id:
        parts.append(_text(_ID, id))
    for number, output in enumerate(outputs):
        layout = _layout(output.name, output.datatype, tuple(output.shape))
        if output.parameters or layout is None:
            return None
        contents = _typed(output.view(), layout) if raws is None else _raw_size(len(raws[number]))
        if contents is None:
            return None
        parts += (b"%c" % _OUTPUT, varint(len(layout.head) + len(contents)), layout.head, contents)
    return b"".join(parts)


def head(model_name: str) -> bytes:
    """How a response begins."""
    return _text(_MODEL_NAME, model_name)


def typed_output(name: str, datatype: Datatype, shape: tuple[int, ...], size: int) -> bytes:
    """An output up to its typed contents, of which `size` bytes will follow."""
    layout = _layout(name, datatype, shape)
    if layout is None or not layout.field:
        raise ValueError(f"no typed contents of {datatype} {shape}")
    field = b"%c%b" % (layout.field, varint(size))
    start = b"%c%b%b" % (_CONTENTS, varint(len(field) + size), field)
    return b"%c%b%b%b" % (_OUTPUT, varint(len(layout.head) + len(start) + size), layout.head, start)


def raw_output(name: str, datatype: Datatype, shape: tuple[int, ...], size: int) -> bytes:
    """An output that has `size` bytes in the raw contents."""
    layout = _layout(name, datatype, shape)
    if layout is None:
        raise ValueError(f"no tensor of {datatype} {shape}")
    rest = _raw_size(size)
    return b"%c%b%b%b" % (_OUTPUT, varint(len(layout.head) + len(rest)), layout.head, rest)


def _text(tag: int, text: str) -> bytes:
    """Nothing for an empty one."""
    data = text.encode()
    return b"%c%b%b" % (tag, varint(len(data)), data) if data else b""


class _Layout(NamedTuple):
    """An output's `head` is all before its contents; `field` is the one of typed contents, 0 where there is none."""

    head: bytes
    field: int
    dtype: np.dtype[np.generic]


_layouts: dict[tuple[str, str, tuple[int, ...]], _Layout] = {}


def _layout(name: str, datatype: str, shape: tuple[int, ...]) -> _Layout | None:
    layout = _layouts.get((name, datatype, shape))
    if layout is None:
        kind = Datatype.__members__.get(datatype)
        if kind is None or any(type(size) is not int or size < 0 for size in shape):
            return None
        if len(_layouts) >= _KEPT:
            _layouts.clear()
        sizes = b"".join(map(varint, shape))
        packed = b"%c%b%b" % (_SHAPE, varint(len(sizes)), sizes) if sizes else b""
        head = _text(_NAME, name) + _text(_DATATYPE, datatype) + packed
        layout = _layouts[name, datatype, shape] = _Layout(head, _FIELDS.get(kind, 0), NUMPY[kind])
    return layout


def _raw_size(size: int) -> bytes:
    """The parameter that says how many bytes an output has in the raw contents."""
    value = b"\x10" + varint(size)
    entry = _SIZE_KEY + b"\x12" + varint(len(value)) + value
    return b"\x22" + varint(len(entry)) + entry


_SIZE_KEY = _text(_NAME, BINARY_SIZE)

# Field numbers in InferTensorContents, of what is packed as memory or as numbers of one byte.
_FIELDS = {
    Datatype.BOOL: 0x0A,
    Datatype.INT8: 0x12,
    Datatype.INT16: 0x12,
    Datatype.INT32: 0x12,
    Datatype.INT64: 0x1A,
    Datatype.UINT8: 0x22,
    Datatype.UINT16: 0x22,
    Datatype.UINT32: 0x22,
    Datatype.UINT64: 0x2A,
    Datatype.FP32: 0x32,
    Datatype.FP64: 0x3A,
}


def _typed(values: Array, layout: _Layout) -> bytes | None:
    """`contents`, of numbers that need no more than a byte or are memory as they are."""
    if not layout.field or values.dtype != layout.dtype:
        return None
    if layout.dtype.kind == "f":
        packed = values.tobytes()
    elif values.size < _SHORT:
        try:
            packed = bytes(values.ravel().tolist())
        except ValueError:
            return None
        if not packed.isascii():
            return None
    else:
        return None
    inner = b"%c%b%b" % (layout.field, varint(len(packed)), packed) if packed else b""
    return b"%c%b%b" % (_CONTENTS, varint(len(inner)), inner)


_SHORT = 64
