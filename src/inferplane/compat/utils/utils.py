"""`kserve.utils.utils`: helpers for model authors."""

from inferplane.assembly.server_flags import strtobool
from inferplane.compat.utils.numpy_codec import from_np_dtype
from inferplane.dataplane.model.payloads import generate_uuid, get_predict_input, get_predict_response
from inferplane.dataplane.model.predictor import PredictorProtocol
from inferplane.inference.errors import InvalidInput
from inferplane.inference.tensors import InferOutput, InferRequest, InferResponse


def is_v1(protocol: PredictorProtocol | str) -> bool:
    return PredictorProtocol(protocol) is PredictorProtocol.REST_V1


def is_v2(protocol: PredictorProtocol | str) -> bool:
    return PredictorProtocol(protocol) is PredictorProtocol.REST_V2


__all__ = [
    "InferOutput",
    "InferRequest",
    "InferResponse",
    "InvalidInput",
    "from_np_dtype",
    "generate_uuid",
    "get_predict_input",
    "get_predict_response",
    "is_v1",
    "is_v2",
    "strtobool",
]
