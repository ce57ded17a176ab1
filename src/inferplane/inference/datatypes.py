"""The Open Inference Protocol's datatypes and what numpy calls them."""

from enum import StrEnum

import numpy as np


class Datatype(StrEnum):
    BOOL = "BOOL"
    UINT8 = "UINT8"
    UINT16 = "UINT16"
    UINT32 = "UINT32"
    UINT64 = "UINT64"
    INT8 = "INT8"
    INT16 = "INT16"
    INT32 = "INT32"
    INT64 = "INT64"
    FP16 = "FP16"
    BF16 = "BF16"
    """Triton's; two bytes, the upper half of an FP32. On the wire in binary form only."""
    FP32 = "FP32"
    FP64 = "FP64"
    BYTES = "BYTES"


NUMPY: dict[Datatype, np.dtype[np.generic]] = {
    Datatype.BOOL: np.dtype(np.bool_),
    Datatype.UINT8: np.dtype(np.uint8),
    Datatype.UINT16: np.dtype(np.uint16),
    Datatype.UINT32: np.dtype(np.uint32),
    Datatype.UINT64: np.dtype(np.uint64),
    Datatype.INT8: np.dtype(np.int8),
    Datatype.INT16: np.dtype(np.int16),
    Datatype.INT32: np.dtype(np.int32),
    Datatype.INT64: np.dtype(np.int64),
    Datatype.FP16: np.dtype(np.float16),
    Datatype.BF16: np.dtype(np.float32),  # numpy has no type of its own; every BF16 is exact as a float32
    Datatype.FP32: np.dtype(np.float32),
    Datatype.FP64: np.dtype(np.float64),
    Datatype.BYTES: np.dtype(np.object_),
}

BINARY_ONLY = frozenset({Datatype.FP16, Datatype.BF16})
"""Types that have no form in JSON, nor in gRPC's typed contents."""

_FROM_NUMPY = {dtype: datatype for datatype, dtype in NUMPY.items() if datatype != Datatype.BF16}


def datatype_of(dtype: np.dtype[np.generic]) -> Datatype | None:
    """The datatype that carries `dtype`: text, bytes, dates and objects are BYTES; None for what has no name here."""
    if dtype.kind in "SUMO":
        return Datatype.BYTES
    return _FROM_NUMPY.get(dtype.newbyteorder("="))
