"""`kserve.inference_client`."""

from inferplane.client.inference.kserve_grpc import USE_CLIENT_DEFAULT, InferenceGRPCClient
from inferplane.client.inference.kserve_rest import InferenceRESTClient, RESTConfig
from inferplane.dataplane.model.predictor import PredictorProtocol
from inferplane.inference.errors import InvalidInput, UnsupportedProtocol
from inferplane.inference.tensors import InferRequest, InferResponse

__all__ = [
    "USE_CLIENT_DEFAULT",
    "InferRequest",
    "InferResponse",
    "InferenceGRPCClient",
    "InferenceRESTClient",
    "InvalidInput",
    "PredictorProtocol",
    "RESTConfig",
    "UnsupportedProtocol",
]
