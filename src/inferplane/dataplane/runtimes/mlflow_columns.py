"""A signature's columns: their types in V2, and a request's values as these types want them.

MLflow's own conversion would make 2 of 2.5 for a column of whole numbers, and true of any text; here no value changes
by more than rounding, and what does not fit is named. Dates are UTC without saying so, as in MLflow; binary values are
base64 in JSON.
"""

import base64
from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
from mlflow.types import ColSpec, DataType, Schema, TensorSpec
from mlflow.types.schema import Array as ListOf
from pandas import DatetimeIndex, to_datetime  # type: ignore[import-untyped]  # typed only by a stub package

from inferplane.dataplane.runtimes import tables
from inferplane.dataplane.runtimes.ports import Port, fed
from inferplane.dataplane.runtimes.single_file import one_line
from inferplane.inference.datatypes import Datatype, datatype_of
from inferplane.inference.errors import InvalidInput
from inferplane.inference.tensors import Array, TensorMetadata
from inferplane.kernel.json import Json

_DATATYPES = {
    DataType.boolean: Datatype.BOOL,
    DataType.integer: Datatype.INT32,
    DataType.long: Datatype.INT64,
    DataType.float: Datatype.FP32,
    DataType.double: Datatype.FP64,
}
"""Texts, bytes and dates are BYTES."""


def is_plain(column: ColSpec) -> bool:
    """Whether a cell is one value, not a list or an object."""
    return isinstance(column.type, DataType)


def converted(column: ColSpec, values: tables.Column) -> Array:
    """The column as an array [rows]; of objects for texts, bytes, and what is not plain."""
    where = f"column {column.name}"
    if not is_plain(column):
        return _objects(values)
    if column.type in _DATATYPES:
        return fed(Port(column.name, _DATATYPES[column.type], (-1,)), cast("Array | Json", values), where)
    if column.type is DataType.datetime:
        return _dates(values, where)
    return _texts(values, where) if column.type is DataType.string else _bytes(values, where)


def _objects(values: tables.Column) -> Array:
    """Each cell as it is: numpy would make a matrix of cells that are lists."""
    cells = values.tolist() if isinstance(values, np.ndarray) else values
    found = np.empty(len(cells), dtype=object)
    found[:] = cells
    return found


def _texts(values: tables.Column, where: str) -> Array:
    found = tables.texts(_objects(values), where)
    for row, value in enumerate(found.tolist()):
        if value is not None and not isinstance(value, str):
            raise InvalidInput(f"{where}: expected text, got {value!r} in row {row}")
    return found


def _bytes(values: tables.Column, where: str) -> Array:
    cells = _objects(values)
    for row, value in enumerate(cells.tolist()):
        text = value["b64"] if isinstance(value, dict) and value.keys() == {"b64"} else value
        if isinstance(text, bytes) or text is None:
            continue
        try:
            cells[row] = base64.b64decode(text, validate=True)
        except (TypeError, ValueError) as error:
            raise InvalidInput(f"{where}: expected base64 text in row {row}: {error}") from error
    return cells


def _dates(values: tables.Column, where: str) -> Array:
    cells = tables.texts(_objects(values), where)
    try:
        found: Array = DatetimeIndex(to_datetime(cells, utc=True)).tz_localize(None).as_unit("ns").to_numpy()
    except (ValueError, TypeError, OverflowError) as error:
        raise InvalidInput(f"{where}: expected dates such as 2026-11-24T08:00:00: {one_line(error)}") from error
    return found


def metadata(schema: Schema | None, unnamed: str) -> list[TensorMetadata]:
    """For clients: one tensor a column or an input. `unnamed` begins the name of one that has none."""
    return [_described(one, f"{unnamed}-{place}") for place, one in enumerate(schema or ())]


def _described(one: "ColSpec | TensorSpec", unnamed: str) -> TensorMetadata:
    name = unnamed if one.name is None else str(one.name)
    if isinstance(one, TensorSpec):
        return TensorMetadata(name, datatype_of(one.type) or Datatype.BYTES, list(one.shape))
    if isinstance(one.type, ListOf):
        return TensorMetadata(name, _DATATYPES.get(one.type.dtype, Datatype.BYTES), [-1, -1])
    return TensorMetadata(name, _DATATYPES.get(one.type, Datatype.BYTES), [-1])


def ports(schema: Schema) -> dict[str, Port]:
    """The tensors of a signature that has tensors."""
    return {one.name: Port(one.name, Datatype(one.datatype), tuple(one.shape)) for one in metadata(schema, "input")}


def by_place(rows: Sequence[Json], names: Sequence[str], where: str) -> Mapping[str, list[Json]]:
    """Rows of values, or the values of the only column, as columns."""
    if len(names) == 1 and not any(isinstance(row, list) for row in rows):
        return {names[0]: list(rows)}
    for index, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != len(names):
            got = f"{len(row)} values" if isinstance(row, list) else repr(row)
            raise InvalidInput(f"{where}[{index}]: expected {len(names)} values ({', '.join(names)}), got {got}")
    return {name: [cast("list[Json]", row)[place] for row in rows] for place, name in enumerate(names)}
