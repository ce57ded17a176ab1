"""Tensors as bytes: V2's binary tensor data, the same over REST and in gRPC's raw contents.

Little-endian, row-major, nothing between the elements. BOOL is a byte of 0 or 1; an element of BYTES is its length as
a little-endian uint32, then its bytes; BF16 is the upper half of a float32. A tensor without elements has no bytes.
"""

import math
from collections.abc import Sequence
from struct import Struct, error
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from inferplane.inference.datatypes import NUMPY, Datatype
from inferplane.inference.errors import InvalidInput

Buffer: TypeAlias = bytes | bytearray | memoryview
Array: TypeAlias = NDArray[np.generic]

_LENGTH = Struct("<I")


def raw(values: Array, datatype: str) -> Buffer:
    """The bytes of `values` as a tensor of `datatype`. Shares memory with `values` where the layouts agree."""
    if datatype == Datatype.BYTES:
        return _joined(values)
    if datatype == Datatype.BF16:
        return _upper_halves(values).tobytes()
    dtype = NUMPY[Datatype(datatype)].newbyteorder("<")
    return np.ascontiguousarray(values, dtype=dtype).reshape(-1).view(np.uint8).data


def array(data: Buffer, datatype: str, shape: Sequence[int], where: str) -> Array:
    """The tensor in `shape` (one -1 stands for what is left); read-only where it shares memory with `data`.

    BYTES give an object array of `bytes`, BF16 a float32 array. InvalidInput, beginning with `where`, when the bytes
    do not fill the shape.
    """
    if datatype == Datatype.BYTES:
        flat = _split(data, where)
        return _shaped(flat, shape, f"{flat.size} elements", where)
    kind = Datatype(datatype)
    size = 2 if kind == Datatype.BF16 else NUMPY[kind].itemsize
    if len(data) % size:
        raise InvalidInput(f"{where}: expected a multiple of {size} bytes for {datatype}, got {len(data)}")
    return _shaped(_numbers(data, kind), shape, f"{len(data)} bytes of {datatype}", where)


def text(values: Array) -> list[object]:
    """The elements of a BYTES tensor, flat: as `str` when all of them are UTF-8, otherwise as they are."""
    elements: list[object] = values.ravel().tolist()
    try:
        return [element.decode() if isinstance(element, bytes) else element for element in elements]
    except UnicodeDecodeError:
        return elements


def _numbers(data: Buffer, kind: Datatype) -> Array:
    if kind == Datatype.BF16:
        return (np.frombuffer(data, dtype="<u2").astype(np.uint32) << 16).view(np.float32)
    if kind == Datatype.BOOL:
        return np.frombuffer(data, dtype=np.uint8).astype(np.bool_)  # any other byte than 0 is true
    return np.frombuffer(data, dtype=NUMPY[kind].newbyteorder("<"))


def _shaped(flat: Array, shape: Sequence[int], got: str, where: str) -> Array:
    known = math.prod(shape)
    if not (known < 0 and flat.size % known == 0 if -1 in shape else flat.size == known):
        raise InvalidInput(f"{where}: binary data does not fill the shape {list(shape)}: got {got}")
    try:
        return flat.reshape(tuple(shape))
    except (ValueError, OverflowError) as error:
        raise InvalidInput(f"{where}: no array has the shape {list(shape)}: {error}") from error


def _joined(values: Array) -> bytes:
    parts: list[bytes] = []
    for element in values.ravel().tolist() if values.dtype.kind != "M" else values.ravel().astype(str).tolist():
        encoded = element if isinstance(element, bytes) else str(element).encode()
        parts.append(_LENGTH.pack(len(encoded)))
        parts.append(encoded)
    return b"".join(parts)


def _split(data: Buffer, where: str) -> Array:
    elements: list[bytes] = []
    at = 0
    while at < len(data):
        try:
            (length,) = _LENGTH.unpack_from(data, at)
        except error:
            raise InvalidInput(f"{where}: the length of element {len(elements)} is cut off at byte {at}") from None
        at += _LENGTH.size
        if at + length > len(data):
            raise InvalidInput(
                f"{where}: element {len(elements)} says it has {length} bytes, and {len(data) - at} are left"
            )
        elements.append(bytes(data[at : at + length]))
        at += length
    found = np.empty(len(elements), dtype=np.object_)
    found[:] = elements
    return found


def _upper_halves(values: Array) -> NDArray[np.uint16]:
    """float32 rounded to the nearest BF16, ties to even; a NaN stays one."""
    exact = np.ascontiguousarray(values, dtype=np.float32)
    bits = exact.view(np.uint32)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    halves: NDArray[np.uint16] = np.where(np.isnan(exact), (bits >> 16) | 0x40, rounded).astype("<u2")
    return halves
