"""What an MLflow model gave → arrays by name, or one array, with a row each; and the answers of V1 and V2.

A data frame and a dictionary go by their names, a series by its own if it has one. V1 answers a list of values, or of
objects where there are names; V2 one tensor a name, else `output-0` or what the signature calls its only output. Texts
are BYTES, and so is whatever has no type in V2, as JSON.
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from pandas import DataFrame, Series  # type: ignore[import-untyped]  # typed only by a stub package

from inferplane.dataplane.runtimes.ports import by_row
from inferplane.inference import v1
from inferplane.inference.tensors import Array, InferResponse, output

Predicted: TypeAlias = "Array | Mapping[str, Array]"


def normal(found: object) -> Predicted:
    if isinstance(found, DataFrame):
        return {str(name): _array(found[name].tolist(), found[name]) for name in found.columns}
    if isinstance(found, Series):
        values = _array(found.tolist(), found)
        return values if found.name is None else {str(found.name): values}
    if isinstance(found, Mapping):
        return {str(name): _array(value, value) for name, value in found.items()}
    return _array(found, found)


def _array(cells: object, values: object) -> Array:
    """`values` as an array where that is one of numbers or dates; `cells` one by one where it is not."""
    dense = getattr(values, "toarray", None)  # scipy's sparse matrices
    found: Array = (
        np.asarray(values if dense is None else dense()) if not isinstance(values, list) else _of_list(values)
    )
    if found.dtype.kind in "biufM" or isinstance(values, np.ndarray):
        return found
    return _of_list(cells) if isinstance(cells, list) else found


def _of_list(cells: "list[object]") -> Array:
    """Numbers, or lists of numbers of one length, as they are; anything else as objects."""
    try:
        found: Array = np.array(cells)
    except ValueError:  # of different lengths
        found = np.array(None)
    if found.dtype.kind in "biuf" and found.ndim:
        return found
    objects = np.empty(len(cells), dtype=object)
    objects[:] = cells
    return objects


def answer(predicted: Predicted) -> object:
    """Of V1."""
    if not isinstance(predicted, Mapping):
        return {"predictions": predicted}
    records = by_row(predicted)
    return {"predictions": predicted if records is None else records}


def response(model: str, predicted: Predicted, declared: Sequence[str]) -> InferResponse:
    """Of V2. `declared` are the outputs' names by the signature."""
    if not isinstance(predicted, Mapping):
        predicted = {declared[0] if len(declared) == 1 else "output-0": predicted}
    return InferResponse(None, model, [output(name, _tensor(values)) for name, values in predicted.items()])


def _tensor(values: Array) -> Array:
    if values.dtype.kind != "O":
        return values
    flat = [value if isinstance(value, str | bytes) else _json(value) for value in values.ravel().tolist()]
    found = np.empty(len(flat), dtype=object)
    found[:] = flat
    return found.reshape(values.shape)


def _json(value: object) -> str:
    """As V1 writes it; a missing value is an empty text."""
    return "" if value is None else v1.write(value).decode()
