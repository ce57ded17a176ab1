"""Models that take and give tensors by name: how payloads of V1 and V2 become inputs, and outputs answers.

V1 with one input: rows as they are; with several: records, one value (or list) an input. `inputs` may also be an object
of whole tensors. V1 answers `predictions`: the output, or one record a row when there are several.
V2: one tensor an input; a sole input may have any name. Numbers are converted where no value changes by more than
rounding. A sequence of maps (probabilities by class) is a list of objects in V1; in V2 a tensor with a column a key.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, cast

import numpy as np

from inferplane.dataplane.model.rows import RowModel
from inferplane.dataplane.runtimes import tables
from inferplane.inference import v1
from inferplane.inference.datatypes import NUMPY, Datatype
from inferplane.inference.errors import InvalidInput
from inferplane.inference.tensors import Array, InferRequest, InferResponse, TensorMetadata, output
from inferplane.kernel.json import Json

Maps: TypeAlias = Sequence[Mapping[int | str, float]]
Feeds: TypeAlias = dict[str, Array]


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output of a model. -1 in `shape` is any size; `sizes` has the names of such sizes, else None.

    `datatype` None: the model does not say. `shape` None: of any number of dimensions.
    """

    name: str
    datatype: Datatype | None
    shape: tuple[int, ...] | None
    sizes: tuple[str | None, ...] = ()

    @property
    def batch(self) -> str | None:
        """The name of the number of rows."""
        return self.sizes[0] if self.sizes else None

    def metadata(self, unsaid: Datatype) -> TensorMetadata:
        """For clients; where the model says nothing, `unsaid` and rows of any length."""
        return TensorMetadata(self.name, self.datatype or unsaid, list(self.shape if self.shape is not None else (-1,)))

    def __str__(self) -> str:
        shape = "any shape" if self.shape is None else str(list(self.shape))
        return f"{self.name} ({self.datatype or 'any type'} {shape})"


class PortModel(RowModel):
    """`takes` are the inputs by name, in the order of the model's own arguments; known once the model is loaded."""

    takes: Mapping[str, Port] = {}

    @abstractmethod
    def run(self, feeds: Feeds) -> "Mapping[str, Array | Maps]":
        """The outputs by name, of inputs that are as `takes` says. InvalidInput when they do not suit the model."""

    def rows(self, payload: object) -> Feeds:
        return feeds(self.takes, payload)

    def predict_rows(self, rows: object) -> Feeds:
        """The outputs by name; maps are in an array of objects, one a row."""
        return {name: _as_array(value) for name, value in self.run(cast(Feeds, rows)).items()}

    def result(self, payload: object, predicted: Feeds) -> object:
        if isinstance(payload, InferRequest):
            outputs = [output(name, _as_tensor(value)) for name, value in predicted.items()]
            return InferResponse(None, self.name, outputs)
        if len(predicted) == 1:
            return {"predictions": next(iter(predicted.values()))}
        records = by_row(predicted)
        return {"outputs": predicted} if records is None else {"predictions": records}


def by_row(outputs: Mapping[str, Array]) -> list[dict[str, object]] | None:
    """One record a row; None when there are no rows, or not the same number in each."""
    lengths = {len(value) if value.ndim else -1 for value in outputs.values()}
    if lengths == {-1} or len(lengths) != 1:
        return None
    return [{name: value[row] for name, value in outputs.items()} for row in range(lengths.pop())]


def feeds(takes: Mapping[str, Port], payload: object) -> Feeds:
    """What a payload of V1 or V2 brings for each input, checked and converted."""
    given = _tensors_of(payload)
    if given is None:
        rows = v1.rows_of(payload)
        records = None if isinstance(rows, np.ndarray) else tables.records_of(rows)
        if records is None:
            return {_only(takes).name: fed(_only(takes), rows, "instances")}
        given = _stacked(records)
    if len(given) == len(takes) == 1 and isinstance(payload, InferRequest):
        given = {_only(takes).name: next(iter(given.values()))}
    _check_names(takes, given)
    found = {name: fed(port, given[name], f"input {name}") for name, port in takes.items()}
    _check_sizes(takes, found)
    return found


def _check_names(takes: Mapping[str, Port], given: "Mapping[str, Array | Json]") -> None:
    told = [f"input {name}: the model has none of that name" for name in given if name not in takes]
    told += [f"input {name}: missing" for name in takes if name not in given]
    if told:
        raise InvalidInput(f"{'; '.join(told)}; the model takes {described(takes)}")


def _only(takes: Mapping[str, Port]) -> Port:
    if len(takes) == 1:
        return next(iter(takes.values()))
    raise InvalidInput(
        f"instances: the model takes {len(takes)} inputs: {described(takes)}",
        fix='send one object a row, such as {"NAME": VALUE, …}',
    )


def described(ports: Mapping[str, Port]) -> str:
    return ", ".join(map(str, ports.values()))


def _tensors_of(payload: object) -> "Mapping[str, Array | Json] | None":
    """Whole tensors by name; None when the payload has rows."""
    if isinstance(payload, InferRequest):
        if not payload.inputs:
            raise InvalidInput("inputs: expected at least one")
        return {tensor.name: tensor.view() for tensor in payload.inputs}
    inputs = payload.get("inputs") if isinstance(payload, dict) else None
    return cast("dict[str, Array | Json]", inputs) if isinstance(inputs, dict) else None


def _stacked(records: Sequence[tables.Record]) -> dict[str, "Array | Json"]:
    """One list a name, with the records' values as they are: scalars, or lists of the input's own shape."""
    names = list(records[0])
    for index, record in enumerate(records):
        if record.keys() != records[0].keys():
            raise InvalidInput(f"instances[{index}]: expected {', '.join(names)}, got {', '.join(record)}")
    return {name: [record[name] for record in records] for name in names}


def fed(port: Port, values: "Array | Json", where: str) -> Array:
    """The values as the graph wants them: type, then shape."""
    found = _texts(values, where) if port.datatype is Datatype.BYTES else _numbers(port, values, where)
    return fitted(port, found, where)


def fitted(port: Port, found: Array, where: str) -> Array:
    """In the port's shape: a last dimension of 1 may be there or not. InvalidInput where it does not fit."""
    if port.shape is None:
        return np.ascontiguousarray(found)
    if found.ndim == len(port.shape) - 1 and port.shape[-1] in (1, -1):
        found = found.reshape(*found.shape, 1)
    elif found.ndim == len(port.shape) + 1 and found.shape[-1] == 1:
        found = found.reshape(found.shape[:-1])
    fits = found.ndim == len(port.shape) and all(
        size in (-1, have) for size, have in zip(port.shape, found.shape, strict=True)
    )
    if not fits:
        raise InvalidInput(f"{where}: expected the shape {list(port.shape)}, got {list(found.shape)}")
    return np.ascontiguousarray(found)


def _check_sizes(ports: Mapping[str, Port], feeds: Feeds) -> None:
    """A size that the graph names is the same wherever it names it."""
    seen: dict[str, tuple[str, int]] = {}
    for name, array in feeds.items():
        for size, have in zip(ports[name].sizes, array.shape, strict=False):  # no sizes: any shape
            first, expected = seen.setdefault(size, (name, have)) if size else (name, have)
            if have != expected:
                raise InvalidInput(f"input {name}: {size} is {have}, but {expected} in input {first}")


def _texts(values: "Array | Json", where: str) -> Array:
    given = values if isinstance(values, np.ndarray) else tables.objects(cast("list[Json]", values), where)
    found = tables.texts(given, where)
    for value in found.ravel().tolist():
        if not isinstance(value, str):
            raise InvalidInput(f"{where}: expected text, got {value!r}")
    return found


def _numbers(port: Port, values: "Array | Json", where: str) -> Array:
    found = values if isinstance(values, np.ndarray) else _of_list(values, where)
    if port.datatype is None:
        return found if found.dtype.kind in "biuf" else tables.numbers(found, where)
    wanted = NUMPY[port.datatype]
    if found.dtype == wanted:
        return found
    found = found if found.dtype.kind in "biuf" else tables.numbers(found, where)
    with np.errstate(over="ignore", invalid="ignore"):
        cast_to = found.astype(wanted)
    changed = np.isinf(cast_to) & ~np.isinf(found) if wanted.kind == "f" else cast_to != found
    if changed.any():
        at = tuple(int(index) for index in np.argwhere(changed)[0])
        raise InvalidInput(f"{where}: {found[at]} at {list(at)} does not fit {port.datatype}")
    return cast_to


def _of_list(values: Json, where: str) -> Array:
    try:
        found: Array = np.array(values)
    except (ValueError, OverflowError) as error:
        raise InvalidInput(f"{where}: rows differ in length") from error
    return found if found.dtype.kind in "biuf" else tables.numbers(cast("list[Json]", values), where)


def _as_array(value: "Array | Maps") -> Array:
    if isinstance(value, np.ndarray):
        return value
    maps = np.empty(len(value), dtype=object)
    maps[:] = value
    return maps


def _as_tensor(value: Array) -> Array:
    """Maps become a matrix with one column a key."""
    first: object = value.item(0) if value.dtype.kind == "O" and value.size else None
    if not isinstance(first, dict):
        return value
    return np.array([[one[key] for key in first] for one in value.tolist()], dtype=np.float32)
