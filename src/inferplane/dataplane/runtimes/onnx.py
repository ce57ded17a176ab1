"""ONNX models, run by ONNX Runtime: tensors by name in, tensors by name out, in the types that the graph declares.

V1 with one input: rows as they are; with several: records, one value (or list) an input. `inputs` may also be an object
of whole tensors. V1 answers `predictions`: the output, or one record a row when there are several.
V2: one tensor an input; a sole input may have any name. Numbers are converted where no value changes by more than
rounding. A sequence of maps (probabilities by class, as converters of scikit-learn make) is a list of objects in V1,
and a tensor with a column a key in V2.

A session is called by its plain `run`: 25 µs for 1x3x224x224 against 44 µs with an I/O binding, 5.7 against 11.8 µs for
64 numbers (onnxruntime 1.32).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, TypeAlias, cast

import numpy as np
import onnxruntime  # type: ignore[import-untyped]  # published without type information

from inferplane.dataplane.model.rows import RowModel
from inferplane.dataplane.runtimes import tables
from inferplane.dataplane.runtimes.single_file import SingleFileModel, one_line
from inferplane.inference import v1
from inferplane.inference.datatypes import NUMPY, Datatype
from inferplane.inference.errors import InferenceError, InvalidInput, ModelLoadError
from inferplane.inference.tensors import Array, InferRequest, InferResponse, TensorMetadata, output
from inferplane.kernel.json import Json

Maps: TypeAlias = list[dict[int | str, float]]
Feeds: TypeAlias = dict[str, Array]

_DATATYPES: dict[str, Datatype] = {
    "bool": Datatype.BOOL,
    "uint8": Datatype.UINT8,
    "uint16": Datatype.UINT16,
    "uint32": Datatype.UINT32,
    "uint64": Datatype.UINT64,
    "int8": Datatype.INT8,
    "int16": Datatype.INT16,
    "int32": Datatype.INT32,
    "int64": Datatype.INT64,
    "float16": Datatype.FP16,
    "float": Datatype.FP32,
    "double": Datatype.FP64,
    "string": Datatype.BYTES,
}
_TENSOR = re.compile(r"tensor\((\w+)\)")
_MAPS = re.compile(r"seq\(map\(\w+,tensor\((\w+)\)\)\)")
_CPU = "CPUExecutionProvider"


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output of the graph. -1 in `shape` is any size; `sizes` has the names of such sizes, else None."""

    name: str
    datatype: Datatype
    shape: tuple[int, ...]
    sizes: tuple[str | None, ...]

    @property
    def batch(self) -> str | None:
        """The name of the number of rows."""
        return self.sizes[0] if self.sizes else None


class ONNXModel(SingleFileModel, RowModel):
    suffixes: ClassVar = (".onnx",)

    _session: onnxruntime.InferenceSession | None = None
    _takes: Mapping[str, Port] = {}
    _gives: Mapping[str, Port] = {}

    @property
    def library(self) -> str:
        return f"onnxruntime {onnxruntime.__version__}"

    def read(self, file: Path) -> None:
        self._session = session = _session(file, _providers(self.options.providers, file), self.options.nthread)
        self._takes = {port.name: port for port in (_port(file, node, _TENSOR) for node in session.get_inputs())}
        self._gives = {port.name: port for port in (_port(file, node) for node in session.get_outputs())}
        self.inputs = [TensorMetadata(port.name, port.datatype, list(port.shape)) for port in self._takes.values()]
        self.outputs = [TensorMetadata(port.name, port.datatype, list(port.shape)) for port in self._gives.values()]

    def forget(self) -> None:
        self._session = None

    @property
    def joins_requests(self) -> bool:
        """Whether all inputs and outputs have the same number of rows, by the name that the graph gives to it."""
        batches = {port.batch for port in [*self._takes.values(), *self._gives.values()]}
        return len(batches) == 1 and None not in batches

    @property
    def is_exact(self) -> bool:
        """A graph does not tell whether it treats each row alone; the operator does, by setting a batch size."""
        return False

    def rows(self, payload: object) -> Feeds:
        return self._feeds(payload)

    def predict_rows(self, rows: object) -> Feeds:
        """Rows are the graph's inputs by name, the answer its outputs; maps are in an array of objects, one a row."""
        assert self._session is not None
        names = list(self._gives)
        try:
            found = cast("Sequence[Array | Maps]", self._session.run(names, rows))
        except _INVALID as error:
            raise InvalidInput(_reason(error)) from error
        except Exception as error:
            raise InferenceError(_reason(error)) from error
        return {name: _as_array(value) for name, value in zip(names, found, strict=True)}

    def result(self, payload: object, predicted: Feeds) -> object:
        if isinstance(payload, InferRequest):
            outputs = [output(name, _as_tensor(value)) for name, value in predicted.items()]
            return InferResponse(None, self.name, outputs)
        if len(predicted) == 1:
            return {"predictions": next(iter(predicted.values()))}
        lengths = {len(value) if value.ndim else -1 for value in predicted.values()}
        if lengths == {-1} or len(lengths) > 1:
            return {"outputs": predicted}
        return {"predictions": [{n: v[row] for n, v in predicted.items()} for row in range(lengths.pop())]}

    def _feeds(self, payload: object) -> Feeds:
        given, what = _tensors_of(payload), "input"
        if given is None:
            rows = v1.rows_of(payload)
            records = None if isinstance(rows, np.ndarray) else tables.records_of(rows)
            if records is None:
                return {self._only().name: _fed(self._only(), rows, "instances")}
            given = _stacked(records)
        if len(given) == len(self._takes) == 1 and isinstance(payload, InferRequest):
            given = {self._only().name: next(iter(given.values()))}
        unknown = [name for name in given if name not in self._takes]
        missing = [name for name in self._takes if name not in given]
        if unknown or missing:
            told = [f"{what} {name}: the model has none of that name" for name in unknown]
            told += [f"{what} {name}: missing" for name in missing]
            raise InvalidInput(f"{'; '.join(told)}; the model takes {_described(self._takes)}")
        feeds = {name: _fed(port, given[name], f"input {name}") for name, port in self._takes.items()}
        _check_sizes(self._takes, feeds)
        return feeds

    def _only(self) -> Port:
        if len(self._takes) == 1:
            return next(iter(self._takes.values()))
        raise InvalidInput(
            f"instances: the model takes {len(self._takes)} inputs: {_described(self._takes)}",
            fix='send one object a row, such as {"NAME": VALUE, …}',
        )


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


def _fed(port: Port, values: "Array | Json", where: str) -> Array:
    """The values as the graph wants them: type, then shape."""
    found = _texts(values, where) if port.datatype is Datatype.BYTES else _numbers(port, values, where)
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
        for size, have in zip(ports[name].sizes, array.shape, strict=True):
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
    wanted = NUMPY[port.datatype]
    found = values if isinstance(values, np.ndarray) else _of_list(values, where)
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


def _described(ports: Mapping[str, Port]) -> str:
    return ", ".join(f"{port.name} ({port.datatype} {list(port.shape)})" for port in ports.values())


class _Node:
    """What ONNX Runtime tells of an input or output; an axis without a fixed size has a name, or None."""

    name: str
    type: str
    shape: list[int | str | None]


def _port(file: Path, node: _Node, *forms: re.Pattern[str]) -> Port:
    for form in forms or (_TENSOR, _MAPS):
        found = form.fullmatch(node.type)
        datatype = _DATATYPES.get(found[1]) if found else None
        if datatype is not None:
            if form is _MAPS:
                return Port(node.name, datatype, (-1, -1), (None, None))
            shape = tuple(size if isinstance(size, int) else -1 for size in node.shape)
            return Port(node.name, datatype, shape, tuple(s if isinstance(s, str) else None for s in node.shape))
    raise ModelLoadError(
        f"{file}: {node.name} is of type {node.type}, which V1 and V2 have no form for",
        fix=f"export the model with tensors of {', '.join(sorted(_DATATYPES))}",
    )


def _providers(wanted: Sequence[str], file: Path) -> list[str]:
    """Of the wanted ones all must be there: a model that silently runs on the CPU is slow, not wrong."""
    have = onnxruntime.get_available_providers()
    lacking = [name for name in wanted if name not in have]
    if lacking:
        raise ModelLoadError(
            f"{file}: this onnxruntime {onnxruntime.__version__} has no {', '.join(lacking)}; it has {', '.join(have)}",
            fix="install the onnxruntime build that has it, such as onnxruntime-gpu",
        )
    return list(wanted) or [_CPU]


def _session(file: Path, providers: list[str], nthread: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = nthread
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    # Threads that wait in a loop would take the processor from other pods.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(file), options, providers=providers)
    except Exception as error:
        raise ModelLoadError(f"{file}: cannot be loaded: {_reason(error)}", fix=_advice(error)) from error


def _reason(error: Exception) -> str:
    """ONNX Runtime's message without its code, file and C++ signature."""
    told = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", one_line(error))
    return re.sub(r"(Load model from \S+ failed:)?/\S+:\d+ [^)]*\)( const)? ", "", told)


def _advice(error: Exception) -> str:
    here = f"this is onnxruntime {onnxruntime.__version__}"
    if "version" in str(error):
        return f"{here}; export the model for an older opset or IR version, or serve it with a newer onnxruntime"
    return f"check the file with onnx.checker.check_model ({here})"


_INVALID = onnxruntime.capi.onnxruntime_pybind11_state.InvalidArgument
