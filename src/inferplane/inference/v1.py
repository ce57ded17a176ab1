"""V1 (TensorFlow Serving's row form as KServe speaks it): `{"instances": [...]}` → payload; result → bytes."""

import base64
from collections.abc import Mapping
from typing import TypeAlias, cast

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
    lists = arrays.brackets(body)
    return {key: _member(key, arrays.at(root, key), lists) for key in root.keys()}  # noqa: SIM118  # a view without __iter__


def _member(key: str, value: object, lists: int) -> "Json | Array":
    if key in ROW_KEYS and arrays.is_array(value):
        return arrays.rows(value, key, lists)
    return arrays.plain(value)


def rows_of(payload: object) -> "Array | list[Json]":
    """The rows of a payload; InvalidInput when there are none or they are not a list."""
    if not isinstance(payload, dict):
        raise InvalidInput('expected a JSON object with "instances" or "inputs"')
    for key in ROW_KEYS:
        if key in payload:
            rows = payload[key]
            if isinstance(rows, np.ndarray):
                return rows
            if isinstance(rows, dict) and key == "inputs":
                rows = _rows_of_columns(rows)
            if isinstance(rows, list):
                return _without_base64(rows, key)
            raise InvalidInput(f'Expected "{key}" to be a list')
    raise InvalidInput(f'expected "instances" or "inputs" in the request, got {", ".join(payload) or "no keys"}')


def _rows_of_columns(columns: "dict[str, Json]") -> Json:
    """TensorFlow Serving's columnar form: the one tensor that there is, or as many records as the columns are long."""
    values = list(columns.values())
    if len(values) == 1 and isinstance(values[0], list) and values[0] and isinstance(values[0][0], list):
        return values[0]
    lengths = {name: len(value) if isinstance(value, list) else None for name, value in columns.items()}
    if not lengths or None in lengths.values() or len(set(lengths.values())) > 1:
        raise InvalidInput(f"inputs: expected a list for each column, all of one length, got {lengths}")
    return [dict(zip(columns, row, strict=True)) for row in zip(*cast(list[list[Json]], values), strict=True)]


def _without_base64(rows: "list[Json]", key: str) -> "list[Json]":
    """Values `{"b64": text}` as the bytes that they stand for, in rows and one level below."""
    if not any(isinstance(row, dict) for row in rows):
        return rows
    # The payloads of models may hold bytes; JSON itself has none.
    return cast(list[Json], [_row(row, f"{key}[{index}]") for index, row in enumerate(rows)])


def _row(row: Json, where: str) -> object:
    if not isinstance(row, dict):
        return row
    if row.keys() == _BASE64:
        return _decoded(row["b64"], where)
    return {name: _cell(value, f"{where}.{name}") for name, value in row.items()}


def _cell(value: Json, where: str) -> object:
    return _decoded(value["b64"], where) if isinstance(value, dict) and value.keys() == _BASE64 else value


_BASE64 = {"b64"}


def _decoded(text: Json, where: str) -> bytes:
    try:
        return base64.b64decode(cast(str, text), validate=True)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"{where}.b64: expected base64 text: {error}") from error


def write(result: object) -> bytes:
    """A model's result as JSON: numpy values as numbers, NaN and infinities as null."""
    try:
        return orjson.dumps(result, default=_plain, option=_OPTIONS)
    except (TypeError, RecursionError) as error:
        if nested_deeply(result):
            raise InvalidInput(f"lists and objects are nested more than {DEPTH} deep") from error
        raise InferenceError(f"the model's result cannot be written as JSON: {error}") from error


DEPTH = 200


def nested_deeply(value: object) -> bool:
    """Whether lists and objects go deeper than JSON can be written."""
    level: list[object] = [value]
    for _ in range(DEPTH):
        inner = [item for item in level if isinstance(item, list | dict)]
        level = [child for item in inner for child in (item if isinstance(item, list) else item.values())]
        if not level:
            return False
    return True


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
