"""Payloads of V1 and V2 → texts, or pairs of texts, as arrays of one row each.

V1 rows are texts, pairs `[text, other]`, or objects `{"text": …}` and `{"text": …, "text_pair": …}`. V2 has one BYTES
tensor of shape [n], [n, 1] or, for pairs, [n, 2]; or two of [n], the second one the pairs' other texts.
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias, cast

import numpy as np

from inferplane.dataplane.runtimes import tables
from inferplane.inference import v1
from inferplane.inference.datatypes import Datatype
from inferplane.inference.errors import InvalidInput
from inferplane.inference.tensors import Array, InferInput, InferRequest
from inferplane.kernel.json import Json

TEXT, PAIR = "text", "text_pair"
Texts: TypeAlias = dict[str, Array]
"""`text`, and for pairs `text_pair`: arrays of str, one a row."""

_FIX = 'send a text, [TEXT, OTHER] or {"text": TEXT, "text_pair": OTHER}'


def texts_of(payload: object) -> Texts:
    if isinstance(payload, InferRequest):
        return _of_tensors(payload.inputs)
    rows = v1.rows_of(payload)
    given = rows.tolist() if isinstance(rows, np.ndarray) else rows
    if not given:
        raise InvalidInput("instances: expected at least one text")
    found = [_row(row, f"instances[{index}]") for index, row in enumerate(given)]
    return _columns(found, "instances")


def arrays(texts: Sequence[str], pairs: Sequence[str] = ()) -> Texts:
    return {TEXT: _array(texts), PAIR: _array(pairs)} if pairs else {TEXT: _array(texts)}


def _row(row: Json, where: str) -> tuple[str, ...]:
    if isinstance(row, Mapping):
        unknown = [name for name in row if name not in (TEXT, PAIR)]
        if unknown or TEXT not in row:
            raise InvalidInput(f"{where}: expected text, and for pairs text_pair, got {', '.join(row)}", fix=_FIX)
        return tuple(_text(row[name], f"{where}.{name}") for name in (TEXT, PAIR) if name in row)
    if isinstance(row, list):
        if len(row) not in (1, 2):
            raise InvalidInput(f"{where}: expected a text or a pair of texts, got {len(row)} values", fix=_FIX)
        return tuple(_text(value, f"{where}[{position}]") for position, value in enumerate(row))
    return (_text(row, where),)


def _text(value: object, where: str) -> str:
    if isinstance(value, bytes):
        return cast(str, tables.texts(np.array([value], dtype=object), where).item(0))
    if not isinstance(value, str):
        raise InvalidInput(f"{where}: expected a text, got {_kind(value)}", fix=_FIX)
    return value


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", type(None): "null", bool: "a boolean"}
    return names.get(type(value), f"the number {value}")


def _columns(rows: Sequence[tuple[str, ...]], where: str) -> Texts:
    sizes = {len(row) for row in rows}
    if len(sizes) > 1:
        raise InvalidInput(f"{where}: expected single texts or pairs, got both", fix="send them in two requests")
    return arrays(*zip(*rows, strict=True))


def _of_tensors(inputs: Sequence[InferInput]) -> Texts:
    if not 0 < len(inputs) < 3:
        names = ", ".join(tensor.name for tensor in inputs) or "none"
        raise InvalidInput(f"inputs: expected one of texts, or two for pairs of them, got {names}")
    columns = [_tensor(tensor) for tensor in inputs]
    if len(columns) == 2:
        if any(column.ndim != 1 for column in columns) or len(columns[0]) != len(columns[1]):
            shapes = ", ".join(f"{tensor.name} {list(tensor.shape)}" for tensor in inputs)
            raise InvalidInput(f"inputs: expected two tensors of one text a row, got {shapes}")
        return {TEXT: columns[0], PAIR: columns[1]}
    [column] = columns
    return {TEXT: column} if column.ndim == 1 else {TEXT: column[:, 0], PAIR: column[:, 1]}


def _tensor(tensor: InferInput) -> Array:
    """Of shape [n], or [n, 2]."""
    where = f"input {tensor.name}"
    if tensor.datatype != Datatype.BYTES:
        raise InvalidInput(f"{where}: expected texts (BYTES), got {tensor.datatype}")
    found = tables.texts(tensor.view(), where)
    if found.ndim == 0 or found.ndim > 2 or (found.ndim == 2 and found.shape[1] not in (1, 2)) or not found.size:
        raise InvalidInput(f"{where}: expected the shape [n], [n, 1] or [n, 2], got {list(found.shape)}")
    for value in found.ravel().tolist():
        _text(value, where)
    return found.reshape(len(found)) if found.ndim == 2 and found.shape[1] == 1 else found


def _array(texts: Sequence[str]) -> Array:
    found: Array = np.empty(len(texts), dtype=object)
    found[:] = texts
    return found
