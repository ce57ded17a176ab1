"""InferRequest and InferResponse ↔ the messages of V2 over gRPC, as KServe's `from_grpc` and `to_grpc` have them.

The codecs are those of `inference.grpc`. KServe's ways beside them: parameters of a request and of a response stay the
message's map, no id is an empty one, and an input that is given as an array goes raw.
"""

from typing import cast

from inferplane.inference.errors import InvalidInput
from inferplane.inference.grpc import requests, responses
from inferplane.inference.grpc.grpc_predict_v2_pb2 import ModelInferRequest, ModelInferResponse
from inferplane.inference.tensors import InferInput, InferRequest, InferResponse, Parameters


def read_request(message: ModelInferRequest) -> InferRequest:
    found = requests.from_message(message)
    found.id, found.model_version = message.id, message.model_version
    found.parameters = cast(Parameters, message.parameters)
    return found


def read_response(message: ModelInferResponse) -> InferResponse:
    found = responses.from_message(message)
    found.id, found.model_version = message.id, message.model_version
    found.parameters = cast(Parameters, message.parameters)
    return found


def write_request(request: InferRequest) -> ModelInferRequest:
    for tensor in request.inputs:
        if tensor.is_empty:
            raise InvalidInput(f"'data' field is missing for input '{tensor.name}' for model '{request.model_name}'")
    return requests.to_message(request, raw=_came_raw(request) or any(map(_given_raw, request.inputs)))


def _came_raw(request: InferRequest) -> bool:
    return request.from_grpc and request.use_binary_outputs


def _given_raw(tensor: InferInput) -> bool:
    return responses.goes_raw(tensor) or not isinstance(tensor.data, list)


def write_response(response: InferResponse) -> ModelInferResponse:
    return responses.to_message(response)
