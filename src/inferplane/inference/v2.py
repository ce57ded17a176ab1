"""V2 (Open Inference Protocol) over REST, the server's half: bytes ↔ InferRequest, InferResponse, metadata.

Key order and the nulls of an answer are those that KServe's clients and tests know (`model_name`, `model_version`,
`id`, `parameters`, `outputs`); output data is flat, row-major.
"""

from collections.abc import Sequence
from typing import cast

import numpy as np
import orjson

from inferplane.inference import arrays, binary, classification, small
from inferplane.inference.datatypes import BINARY_ONLY, Datatype
from inferplane.inference.errors import InvalidInput, Malformed, refuse_shared_memory
from inferplane.inference.tensors import (
    BINARY_SIZE,
    Array,
    InferInput,
    InferOutput,
    InferRequest,
    InferResponse,
    Parameters,
    RequestedOutput,
    TensorMetadata,
)
from inferplane.kernel.json import Json

_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NAIVE_UTC


def read(body: bytes, model_name: str, json_length: int | None = None) -> InferRequest:
    """A request for `model_name` (the URL's; a name in the body is ignored, and so are unknown keys).

    With `json_length` (the header `Inference-Header-Content-Length`) only so many bytes are JSON; the rest are the
    tensors that say `binary_data_size`, in the order in which they appear.
    """
    plain = small.request(body, model_name) if json_length is None else None
    if plain is not None:
        return plain
    tail = None if json_length is None else Tail(body, json_length)
    text = body if json_length is None else body[:json_length]
    root = arrays.parse(text)
    if not arrays.is_object(root):
        raise Malformed("expected a JSON object")
    keys = set(root.keys())
    if "inputs" not in keys:
        raise Malformed("required field is missing", where="inputs")
    lists = Lists()
    request = InferRequest(
        model_name,
        _read_inputs(root["inputs"], tail, lists),
        _id(root["id"]) if "id" in keys else None,
        parameters=_parameters(root["parameters"], "parameters") if "parameters" in keys else None,
        request_outputs=_read_requested(root["outputs"]) if "outputs" in keys else None,
    )
    outputs = request.request_outputs is not None
    lists.check(arrays.brackets(text, lists.count + outputs) - outputs)
    if tail is not None:
        tail.end()
    return request


def read_raw(body: bytes, model_name: str, types: Sequence[TensorMetadata]) -> InferRequest:
    """A body that is nothing but the one input of the model, whose `types` say what it is. All outputs are wanted so.

    At most one size is open; of several the first is the batch's and 1.
    """
    if len(types) != 1:
        raise InvalidInput(f"a raw binary request is for models with one input that is known; this has {len(types)}")
    wanted = types[0]
    shape = list(wanted.shape)
    if shape.count(-1) > 1 and shape[0] == -1:
        shape[0] = 1
    if shape.count(-1) > 1:
        raise InvalidInput(f"a raw binary request leaves at most one size open; input {wanted.name} has {shape}")
    values = (
        _one_element(body, shape, wanted.name)
        if wanted.datatype == Datatype.BYTES
        else binary.array(body, wanted.datatype, shape, f"input {wanted.name}")
    )
    return InferRequest(
        model_name,
        [InferInput.decoded(wanted.name, wanted.datatype, values)],
        parameters={"binary_data_output": True},
    )


def _one_element(body: bytes, shape: Sequence[int], name: str) -> Array:
    if any(size not in (1, -1) for size in shape):
        raise InvalidInput(f"a raw binary request holds one element of BYTES; input {name} has the shape {list(shape)}")
    element = np.empty(1, dtype=np.object_)
    element[0] = bytes(body)
    return element.reshape([1] * len(shape))


class Lists:
    """The lists that a body must have: inputs, shapes, and data as it is nested. One more hides among the values."""

    def __init__(self) -> None:
        self.count = 1
        self._data: list[tuple[arrays.JsonArray, str]] = []

    def add(self, data: arrays.JsonArray, where: str) -> bool:
        """Counts the lists of an input's shape and data; whether the data is nested."""
        shape = arrays.nesting(data, where)
        self.count += arrays.lists_of(shape) + 1
        self._data.append((data, where))
        return len(shape) > 1

    def add_shape(self) -> None:
        """Of an input without data."""
        self.count += 1

    def check(self, found: int) -> None:
        """`found` may also count brackets in texts and in unknown fields, so that the values themselves decide."""
        if found != self.count:
            for data, where in self._data:
                arrays.unmixed(data, where)


class Tail:
    """The bytes after the JSON of a body, taken tensor by tensor."""

    def __init__(self, body: bytes, json_length: int) -> None:
        if not 0 <= json_length <= len(body):
            raise InvalidInput(
                f"Inference-Header-Content-Length: expected 0 to {len(body)}, the size of the body, got {json_length}"
            )
        self._body = memoryview(body)
        self._at = json_length

    def take(self, size: object, where: str) -> memoryview:
        left = len(self._body) - self._at
        if type(size) is not int or size < 0:
            raise InvalidInput(f"{where}.parameters.binary_data_size: expected a number of bytes, got {size!r}")
        if size > left:
            raise InvalidInput(f"{where}.parameters.binary_data_size: {size} bytes, and {left} are left in the body")
        self._at += size
        return self._body[self._at - size : self._at]

    def end(self) -> None:
        left = len(self._body) - self._at
        if left:
            raise InvalidInput(f"{left} bytes follow the last binary tensor: see binary_data_size of each tensor")


def _read_inputs(value: object, tail: Tail | None, lists: Lists) -> list[InferInput]:
    if not arrays.is_array(value):
        raise Malformed("expected an array of inputs", where="inputs")
    if not len(value):
        raise InvalidInput("inputs: expected at least one input, got none")
    inputs = [_read_input(item, f"inputs[{index}]", tail, lists) for index, item in enumerate(value)]
    if len(inputs) > 1:
        _check_names(inputs)
    return inputs


def _check_names(inputs: Sequence[InferInput]) -> None:
    seen: set[str] = set()
    for index, tensor in enumerate(inputs):
        if tensor.name in seen:
            raise InvalidInput(f"inputs[{index}].name: {tensor.name} is there already")
        seen.add(tensor.name)


def _read_input(value: object, where: str, tail: Tail | None, lists: Lists) -> InferInput:
    if not arrays.is_object(value):
        raise Malformed("expected an object", where=where)
    keys = set(value.keys())
    for key in ("name", "shape", "datatype"):
        if key not in keys:
            raise Malformed("required field is missing", where=f"{where}.{key}")
    name = _text(value["name"], f"{where}.name")
    shape = _shape(value["shape"], f"{where}.shape")
    datatype = _datatype(value["datatype"], where)
    parameters = _parameters(value["parameters"], f"{where}.parameters") if "parameters" in keys else None
    if "data" not in keys:
        if tail is None or parameters is None or BINARY_SIZE not in parameters:
            raise Malformed("required field is missing", where=f"{where}.data")
        lists.add_shape()
        return _read_binary(name, shape, datatype, parameters, where, tail)
    if datatype in BINARY_ONLY:
        raise InvalidInput(
            f"Sending {datatype} data via JSON is not supported. Please use the binary data format for input {name}"
        )
    data = value["data"]
    if not arrays.is_array(data):
        raise Malformed("expected an array", where=f"{where}.data")
    nested = lists.add(data, f"{where}.data")
    values = arrays.tensor(data, datatype, shape, f"{where}.data")
    return InferInput.decoded(name, datatype, values, parameters, nested=nested)


def _read_binary(
    name: str, shape: list[int], datatype: Datatype, parameters: Parameters, where: str, tail: Tail
) -> InferInput:
    values = binary.array(tail.take(parameters[BINARY_SIZE], where), datatype, shape, where)
    if not values.flags.aligned:
        values = values.copy()  # models hand arrays to libraries that take no others; 602 kB cost 0.05 ms
    others = {key: value for key, value in parameters.items() if key != BINARY_SIZE}
    return InferInput.decoded(name, datatype, values, others or None)


def _datatype(value: object, where: str) -> Datatype:
    text = _text(value, f"{where}.datatype").upper()
    if text not in Datatype.__members__:
        raise InvalidInput(f"{where}.datatype: expected one of {', '.join(Datatype)}, got {text}")
    return Datatype(text)


def _shape(value: object, where: str) -> list[int]:
    sizes = value.as_list() if arrays.is_array(value) else None
    if sizes is None or not all(type(size) is int for size in sizes):
        raise Malformed("expected an array of integers", where=where)
    shape = cast(list[int], sizes)
    if any(size < -1 for size in shape) or shape.count(-1) > 1:
        raise InvalidInput(f"{where}: sizes are 0 or more, and at most one is -1, got {shape}")
    return shape


def _id(value: object) -> str | None:
    return None if value is None else _text(value, "id")


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise Malformed("expected a string", where=where)
    return value


def _parameters(value: object, where: str) -> Parameters | None:
    if value is None:
        return None
    if not arrays.is_object(value):
        raise Malformed("expected an object", where=where)
    parameters = value.as_dict()
    for key, item in parameters.items():
        if not isinstance(item, bool | int | float | str):
            raise Malformed("expected a string, a number or a boolean", where=f"{where}.{key}")
    refuse_shared_memory(parameters, where)
    return cast(Parameters, parameters)


def _read_requested(value: object) -> list[RequestedOutput] | None:
    if value is None:
        return None
    if not arrays.is_array(value):
        raise Malformed("expected an array of outputs", where="outputs")
    return [_read_wanted(item, f"outputs[{index}]") for index, item in enumerate(value)]


def _read_wanted(value: object, where: str) -> RequestedOutput:
    if not arrays.is_object(value):
        raise Malformed("expected an object", where=where)
    keys = set(value.keys())
    if "name" not in keys:
        raise Malformed("required field is missing", where=f"{where}.name")
    parameters = _parameters(value["parameters"], f"{where}.parameters") if "parameters" in keys else None
    return RequestedOutput(_text(value["name"], f"{where}.name"), parameters)


def select(response: InferResponse, wanted: Sequence[RequestedOutput] | None) -> Sequence[InferOutput]:
    """The outputs that the request asks for, in its order; all of them when it asks for none."""
    if not wanted:
        return response.outputs
    have = {output.name: output for output in response.outputs}
    for output in wanted:
        if output.name not in have:
            raise InvalidInput(f"Unexpected inference output '{output.name}' for model '{response.model_name}'")
    return [
        classification.classified(have[output.name], output) if classification.is_wanted(output) else have[output.name]
        for output in wanted
    ]


def encode(response: InferResponse, request: InferRequest, fallback_id: str) -> bytes | list[binary.Buffer]:
    """The answer to `request`: JSON or, when it asks for outputs as bytes, the JSON and then each of those.

    An output's own `binary_data` comes before the request's `binary_data_output`.
    """
    if not request.parameters and not request.request_outputs:
        return write(response, request, fallback_id)
    outputs = select(response, request.request_outputs)
    asked = {wanted.name: wanted.binary_data for wanted in request.request_outputs or ()}
    chosen = [_chosen(asked.get(output.name), request.use_binary_outputs) for output in outputs]
    if not any(chosen):
        return _written(response, request, fallback_id, outputs)
    return _with_tail(response, response.id or request.id or fallback_id, outputs, chosen)


def _chosen(own: bool | None, default: bool) -> bool:
    return default if own is None else own


def _with_tail(
    response: InferResponse, id: str | None, outputs: Sequence[InferOutput], chosen: Sequence[bool]
) -> list[binary.Buffer]:
    tails: list[binary.Buffer] = []
    described = []
    for output, as_bytes in zip(outputs, chosen, strict=True):
        if as_bytes:
            raw = output.raw_data if output.raw_data is not None else binary.raw(output.view(), output.datatype)
            tails.append(raw)
            described.append(_described_output(output, {**(output.parameters or {}), BINARY_SIZE: len(raw)}))
        else:
            described.append({**_described_output(output, output.parameters), "data": _inline(output)})
    head: dict[str, object] = {
        "id": id,
        "model_name": response.model_name,
        "model_version": response.model_version,
        "outputs": described,
    }
    if response.parameters:
        head["parameters"] = response.parameters
    return [orjson.dumps(head, option=_OPTIONS), *tails]


def rest_response(response: InferResponse) -> tuple[dict[str, object] | bytes, int | None]:
    """What KServe's `to_rest` gives: (JSON object, None) or (JSON and bytes, length of the JSON)."""
    outputs = select(response, response.requested_outputs)
    asked = {wanted.name: wanted.binary_data for wanted in response.requested_outputs or ()}
    chosen = [_chosen(asked.get(output.name), response.use_binary_outputs) for output in outputs]
    for output in outputs:
        if output.is_empty:
            raise InvalidInput(f"'data' field is missing for output '{output.name}' for model '{response.model_name}'")
    if any(chosen):
        pieces = _with_tail(response, response.id, outputs, chosen)
        return b"".join(pieces), len(pieces[0])
    answer: dict[str, object] = {
        "id": response.id,
        "model_name": response.model_name,
        "model_version": response.model_version,
        "outputs": [{**_described_output(output, output.parameters), "data": _listed(output)} for output in outputs],
    }
    if response.parameters:
        answer["parameters"] = response.parameters
    return answer, None


def _described_output(output: InferOutput, parameters: Parameters | None) -> dict[str, object]:
    described: dict[str, object] = {"name": output.name, "shape": output.shape, "datatype": output.datatype}
    if parameters:
        described["parameters"] = parameters
    return described


def _listed(output: InferOutput) -> object:
    data = _inline(output)
    return data.tolist() if isinstance(data, np.ndarray) else data


def write(response: InferResponse, request: InferRequest, fallback_id: str) -> bytes:
    """The answer to `request` in JSON. `fallback_id` stands in where neither the response nor the request has an id."""
    return _written(response, request, fallback_id, select(response, request.request_outputs))


def _written(response: InferResponse, request: InferRequest, fallback_id: str, outputs: Sequence[InferOutput]) -> bytes:
    return orjson.dumps(
        {
            "model_name": response.model_name,
            "model_version": response.model_version,
            "id": response.id or request.id or fallback_id,
            "parameters": response.parameters or None,
            "outputs": [_output(output) for output in outputs],
        },
        option=_OPTIONS,
    )


def _output(output: InferOutput) -> dict[str, object]:
    return {
        "name": output.name,
        "shape": output.shape,
        "datatype": output.datatype,
        "parameters": output.parameters or None,
        "data": _inline(output),
    }


def _inline(output: InferOutput) -> Array | list[object]:
    """The values as JSON carries them, flat."""
    if output.datatype in BINARY_ONLY:
        raise InvalidInput(
            f"Sending {output.datatype} data via JSON is not supported. "
            f"Please use the binary data format for output {output.name}"
        )
    flat = np.ascontiguousarray(output.view()).ravel()
    if flat.dtype.kind in "SUO":
        return [_element(item, output.name) for item in flat.tolist()]
    return flat if flat.dtype.isnative else flat.astype(flat.dtype.newbyteorder("="))


def _element(item: object, name: str) -> object:
    if not isinstance(item, bytes):
        return item
    try:
        return item.decode()
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"output {name}: an element is not UTF-8 text, which JSON needs", fix="ask for the output as binary data"
        ) from error


def write_metadata(
    name: str, inputs: Sequence[TensorMetadata], outputs: Sequence[TensorMetadata], notes: Sequence[str] = ()
) -> bytes:
    """`versions` is null and `platform` empty, as KServe has it. `notes` are warnings, there when there are any."""
    metadata: dict[str, Json] = {
        "name": name,
        "versions": None,
        "platform": "",
        "inputs": [_described(tensor) for tensor in inputs],
        "outputs": [_described(tensor) for tensor in outputs],
    }
    if notes:
        metadata["parameters"] = {"warning": "; ".join(notes)}
    return orjson.dumps(metadata)


def _described(tensor: TensorMetadata) -> Json:
    return {"name": tensor.name, "datatype": tensor.datatype, "shape": list(tensor.shape)}
