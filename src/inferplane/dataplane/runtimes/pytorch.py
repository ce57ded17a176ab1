"""PyTorch models: exported programs, TorchScript, and weights beside their class (see `torch_programs`).

Tensors go by the names of `forward`'s arguments; a model with one input takes it under any name. Where a file does not
say what type an input has, whole numbers stay whole (a model that wants floats gets them when it refuses), and others
become what the weights are. Outputs are named by the keys that the model gives, else `output-0`, `output-1`, ….
A `bfloat16` goes out as FP32, which holds it exactly.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from inferplane.dataplane.runtimes.ports import Feeds, PortModel
from inferplane.dataplane.runtimes.single_file import SingleFileModel
from inferplane.dataplane.runtimes.torch_devices import device_of
from inferplane.dataplane.runtimes.torch_programs import DATATYPES, Program, opened, reason
from inferplane.inference.datatypes import Datatype
from inferplane.inference.errors import InferenceError, InvalidInput
from inferplane.inference.tensors import Array

_OF_DATATYPE = {datatype: dtype for dtype, datatype in DATATYPES.items()}


class PyTorchModel(SingleFileModel, PortModel):
    suffixes: ClassVar = (".pt2", ".pt", ".pth")

    _program: Program | None = None

    @property
    def library(self) -> str:
        return f"torch {torch.__version__}"

    def read(self, file: Path) -> None:
        torch.set_num_threads(self.options.nthread)
        self._device = device_of(self.options.device, file)
        self._program = program = opened(file, self._device, self.options.model_class_name)
        self.takes = program.takes
        unsaid = DATATYPES.get(program.floats, Datatype.FP32)
        self.inputs = [port.metadata(unsaid) for port in program.takes.values()]
        self.outputs = [port.metadata(unsaid) for port in program.gives.values()]

    def forget(self) -> None:
        self._program = None

    @property
    def joins_requests(self) -> bool:
        """Where the file says nothing: by the operator's word alone, for no model is exact."""
        assert self._program is not None
        batches = {port.batch for port in [*self._program.takes.values(), *self._program.gives.values()]}
        return len(batches) == 1 and (None not in batches or all(port.shape is None for port in self.takes.values()))

    @property
    def is_exact(self) -> bool:
        return False

    def run(self, feeds: Feeds) -> dict[str, Array]:
        tensors = [self._tensor(name, feeds[name]) for name in self.takes]
        with torch.inference_mode():
            try:
                found = self._called(tensors)
            except _OWN as error:
                raise InferenceError(reason(error)) from error
            except Exception as error:
                raise _told(error) from error
        return {name: _array(value) for name, value in _by_name(found).items()}

    def _called(self, tensors: "Sequence[torch.Tensor]") -> object:
        assert self._program is not None
        try:
            return self._program.call(*tensors)
        except (RuntimeError, TypeError) as error:
            # JSON has no sign of whether 3 is a float: a model whose file does not say may want the one or the other.
            if not any(word in str(error) for word in _TYPE):
                raise
            floats = [self._as_floats(name, one) for name, one in zip(self.takes, tensors, strict=True)]
            if all(new is old for new, old in zip(floats, tensors, strict=True)):
                raise
            return self._program.call(*floats)

    def _tensor(self, name: str, array: Array) -> "torch.Tensor":
        assert self._program is not None
        if array.dtype.kind not in "biuf":
            raise InvalidInput(f"input {name}: a PyTorch model takes numbers, got {array.dtype}")
        wanted = self.takes[name].datatype
        dtype = _OF_DATATYPE[wanted] if wanted else self._program.floats if array.dtype.kind == "f" else None
        # A copy only where the array may not be written to, which PyTorch's tensors have to be.
        return torch.as_tensor(array if array.flags.writeable else array.copy(), dtype=dtype, device=self._device)

    def _as_floats(self, name: str, tensor: "torch.Tensor") -> "torch.Tensor":
        assert self._program is not None
        unsaid = self.takes[name].datatype is None
        return tensor.to(self._program.floats) if unsaid and not tensor.dtype.is_floating_point else tensor


_TYPE = ("dtype", "scalar type", "Float", "Double", "Half")
_OWN = (torch.OutOfMemoryError, MemoryError)
_INPUT = (
    "shape",
    "size",
    "dtype",
    "dimension",
    "index out of range",
    "scalar type",
    "Guard failed",
    "expected",
    "Expected",
)


def _told(error: Exception) -> Exception:
    """PyTorch has no type for what an input has brought about; its words tell."""
    told = reason(error)
    return InvalidInput(told) if any(word in told for word in _INPUT) else InferenceError(told)


def _by_name(found: object) -> "Mapping[str, torch.Tensor]":
    values = dict(found) if isinstance(found, Mapping) else None
    if values is None:
        several = list(found) if isinstance(found, list | tuple) else [found]
        values = {f"output-{number}": value for number, value in enumerate(several)}
    for name, value in values.items():
        if not isinstance(value, torch.Tensor):
            raise InferenceError(f"output {name}: expected a tensor, the model gave {type(value).__name__}")
    return {str(name): value for name, value in values.items()}


def _array(tensor: "torch.Tensor") -> Array:
    plain = tensor.detach().cpu()
    found: Array = np.asarray(plain.float() if plain.dtype == torch.bfloat16 else plain)
    return found
