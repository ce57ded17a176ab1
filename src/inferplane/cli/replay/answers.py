"""An answer as named arrays that can be compared: V1 predictions, V2 outputs (JSON or binary), any other JSON. Pure."""

from collections.abc import Mapping
from typing import TypeAlias, cast

import msgspec
import numpy as np
from google.protobuf.message import DecodeError

from inferplane.cli.replay import grpc_records
from inferplane.cli.replay.records import Answer
from inferplane.inference import v2_client
from inferplane.inference.errors import InvalidInput
from inferplane.inference.tensors import Array, InferResponse
from inferplane.kernel.json import Json

Outputs: TypeAlias = Mapping[str, "Output"]
V2_KEYS = {"outputs", "model_name"}
# What differs from answer to answer and is no part of what the model said.
_IDS = {"id", "batchId", "model_name", "model_version", "created", "request_id", "message"}


class Unreadable(Exception):
    """The body is not what its content type says."""


class Output(msgspec.Struct, frozen=True):
    """`datatype` is V2's, empty where the protocol names none."""

    values: Array
    datatype: str = ""


def outputs_of(answer: Answer) -> Outputs:
    """Name → values. Raises Unreadable."""
    if answer.json_length is not None:
        return _v2(answer)
    if answer.content_type.startswith(grpc_records.CONTENT_TYPE):
        return _grpc(answer)
    if "json" not in answer.content_type:
        return {"body": Output(np.array([answer.body.decode(errors="replace")], dtype=object))}
    try:
        value: Json = msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unreadable(f"not JSON: {error}") from error
    if isinstance(value, dict) and value.keys() >= V2_KEYS:
        return _v2(answer)
    kept = {key: one for key, one in value.items() if key not in _IDS} if isinstance(value, dict) else value
    return _of_json(kept)


def _v2(answer: Answer) -> Outputs:
    length = len(answer.body) if answer.json_length is None else answer.json_length
    try:
        return _named(v2_client.read_response(answer.body, length))
    except (InvalidInput, ValueError) as error:
        raise Unreadable(f"not a V2 answer: {error}") from error


def _grpc(answer: Answer) -> Outputs:
    try:
        return _named(grpc_records.response_of(answer.body))
    except (DecodeError, InvalidInput, ValueError) as error:
        raise Unreadable(f"not a ModelInferResponse: {error}") from error


def _named(response: InferResponse) -> Outputs:
    return {one.name: Output(_texts(one.as_numpy()), one.datatype) for one in response.outputs}


def _texts(values: Array) -> Array:
    """Texts are bytes where they travelled as such."""
    if values.dtype.kind != "O":
        return values
    items: list[object] = values.ravel().tolist()
    made = np.empty(len(items), dtype=object)
    made[:] = [one.decode(errors="replace") if isinstance(one, bytes) else one for one in items]
    return made.reshape(values.shape)


def _of_json(value: Json) -> Outputs:
    """Lists that are tensors stay in shape; of everything else each place in the structure is an output."""
    found: dict[str, Output] = {}
    loose: dict[str, list[object]] = {}
    _walk(value, "", found, loose)
    return found | {name: Output(_loose(items)) for name, items in loose.items()}


def _walk(value: Json, name: str, found: dict[str, Output], loose: dict[str, list[object]]) -> None:
    if isinstance(value, dict):
        for key, one in value.items():
            _walk(one, f"{name}.{key}" if name else key, found, loose)
    elif isinstance(value, list):
        tensor = _tensor(value) if "[]" not in name else None
        if tensor is not None:
            found[name or "body"] = Output(tensor)
            return
        for one in value:
            _walk(one, f"{name}[]", found, loose)
    else:
        loose.setdefault(name or "body", []).append(value)


def _tensor(value: list[Json]) -> Array | None:
    """Numbers, booleans or texts in the shape of a tensor; None for anything else."""
    kinds = _leaves(value)
    if kinds is None or not (len(kinds) == 1 or kinds <= {int, float}):
        return None
    try:
        made = np.array(value, dtype=object if str in kinds else None)
    except (ValueError, OverflowError):
        return None
    return None if made.dtype == object and not _is_flat(made) else cast(Array, made)


def _is_flat(made: Array) -> bool:
    return all(isinstance(one, str) for one in made.ravel())


def _leaves(value: list[Json]) -> set[type] | None:
    """The types of all that is in it; None when there is more than lists, numbers, booleans and texts."""
    found: set[type] = set()
    for one in value:
        inner = _leaves(one) if isinstance(one, list) else {type(one)}
        if inner is None or not inner <= {int, float, bool, str}:
            return None
        found |= inner
    return found or None


def _loose(items: list[object]) -> Array:
    kinds = {type(one) for one in items}
    if kinds <= {int, float}:
        return np.array(items)
    made = np.empty(len(items), dtype=object)
    made[:] = [one if isinstance(one, str) else msgspec.json.encode(one).decode() for one in items]
    return made
