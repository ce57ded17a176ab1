"""InferRequest and InferResponse ↔ the messages of V2 over gRPC, as KServe's `from_grpc` and `to_grpc` have them.

Contents are raw for every tensor of a message or for none, as the protocol wants it.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

import numpy as np

from inferplane.inference import binary
from inferplane.inference.datatypes import BINARY_ONLY, NUMPY, Datatype
from inferplane.inference.errors import InvalidInput
from inferplane.inference.grpc.grpc_predict_v2_pb2 import (
    InferParameter,
    InferTensorContents,
    ModelInferRequest,
    ModelInferResponse,
)
from inferplane.inference.tensors import (
    BINARY_SIZE,
    InferInput,
    InferOutput,
    InferRequest,
    InferResponse,
    Parameters,
    RequestedOutput,
    Tensor,
)
from inferplane.inference.v2_client import plain_parameters

if TYPE_CHECKING:
    from google.protobuf.internal.containers import MessageMap

CONTENTS: dict[Datatype, str] = {
    Datatype.BOOL: "bool_contents",
    Datatype.UINT8: "uint_contents",
    Datatype.UINT16: "uint_contents",
    Datatype.UINT32: "uint_contents",
    Datatype.UINT64: "uint64_contents",
    Datatype.INT8: "int_contents",
    Datatype.INT16: "int_contents",
    Datatype.INT32: "int_contents",
    Datatype.INT64: "int64_contents",
    Datatype.FP32: "fp32_contents",
    Datatype.FP64: "fp64_contents",
    Datatype.BYTES: "bytes_contents",
}
"""The field of InferTensorContents for each datatype that has typed contents."""


def read_request(message: ModelInferRequest) -> InferRequest:
    """Request parameters stay the message's map, as KServe hands them on; those of inputs are plain values."""
    raw = message.raw_input_contents
    if raw and len(raw) != len(message.inputs):
        raise InvalidInput(
            f"the number of inputs ({len(message.inputs)}) does not match the expected number of raw input contents "
            f"({len(raw)}) for model '{message.model_name}'."
        )
    return InferRequest(
        message.model_name,
        [_read_input(tensor, bool(raw), message.model_name) for tensor in message.inputs],
        message.id,
        raw_inputs=list(raw),
        from_grpc=True,
        parameters=cast(Parameters, message.parameters),
        request_outputs=[RequestedOutput(wanted.name, _plain(wanted.parameters)) for wanted in message.outputs] or None,
        model_version=message.model_version,
    )


def _read_input(tensor: ModelInferRequest.InferInputTensor, raw: bool, model: str) -> InferInput:
    if raw and tensor.HasField("contents") and tensor.contents.ByteSize():
        raise InvalidInput(
            f"contents field must not be specified when using raw_input_contents for input '{tensor.name}' "
            f"for model '{model}'"
        )
    data = None if raw else _contents(tensor.datatype, tensor.contents)
    return InferInput(tensor.name, list(tensor.shape), tensor.datatype, data, _plain(tensor.parameters))


def read_response(message: ModelInferResponse) -> InferResponse:
    raw = message.raw_output_contents
    outputs = [
        InferOutput(
            tensor.name,
            list(tensor.shape),
            tensor.datatype,
            None if raw else _contents(tensor.datatype, tensor.contents),
            _plain(tensor.parameters),
        )
        for tensor in message.outputs
    ]
    return InferResponse(
        message.id,
        message.model_name,
        outputs,
        message.model_version,
        raw_outputs=list(raw),
        from_grpc=True,
        parameters=cast(Parameters, message.parameters),
    )


def _contents(datatype: str, contents: InferTensorContents) -> list[object]:
    if datatype in BINARY_ONLY:
        return []
    if datatype not in Datatype.__members__:
        raise InvalidInput("invalid content type")
    return list(getattr(contents, CONTENTS[Datatype(datatype)]))


def _plain(parameters: Mapping[str, InferParameter]) -> Parameters | None:
    return plain_parameters(cast(Parameters, parameters)) if parameters else None


def write_request(request: InferRequest) -> ModelInferRequest:
    for tensor in request.inputs:
        if tensor.is_empty:
            raise InvalidInput(f"'data' field is missing for input '{tensor.name}' for model '{request.model_name}'")
    message = ModelInferRequest(
        model_name=request.model_name, model_version=request.model_version or "", id=request.id or ""
    )
    _set_parameters(message.parameters, request.parameters)
    raw = any(not isinstance(tensor.data, list) or tensor.datatype in BINARY_ONLY for tensor in request.inputs)
    for tensor in request.inputs:
        wire = message.inputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
        _set_parameters(wire.parameters, tensor.parameters)
        if raw:
            message.raw_input_contents.append(_raw(tensor))
        else:
            _fill(wire.contents, tensor)
    for wanted in request.request_outputs or ():
        _set_parameters(message.outputs.add(name=wanted.name).parameters, wanted.parameters)
    return message


def write_response(response: InferResponse) -> ModelInferResponse:
    message = ModelInferResponse(
        model_name=response.model_name, model_version=response.model_version or "", id=response.id or ""
    )
    _set_parameters(message.parameters, response.parameters)
    raw = response.use_binary_outputs or any(
        tensor.raw_data is not None or tensor.datatype in BINARY_ONLY for tensor in response.outputs
    )
    for tensor in response.outputs:
        wire = message.outputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
        _set_parameters(wire.parameters, tensor.parameters)
        if raw:
            data = _raw(tensor)
            message.raw_output_contents.append(data)
            wire.parameters[BINARY_SIZE].int64_param = len(data)
        else:
            _fill(wire.contents, tensor)
    return message


def _raw(tensor: Tensor) -> bytes:
    return bytes(tensor.raw_data if tensor.raw_data is not None else binary.raw(tensor.view(), tensor.datatype))


def _fill(contents: InferTensorContents, tensor: Tensor) -> None:
    if tensor.datatype not in Datatype.__members__:
        raise InvalidInput(f"tensor {tensor.name}: no such datatype: {tensor.datatype}")
    datatype = Datatype(tensor.datatype)
    elements = np.asarray(tensor.view(), dtype=NUMPY[datatype]).ravel().tolist()
    if datatype == Datatype.BYTES:
        elements = [element if isinstance(element, bytes) else str(element).encode() for element in elements]
    getattr(contents, CONTENTS[datatype]).extend(elements)


def _set_parameters(wire: "MessageMap[str, InferParameter]", parameters: Parameters | None) -> None:
    for key, value in plain_parameters(parameters).items():
        choice = _CHOICES.get(type(value))
        if choice is None:
            raise InvalidInput(f"to_grpc: invalid parameter value: {value}")
        large = isinstance(value, int) and value >= 2**63
        setattr(wire[key], "uint64_param" if large else choice, value)


_CHOICES: dict[type, str] = {bool: "bool_param", int: "int64_param", float: "double_param", str: "string_param"}
