"""`InferTensorContents` ↔ arrays: one repeated field for each family of datatypes."""

import math
from collections.abc import Sequence

import numpy as np

from inferplane.inference.binary import Array
from inferplane.inference.datatypes import NUMPY, Datatype
from inferplane.inference.errors import InvalidInput
from inferplane.inference.grpc.grpc_predict_v2_pb2 import InferTensorContents

FIELDS: dict[Datatype, str] = {
    Datatype.BOOL: "bool_contents",
    Datatype.INT8: "int_contents",
    Datatype.INT16: "int_contents",
    Datatype.INT32: "int_contents",
    Datatype.INT64: "int64_contents",
    Datatype.UINT8: "uint_contents",
    Datatype.UINT16: "uint_contents",
    Datatype.UINT32: "uint_contents",
    Datatype.UINT64: "uint64_contents",
    Datatype.FP32: "fp32_contents",
    Datatype.FP64: "fp64_contents",
    Datatype.BYTES: "bytes_contents",
}
"""FP16 and BF16 have none."""

_SHORT = 64
_CARRIED = {"int_contents": np.dtype(np.int32), "uint_contents": np.dtype(np.uint32)}


def read(contents: InferTensorContents, datatype: Datatype, shape: Sequence[int], where: str) -> Array:
    """The values in `shape` (one -1 stands for what is left)."""
    field = FIELDS.get(datatype)
    if field is None:
        raise InvalidInput(f"{where}.contents: {datatype} travels in raw_input_contents only")
    values = getattr(contents, field)
    if not _fills(len(values), shape):
        raise InvalidInput(f"{where}.contents: {_misfit(contents, field, len(values), datatype, shape)}")
    flat = _elements(values) if datatype is Datatype.BYTES else _numbers(values, datatype, field, where)
    try:
        return flat if len(shape) == 1 else flat.reshape(tuple(shape))
    except (ValueError, OverflowError) as error:
        raise InvalidInput(f"{where}.shape: no array has the shape {list(shape)}: {error}") from error


def write(values: Array, datatype: Datatype, contents: InferTensorContents) -> None:
    """Puts the values into the datatype's field; FP16 and BF16 have none and must not come here."""
    flat = values.ravel()
    if datatype is Datatype.BYTES:
        texts = flat.astype(str) if flat.dtype.kind == "M" else flat
        contents.bytes_contents.extend(
            item if isinstance(item, bytes) else str(item).encode() for item in texts.tolist()
        )
    else:
        getattr(contents, FIELDS[datatype]).extend(flat.tolist())


def _numbers(values: Sequence[int | float], datatype: Datatype, field: str, where: str) -> Array:
    dtype = NUMPY[datatype]
    # numpy reads a long repeated field as memory and a short one item by item, for which a list is quicker.
    carried: Array = np.array(values[:] if len(values) < _SHORT else values, dtype=_CARRIED.get(field, dtype))
    if carried.dtype == dtype:
        return carried
    narrow = carried.astype(dtype)
    wrong = narrow != carried
    if wrong.any():
        at = int(np.argmax(wrong))
        raise InvalidInput(f"{where}.contents.{field}[{at}]: {carried[at]} does not fit {datatype}")
    return narrow


def _elements(values: Sequence[bytes]) -> Array:
    elements: Array = np.empty(len(values), dtype=np.object_)
    elements[:] = list(values)
    return elements


def _fills(count: int, shape: Sequence[int]) -> bool:
    known = math.prod(shape)
    if -1 in shape:
        return known < 0 and count % known == 0
    return count == known


def _misfit(contents: InferTensorContents, field: str, count: int, datatype: Datatype, shape: Sequence[int]) -> str:
    used = [found.name for found, _ in contents.ListFields()]
    if used and field not in used:
        return f"expected {field} for {datatype}, got {', '.join(used)}"
    expected = math.prod(size for size in shape if size != -1)
    wanted = f"a multiple of {expected}" if -1 in shape else f"{expected}"
    return f"{field} does not fill the shape: expected {wanted} values for {list(shape)}, got {count}"
