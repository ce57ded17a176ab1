"""Rows whose columns have names: V1 records and V2 columns → one list or array a column, and those side by side.

V1 records are `{"age": 3, "city": "x"}`, with a list a column (`{"age": [3, 4], …}`, one record for several rows),
or with pandas' index keys (`{"age": {"0": 3}}`). A list of lists of records is read as the records in their order.
V2 columns are tensors of shape [rows] or [rows, 1].
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias, TypeGuard

import numpy as np

from inferplane.inference.errors import InvalidInput
from inferplane.inference.tensors import Array, InferInput, InferRequest
from inferplane.kernel.json import Json

Column: TypeAlias = "Array | list[Json]"
Table: TypeAlias = Mapping[str, Column]
Record: TypeAlias = Mapping[str, Json]

_SHOWN = 60


def is_table(request: InferRequest, known: Sequence[str]) -> bool:
    """Whether each input is one column: `content_type: pd` says so, or all have names of the model's columns."""
    if (request.parameters or {}).get("content_type") == "pd":
        return True
    return len(request.inputs) > 1 and all(tensor.name in known for tensor in request.inputs)


def columns_of_tensors(request: InferRequest) -> dict[str, Column]:
    """The request's inputs as columns by name; texts as str."""
    columns: dict[str, Column] = {tensor.name: _column_of(tensor) for tensor in request.inputs}
    check_lengths(columns, "inputs")
    return columns


def _column_of(tensor: InferInput) -> Array:
    shape = list(tensor.shape)
    values = tensor.view()
    if values.ndim == 0 or values.size != len(values):
        raise InvalidInput(f"input {tensor.name}: expected one column, shape [rows] or [rows, 1], got {shape}")
    flat = values.reshape(len(values))
    return texts(flat, f"input {tensor.name}") if flat.dtype.kind == "O" else flat


def texts(values: Array, where: str) -> Array:
    """Elements of a BYTES tensor as str, whichever wire they came over."""
    try:
        flat = [value.decode() if isinstance(value, bytes) else value for value in values.ravel().tolist()]
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{where}: expected UTF-8, got {_shown(error.object)}") from error
    return np.array(flat, dtype=object).reshape(values.shape)


def single_input(request: InferRequest) -> InferInput:
    """The one tensor of a request that has no columns."""
    if len(request.inputs) == 1:
        return request.inputs[0]
    names = ", ".join(tensor.name for tensor in request.inputs)
    raise InvalidInput(
        f"expected one input, got {len(request.inputs)} ({names})",
        fix='to send one input per column set the request parameter content_type to "pd"',
    )


def records_of(rows: Sequence[Json]) -> list[Record] | None:
    """The rows as records; None when they are something else."""
    if rows and all(isinstance(row, list) and row and isinstance(row[0], dict) for row in rows):
        rows = [record for row in rows if isinstance(row, list) for record in row]
    return rows if _are_records(rows) else None


def _are_records(rows: Sequence[Json]) -> TypeGuard[list[Record]]:
    return bool(rows) and all(isinstance(row, dict) for row in rows)


def columns_of_records(records: Sequence[Record], *, ragged: bool = False) -> dict[str, Column]:
    """One list a column. `ragged` allows records without some of the columns: these cells become null."""
    names = list(dict.fromkeys(name for record in records for name in record)) if ragged else list(records[0])
    columns: dict[str, list[Json]] = {name: [] for name in names}
    for index, record in enumerate(records):
        if not ragged and record.keys() != columns.keys():
            raise InvalidInput(f"instances[{index}]: expected the columns {', '.join(names)}, got {', '.join(record)}")
        if not record:
            raise InvalidInput(f"instances[{index}]: expected columns, got an empty object")
        cells = {name: _cells(value) for name, value in record.items()}
        check_lengths(cells, f"instances[{index}]")
        size = len(next(iter(cells.values())))
        for name in names:
            columns[name].extend(cells.get(name, [None] * size))
    return {**columns}


def _cells(value: Json) -> list[Json]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else [value]


def check_lengths(columns: Mapping[str, Column], where: str) -> None:
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise InvalidInput(f"{where}: columns differ in length: {lengths}")


def numbers(values: "Column | Sequence[Json]", where: str) -> Array:
    """Values of any nesting as float64 (numbers that are float32 stay so); null is NaN, true is 1."""
    found = values if isinstance(values, np.ndarray) else objects(values, where)
    if found.dtype.kind in "biuf":
        return found if found.dtype in (np.float32, np.float64) else found.astype(np.float64)
    for position, value in np.ndenumerate(found):
        if value is not None and not isinstance(value, int | float):
            at = "".join(f"[{step}]" for step in position)
            raise InvalidInput(f"{where}{at}: expected a number, got {_shown(value)}")
    try:
        return found.astype(np.float64)
    except OverflowError as error:
        raise InvalidInput(f"{where}: {error}") from error


def objects(values: Sequence[Json], where: str) -> Array:
    """Nested lists as an array of objects."""
    try:
        return np.array(values, dtype=object)
    except ValueError as error:  # numpy's words for lists that differ in depth are about numpy
        raise InvalidInput(f"{where}: rows differ in length") from error


def _shown(value: object) -> str:
    text = repr(value.decode(errors="replace") if isinstance(value, bytes) else value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def missing_and_unknown(columns: Table, wanted: Sequence[str]) -> tuple[list[str], list[str]]:
    have = set(wanted)
    return [name for name in wanted if name not in columns], [name for name in columns if name not in have]


def check_columns(columns: Table, wanted: Sequence[str]) -> None:
    """InvalidInput unless the columns are those that the model has, in whatever order."""
    missing, unknown = missing_and_unknown(columns, wanted)
    found = (("missing", missing), ("unknown", unknown))
    complaints = [f"columns are {what}: {', '.join(names)}" for what, names in found if names]
    if complaints:
        raise InvalidInput(f"{'; '.join(complaints)}; the model has {', '.join(wanted)}")
