"""V2 over REST, the client's half: InferRequest → bytes, bytes → InferResponse."""

import math
import uuid
from typing import cast

import numpy as np
import orjson

from inferplane.inference import arrays, binary, small
from inferplane.inference.datatypes import BINARY_ONLY, NUMPY, Datatype
from inferplane.inference.errors import InvalidInput
from inferplane.inference.tensors import (
    BINARY_SIZE,
    Array,
    Data,
    InferInput,
    InferOutput,
    InferRequest,
    InferResponse,
    Parameters,
    Tensor,
)
from inferplane.inference.v2 import Tail
from inferplane.kernel.json import Json, JsonObject, list_at

_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NAIVE_UTC


def write_request(request: InferRequest) -> tuple[bytes, int | None]:
    """The body, and the length of its JSON when tensors follow it. Raw inputs travel as bytes, all others as JSON."""
    pieces, length = request_pieces(request, None)
    return b"".join(pieces), length


def request_pieces(request: InferRequest, raw_from: int | None) -> tuple[list[binary.Buffer], int | None]:
    """As `write_request`, without joining the tensors.

    With `raw_from` numbers that take so many bytes travel as bytes too, and then all outputs are asked for so.
    """
    head, tails = _request(request, listed=False, raw_from=raw_from)
    text = orjson.dumps(head, option=_OPTIONS)
    return [text, *tails], len(text) if tails else None


def rest_request(request: InferRequest) -> tuple[dict[str, object] | bytes, int | None]:
    """What KServe's `to_rest` gives: (JSON object of plain lists, None) or (JSON and bytes, length of the JSON)."""
    head, tails = _request(request, listed=True, raw_from=None)
    if not tails:
        return head, None
    text = orjson.dumps(head, option=_OPTIONS)
    return b"".join([text, *tails]), len(text)


def _request(
    request: InferRequest, *, listed: bool, raw_from: int | None
) -> tuple[dict[str, object], list[binary.Buffer]]:
    tails: list[binary.Buffer] = []
    head: dict[str, object] = {
        "id": request.id or _made_up_id(),
        "model_name": request.model_name,
        "inputs": [_input(tensor, request.model_name, tails, listed, raw_from) for tensor in request.inputs],
    }
    if request.request_outputs:
        head["outputs"] = [_named(wanted.name, wanted.parameters) for wanted in request.request_outputs]
    if request.parameters:
        head["parameters"] = plain_parameters(request.parameters)
    if raw_from is not None and tails:
        head["parameters"] = {"binary_data_output": True, **plain_parameters(request.parameters)}
    return head, tails


def _made_up_id() -> str:
    return str(uuid.uuid4())


def _named(name: str, parameters: Parameters | None) -> dict[str, object]:
    return {"name": name, "parameters": plain_parameters(parameters)} if parameters else {"name": name}


def _input(
    tensor: InferInput, model: str, tails: list[binary.Buffer], listed: bool, raw_from: int | None
) -> dict[str, object]:
    described: dict[str, object] = {"name": tensor.name, "shape": tensor.shape, "datatype": tensor.datatype}
    if tensor.is_empty:
        raise InvalidInput(f"'data' field is missing for input '{tensor.name}' for model '{model}'")
    if tensor.raw_data is not None:
        if tensor.data is not None and len(tensor.data):
            raise InvalidInput(
                f"Both 'data' and 'raw_data' fields are set for input '{tensor.name}' for model '{model}'"
            )
        tails.append(tensor.raw_data)
        described["parameters"] = {**plain_parameters(tensor.parameters), BINARY_SIZE: len(tensor.raw_data)}
        return described
    if raw_from is not None and _goes_raw(tensor, raw_from):
        raw = binary.raw(tensor.view(), tensor.datatype)
        tails.append(raw)
        described["parameters"] = {**plain_parameters(tensor.parameters), BINARY_SIZE: len(raw)}
        return described
    if tensor.parameters:
        described["parameters"] = plain_parameters(tensor.parameters)
    if tensor.datatype in BINARY_ONLY:
        raise InvalidInput(
            f"Sending {tensor.datatype} data via JSON is not supported. "
            f"Please use the binary data format for input {tensor.name}"
        )
    described["data"] = _inline(tensor, listed)
    return described


def _goes_raw(tensor: Tensor, least: int) -> bool:
    """Whether it holds numbers that take so many bytes, or that have no form in JSON."""
    if tensor.datatype == Datatype.BYTES or tensor.datatype not in Datatype.__members__:
        return False
    kind = Datatype(tensor.datatype)
    return kind in BINARY_ONLY or math.prod(tensor.shape) * NUMPY[kind].itemsize >= least


def _inline(tensor: Tensor, listed: bool) -> Data | None:
    data = tensor.data
    if not isinstance(data, np.ndarray):
        return data
    if data.dtype.kind in "SUMO":
        return binary.text(data.astype(str) if data.dtype.kind == "M" else data)
    flat: Array = np.ascontiguousarray(data).reshape(-1)
    return cast(list[object], flat.tolist()) if listed else flat.astype(flat.dtype.newbyteorder("="), copy=False)


def plain_parameters(parameters: Parameters | None) -> dict[str, bool | int | float | str]:
    """Parameters as plain values, also those of a gRPC message."""
    plain: dict[str, bool | int | float | str] = {}
    for key, value in (parameters or {}).items():
        choice = getattr(value, "WhichOneof", None)
        plain[key] = getattr(value, choice("parameter_choice")) if choice is not None else value
    return plain


def response_of(answer: JsonObject) -> InferResponse:
    """An answer that is a JSON object already; data stay the lists they are."""
    return _response(answer, [_listed_output(item) for item in list_at(answer, "outputs") if isinstance(item, dict)])


def _listed_output(item: JsonObject) -> InferOutput:
    return InferOutput(
        cast(str, item["name"]),
        cast(list[int], item["shape"]),
        cast(str, item["datatype"]),
        cast(list[object] | None, item.get("data")),
        cast(Parameters | None, item.get("parameters")),
    )


def read_response(body: bytes, json_length: int) -> InferResponse:
    """An answer off the wire. InvalidInput when it does not have V2's form."""
    plain = small.response(body) if json_length == len(body) else None
    if plain is not None:
        return plain
    tail = Tail(body, json_length)
    try:
        root = arrays.parse(body[:json_length])
        if not arrays.is_object(root):
            raise InvalidInput("expected a JSON object as the answer")
        keys = [key for key in root.keys() if key != "outputs"]  # noqa: SIM118  # a view without __iter__
        head = {key: arrays.plain(arrays.at(root, key)) for key in keys}
        outputs = root["outputs"]
        if not arrays.is_array(outputs):
            raise InvalidInput("outputs: expected an array in the answer")
        return _response(head, [_output(item, f"outputs[{index}]", tail) for index, item in enumerate(outputs)])
    except KeyError as error:
        raise InvalidInput(f"the answer has no {error}: expected V2's form") from error


def _response(head: JsonObject, outputs: list[InferOutput]) -> InferResponse:
    return InferResponse(
        cast(str | None, head.get("id")),
        cast(str, head.get("model_name")),
        outputs,
        cast(str | None, head.get("model_version")),
        parameters=cast(Parameters | None, head.get("parameters")),
    )


def _output(item: object, where: str, tail: Tail) -> InferOutput:
    if not arrays.is_object(item):
        raise InvalidInput(f"{where}: expected an object in the answer")
    keys = set(item.keys())
    name, datatype = cast(str, item["name"]), cast(str, item["datatype"])
    shape = cast(list[int], arrays.plain(item["shape"]))
    parameters = cast(dict[str, Json] | None, arrays.plain(item["parameters"]) if "parameters" in keys else None)
    found = cast(Parameters | None, parameters)
    if parameters and BINARY_SIZE in parameters and "data" not in keys:
        data = tail.take(parameters[BINARY_SIZE], where)
        return InferOutput.decoded(name, datatype, binary.array(data, datatype, shape, where), found)
    if "data" not in keys:
        raise InvalidInput(f"'data' field is missing for output '{name}'")
    values = item["data"]
    if not arrays.is_array(values) or datatype not in Datatype.__members__:
        return InferOutput(name, shape, datatype, cast(list[object], arrays.plain(values)), found)
    return InferOutput.decoded(name, datatype, arrays.tensor(values, Datatype(datatype), shape, where), found)
