"""What explainers of tables take and give: rows of either protocol in, one explanation a row out."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from inferplane.dataplane.model.payloads import get_predict_input
from inferplane.inference.datatypes import datatype_of
from inferplane.inference.errors import InvalidInput
from inferplane.inference.tensors import Array, InferOutput, InferRequest, InferResponse


def rows_of(payload: object) -> Array:
    """The rows to explain, as a matrix of numbers. V2: of the first input."""
    rows = get_predict_input(payload)
    found = rows if isinstance(rows, np.ndarray) else np.asarray(rows)
    if found.ndim != 2 or found.dtype.kind not in "biuf" or not len(found):
        raise InvalidInput(f"expected rows of numbers to explain, got an array of {found.dtype} in shape {found.shape}")
    return found


def check_width(rows: Array, width: int) -> None:
    if rows.shape[1] != width:
        raise InvalidInput(f"expected {width} numbers in each row, as the explainer's model has, got {rows.shape[1]}")


def answer(
    payload: object, model: str, rows: Sequence[Mapping[str, Any]], common: Mapping[str, Any]
) -> dict[str, Any] | InferResponse:
    """V1: `explanations`, an object a row, with what is `common` to all beside it.

    V2: an output for each key whose values are numbers, rows first; what is common goes into the parameters.
    """
    if not isinstance(payload, InferRequest):
        return {"explanations": [*rows], **common}
    outputs = [found for key in rows[0] if (found := _output(key, [row[key] for row in rows])) is not None]
    parameters = {key: value for key, value in common.items() if isinstance(value, str | int | float)}
    parameters |= {key: ",".join(value) for key, value in common.items() if _is_names(value)}
    return InferResponse(payload.id, model, outputs, parameters=parameters)


def _output(name: str, values: Sequence[Any]) -> InferOutput | None:
    try:
        array = np.asarray(values)
    except ValueError:  # rows of several lengths have no tensor
        return None
    datatype = datatype_of(array.dtype)
    if datatype is None or array.dtype.kind == "O":
        return None
    return InferOutput.decoded(name, datatype, array)


def _is_names(value: object) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(one, str) for one in value)
