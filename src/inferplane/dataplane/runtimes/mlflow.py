"""MLflow models: a directory with an `MLmodel`, of whatever flavour, loaded and called by MLflow itself (pyfunc).

`mlflow_inputs` makes of a request what the model takes, `mlflow_outputs` makes answers of what it gives; the signature
is the metadata. Loading a model runs the code that is in it, as with any pickle.
"""

import logging
import warnings
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import ClassVar

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from inferplane.dataplane.model.rows import RowModel
from inferplane.dataplane.runtimes.single_file import SingleFileModel, one_line
from inferplane.inference import mlmodel
from inferplane.inference.errors import InferenceError, InvalidInput, ModelLoadError
from inferplane.inference.mlmodel import MLmodel, NotAnMLmodel
from inferplane.inference.tensors import InferRequest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what MLflow has to say of type hints in code of its own
    import mlflow
    from mlflow.exceptions import MlflowException
    from mlflow.pyfunc import PyFuncModel

    from inferplane.dataplane.runtimes.mlflow_columns import metadata
    from inferplane.dataplane.runtimes.mlflow_inputs import Call, Inputs
    from inferplane.dataplane.runtimes.mlflow_outputs import Predicted, answer, normal, response

_CLIENTS = frozenset({"BAD_REQUEST", "INVALID_PARAMETER_VALUE"})
"""MLflow's codes of errors that a request has brought about."""

_OF_AUTHORS = "mlflow.pyfunc."
"""Where the loader of models is that their authors wrote in Python, not trained by a library."""


class MLflowModel(SingleFileModel, RowModel):
    suffixes: ClassVar = (mlmodel.FILE,)
    takes_arrays: ClassVar = False

    _model: PyFuncModel | None = None
    _inputs = Inputs(None)
    _of_author = False

    @property
    def library(self) -> str:
        return f"mlflow {mlflow.__version__}"

    def read(self, file: Path) -> None:
        said = _described(file)
        listed = _requirements(file.parent)
        self._model = model = _loaded(file, listed, said)
        self._of_author = said.loader.startswith(_OF_AUTHORS)
        self._inputs = Inputs(model.metadata.signature)
        signature = model.metadata.signature
        self.inputs = metadata(signature.inputs, "input") if signature is not None else []
        self.outputs = metadata(signature.outputs, "output") if signature is not None else []
        self.notes = [_differs(file, name, recorded, have) for name, recorded, have in _others(said.libraries)]

    def forget(self) -> None:
        self._model = None

    @property
    def joins_requests(self) -> bool:
        """By the operator's word alone: a model may look at more than one row, and its sums may depend on others."""
        return True

    @property
    def is_exact(self) -> bool:
        return False

    def rows(self, payload: object) -> object:
        return self._inputs.of(payload)

    def predict_rows(self, rows: object) -> Predicted:
        assert self._model is not None
        call = rows if isinstance(rows, Call) else Call(self._inputs.assembled(rows))  # type: ignore[arg-type]  # from `rows` above
        try:
            if call.params is None:
                return normal(self._model.predict(call.data))
            return normal(self._model.predict(call.data, params=call.params))
        except Exception as error:
            raise self._told(error) from error

    def result(self, payload: object, predicted: Predicted) -> object:
        if isinstance(payload, InferRequest):
            return response(self.name, predicted, [one.name for one in self.outputs])
        return answer(predicted)

    def _told(self, error: Exception) -> Exception:
        """Libraries raise ValueError, and TypeError, for rows that do not fit; an author's TypeError is a mistake."""
        told = one_line(error)
        if isinstance(error, MlflowException):
            clients = error.error_code in _CLIENTS
            return InvalidInput(_shortened(told)) if clients else InferenceError(told)
        if isinstance(error, ValueError) or (isinstance(error, TypeError) and not self._of_author):
            return InvalidInput(told)
        return InferenceError(f"{type(error).__name__} : {told}")


def _shortened(told: str) -> str:
    """Without the whole of the request's data, which MLflow's message begins with."""
    return told.rpartition(". Error: ")[2] if told.startswith("Failed to enforce schema of data") else told


def _described(file: Path) -> MLmodel:
    try:
        said = mlmodel.read(file.read_text())
    except (NotAnMLmodel, UnicodeDecodeError) as error:
        raise ModelLoadError(
            f"{file}: not the description of an MLflow model: {one_line(error)}",
            fix="name the directory that mlflow's save_model, or log_model, wrote",
        ) from error
    if mlmodel.PYFUNC not in said.flavors:
        raise ModelLoadError(
            f"{file}: expected the flavour {mlmodel.PYFUNC}, found {', '.join(said.flavors) or 'none'}",
            fix="save the model by a flavour of MLflow that has it, or as a mlflow.pyfunc.PythonModel",
        )
    return said


def _requirements(directory: Path) -> list[Requirement]:
    file = directory / mlmodel.REQUIREMENTS
    try:
        return mlmodel.requirements(file.read_text()) if file.exists() else []
    except (OSError, UnicodeDecodeError) as error:
        raise ModelLoadError(f"{file}: cannot be read: {one_line(error)}") from error


def _loaded(file: Path, listed: Sequence[Requirement], said: MLmodel) -> PyFuncModel:
    logging.getLogger("mlflow").setLevel(logging.ERROR)  # what it warns of is in our notes
    # A local model's files are linked into the pod's directory; MLflow takes none that are links to elsewhere.
    directory = file.resolve().parent
    try:
        return mlflow.pyfunc.load_model(str(directory), suppress_warnings=True)
    except ModuleNotFoundError as error:
        raise _missing_module(file, error, listed, said) from error
    except Exception as error:
        raise ModelLoadError(
            f"{file}: cannot be loaded: {type(error).__name__}: {one_line(error)}", fix=_advice(error, said)
        ) from error


def _missing_module(
    file: Path, error: ModuleNotFoundError, listed: Sequence[Requirement], said: MLmodel
) -> ModelLoadError:
    module = (error.name or "").partition(".")[0]
    known = {flavor.module: flavor.distribution for flavor in mlmodel.FLAVORS.values()}
    wanted = {canonicalize_name(one.name): str(one) for one in listed}
    wanted = {canonicalize_name(name): f"{name}=={release}" for name, release in said.libraries.items()} | wanted
    asked = wanted.get(canonicalize_name(known.get(module, module)), "")
    lacking = [line for name, line in wanted.items() if _version(name) is None and name not in mlmodel.OURS]
    also = [line for line in lacking if line != asked]
    told = f"{file}: the module {error.name} is not installed" + (f" (the model asks for {asked})" if asked else "")
    if also:
        told += f"; neither are, of its {mlmodel.REQUIREMENTS}, {', '.join(also)}"
    words = " ".join(f"'{line}'" for line in ([asked or module, *also]))
    return ModelLoadError(told, fix=f"install them where the model is served: pip install {words}")


def _advice(error: Exception, said: MLmodel) -> str:
    others = list(_others(said.libraries))
    if others:
        words = " ".join(f"'{name}=={recorded}'" for name, recorded, _ in others)
        found = ", ".join(f"{name} {recorded} (here {have})" for name, recorded, have in others)
        return f"it was saved with {found}; serve it with that: pip install {words}"
    if isinstance(error, FileNotFoundError):
        return "the directory is not whole; save or download it again"
    here = f"this is mlflow {mlflow.__version__}"
    return f"load it with mlflow.pyfunc.load_model where it was saved, and save it again ({here})"


def _others(libraries: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """(library, the version that was recorded, the one that is here) where the minor release is another."""
    found = []
    for name, recorded in libraries.items():
        have = _version(name)
        if have is not None and not _same_minor(recorded, have):
            found.append((name, recorded, have))
    return found


def _version(distribution: str) -> str | None:
    for name in mlmodel.names(distribution):
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return None


def _same_minor(one: str, other: str) -> bool:
    try:
        return Version(one).release[:2] == Version(other).release[:2]
    except InvalidVersion:
        return one == other


def _differs(file: Path, name: str, recorded: str, have: str) -> str:
    return (
        f"{file.name} was saved with {name} {recorded} and this is {have}: its answers may differ; "
        f"serve it with {name}=={recorded}, or save it again"
    )
