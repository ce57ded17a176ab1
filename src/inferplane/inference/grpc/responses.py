"""InferResponse ↔ ModelInferResponse.

A request with raw contents gets an answer with raw contents, and so does one whose answer has an output that no typed
field carries (FP16, BF16) or that the model gave as bytes; all other answers are typed. Each raw output has the
parameter `binary_data_size`, which KServe's client reads.
"""

from collections.abc import Sequence

from google.protobuf.message import DecodeError

from inferplane.inference import binary
from inferplane.inference.datatypes import BINARY_ONLY, Datatype
from inferplane.inference.errors import InvalidInput, Malformed
from inferplane.inference.grpc import contents, parameters, plain
from inferplane.inference.grpc.grpc_predict_v2_pb2 import ModelInferResponse
from inferplane.inference.grpc.wire import varint
from inferplane.inference.tensors import BINARY_SIZE, InferOutput, InferRequest, InferResponse, Tensor

_LARGE = 64 * 1024
"""Bytes. Joining less than this costs nothing that could be measured."""

_RAW_TAG = b"\x32"
"""Field 6, raw_output_contents, length-delimited."""


def pieces(
    response: InferResponse, outputs: Sequence[InferOutput], request: InferRequest, fallback_id: str
) -> bytes | tuple[binary.Buffer, ...]:
    """The serialised answer to `request`, with these of the response's outputs: large, in pieces to be sent in turn.

    `fallback_id` stands in where neither has an id. Raw contents are not copied: the message comes first, then entry
    after entry, which protobuf reads as one message whatever the fields' order.
    """
    answer_id = response.id or request.id or fallback_id
    raws = None
    if request.use_binary_outputs or any(map(goes_raw, outputs)):
        raws = [raw_bytes(output) for output in outputs]
    head = None
    if not response.parameters:
        head = plain.write(response.model_name, response.model_version or "", answer_id, outputs, raws)
    if raws is None:
        return head or _typed(response, outputs, answer_id).SerializeToString()
    parts: list[binary.Buffer] = [head or _head(response, outputs, raws, answer_id).SerializeToString()]
    for raw in raws:
        parts.append(_RAW_TAG + varint(len(raw)))
        parts.append(raw)
    return b"".join(parts) if sum(map(len, raws)) < _LARGE else tuple(parts)


def to_message(response: InferResponse, *, raw: bool | None = None) -> ModelInferResponse:
    """The response as a message: with raw contents, with typed ones, or (None) raw where asked for or needed."""
    outputs = response.outputs
    if raw is None:
        raw = response.use_binary_outputs or any(map(goes_raw, outputs))
    if not raw:
        return _typed(response, outputs, response.id or "")
    raws = [raw_bytes(output) for output in outputs]
    message = _head(response, outputs, raws, response.id or "")
    message.raw_output_contents.extend(map(bytes, raws))
    return message


def goes_raw(tensor: Tensor) -> bool:
    """Whether the tensor was given as bytes, or has no other form."""
    return tensor.raw_data is not None or tensor.datatype in BINARY_ONLY


def raw_bytes(tensor: Tensor) -> binary.Buffer:
    return tensor.raw_data if tensor.raw_data is not None else binary.raw(tensor.view(), tensor.datatype)


def _typed(response: InferResponse, outputs: Sequence[InferOutput], id: str) -> ModelInferResponse:
    message = _empty(response, id)
    for index, output in enumerate(outputs):
        entry = message.outputs.add(name=output.name, datatype=output.datatype, shape=output.shape)
        parameters.write(output.parameters, entry.parameters, f"outputs[{index}].parameters")
        contents.write(output.view(), datatype_of(output), entry.contents)
    return message


def _head(
    response: InferResponse, outputs: Sequence[InferOutput], raws: Sequence[binary.Buffer], id: str
) -> ModelInferResponse:
    """All but the raw contents."""
    message = _empty(response, id)
    for index, (output, raw) in enumerate(zip(outputs, raws, strict=True)):
        entry = message.outputs.add(name=output.name, datatype=output.datatype, shape=output.shape)
        if output.parameters:
            parameters.write(output.parameters, entry.parameters, f"outputs[{index}].parameters")
        entry.parameters[BINARY_SIZE].int64_param = len(raw)
    return message


def _empty(response: InferResponse, id: str) -> ModelInferResponse:
    message = ModelInferResponse(model_name=response.model_name, id=id)
    if response.model_version:
        message.model_version = response.model_version
    if response.parameters:
        parameters.write(response.parameters, message.parameters, "parameters")
    return message


_DATATYPES = dict(Datatype.__members__)


def datatype_of(tensor: Tensor) -> Datatype:
    """InvalidInput for none of the protocol's."""
    datatype = _DATATYPES.get(tensor.datatype)
    if datatype is None:
        raise InvalidInput(f"tensor {tensor.name}: expected one of {', '.join(Datatype)}, got {tensor.datatype!r}")
    return datatype


def read(body: bytes) -> InferResponse:
    """A serialised message as a response. Malformed when it is none."""
    try:
        return from_message(ModelInferResponse.FromString(body))
    except DecodeError as error:
        raise Malformed(f"expected a serialised inference.ModelInferResponse: {error}") from error


def from_message(message: ModelInferResponse) -> InferResponse:
    """The message's values; arrays lie in the message's own bytes where their type allows, and are read-only then."""
    raw = message.raw_output_contents
    if raw and len(raw) != len(message.outputs):
        raise InvalidInput(
            f"raw_output_contents: expected {len(message.outputs)} entries, one an output, got {len(raw)}"
        )
    return InferResponse(
        message.id or None,
        message.model_name,
        [
            _output(entry, raw[index] if raw else None, f"outputs[{index}]")
            for index, entry in enumerate(message.outputs)
        ],
        message.model_version or None,
        from_grpc=True,
        parameters=parameters.read(message.parameters, "parameters"),
        use_binary_outputs=bool(raw),
    )


def _output(entry: ModelInferResponse.InferOutputTensor, raw: bytes | None, where: str) -> InferOutput:
    datatype = _DATATYPES.get(entry.datatype)
    if datatype is None:
        raise InvalidInput(f"{where}.datatype: expected one of {', '.join(Datatype)}, got {entry.datatype!r}")
    shape = list(entry.shape)
    if raw is not None:
        values = binary.array(raw, datatype, shape, f"raw_output_contents of {where}")
    else:
        values = contents.read(entry.contents, datatype, shape, where)
    return InferOutput.decoded(entry.name, datatype, values, parameters.read(entry.parameters, f"{where}.parameters"))
