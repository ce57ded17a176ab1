"""What a V2 call is made of, whatever wire it came over. Field names and their order are KServe's."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from inferplane.inference.datatypes import NUMPY, Datatype, datatype_of
from inferplane.inference.errors import InvalidInput

Array: TypeAlias = NDArray[np.generic]
Parameters: TypeAlias = Mapping[str, bool | int | float | str]


class Tensor(msgspec.Struct, frozen=True):
    """A named array. `data` is an array, or values in row-major order; `shape` has one entry a dimension."""

    name: str
    shape: Sequence[int]
    datatype: str
    data: Array | Sequence[object]
    parameters: Parameters | None = None

    def as_numpy(self) -> Array:
        """The values in the tensor's shape. The decoders' arrays are handed out as they are, without a copy."""
        if isinstance(self.data, np.ndarray):
            return self.data.reshape(tuple(self.shape))
        if self.datatype not in Datatype.__members__:
            raise InvalidInput(f"tensor {self.name}: no such datatype: {self.datatype}")
        return np.array(self.data, dtype=NUMPY[Datatype(self.datatype)]).reshape(tuple(self.shape))


class InferInput(Tensor, frozen=True):
    """A tensor on its way into a model."""


class InferOutput(Tensor, frozen=True):
    """A tensor on its way out of a model."""


class RequestedOutput(msgspec.Struct, frozen=True):
    name: str
    parameters: Parameters | None = None


class InferRequest(msgspec.Struct, frozen=True):
    model_name: str
    inputs: Sequence[InferInput]
    id: str | None = None
    parameters: Parameters | None = None
    request_outputs: Sequence[RequestedOutput] | None = None


class InferResponse(msgspec.Struct, frozen=True):
    """`id` empty means the request's, or a new one when that has none."""

    model_name: str
    outputs: Sequence[InferOutput]
    id: str | None = None
    parameters: Parameters | None = None
    model_version: str | None = None


class TensorMetadata(msgspec.Struct, frozen=True):
    """-1 in `shape` stands for any size."""

    name: str
    datatype: str
    shape: Sequence[int]


def output(name: str, values: Array) -> InferOutput:
    """An output that carries `values`; raises InvalidInput for an array that no datatype can carry."""
    datatype = datatype_of(values.dtype)
    if datatype is None:
        raise InvalidInput(f"output {name}: numpy's {values.dtype} has no datatype in the protocol")
    return InferOutput(name, list(values.shape), datatype, values)
