"""TensorFlow's tensors in messages ↔ arrays.

A message has its values as bytes (`tensor_content`), or in the field of its type, where fewer values than elements mean
that the last one goes on. What goes out is in the field of its type, as TensorFlow Serving writes it: clients in other
languages than Python look for it there.
"""

import math
from collections.abc import Iterable

import numpy as np

from inferplane.inference.datatypes import NUMPY, Datatype, datatype_of
from inferplane.inference.errors import InferenceError, InvalidInput
from inferplane.inference.grpc.wire import varint
from inferplane.inference.tensorflow import tensorflow_serving_pb2 as pb
from inferplane.inference.tensorflow.signatures import DATATYPES, type_name
from inferplane.inference.tensors import Array

_FIELDS = {
    Datatype.FP32: "float_val",
    Datatype.FP64: "double_val",
    Datatype.INT32: "int_val",
    Datatype.UINT8: "int_val",
    Datatype.INT16: "int_val",
    Datatype.INT8: "int_val",
    Datatype.UINT16: "int_val",
    Datatype.BYTES: "string_val",
    Datatype.INT64: "int64_val",
    Datatype.BOOL: "bool_val",
    Datatype.BF16: "half_val",
    Datatype.FP16: "half_val",
    Datatype.UINT32: "uint32_val",
    Datatype.UINT64: "uint64_val",
}
_NUMBERS = {datatype: number for number, datatype in DATATYPES.items()}

_MOST = 1 << 26
"""Elements that a message may stand for with fewer values than that: a few bytes must not take all memory."""

# Numbers of fixed width are in a message as they are in an array: tag, length, bytes.
_PACKED = {Datatype.FP32: b"\x2a", Datatype.FP64: b"\x32"}


def read(message: pb.Tensor, where: str) -> Array:
    """BF16 becomes float32, strings an array of bytes objects. InvalidInput begins with `where`."""
    datatype = DATATYPES.get(message.dtype)
    if datatype is None:
        raise InvalidInput(f"{where}.dtype: {type_name(message.dtype)} is not taken")
    shape = _shape(message, where)
    if message.tensor_content:
        return _of_bytes(message.tensor_content, datatype, shape, where)
    return _of_values(getattr(message, _FIELDS[datatype]), datatype, shape, where)


def _shape(message: pb.Tensor, where: str) -> tuple[int, ...]:
    shape = tuple(dim.size for dim in message.tensor_shape.dim)
    if message.tensor_shape.unknown_rank or min(shape, default=0) < 0:
        raise InvalidInput(f"{where}.tensor_shape: expected sizes of 0 or more, got {list(shape)}")
    return shape


def _of_bytes(content: bytes, datatype: Datatype, shape: tuple[int, ...], where: str) -> Array:
    if datatype is Datatype.BYTES:
        raise InvalidInput(f"{where}.tensor_content: strings are taken in string_val")
    bits = np.dtype("<u2") if datatype is Datatype.BF16 else NUMPY[datatype].newbyteorder("<")
    if len(content) != math.prod(shape) * bits.itemsize:
        raise InvalidInput(f"{where}.tensor_content: {len(content)} bytes do not fill the shape {list(shape)}")
    found: Array = np.frombuffer(content, bits).reshape(shape)
    return _widened(found) if datatype is Datatype.BF16 else found.astype(NUMPY[datatype], copy=False)


def _of_values(values: "Iterable[object]", datatype: Datatype, shape: tuple[int, ...], where: str) -> Array:
    count, given = math.prod(shape), list(values)
    if len(given) > count or (not given and count):
        raise InvalidInput(f"{where}: {len(given)} values in {_FIELDS[datatype]} for the shape {list(shape)}")
    if count > max(_MOST, len(given)):
        raise InvalidInput(f"{where}: {len(given)} values are too few for the shape {list(shape)}")
    found = np.empty(count, np.uint16 if _FIELDS[datatype] == "half_val" else NUMPY[datatype])
    try:
        found[: len(given)] = given
    except (OverflowError, ValueError) as error:
        raise InvalidInput(f"{where}.{_FIELDS[datatype]}: a value does not fit {datatype}") from error
    found[len(given) :] = given[-1] if given else 0
    return _typed(found.reshape(shape), datatype)


def _typed(found: Array, datatype: Datatype) -> Array:
    if datatype is Datatype.BF16:
        return _widened(found)
    return found.view(np.float16) if datatype is Datatype.FP16 else found


def _widened(halves: Array) -> Array:
    """The upper halves of float32s."""
    return (halves.astype(np.uint32) << 16).view(np.float32)


def write(values: Array, name: str) -> pb.Tensor:
    """InferenceError for an array of a type that messages have no form for."""
    datatype = datatype_of(values.dtype)
    if datatype is None:
        raise InferenceError(f"output {name}: numpy's {values.dtype} has no type in TensorFlow's messages")
    message = pb.Tensor(dtype=_NUMBERS[datatype])
    message.tensor_shape.dim.extend(pb.TensorShape.Dim(size=size) for size in values.shape)
    if (tag := _PACKED.get(datatype)) is not None:
        content = np.ascontiguousarray(values, NUMPY[datatype].newbyteorder("<")).tobytes()
        message.MergeFromString(tag + varint(len(content)) + content)
        return message
    flat = values.ravel()
    getattr(message, _FIELDS[datatype]).extend(_plain(flat, datatype))
    return message


def _plain(flat: Array, datatype: Datatype) -> "list[object]":
    if datatype is Datatype.FP16:
        flat = flat.view(np.uint16)
    values: list[object] = flat.tolist()
    if datatype is Datatype.BYTES:
        return [value.encode() if isinstance(value, str) else value for value in values]
    return values
