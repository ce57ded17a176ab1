"""What users hold (arrays, lists, data frames) ↔ requests and answers. Pure; knows pandas by its shape only."""

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeAlias, TypeGuard, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from inferplane.inference import binary
from inferplane.inference.datatypes import Datatype, datatype_of
from inferplane.inference.errors import InvalidInput
from inferplane.inference.tensors import (
    BINARY_SIZE,
    Array,
    InferInput,
    InferRequest,
    InferResponse,
    Parameters,
    RequestedOutput,
)
from inferplane.kernel.json import Json


@runtime_checkable
class Frame(Protocol):
    """A pandas.DataFrame, as far as it is used here."""

    @property
    def columns(self) -> Sequence[object]: ...
    def __getitem__(self, column: object) -> "Column": ...
    def to_dict(self, orient: str) -> list[dict[str, object]]: ...


class Column(Protocol):
    def to_numpy(self) -> Array: ...


Rows: TypeAlias = "Array | Sequence[Json] | Frame"
Inputs: TypeAlias = "Mapping[str, Array | Sequence[object]] | Frame | Sequence[InferInput]"


def is_frame(value: object) -> TypeGuard[Frame]:
    return hasattr(value, "columns") and hasattr(value, "to_dict") and not isinstance(value, np.ndarray)


def instances(rows: Rows) -> dict[str, object]:
    """V1's body. A data frame becomes one record a row."""
    if is_frame(rows):
        return {"instances": rows.to_dict(orient="records")}
    if isinstance(rows, np.ndarray):
        return {"instances": rows if _plain(rows) else rows.tolist()}
    return {"instances": rows}


def _plain(rows: Array) -> bool:
    return rows.dtype.kind in "biuf" and rows.flags.c_contiguous and rows.dtype.isnative


def predictions(answer: Mapping[str, Json], rows: Rows) -> object:
    """What came back: an array for rows in an array or a frame, the JSON values for rows in a list."""
    found = answer.get("predictions", dict(answer))
    if isinstance(rows, np.ndarray) or is_frame(rows):
        return np.asarray(found)
    return found


def request(
    model: str,
    inputs: Inputs,
    *,
    outputs: Sequence[str] | None = None,
    parameters: Parameters | None = None,
    binary_data: bool | None = None,
    request_id: str | None = None,
    version: str | None = None,
) -> InferRequest:
    """A V2 request. By default arrays travel as bytes, both ways, and lists as JSON; a frame is one input a column."""
    tensors, frame = _tensors(inputs, binary_data)
    own: dict[str, bool | int | float | str] = {"content_type": "pd"} if frame else {}
    as_bytes = any(tensor.raw_data is not None for tensor in tensors) if binary_data is None else binary_data
    if as_bytes:
        own["binary_data_output"] = True
    wanted = None if outputs is None else [RequestedOutput(name, {"binary_data": as_bytes}) for name in outputs]
    return InferRequest(
        model,
        tensors,
        request_id,
        parameters={**own, **(parameters or {})} or None,
        request_outputs=wanted,
        model_version=version,
    )


def _tensors(inputs: Inputs, binary_data: bool | None) -> tuple[list[InferInput], bool]:
    if is_frame(inputs):
        # A column of text travels as JSON unless told otherwise: it reads back as text.
        return [_input(str(name), inputs[name].to_numpy(), binary_data) for name in inputs.columns], True
    if isinstance(inputs, Mapping):
        return [_input(name, value, binary_data) for name, value in inputs.items()], False
    return list(cast(Sequence[InferInput], inputs)), False


def _input(name: str, value: "Array | Sequence[object]", binary_data: bool | None) -> InferInput:
    values = value if isinstance(value, np.ndarray) else np.asarray(value)
    datatype = datatype_of(values.dtype)
    if datatype is None:
        raise InvalidInput(
            f"input {name}: numpy's {values.dtype} has no datatype in the protocol",
            fix="convert it, for example to float32",
        )
    tensor = InferInput(name, list(values.shape), datatype)
    as_bytes = isinstance(value, np.ndarray) and datatype != Datatype.BYTES if binary_data is None else binary_data
    if as_bytes or datatype == Datatype.FP16:
        tensor.raw_data = binary.raw(values, datatype)
        tensor.parameters = {BINARY_SIZE: len(tensor.raw_data)}
    else:
        tensor.data = values
    return tensor


def arrays(response: InferResponse) -> dict[str, Array]:
    """Name → array, in the answer's order. BYTES are `str` when all of them are UTF-8."""
    return {output.name: _readable(output.as_numpy(), output.datatype) for output in response.outputs}


def _readable(values: Array, datatype: str) -> Array:
    if datatype != Datatype.BYTES:
        return values
    text: NDArray[np.object_] = np.empty(values.size, dtype=np.object_)
    text[:] = binary.text(values)
    return text.reshape(values.shape)


def frame(response: InferResponse) -> Frame:
    """One column an output; one a column of it where it has two dimensions (`name-0`, `name-1`, …)."""
    from pandas import DataFrame  # type: ignore[import-untyped]  # optional, and typed only by a stub package

    columns: dict[str, Array] = {}
    for name, values in arrays(response).items():
        if values.ndim <= 1:
            columns[name] = values
        else:
            flat = values.reshape(len(values), -1)
            columns.update({f"{name}-{index}": flat[:, index] for index in range(flat.shape[1])})
    return cast(Frame, DataFrame(columns))
