"""scikit-learn models: one pickle in a directory → predictions over V1 and V2.

V1 rows are lists of numbers or strings, or records (`{"age": 3, "city": "x"}`, also with a list a column). V2 takes
one tensor, or one tensor a column with the request parameter `content_type: pd`. Answers are `predictions`, and
`output-0` with the result's own type.
"""

import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Protocol, cast

import joblib
import numpy as np
import sklearn
from sklearn.exceptions import InconsistentVersionWarning

from inferplane.dataplane.model.rows import RowModel
from inferplane.dataplane.runtimes.files import only_model_file
from inferplane.inference import v1
from inferplane.inference.datatypes import Datatype, datatype_of
from inferplane.inference.errors import InferenceError, InvalidInput, ModelLoadError
from inferplane.inference.tensors import Array, InferRequest, InferResponse, TensorMetadata, output
from inferplane.kernel.json import Json

SUFFIXES = (".joblib", ".pkl", ".pickle")


class Estimator(Protocol):
    def predict(self, rows: object, /) -> object: ...


class SKLearnModel(RowModel):
    """`directory` holds exactly one file with one of SUFFIXES."""

    takes_arrays: ClassVar[bool] = True

    def __init__(self, name: str, directory: Path, *, predict_proba: bool = False) -> None:
        super().__init__(name)
        self.directory = directory
        self.predict_proba = predict_proba
        self._estimator: Estimator | None = None

    def load(self) -> bool:
        file = only_model_file(self.directory, SUFFIXES)
        self._estimator = _unpickled(file)
        # Rows come without column names by design; scikit-learn would say so at every call.
        warnings.filterwarnings("ignore", message="X does not have valid feature names")
        self.ready = True
        return True

    def stop(self) -> None:
        super().stop()
        self._estimator = None

    def rows(self, payload: object) -> object:
        return self._tensor_rows(payload) if isinstance(payload, InferRequest) else self._rows(v1.rows_of(payload))

    def predict_rows(self, rows: object) -> Array:
        method = "predict_proba" if self._gives_probabilities() else "predict"
        try:
            return np.asarray(getattr(self._estimator, method)(rows))
        except (ValueError, TypeError) as error:
            # What scikit-learn raises for rows that do not fit the model: number of columns, types, NaN.
            raise InvalidInput(_one_line(error)) from error
        except Exception as error:
            raise InferenceError(f"{type(error).__name__} : {_one_line(error)}") from error

    def result(self, payload: object, predicted: Array) -> object:
        if isinstance(payload, InferRequest):
            return InferResponse(None, self.name, [output("output-0", predicted)])
        return {"predictions": predicted}

    def get_input_types(self) -> Sequence[TensorMetadata]:
        features = getattr(self._estimator, "n_features_in_", None)
        if not isinstance(features, int):
            return []
        return [TensorMetadata("input-0", Datatype.FP64, [-1, features])]

    def get_output_types(self) -> Sequence[TensorMetadata]:
        classes = getattr(self._estimator, "classes_", None)
        if not isinstance(classes, np.ndarray):
            return []
        if self._gives_probabilities():
            return [TensorMetadata("output-0", Datatype.FP64, [-1, len(classes)])]
        datatype = datatype_of(classes.dtype)
        return [] if datatype is None else [TensorMetadata("output-0", datatype, [-1])]

    def _gives_probabilities(self) -> bool:
        return self.predict_proba and hasattr(self._estimator, "predict_proba")

    def _rows(self, rows: "Array | list[Json]") -> object:
        if isinstance(rows, np.ndarray):
            return rows
        if rows and all(isinstance(row, dict) for row in rows):
            return self._table(_columns_of_records(cast(list[Mapping[str, Json]], rows)))
        if rows and all(isinstance(row, str) for row in rows):
            return rows
        return np.array(rows, dtype=object)

    def _tensor_rows(self, request: InferRequest) -> object:
        if (request.parameters or {}).get("content_type") == "pd":
            return self._table({tensor.name: tensor.as_numpy().ravel().tolist() for tensor in request.inputs})
        if len(request.inputs) > 1:
            names = ", ".join(tensor.name for tensor in request.inputs)
            raise InvalidInput(
                f"expected one input, got {len(request.inputs)} ({names})",
                fix='to send one input per column set the request parameter content_type to "pd"',
            )
        only = request.inputs[0]
        values = only.as_numpy()
        return values.tolist() if only.datatype == Datatype.BYTES and values.ndim == 1 else values

    def _table(self, columns: Mapping[str, Sequence[object]]) -> object:
        """Columns in the order of the model's own names: a data frame where pandas is there, else an array."""
        order = _columns(self._estimator) or list(columns)
        missing = [name for name in order if name not in columns]
        if missing:
            raise InvalidInput(f"columns are missing: {', '.join(missing)}; the model has {', '.join(order)}")
        lengths = {name: len(columns[name]) for name in order}
        if len(set(lengths.values())) > 1:
            raise InvalidInput(f"columns differ in length: {lengths}")
        try:
            from pandas import DataFrame  # type: ignore[import-untyped]  # optional, and typed only by a stub package
        except ModuleNotFoundError:
            return _matrix([columns[name] for name in order])
        return DataFrame({name: columns[name] for name in order})


def _matrix(columns: Sequence[Sequence[object]]) -> Array:
    """The columns side by side: numbers where all are numbers, objects otherwise."""
    sides = [np.asarray(column) for column in columns]
    numeric = all(side.dtype.kind in "biuf" for side in sides)
    return np.column_stack(sides if numeric else [np.array(column, dtype=object) for column in columns])


def _columns_of_records(records: Sequence[Mapping[str, Json]]) -> dict[str, list[Json]]:
    """One list a column. A record's value is one cell, or a list of cells (then all of the record's are)."""
    names = list(records[0])
    columns: dict[str, list[Json]] = {name: [] for name in names}
    for index, record in enumerate(records):
        if record.keys() != columns.keys():
            raise InvalidInput(f"instances[{index}]: expected the columns {', '.join(names)}, got {', '.join(record)}")
        for name, value in record.items():
            columns[name].extend(value if isinstance(value, list) else [value])
    return columns


def _columns(estimator: object) -> list[str] | None:
    names = getattr(estimator, "feature_names_in_", None)
    return [str(name) for name in names] if isinstance(names, np.ndarray) else None


def _unpickled(file: Path) -> Estimator:
    """Whatever goes wrong inside the pickle becomes one line: file, cause, versions, what to do."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", InconsistentVersionWarning)
        try:
            estimator = joblib.load(file)
        except Exception as error:
            raise ModelLoadError(
                f"{file}: cannot be loaded: {type(error).__name__}: {_one_line(error)}",
                fix=_advice(error, _saved_with(caught) or _recorded_version(file)),
            ) from error
    if not hasattr(estimator, "predict"):
        raise ModelLoadError(
            f"{file}: expected a fitted scikit-learn estimator, got {type(estimator).__module__}."
            f"{type(estimator).__qualname__}, which has no predict method",
            fix="save the estimator itself, for example joblib.dump(model, path)",
        )
    return cast(Estimator, estimator)


def _saved_with(caught: Sequence[warnings.WarningMessage]) -> str | None:
    for warning in caught:
        if isinstance(warning.message, InconsistentVersionWarning):
            return str(warning.message.original_sklearn_version)
    return None


# Key and value as pickle protocols 2 to 5 write them: opcode, length, text, memo marks between.
_RECORDED = re.compile(
    rb"_sklearn_version[\x94qr][^X\x8c]{0,4}?(?:X.\0\0\0|\x8c.)(\d[\w.+-]{1,30}?)[\x94qrsuh]", re.DOTALL
)


def _recorded_version(file: Path) -> str | None:
    """The scikit-learn version that an uncompressed pickle says it was written with."""
    try:
        found = _RECORDED.search(file.read_bytes())
    except OSError:  # the reason for the failure itself is already being told
        return None
    return found[1].decode() if found else None


def _advice(error: Exception, saved: str | None) -> str:
    if isinstance(error, OSError):
        return "check that the file is readable"
    if saved is not None and saved != sklearn.__version__:
        return (
            f"it was saved with scikit-learn {saved} and this is {sklearn.__version__}; serve it with that version "
            f'(runtimeVersion: "{saved}", or pip install scikit-learn=={saved}) or save it again'
        )
    if isinstance(error, ModuleNotFoundError):
        return f"install the module {error.name} where the model is served"
    return f"save the model again with joblib.dump (this is scikit-learn {sklearn.__version__})"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
