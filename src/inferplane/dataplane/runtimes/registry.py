"""Model formats by name. A runtime's libraries are imported when its format is asked for, not before."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from inferplane.dataplane.model.model import Model
from inferplane.dataplane.runtimes.files import find_models
from inferplane.dataplane.runtimes.options import DEFAULTS, RuntimeOptions
from inferplane.kernel.errors import InferplaneError


class Runtime(Protocol):
    """A runtime module's model class. `suffixes` are those of the files that it loads."""

    suffixes: Sequence[str]

    def __call__(self, name: str, directory: Path, options: RuntimeOptions = DEFAULTS) -> Model: ...


@dataclass(frozen=True, slots=True)
class Format:
    """`extra` is the distribution's extra that brings the runtime's libraries."""

    module: str
    attribute: str
    extra: str


FORMATS = {
    "sklearn": Format("inferplane.dataplane.runtimes.sklearn", "SKLearnModel", "sklearn"),
    "xgboost": Format("inferplane.dataplane.runtimes.xgboost", "XGBoostModel", "xgboost"),
    "lightgbm": Format("inferplane.dataplane.runtimes.lightgbm", "LightGBMModel", "lightgbm"),
    "onnx": Format("inferplane.dataplane.runtimes.onnx", "ONNXModel", "onnx"),
    "mlflow": Format("inferplane.dataplane.runtimes.mlflow", "MLflowModel", "mlflow"),
    "pmml": Format("inferplane.dataplane.runtimes.pmml", "PMMLModel", "pmml"),
    "paddle": Format("inferplane.dataplane.runtimes.paddle", "PaddleModel", "paddle"),
    "pytorch": Format("inferplane.dataplane.runtimes.pytorch", "PyTorchModel", "pytorch"),
    "huggingface": Format("inferplane.dataplane.runtimes.huggingface.runtime", "huggingface", "huggingface"),
    "tensorflow": Format("inferplane.dataplane.runtimes.tensorflow", "TensorFlowModel", "tensorflow"),
}


class UnknownFormat(InferplaneError):
    pass


class RuntimeNotInstalled(InferplaneError):
    pass


def runtime(format: str) -> Runtime:
    """The model class for `format`, imported now."""
    known = FORMATS.get(format)
    if known is None:
        raise UnknownFormat(f"no runtime for the model format {format!r}", fix=f"use one of {', '.join(FORMATS)}")
    try:
        module = import_module(known.module)
    except ImportError as error:
        raise RuntimeNotInstalled(
            f"the {format} runtime cannot be imported: {error}", fix=f"pip install 'inferplane[{known.extra}]'"
        ) from error
    return cast(Runtime, getattr(module, known.attribute))


def models(format: str, name: str, directory: Path, options: RuntimeOptions = DEFAULTS) -> list[Model]:
    """The models to serve from `directory`: the one in it, or, when only its sub-directories hold model files, one for
    each of these, named after it (KServe's repository mode)."""
    made = runtime(format)
    found = find_models(directory, made.suffixes)
    return [made(found_name or name, path, options) for found_name, path in found]
