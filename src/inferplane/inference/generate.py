"""V2's generate extension: `{"text_input": "…", …}` → InferRequest; an answer's outputs → `{"text_output": "…", …}`.

Keys that the model has as inputs become tensors of their type, all others parameters. A model that does not tell its
inputs gets every key as a tensor whose type is that of the value.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import orjson

from inferplane.inference.datatypes import NUMPY, Datatype
from inferplane.inference.errors import InvalidInput, Malformed
from inferplane.inference.tensors import (
    Array,
    InferInput,
    InferOutput,
    InferRequest,
    InferResponse,
    Parameters,
    TensorMetadata,
)
from inferplane.kernel.json import Json, JsonObject

_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NAIVE_UTC


def read(body: bytes, model_name: str, types: Sequence[TensorMetadata]) -> InferRequest:
    """A request for a model whose inputs are of `types` (none when it does not tell)."""
    root = _object(body)
    known = {kind.name: kind for kind in types}
    inputs: list[InferInput] = []
    parameters: dict[str, bool | int | float | str] = {}
    for key, value in root.items():
        if key == "parameters":
            parameters.update(_parameters(value))
        elif key == "id":
            continue
        elif key in known or not known:
            inputs.append(_tensor(key, value, known.get(key)))
        else:
            parameters.update(_parameters({key: value}))
    if not inputs:
        raise InvalidInput(f"text_input: required field is missing, got {', '.join(root) or 'no keys'}")
    return InferRequest(model_name, inputs, _id(root.get("id")), parameters=parameters or None)


def _object(body: bytes) -> JsonObject:
    try:
        root: Json = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Malformed(f"Unrecognized request format: {error}") from error
    if not isinstance(root, dict):
        raise Malformed("expected a JSON object")
    return root


def _id(value: Json) -> str | None:
    if value is not None and not isinstance(value, str):
        raise Malformed("expected a string", where="id")
    return value or None


def _parameters(value: Json) -> Parameters:
    if not isinstance(value, dict):
        raise Malformed("expected an object", where="parameters")
    found: dict[str, bool | int | float | str] = {}
    for key, item in value.items():
        if not isinstance(item, bool | int | float | str):
            raise Malformed("expected a string, a number or a boolean", where=f"parameters.{key}")
        found[key] = item
    return found


def _tensor(name: str, value: Json, kind: TensorMetadata | None) -> InferInput:
    items = value if isinstance(value, list) else [value]
    datatype = Datatype(kind.datatype) if kind is not None else _datatype(name, items)
    expected = {"O": str, "b": bool}.get(NUMPY[datatype].kind, (int, float))
    if not all(isinstance(item, expected) and (expected is bool or type(item) is not bool) for item in items):
        raise InvalidInput(f"{name}: expected a value of {datatype}, or a list of them")
    shape = [-1] if kind is None else list(kind.shape)
    while shape.count(-1) > 1:
        shape[shape.index(-1)] = 1
    try:
        values: Array = np.array(items, dtype=NUMPY[datatype]).reshape(shape)
    except (OverflowError, ValueError) as error:
        raise InvalidInput(f"{name}: {error}") from error
    return InferInput.decoded(name, datatype, values)


def _datatype(name: str, items: Sequence[Json]) -> Datatype:
    found = {type(item) for item in items}
    for datatype, kinds in _OF_VALUES.items():
        if found and found <= kinds:
            return datatype
    raise InvalidInput(f"{name}: expected a string, a number, a boolean, or a list of one of them")


_OF_VALUES: dict[Datatype, set[type]] = {
    Datatype.BYTES: {str},
    Datatype.BOOL: {bool},
    Datatype.INT64: {int},
    Datatype.FP64: {int, float},
}


def write(response: InferResponse, request: InferRequest) -> bytes:
    """Each output under its name: its value when it has one, else a flat list."""
    answer: dict[str, object] = {"id": response.id or request.id} if response.id or request.id else {}
    answer |= {"model_name": response.model_name, "model_version": response.model_version or "1"}
    answer |= {key: value for key, value in _said(response.parameters).items() if key not in answer}
    answer |= {output.name: _value(output) for output in response.outputs}
    return orjson.dumps(answer, option=_OPTIONS)


def _said(parameters: Parameters | None) -> Mapping[str, object]:
    return parameters or {}


def _value(output: InferOutput) -> object:
    flat = output.view().ravel().tolist()
    values = [item.decode(errors="replace") if isinstance(item, bytes) else item for item in flat]
    return values[0] if len(values) == 1 else values
