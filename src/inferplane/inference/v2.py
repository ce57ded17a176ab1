"""V2 (Open Inference Protocol) in JSON: bytes ↔ InferRequest, InferResponse, metadata.

Key order and the nulls of an answer are those that KServe's clients and tests know (`model_name`, `model_version`,
`id`, `parameters`, `outputs`); output data is flat, row-major.
"""

from collections.abc import Sequence
from typing import cast

import numpy as np
import orjson

from inferplane.inference import arrays
from inferplane.inference.datatypes import Datatype
from inferplane.inference.errors import InvalidInput, Malformed
from inferplane.inference.tensors import (
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


def read(body: bytes, model_name: str) -> InferRequest:
    """A request for `model_name` (the URL's; a name in the body is ignored, and so are unknown keys)."""
    root = arrays.parse(body)
    if not arrays.is_object(root):
        raise Malformed("expected a JSON object")
    keys = set(root.keys())
    if "inputs" not in keys:
        raise Malformed("required field is missing", where="inputs")
    return InferRequest(
        model_name,
        _read_inputs(root["inputs"]),
        _id(root["id"]) if "id" in keys else None,
        _parameters(root["parameters"], "parameters") if "parameters" in keys else None,
        _read_requested(root["outputs"]) if "outputs" in keys else None,
    )


def _read_inputs(value: object) -> list[InferInput]:
    if not arrays.is_array(value):
        raise Malformed("expected an array of inputs", where="inputs")
    if not len(value):
        raise InvalidInput("inputs: expected at least one input, got none")
    return [_read_input(item, f"inputs[{index}]") for index, item in enumerate(value)]


def _read_input(value: object, where: str) -> InferInput:
    if not arrays.is_object(value):
        raise Malformed("expected an object", where=where)
    keys = set(value.keys())
    for key in ("name", "shape", "datatype", "data"):
        if key not in keys:
            raise Malformed("required field is missing", where=f"{where}.{key}")
    name = _text(value["name"], f"{where}.name")
    shape = _shape(value["shape"], f"{where}.shape")
    datatype = _datatype(value["datatype"], where, name)
    data = value["data"]
    if not arrays.is_array(data):
        raise Malformed("expected an array", where=f"{where}.data")
    parameters = _parameters(value["parameters"], f"{where}.parameters") if "parameters" in keys else None
    return InferInput(name, shape, datatype, arrays.tensor(data, datatype, shape, f"{where}.data"), parameters)


def _datatype(value: object, where: str, name: str) -> Datatype:
    text = _text(value, f"{where}.datatype").upper()
    if text not in Datatype.__members__:
        raise InvalidInput(f"{where}.datatype: expected one of {', '.join(Datatype)}, got {text}")
    if text == Datatype.FP16:
        raise InvalidInput(
            f"Sending FP16 data via JSON is not supported. Please use the binary data format for input {name}"
        )
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
    return [have[output.name] for output in wanted]


def write(response: InferResponse, request: InferRequest, fallback_id: str) -> bytes:
    """The answer to `request`. `fallback_id` stands in where neither the response nor the request has an id."""
    return orjson.dumps(
        {
            "model_name": response.model_name,
            "model_version": response.model_version,
            "id": response.id or request.id or fallback_id,
            "parameters": response.parameters or None,
            "outputs": [_output(output) for output in select(response, request.request_outputs)],
        },
        option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NAIVE_UTC,
    )


def _output(output: InferOutput) -> dict[str, object]:
    if output.datatype == Datatype.FP16:
        raise InvalidInput(
            f"Sending FP16 data via JSON is not supported. Please use the binary data format for output {output.name}"
        )
    return {
        "name": output.name,
        "shape": output.shape,
        "datatype": output.datatype,
        "parameters": output.parameters or None,
        "data": _flat(output.as_numpy()),
    }


def _flat(values: Array) -> Array | list[object]:
    flat = np.ascontiguousarray(values).ravel()
    if flat.dtype.kind in "SUO":
        return [item.decode() if isinstance(item, bytes) else item for item in flat.tolist()]
    return flat if flat.dtype.isnative else flat.astype(flat.dtype.newbyteorder("="))


def write_metadata(name: str, inputs: Sequence[TensorMetadata], outputs: Sequence[TensorMetadata]) -> bytes:
    """`versions` is null and `platform` empty, as KServe has it."""
    metadata: dict[str, Json] = {
        "name": name,
        "versions": None,
        "platform": "",
        "inputs": [_described(tensor) for tensor in inputs],
        "outputs": [_described(tensor) for tensor in outputs],
    }
    return orjson.dumps(metadata)


def _described(tensor: TensorMetadata) -> Json:
    return {"name": tensor.name, "datatype": tensor.datatype, "shape": list(tensor.shape)}
