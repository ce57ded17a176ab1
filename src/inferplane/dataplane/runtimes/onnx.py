"""ONNX models, run by ONNX Runtime: tensors by name, in the types that the graph declares (see `ports`).

A session is called by its plain `run`: 25 µs for 1x3x224x224 against 44 µs with an I/O binding, 5.7 against 11.8 µs for
64 numbers (onnxruntime 1.32).
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, TypeAlias, cast

import onnxruntime  # type: ignore[import-untyped]  # published without type information

from inferplane.dataplane.runtimes.ports import Feeds, Maps, Port, PortModel
from inferplane.dataplane.runtimes.single_file import SingleFileModel, one_line
from inferplane.inference.datatypes import Datatype
from inferplane.inference.errors import InferenceError, InvalidInput, ModelLoadError
from inferplane.inference.tensors import Array

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
_CPU, _CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"

Provider: TypeAlias = str | tuple[str, dict[str, str]]
"""A name, or one with its settings."""


class ONNXModel(SingleFileModel, PortModel):
    suffixes: ClassVar = (".onnx",)

    _session: onnxruntime.InferenceSession | None = None
    _gives: Mapping[str, Port] = {}

    @property
    def library(self) -> str:
        return f"onnxruntime {onnxruntime.__version__}"

    def read(self, file: Path) -> None:
        have = onnxruntime.get_available_providers()
        wanted = chosen_providers(self.options.providers, self.options.device, have, file)
        self._session = session = _session(file, wanted, self.options.nthread)
        self.takes = {port.name: port for port in (_port(file, node, _TENSOR) for node in session.get_inputs())}
        self._gives = {port.name: port for port in (_port(file, node) for node in session.get_outputs())}
        self.inputs = [port.metadata(Datatype.FP32) for port in self.takes.values()]
        self.outputs = [port.metadata(Datatype.FP32) for port in self._gives.values()]

    def forget(self) -> None:
        self._session = None

    @property
    def joins_requests(self) -> bool:
        """Whether all inputs and outputs have the same number of rows, by the name that the graph gives to it."""
        batches = {port.batch for port in [*self.takes.values(), *self._gives.values()]}
        return len(batches) == 1 and None not in batches

    @property
    def is_exact(self) -> bool:
        """A graph does not tell whether it treats each row alone; the operator does, by setting a batch size."""
        return False

    def run(self, feeds: Feeds) -> "dict[str, Array | Maps]":
        assert self._session is not None
        names = list(self._gives)
        try:
            found = cast("Sequence[Array | Maps]", self._session.run(names, feeds))
        except _INVALID as error:
            raise InvalidInput(_reason(error)) from error
        except Exception as error:
            raise InferenceError(_reason(error)) from error
        return dict(zip(names, found, strict=True))


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


def chosen_providers(wanted: Sequence[str], device: str, have: Sequence[str], file: Path) -> list[Provider]:
    """Those that are named, all of which must be there (a model that silently runs on the CPU is slow, not wrong); else
    those of the device; without one the first GPU where this build has CUDA, then the CPU."""
    kind, _, number = device.partition(":")
    if kind not in ("", "cpu", "cuda") or (number and not number.isdecimal()):
        raise ModelLoadError(f"{file}: the device {device} is not known", fix="--device=cpu, cuda or cuda:NUMBER")
    needed = list(wanted) or ([_CUDA] if kind == "cuda" else [])
    lacking = [name for name in needed if name not in have]
    if lacking:
        raise ModelLoadError(
            f"{file}: this onnxruntime {onnxruntime.__version__} has no {', '.join(lacking)}; it has {', '.join(have)}",
            fix="install the onnxruntime build that has it, such as onnxruntime-gpu",
        )
    if wanted:
        return list(wanted)
    return [(_CUDA, {"device_id": number or "0"}), _CPU] if kind != "cpu" and _CUDA in have else [_CPU]


def _session(file: Path, providers: list[Provider], nthread: int) -> onnxruntime.InferenceSession:
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
