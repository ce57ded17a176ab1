"""Calls over gRPC as they were recorded (the message, without gRPC's frame) → V2 requests and answers. Pure."""

from google.protobuf.message import DecodeError

from inferplane.cli.replay.records import Exchange, RecordError
from inferplane.inference.errors import InvalidInput
from inferplane.inference.grpc import requests, responses
from inferplane.inference.grpc.grpc_predict_v2_pb2 import ModelInferRequest, ModelInferResponse
from inferplane.inference.tensors import InferRequest, InferResponse

CONTENT_TYPE = "application/grpc"
_PREFIX = 5
"""A flag, and four bytes of length."""


def request_of(exchange: Exchange) -> InferRequest:
    """Raises RecordError for anything but a ModelInfer."""
    if not exchange.path.endswith("/ModelInfer"):
        raise RecordError(f"line {exchange.line}: {exchange.path} cannot be replayed, of gRPC only ModelInfer can")
    try:
        return requests.from_message(ModelInferRequest.FromString(exchange.body))
    except (DecodeError, InvalidInput, ValueError) as error:
        raise RecordError(f"line {exchange.line}: not a ModelInferRequest: {error}") from error


def response_of(body: bytes) -> InferResponse:
    """Raises ValueError, InvalidInput or DecodeError."""
    return responses.from_message(ModelInferResponse.FromString(body))


def message_of(body: bytes) -> bytes:
    """The one message of a body. Raises ValueError."""
    if len(body) < _PREFIX or body[0]:
        raise ValueError("expected one uncompressed message")
    if int.from_bytes(body[1:_PREFIX], "big") != len(body) - _PREFIX:
        raise ValueError("expected one message, got a stream")
    return body[_PREFIX:]
