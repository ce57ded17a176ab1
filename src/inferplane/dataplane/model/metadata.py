"""What authors say about a model's tensors, as values."""

from collections.abc import Mapping, Sequence
from typing import Any

from inferplane.inference.errors import InferenceError
from inferplane.inference.tensors import TensorMetadata


def described(tensors: Sequence[TensorMetadata | Mapping[str, Any]]) -> list[TensorMetadata]:
    """Each a TensorMetadata, or a mapping with `name`, `datatype` and `shape` as KServe's authors write it."""
    return [tensor if isinstance(tensor, TensorMetadata) else _of(tensor) for tensor in tensors]


def _of(tensor: Mapping[str, Any]) -> TensorMetadata:
    try:
        return TensorMetadata(str(tensor["name"]), str(tensor["datatype"]), list(tensor["shape"]))
    except (KeyError, TypeError) as error:
        raise InferenceError(
            f"a tensor of the model's metadata: expected name, datatype and shape, got {tensor!r}"
        ) from error
