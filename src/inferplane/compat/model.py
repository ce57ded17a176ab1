"""`kserve.model`: what model authors subclass."""

from inferplane.compat.utils.utils import is_v2
from inferplane.dataplane.model.forwarding import forwarded as append_forwardable_headers
from inferplane.dataplane.model.model import InferenceVerb, Model
from inferplane.dataplane.model.predictor import PredictorConfig, PredictorProtocol
from inferplane.inference.errors import InvalidInput
from inferplane.inference.tensors import InferRequest, InferResponse

BaseKServeModel = InferenceModel = Model

__all__ = [
    "BaseKServeModel",
    "InferRequest",
    "InferResponse",
    "InferenceModel",
    "InferenceVerb",
    "InvalidInput",
    "Model",
    "PredictorConfig",
    "PredictorProtocol",
    "append_forwardable_headers",
    "is_v2",
]
