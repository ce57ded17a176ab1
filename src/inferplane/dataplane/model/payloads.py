"""From a request of either protocol to what a predict function takes, and back: KServe's helpers for model authors."""

import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from inferplane.inference import v1
from inferplane.inference.datatypes import Datatype, datatype_of
from inferplane.inference.errors import InvalidInput
from inferplane.inference.tensors import Array, InferOutput, InferRequest, InferResponse

if TYPE_CHECKING:
    from pandas import DataFrame  # type: ignore[import-untyped]  # optional, and typed only by a stub package


def generate_uuid() -> str:
    return str(uuid.uuid4())


def get_predict_input(payload: object, columns: Sequence[str] | None = None) -> "Array | DataFrame | list[str]":
    """The rows of a request: an array, a data frame for records (needs pandas), or the list of its strings.

    V2: with the request parameter `content_type: pd` a data frame with one column an input, else the first input.
    """
    if isinstance(payload, InferRequest):
        return _of_tensors(payload)
    if isinstance(payload, dict):
        return _of_rows(list(v1.rows_of(payload)), columns)
    raise InvalidInput(f"unsupported payload type {type(payload)}")


def _of_rows(rows: list[Any], columns: Sequence[str] | None) -> "Array | DataFrame | list[str]":
    first = rows[0] if rows else None
    if isinstance(first, Mapping) or (isinstance(first, list) and first and isinstance(first[0], Mapping)):
        from pandas import concat

        return concat([_frame(row, columns) for row in rows], axis=0)
    if isinstance(first, str):
        return rows
    try:
        return np.array(rows)
    except ValueError as error:
        raise InvalidInput(f"instances: {error}") from error


def _frame(row: Any, columns: Sequence[str] | None) -> "DataFrame":
    from pandas import DataFrame

    # A record of scalars is one row; pandas by itself would want an index for it.
    scalars = isinstance(row, Mapping) and not any(isinstance(value, list | dict) for value in row.values())
    return DataFrame([row] if scalars else row, columns=None if columns is None else list(columns))


def _of_tensors(request: InferRequest) -> "Array | DataFrame | list[str]":
    if (request.parameters or {}).get("content_type") == "pd":
        return request.as_dataframe()
    if not request.inputs:
        raise InvalidInput("inputs: expected at least one input, got none")
    first = request.inputs[0]
    if (
        first.datatype == Datatype.BYTES
        and first.data is not None
        and len(first.data)
        and isinstance(first.data[0], str)
    ):
        return cast(list[str], first.data)
    return first.as_numpy()


def get_predict_response(payload: object, result: Any, model_name: str) -> dict[str, Any] | InferResponse:
    """The answer to `payload` that carries `result`: an array, a list or a data frame.

    V1: `predictions`, a data frame's rows as objects. V2: `output-0`, or one output a column of a data frame.
    """
    if isinstance(payload, InferRequest):
        return InferResponse(
            payload.id or generate_uuid(),
            model_name,
            _outputs(result, payload.use_binary_outputs),
            use_binary_outputs=payload.use_binary_outputs,
            requested_outputs=payload.request_outputs,
        )
    if isinstance(payload, dict):
        return {"predictions": _rows(result)}
    raise InvalidInput(f"unsupported payload type {type(payload)}")


def _rows(result: Any) -> Any:
    if _is_frame(result):
        return result.to_dict(orient="records")
    return result.tolist() if isinstance(result, np.ndarray) else result


def _outputs(result: Any, binary: bool) -> list[InferOutput]:
    if _is_frame(result):
        return [_output(str(name), result[name].to_numpy(), binary) for name in result.columns]
    return [_output("output-0", result if isinstance(result, np.ndarray) else np.array(result), binary)]


def _output(name: str, values: Array, binary: bool) -> InferOutput:
    datatype = datatype_of(values.dtype)
    if datatype is None:
        raise InvalidInput(f"output {name}: numpy's {values.dtype} has no datatype in the protocol")
    output = InferOutput(name, list(values.shape), datatype)
    output.set_data_from_numpy(values, binary_data=binary)
    return output


def _is_frame(result: object) -> bool:
    """Without importing pandas, which may not be there."""
    return hasattr(result, "columns") and hasattr(result, "to_dict")
