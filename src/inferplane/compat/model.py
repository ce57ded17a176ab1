"""`kserve.model`: what model authors subclass."""

from inferplane.dataplane.model.forwarding import forwarded as append_forwardable_headers
from inferplane.dataplane.model.model import InferenceVerb, Model
from inferplane.dataplane.model.predictor import PredictorConfig

BaseKServeModel = InferenceModel = Model

__all__ = [
    "BaseKServeModel",
    "InferenceModel",
    "InferenceVerb",
    "Model",
    "PredictorConfig",
    "append_forwardable_headers",
]
