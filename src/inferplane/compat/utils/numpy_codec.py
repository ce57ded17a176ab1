"""`kserve.utils.numpy_codec`: datatypes ↔ numpy's; None for what has no counterpart."""

import numpy as np
from numpy.typing import DTypeLike

from inferplane.inference.datatypes import NUMPY, Datatype, datatype_of


def to_np_dtype(dtype: str) -> type[np.generic] | None:
    return NUMPY[Datatype(dtype)].type if dtype in Datatype.__members__ else None


def from_np_dtype(np_dtype: DTypeLike) -> str | None:
    found = datatype_of(np.dtype(np_dtype))
    return None if found is None else str(found)


__all__ = ["from_np_dtype", "to_np_dtype"]
