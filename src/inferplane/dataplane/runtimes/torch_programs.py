"""PyTorch's three kinds of files, each as one callable on tensors with the names of what it takes and gives.

- `torch.export` programs (`.pt2`): names, types and shapes are recorded; sizes that may vary are -1;
- TorchScript archives (`.pt`): the names of `forward`'s arguments, of any type and shape;
- weights (`.pt`, `.pth`) beside one `.py` file with the class that they fill: the same names. Weights are read with
  PyTorch's own reader that runs nothing; a whole pickled module is refused.

Which kind a file is, is told by what its archive holds, not by its name.
"""

import inspect
import sys
import warnings
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

import torch

from inferplane.dataplane.runtimes.ports import Port
from inferplane.dataplane.runtimes.single_file import one_line
from inferplane.inference.datatypes import Datatype
from inferplane.inference.errors import ModelLoadError

DATATYPES: "dict[torch.dtype, Datatype]" = {
    torch.bool: Datatype.BOOL,
    torch.uint8: Datatype.UINT8,
    torch.int8: Datatype.INT8,
    torch.int16: Datatype.INT16,
    torch.int32: Datatype.INT32,
    torch.int64: Datatype.INT64,
    torch.float16: Datatype.FP16,
    torch.bfloat16: Datatype.BF16,
    torch.float32: Datatype.FP32,
    torch.float64: Datatype.FP64,
}

Call: TypeAlias = Callable[..., object]


@dataclass(frozen=True, slots=True)
class Program:
    """`call` takes the tensors of `takes` in their order. `gives` is empty where the file does not say.

    `floats` is the type that the model computes in: numbers of inputs without a type of their own become it.
    """

    call: Call
    takes: Mapping[str, Port]
    gives: Mapping[str, Port]
    floats: "torch.dtype"


def opened(file: Path, device: "torch.device", class_name: str) -> Program:
    """ModelLoadError says what the file is, or is not."""
    names = _members(file)
    if _is_export(names):
        return _exported(file, device)
    if any(name.endswith("/constants.pkl") for name in names):
        return _scripted(file, device)
    return _eager(file, device, class_name)


def _members(file: Path) -> Sequence[str]:
    """Of the archive; none for files of PyTorch before 1.6, which were plain pickles."""
    try:
        with zipfile.ZipFile(file) as archive:
            return archive.namelist()
    except zipfile.BadZipFile:
        return []


def _is_export(names: Sequence[str]) -> bool:
    return any(name.endswith(("archive_format", "serialized_exported_program.json")) for name in names)


def _exported(file: Path, device: "torch.device") -> Program:
    try:
        program = torch.export.load(file)
        module = program.module().to(device)
    except Exception as error:
        raise ModelLoadError(
            f"{file}: the exported program cannot be loaded: {one_line(error)}",
            fix=f"export it again with torch.export.save (this is torch {torch.__version__})",
        ) from error
    values = {node.name: node.meta["val"] for node in program.graph.nodes if "val" in node.meta}
    takes = {name: _port(name, values[name]) for name in program.graph_signature.user_inputs}
    given = [values.get(name) for name in program.graph_signature.user_outputs]
    gives = {} if None in given else _numbered(given, _keys(program))
    return Program(module, takes, gives, _floats(program.state_dict.values()))


def _keys(program: Any) -> Sequence[str] | None:
    """The keys of a program that gives a dictionary."""
    out = program.call_spec.out_spec
    return [str(key) for key in out.context] if out.type is dict else None


def _numbered(values: Sequence[Any], keys: Sequence[str] | None) -> dict[str, Port]:
    names = keys if keys and len(keys) == len(values) else [f"output-{number}" for number in range(len(values))]
    return {name: _port(name, value) for name, value in zip(names, values, strict=True)}


def _port(name: str, value: Any) -> Port:
    """Of a traced value: sizes that may vary are symbols."""
    sizes = [size if isinstance(size, int) else str(size) for size in value.shape]
    return Port(
        name,
        DATATYPES.get(value.dtype),
        tuple(size if isinstance(size, int) else -1 for size in sizes),
        tuple(size if isinstance(size, str) else None for size in sizes),
    )


def _scripted(file: Path, device: "torch.device") -> Program:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that TorchScript is deprecated concerns who writes the file
            module = torch.jit.load(file, map_location=device).eval()
    except Exception as error:
        raise ModelLoadError(
            f"{file}: the TorchScript archive cannot be loaded: {reason(error)}",
            fix=f"save it again (this is torch {torch.__version__})",
        ) from error
    arguments = module.forward.schema.arguments[1:]
    takes = _named(file, [(one.name, str(one.type), one.has_default_value()) for one in arguments])
    return Program(module, takes, {}, _floats(module.parameters()))


def _eager(file: Path, device: "torch.device", class_name: str) -> Program:
    weights = _weights(file, device)
    found = _class(file, class_name)
    try:
        module = found().to(device).eval()
        module.load_state_dict(weights)
    except Exception as error:
        raise ModelLoadError(
            f"{file}: the weights do not fill {found.__name__} of {found.__module__}.py: {one_line(error)}",
            fix="save the weights of this class, and give its constructor defaults for all of its arguments",
        ) from error
    parameters = inspect.signature(module.forward).parameters.values()
    takes = _named(file, [(one.name, "Tensor", one.default is not inspect.Parameter.empty) for one in parameters])
    return Program(module, takes, {}, _floats(module.parameters()))


def _weights(file: Path, device: "torch.device") -> Mapping[str, Any]:
    try:
        found: object = torch.load(file, map_location=device, weights_only=True)
    except Exception as error:
        raise ModelLoadError(f"{file}: {_unreadable(error)}", fix=_ADVICE) from error
    weights = found.get("state_dict", found) if isinstance(found, dict) else None
    if not isinstance(weights, dict):
        raise ModelLoadError(f"{file}: expected weights by name, found {type(found).__name__}", fix=_ADVICE)
    return weights


_ADVICE = (
    "save the weights (torch.save(model.state_dict(), …)) and put a .py file with the class beside them, or export the "
    "model with torch.export.save"
)


def _unreadable(error: Exception) -> str:
    told = one_line(error)
    if "Unsupported global" in told:
        name = told.partition("GLOBAL ")[2].partition(" ")[0]
        return f"a pickled object, which may run code when it is opened, is not loaded (it wants {name})"
    return f"neither TorchScript, nor an exported program, nor weights: {told[:200]}"


def _class(file: Path, class_name: str) -> Any:
    """The only module class of the only Python file beside the weights, or that of the name."""
    sources = sorted(file.parent.glob("*.py"))
    if len(sources) != 1:
        found = ", ".join(source.name for source in sources) or "none"
        raise ModelLoadError(
            f"{file} holds weights only: expected one .py file with the model's class beside it, found {found}",
            fix=_ADVICE,
        )
    module = _imported(sources[0])
    classes = {name: one for name, one in vars(module).items() if _is_model(one, module)}
    if class_name in classes:
        return classes[class_name]
    if class_name or len(classes) != 1:
        wanted = f"the class {class_name}" if class_name else "one class that is a torch.nn.Module"
        raise ModelLoadError(
            f"{sources[0]}: expected {wanted}, found {', '.join(classes) or 'none'}",
            fix="name it by --model_class_name",
        )
    return next(iter(classes.values()))


def _is_model(one: object, module: ModuleType) -> bool:
    return isinstance(one, type) and issubclass(one, torch.nn.Module) and one.__module__ == module.__name__


def _imported(source: Path) -> ModuleType:
    spec = spec_from_file_location(source.stem, source)
    assert spec is not None  # of a .py file there is always one
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[source.stem] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[source.stem]
        raise ModelLoadError(f"{source}: {type(error).__name__}: {one_line(error)}", fix="mend the file") from error
    return module


def _named(file: Path, arguments: Sequence[tuple[str, str, bool]]) -> dict[str, Port]:
    """Ports of `forward`'s (name, type, has a default); what has a default and is no tensor is left to it."""
    for name, kind, has_default in arguments:
        if kind != "Tensor" and not has_default:
            raise ModelLoadError(
                f"{file}: forward takes {name} of type {kind}; only tensors can be sent",
                fix="wrap the model in one whose forward takes tensors",
            )
    return {
        name: Port(name, None, None) for name, kind, has_default in arguments if kind == "Tensor" and not has_default
    }


def _floats(parameters: Any) -> "torch.dtype":
    return next((one.dtype for one in parameters if one.dtype.is_floating_point), torch.float32)


def reason(error: Exception) -> str:
    """The last line of what PyTorch says: above it is a traceback of the model's own code."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    kind, separator, told = lines[-1].partition(": ")
    return told if separator and kind.endswith("Error") else lines[-1]
