"""`kserve.inference_client`."""

from inferplane.client.inference.kserve_grpc import InferenceGRPCClient
from inferplane.client.inference.kserve_rest import InferenceRESTClient, RESTConfig

__all__ = ["InferenceGRPCClient", "InferenceRESTClient", "RESTConfig"]
