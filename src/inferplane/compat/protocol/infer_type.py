"""`kserve.protocol.infer_type`: V2 requests and responses."""

from inferplane.inference.tensors import InferInput, InferOutput, InferRequest, InferResponse, RequestedOutput

__all__ = ["InferInput", "InferOutput", "InferRequest", "InferResponse", "RequestedOutput"]
