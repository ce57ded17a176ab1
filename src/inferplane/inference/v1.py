"""V1 (TensorFlow Serving's row form as KServe speaks it): `{"instances": [...]}` → payload; result → bytes."""

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
import orjson

from inferplane.inference import arrays, small
from inferplane.inference.errors import InferenceError, InvalidInput, Malformed
from inferplane.inference.tensors import Array
from inferplane.kernel.json import Json

Payload: TypeAlias = "Mapping[str, Json | Array]"

ROW_KEYS = ("inputs", "instances")
"""Where rows are looked for, in this order: `inputs` wins, as in KServe."""

# Naive datetimes are UTC and get an offset; models return dictionaries keyed by class index.
_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NAIVE_UTC | orjson.OPT_NON_STR_KEYS


def read(body: bytes) -> Json:
    """The body as Python objects, as KServe hands it to a model."""
    try:
        return orjson.loads(body)  # type: ignore[no-any-return]  # orjson's stub says Any
    except orjson.JSONDecodeError as error:
        raise Malformed(f"Unrecognized request format: {error}") from error


def read_arrays(body: bytes) -> Payload:
    """The body as an object in which row lists of numbers are numpy arrays."""
    plain = small.rows(body)
    if plain is not None:
        return plain
    root = arrays.parse(body)
    if not arrays.is_object(root):
        raise InvalidInput('expected a JSON object with "instances" or "inputs"')
    return {key: _member(key, root[key]) for key in root.keys()}  # noqa: SIM118  # a view without __iter__


def _member(key: str, value: object) -> "Json | Array":
    if key in ROW_KEYS and arrays.is_array(value):
        return arrays.rows(value, key)
    return arrays.plain(value)


def rows_of(payload: object) -> "Array | list[Json]":
    """The rows of a payload; InvalidInput when there are none or they are not a list."""
    if not isinstance(payload, dict):
        raise InvalidInput('expected a JSON object with "instances" or "inputs"')
    for key in ROW_KEYS:
        if key in payload:
            rows = payload[key]
            if isinstance(rows, list | np.ndarray):
                return rows
            raise InvalidInput(f'Expected "{key}" to be a list')
    raise InvalidInput(f'expected "instances" or "inputs" in the request, got {", ".join(payload) or "no keys"}')


def write(result: object) -> bytes:
    """A model's result as JSON: numpy values as numbers, NaN and infinities as null."""
    try:
        return orjson.dumps(result, default=_plain, option=_OPTIONS)
    except TypeError as error:
        raise InferenceError(f"the model's result cannot be written as JSON: {error}") from error


def _plain(value: object) -> object:
    """What orjson does not take itself: arrays that are not contiguous or hold objects, sets of them, data frames."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, bytes):
        return value.decode()
    to_dict = getattr(value, "to_dict", None)
    if to_dict is not None:
        return to_dict(orient="records")
    raise TypeError(f"{type(value).__name__} is not a JSON value")
