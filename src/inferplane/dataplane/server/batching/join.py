"""How the rows of several calls become one, and the answer comes apart again. Pure but for the model's own code.

Two forms of one thing: a `RowModel` says itself what its rows are; a model that sets `max_batch_size` gets requests of
the same form as one, with all their rows in it, and its answer is split by rows.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple, Protocol, TypeAlias, cast

import numpy as np

from inferplane.dataplane.model.model import Headers, Model
from inferplane.dataplane.model.rows import RowModel, Rows
from inferplane.dataplane.server.batching.bodies import common_structure
from inferplane.inference import v1
from inferplane.inference.errors import InferenceError
from inferplane.inference.tensors import Array, InferInput, InferOutput, InferRequest, InferResponse


class Part(NamedTuple):
    """What one call brings to a batch: parts of one kind fit together, one without a kind fits no other."""

    kind: Hashable | None
    rows: int
    values: object


class Joining(Protocol):
    def part(self, prepared: object) -> Part: ...

    def alone(self, prepared: object, part: Part, headers: Headers) -> object:
        """The result for one payload."""
        ...

    def together(self, prepared: Sequence[object], parts: Sequence[Part], headers: Headers) -> list[object]:
        """The results of parts of one kind, in their order. `headers` are those of one of the requests."""
        ...


Predict: TypeAlias = Callable[[object, Headers], object]


class RowJoining:
    """For a `RowModel`. With `inexact` also for one whose answers may differ in the last bits."""

    def __init__(self, model: RowModel, *, inexact: bool) -> None:
        self.model = model
        self.inexact = inexact

    def part(self, prepared: object) -> Part:
        # Asked each time: a model may have loaded another file since.
        model = self.model
        rows = model.rows(prepared)
        return part_of(rows) if model.joins_requests and (self.inexact or model.is_exact) else Part(None, 1, rows)

    def alone(self, prepared: object, part: Part, headers: Headers) -> object:
        return self.model.result(prepared, self.model.predict_rows(part.values))

    def together(self, prepared: Sequence[object], parts: Sequence[Part], headers: Headers) -> list[object]:
        model = self.model
        predicted = model.predict_rows(_stacked([part.values for part in parts]))
        pieces = split(predicted, [part.rows for part in parts])
        return [model.result(payload, piece) for payload, piece in zip(prepared, pieces, strict=True)]


_NUMBERS = "biuf"


def part_of(rows: object) -> Part:
    """Numbers in an array of rows, or arrays with as many rows each, have a kind; anything else has none."""
    if isinstance(rows, np.ndarray):
        if rows.ndim > 1 and rows.dtype.kind in _NUMBERS:
            return Part((rows.dtype.num, rows.shape[1:]), len(rows), rows)
    elif isinstance(rows, Mapping) and rows:
        arrays = cast(Mapping[str, Array], rows)
        sizes = {len(values) if isinstance(values, np.ndarray) and values.ndim else -1 for values in arrays.values()}
        if len(sizes) == 1 and -1 not in sizes:
            kind = tuple((name, values.dtype.str, values.shape[1:]) for name, values in arrays.items())
            return Part(kind, sizes.pop(), rows)
    return Part(None, 1, rows)


def _stacked(parts: Sequence[object]) -> Rows:
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(cast(Sequence[Array], parts))
    named = cast(Sequence[Mapping[str, Array]], parts)
    return {name: np.concatenate([part[name] for part in named]) for name in named[0]}


def split(predicted: Rows, sizes: Sequence[int]) -> list[Rows]:
    """One piece for each size; InferenceError unless there is one answer a row."""
    edges = [0]
    for size in sizes:
        edges.append(edges[-1] + size)
    if isinstance(predicted, Mapping):
        for name, values in predicted.items():
            _one_a_row(values, edges[-1], f"output {name}")
        return [{name: values[a:b] for name, values in predicted.items()} for a, b in pairwise(edges)]
    _one_a_row(predicted, edges[-1], "prediction")
    return [predicted[a:b] for a, b in pairwise(edges)]


def _one_a_row(values: object, rows: int, what: str) -> None:
    found = len(values) if hasattr(values, "__len__") and getattr(values, "shape", True) != () else 0
    if found != rows:
        raise InferenceError(f"{what}: expected one answer for each of {rows} rows, got {found}")


class PayloadJoining:
    """For a model whose own `predict` takes the rows of several requests as one payload.

    `strict`: the author did not say so. Then only rows of one structure meet.
    """

    def __init__(self, predict: Predict, *, strict: bool = False) -> None:
        self._predict = predict
        self._strict = strict

    def part(self, prepared: object) -> Part:
        if isinstance(prepared, InferRequest):
            return _part_of_request(prepared)
        part = _part_of_object(prepared)
        if not self._strict or not isinstance(part.values, list):
            return part
        structure = common_structure(part.values)
        return _ALONE if structure is None else part._replace(kind=(part.kind, structure))

    def alone(self, prepared: object, part: Part, headers: Headers) -> object:
        return self._predict(prepared, headers)

    def together(self, prepared: Sequence[object], parts: Sequence[Part], headers: Headers) -> list[object]:
        sizes = [part.rows for part in parts]
        if isinstance(prepared[0], InferRequest):
            return _responses(self._predict(_request(cast(Sequence[InferRequest], prepared), parts), headers), sizes)
        return _objects(self._predict(_object(cast(Sequence[Mapping[str, object]], prepared)), headers), sizes)


_ALONE = Part(None, 1, None)


def _part_of_object(payload: object) -> Part:
    """V1: an object with nothing but rows in it."""
    if not isinstance(payload, Mapping) or len(payload) != 1:
        return _ALONE
    ((key, rows),) = payload.items()
    if key not in v1.ROW_KEYS:
        return _ALONE
    if isinstance(rows, list):
        return Part((key, "list"), len(rows), rows)
    return _labelled(key, part_of(rows))


def _labelled(label: str, part: Part) -> Part:
    return part if part.kind is None else Part((label, part.kind), part.rows, part.values)


def _object(payloads: Sequence[Mapping[str, object]]) -> dict[str, object]:
    (key,) = payloads[0]
    rows = [payload[key] for payload in payloads]
    if isinstance(rows[0], list):
        return {key: [row for some in cast(list[list[object]], rows) for row in some]}
    return {key: np.concatenate(cast(list[Array], rows))}


def _objects(result: object, sizes: Sequence[int]) -> list[object]:
    if not isinstance(result, Mapping) or list(result) != ["predictions"]:
        raise InferenceError("the answer to a batch must be an object with predictions alone")
    return [{"predictions": piece} for piece in split(cast(Array, result["predictions"]), sizes)]


def _part_of_request(request: InferRequest) -> Part:
    """V2: requests without parameters, which might mean something for all rows."""
    if request.parameters or any(_own_parameters(tensor) for tensor in request.inputs):
        return _ALONE
    return _labelled("v2", part_of({tensor.name: tensor.view() for tensor in request.inputs}))


def _own_parameters(tensor: InferInput) -> bool:
    return any(key != "binary_data_size" for key in tensor.parameters or ())


def _request(requests: Sequence[InferRequest], parts: Sequence[Part]) -> InferRequest:
    stacked = cast(Mapping[str, Array], _stacked([part.values for part in parts]))
    first = requests[0]
    inputs = [InferInput.decoded(tensor.name, tensor.datatype, stacked[tensor.name]) for tensor in first.inputs]
    return InferRequest(first.model_name, inputs)


def _responses(result: object, sizes: Sequence[int]) -> list[object]:
    if not isinstance(result, InferResponse):
        raise InferenceError(f"expected an InferResponse to a batch, got {type(result).__name__}")
    pieces = split({tensor.name: tensor.view() for tensor in result.outputs}, sizes)
    return [_response(result, cast(Mapping[str, Array], piece)) for piece in pieces]


def _response(whole: InferResponse, piece: Mapping[str, Array]) -> InferResponse:
    outputs = [
        InferOutput.decoded(tensor.name, tensor.datatype, piece[tensor.name], tensor.parameters)
        for tensor in whole.outputs
    ]
    return InferResponse(
        None, whole.model_name, outputs, model_version=whole.model_version, parameters=whole.parameters
    )


def joining_of(model: Model, predict: Predict, rows: int, *, inexact: bool, asked: bool = False) -> Joining | None:
    """How requests for `model` run together; None when each runs alone. `rows` is the most in one batch.

    `asked`: the operator says that rows are independent, where the model says nothing.
    """
    if rows < 2 or model.required_response_headers:
        return None
    if isinstance(model, RowModel) and type(model).predict is RowModel.predict:
        return RowJoining(model, inexact=inexact)
    says_so = model.max_batch_size is not None and not isinstance(model, RowModel)
    return PayloadJoining(predict, strict=not says_so) if asked or says_so else None
