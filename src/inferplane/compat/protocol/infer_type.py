"""`kserve.protocol.infer_type`: V2 requests and responses."""

from inferplane.compat.utils.numpy_codec import from_np_dtype, to_np_dtype
from inferplane.inference.errors import InferenceError, InvalidInput
from inferplane.inference.tensors import InferInput, InferOutput, InferRequest, InferResponse, RequestedOutput

__all__ = [
    "InferInput",
    "InferOutput",
    "InferRequest",
    "InferResponse",
    "InferenceError",
    "InvalidInput",
    "RequestedOutput",
    "from_np_dtype",
    "to_np_dtype",
]
