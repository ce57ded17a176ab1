"""ModelInferRequest ↔ InferRequest.

`raw_input_contents` is all or nothing: one entry an input, and then no input has `contents`. Errors are InvalidInput
(gRPC: INVALID_ARGUMENT) and name the field.
"""

from collections.abc import Sequence

from google.protobuf.message import DecodeError

from inferplane.inference import binary
from inferplane.inference.binary import Array
from inferplane.inference.datatypes import Datatype
from inferplane.inference.errors import InvalidInput, Malformed
from inferplane.inference.grpc import contents, parameters, plain
from inferplane.inference.grpc.grpc_predict_v2_pb2 import ModelInferRequest
from inferplane.inference.grpc.responses import datatype_of, goes_raw, raw_bytes
from inferplane.inference.grpc.wire import without
from inferplane.inference.tensors import InferInput, InferRequest, RequestedOutput


class GrpcInferRequest(InferRequest):
    """A request that came over gRPC; `use_binary_outputs` tells whether its tensors came raw."""

    __slots__ = ()

    def came_raw(self) -> "GrpcInferRequest":
        self._raw = True
        return self


def read(body: bytes) -> GrpcInferRequest:
    """A serialised message as a request. Malformed when it is none."""
    if len(body) >= _LARGE and (parts := without(body, ModelInferRequest.RAW_INPUT_CONTENTS_FIELD_NUMBER)):
        # Large tensors stay where they are: protobuf would copy them when it parses, and again when it is asked.
        head, raw = parts
        return _request(parsed(head), raw)
    if len(body) < plain.LARGEST and (found := plain.read(body)) is not None:
        request = GrpcInferRequest(
            found.model_name, found.inputs, found.id or None, from_grpc=True, model_version=found.model_version or None
        )
        return request.came_raw() if found.raw else request
    return from_message(parsed(body))


_LARGE = 32 * 1024


def parsed(body: bytes) -> ModelInferRequest:
    try:
        return ModelInferRequest.FromString(body)
    except DecodeError as error:
        raise Malformed(f"expected a serialised inference.ModelInferRequest: {error}") from error


def from_message(message: ModelInferRequest) -> GrpcInferRequest:
    """The message's values. Arrays lie in the message's own bytes where their type allows, and are read-only then."""
    return _request(message, message.raw_input_contents)


def _request(message: ModelInferRequest, raw: Sequence[bytes | memoryview]) -> GrpcInferRequest:
    request = GrpcInferRequest(
        message.model_name,
        _raw_inputs(message, raw) if raw else _typed_inputs(message),
        message.id or None,
        from_grpc=True,
        parameters=parameters.read(message.parameters, "parameters"),
        request_outputs=_requested(message) if message.outputs else None,
        model_version=message.model_version or None,
    )
    return request.came_raw() if raw else request


def _raw_inputs(message: ModelInferRequest, raw: Sequence[bytes | memoryview]) -> list[InferInput]:
    inputs = message.inputs
    if len(raw) != len(inputs):
        raise InvalidInput(
            f"raw_input_contents: the number of inputs ({len(inputs)}) does not match the expected number of raw input"
            f" contents ({len(raw)}) for model '{message.model_name}'."
        )
    found: list[InferInput] = []
    for index, (tensor, data) in enumerate(zip(inputs, raw, strict=True)):
        if tensor.HasField("contents"):
            raise InvalidInput(
                f"inputs[{index}].contents: contents field must not be specified when using raw_input_contents"
                f" for input '{tensor.name}' for model '{message.model_name}'"
            )
        datatype, shape = _datatype(tensor, index), _shape(tensor, index)
        values = binary.array(data, datatype, shape, f"raw_input_contents[{index}]")
        # An array in the middle of a message rarely begins where its type's values may lie.
        found.append(_input(tensor, datatype, values if values.flags.aligned else values.copy(), index))
    return found


def _typed_inputs(message: ModelInferRequest) -> list[InferInput]:
    found: list[InferInput] = []
    for index, tensor in enumerate(message.inputs):
        datatype, shape = _datatype(tensor, index), _shape(tensor, index)
        values = contents.read(tensor.contents, datatype, shape, f"inputs[{index}]")
        found.append(_input(tensor, datatype, values, index))
    if not found:
        raise InvalidInput("inputs: expected at least one input, got none")
    return found


def _input(tensor: ModelInferRequest.InferInputTensor, datatype: Datatype, values: Array, index: int) -> InferInput:
    found = InferInput.decoded(tensor.name, datatype, values)
    if tensor.parameters:
        found.parameters = parameters.read(tensor.parameters, f"inputs[{index}].parameters")
    return found


_DATATYPES = dict(Datatype.__members__)


def _datatype(tensor: ModelInferRequest.InferInputTensor, index: int) -> Datatype:
    datatype = _DATATYPES.get(tensor.datatype) or _DATATYPES.get(tensor.datatype.upper())
    if datatype is None:
        raise InvalidInput(f"inputs[{index}].datatype: expected one of {', '.join(Datatype)}, got {tensor.datatype!r}")
    return datatype


def _shape(tensor: ModelInferRequest.InferInputTensor, index: int) -> list[int]:
    shape = tensor.shape[:]
    if shape and min(shape) < 0 and (min(shape) < -1 or shape.count(-1) > 1):
        raise InvalidInput(f"inputs[{index}].shape: sizes are 0 or more, and at most one is -1, got {shape}")
    return shape


def _requested(message: ModelInferRequest) -> list[RequestedOutput]:
    return [
        RequestedOutput(output.name, parameters.read(output.parameters, f"outputs[{index}].parameters"))
        for index, output in enumerate(message.outputs)
    ]


def to_message(request: InferRequest, *, raw: bool | None = None) -> ModelInferRequest:
    """The request as a message: with raw contents, with typed ones, or (None) raw where an input asks for it.

    An input asks for it by holding bytes or by a datatype that has no typed contents; then all of them are raw.
    """
    message = ModelInferRequest(
        model_name=request.model_name, model_version=request.model_version or "", id=request.id or ""
    )
    parameters.write(request.parameters, message.parameters, "parameters")
    for index, tensor in enumerate(request.inputs):
        entry = message.inputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
        parameters.write(tensor.parameters, entry.parameters, f"inputs[{index}].parameters")
    for index, output in enumerate(request.request_outputs or ()):
        wanted = message.outputs.add(name=output.name)
        parameters.write(output.parameters, wanted.parameters, f"outputs[{index}].parameters")
    if raw or (raw is None and any(goes_raw(tensor) for tensor in request.inputs)):
        message.raw_input_contents.extend(bytes(raw_bytes(tensor)) for tensor in request.inputs)
    else:
        for tensor, entry in zip(request.inputs, message.inputs, strict=True):
            contents.write(tensor.view(), datatype_of(tensor), entry.contents)
    return message


def write(request: InferRequest, *, raw: bool | None = None) -> bytes:
    """`to_message`, serialised."""
    return to_message(request, raw=raw).SerializeToString()
