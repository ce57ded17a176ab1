"""scikit-learn models: one pickle in a directory → predictions over V1 and V2.

V1 rows are lists of numbers or strings, or records (`{"age": 3, "city": "x"}`, also with a list a column). V2 takes
one tensor, or one tensor a column (`content_type: pd`, or the names of the model's own columns). What picks columns by
name gets a data frame. Answers are `predictions`, and `output-0` with the result's own type; probabilities of several
targets are one list a target, and `output-0`, `output-1`, ….
"""

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar, Protocol, cast

import numpy as np
import sklearn
from sklearn.base import is_classifier, is_outlier_detector
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import LinearSVC, LinearSVR

from inferplane.dataplane.model.rows import RowModel
from inferplane.dataplane.runtimes import tables
from inferplane.dataplane.runtimes.direct import Direct, direct
from inferplane.dataplane.runtimes.pickle_globals import PickleGlobals
from inferplane.dataplane.runtimes.pickles import advice, unpickled
from inferplane.dataplane.runtimes.single_file import SingleFileModel, one_line
from inferplane.inference import v1
from inferplane.inference.datatypes import Datatype, datatype_of
from inferplane.inference.errors import InferenceError, InvalidInput, ModelLoadError
from inferplane.inference.tensors import Array, InferRequest, InferResponse, TensorMetadata, output
from inferplane.kernel.json import Json

METHODS = ("predict", "predict_proba", "predict_log_proba", "decision_function", "transform", "score_samples")


class Estimator(Protocol):
    def predict(self, rows: object, /) -> object: ...


class SKLearnModel(SingleFileModel, RowModel):
    """A request is one call of `options.method`. Without that: of `predict_proba` if wanted and there, else of
    `predict`, else of `transform`.
    """

    suffixes: ClassVar = (".joblib", ".pkl", ".pickle")

    _estimator: Estimator | None = None
    _method = "predict"
    _columns: Sequence[str] = ()
    _by_name = False
    """Whether the first step picks columns by name; it then may ignore some."""
    _widths: Sequence[int] = ()
    """Columns a target, when the method answers with one array a target."""
    _direct: Direct | None = None
    _row_wise = False
    _exact = False

    @property
    def library(self) -> str:
        return f"scikit-learn {sklearn.__version__}"

    def read(self, file: Path) -> None:
        estimator, saved = unpickled(file, PickleGlobals(self.options.allow_pickle_globals))
        # Rows come without column names by design; scikit-learn would say so at every call.
        warnings.filterwarnings("ignore", message="X does not have valid feature names")
        self._estimator = cast(Estimator, estimator)
        self._method = self._chosen_method(file, estimator)
        self._columns = _column_names(estimator) or ()
        self._by_name = bool(self._columns) and isinstance(_first_step(estimator), ColumnTransformer)
        self._row_wise = all(map(_is_row_wise, _parts(estimator)))
        self._exact = self._row_wise and _is_exact(estimator, self._method)
        _limit_jobs(estimator, self.options.nthread)
        self._direct = direct(estimator, self._method)
        if saved is not None and saved != sklearn.__version__:
            self.notes.append(
                f"{file.name} was saved with scikit-learn {saved} and this is {sklearn.__version__}: its answers may "
                f'differ; serve it with runtimeVersion: "{saved}", or save it again'
            )
        self.inputs = self._described_inputs()
        self.outputs = self._described_outputs(file, saved)

    def forget(self) -> None:
        self._estimator = self._direct = None

    @property
    def joins_requests(self) -> bool:
        """False as soon as some part is not scikit-learn's own: it may look at more than one row."""
        return self._row_wise

    @property
    def is_exact(self) -> bool:
        """Labels are; numbers are where the estimator computes them row by row."""
        return self._exact

    def rows(self, payload: object) -> object:
        return self._tensor_rows(payload) if isinstance(payload, InferRequest) else self._rows(v1.rows_of(payload))

    def predict_rows(self, rows: object) -> Array:
        try:
            return self._computed(rows)
        except (ValueError, TypeError) as error:
            # What scikit-learn raises for rows that do not fit the model: number of columns, types, NaN.
            raise InvalidInput(one_line(error)) from error
        except Exception as error:
            raise InferenceError(f"{type(error).__name__} : {one_line(error)}") from error

    def result(self, payload: object, predicted: Array) -> object:
        parts = np.split(predicted, np.cumsum(self._widths)[:-1], axis=1) if self._widths else [predicted]
        if isinstance(payload, InferRequest):
            return InferResponse(None, self.name, [output(f"output-{i}", part) for i, part in enumerate(parts)])
        if len(parts) == 1:
            return {"predictions": predicted}
        return {"predictions": [[part[row] for part in parts] for row in range(len(predicted))]}

    def _computed(self, rows: object) -> Array:
        found = None if self._direct is None else self._direct(rows)
        if found is None:
            found = getattr(self._estimator, self._method)(rows)
        if isinstance(found, list) and found and isinstance(found[0], np.ndarray):
            self._widths = [part.shape[1] for part in found]
            return np.hstack(found)
        dense = getattr(found, "toarray", None)
        return np.asarray(found if dense is None else dense())

    def _chosen_method(self, file: Path, estimator: object) -> str:
        if self.options.method:
            wanted = [self.options.method]
        else:
            wanted = [*(["predict_proba"] if self.options.predict_proba else []), "predict", "transform"]
        for method in wanted:
            if hasattr(estimator, method):
                return method
        have = ", ".join(method for method in METHODS if hasattr(estimator, method))
        kind = f"{type(estimator).__module__}.{type(estimator).__qualname__}"
        if have:
            raise ModelLoadError(f"{file}: {kind} has no method {wanted[0]}", fix=f"choose one that it has: {have}")
        raise ModelLoadError(
            f"{file}: expected a fitted scikit-learn estimator, got {kind}, which has no predict method",
            fix="save the estimator itself, for example joblib.dump(model, path)",
        )

    # Rows.

    def _rows(self, rows: "Array | list[Json]") -> object:
        if isinstance(rows, np.ndarray):
            return self._named(rows)
        records = tables.records_of(rows)
        if records is not None:
            return self._table(tables.columns_of_records(records))
        if rows and all(isinstance(row, str) for row in rows):
            return rows
        return self._named(tables.objects(rows, "instances"))

    def _tensor_rows(self, request: InferRequest) -> object:
        if tables.is_table(request, self._columns):
            return self._table(tables.columns_of_tensors(request))
        only = tables.single_input(request)
        values = only.view()
        if only.datatype != Datatype.BYTES:
            return self._named(values)
        words = tables.texts(values, f"input {only.name}")
        return words.tolist() if words.ndim == 1 else self._named(words)

    def _named(self, rows: Array) -> object:
        """Rows by place, with the columns' names where the model goes by them."""
        if not self._by_name:
            return rows
        if rows.ndim != 2 or rows.shape[1] != len(self._columns):
            raise InvalidInput(
                f"the model takes rows of {len(self._columns)} values ({', '.join(self._columns)}), "
                f"got the shape {list(rows.shape)}"
            )
        return self._table(dict(zip(self._columns, (column.tolist() for column in rows.T), strict=True)))

    def _table(self, columns: tables.Table) -> object:
        """A data frame for what picks columns by name, else an array with the columns in the model's order."""
        if self._by_name:
            return _frame(columns)
        if self._columns:
            tables.check_columns(columns, self._columns)
        sides = [np.asarray(columns[name]) for name in self._columns or columns]
        numeric = all(side.dtype.kind in "biuf" for side in sides)
        return np.column_stack(sides if numeric else [np.array(side.tolist(), dtype=object) for side in sides])

    # What metadata tells.

    def _described_inputs(self) -> list[TensorMetadata]:
        if self._by_name:
            texts = _text_columns(_first_step(self._estimator))
            return [
                TensorMetadata(name, Datatype.BYTES if name in texts else Datatype.FP64, [-1]) for name in self._columns
            ]
        features = getattr(self._estimator, "n_features_in_", None)
        return [TensorMetadata("input-0", Datatype.FP64, [-1, features])] if isinstance(features, int) else []

    def _described_outputs(self, file: Path, saved: str | None) -> list[TensorMetadata]:
        """Of what the model answers to a row of zeros; a model of another version often fails here first."""
        features = getattr(self._estimator, "n_features_in_", None)
        if self._row_wise and not self._by_name and isinstance(features, int):
            try:
                answer = cast(InferResponse, self.result(_NO_REQUEST, self._computed(np.zeros((1, features)))))
                return [TensorMetadata(one.name, one.datatype, [-1, *list(one.shape)[1:]]) for one in answer.outputs]
            except (ValueError, TypeError):
                pass  # it wants other values than zeros; its classes tell
            except Exception as error:
                raise ModelLoadError(
                    f"{file}: loaded, but its {self._method} fails: {type(error).__name__}: {one_line(error)}",
                    fix=advice(error, saved),
                ) from error
        classes = getattr(self._estimator, "classes_", None)
        if not isinstance(classes, np.ndarray):
            return []
        if self._method == "predict_proba":
            return [TensorMetadata("output-0", Datatype.FP64, [-1, len(classes)])]
        datatype = datatype_of(classes.dtype) if self._method == "predict" else None
        return [] if datatype is None else [TensorMetadata("output-0", datatype, [-1])]


_NO_REQUEST = InferRequest("", [])


def _frame(columns: tables.Table) -> object:
    try:
        from pandas import DataFrame  # type: ignore[import-untyped]  # optional, and typed only by a stub package
    except ModuleNotFoundError as error:
        raise InferenceError(
            "the model picks columns by name, which needs pandas", fix="install pandas where the model is served"
        ) from error
    return DataFrame({name: _cells(column) for name, column in columns.items()})


def _cells(column: tables.Column) -> tables.Column:
    """Texts stay texts: pandas' own type for them is new to many models."""
    if any(isinstance(value, str) for value in column):
        return np.array(column if isinstance(column, list) else column.tolist(), dtype=object)
    return column


def _column_names(estimator: object) -> list[str] | None:
    names = getattr(estimator, "feature_names_in_", None)
    return [str(name) for name in names] if isinstance(names, np.ndarray) else None


def _first_step(estimator: object) -> object:
    while isinstance(estimator, Pipeline):
        estimator = estimator.steps[0][1]
    return estimator


def _text_columns(transformer: object) -> set[str]:
    """Columns whose categories are texts, as far as the fitted transformer tells."""
    texts: set[str] = set()
    for _, part, columns in getattr(transformer, "transformers_", ()):
        categories = getattr(_first_step(part), "categories_", ())
        names = [columns] if isinstance(columns, str) else list(columns)
        texts.update(str(name) for name, values in zip(names, categories, strict=False) if values.dtype.kind in "OUT")
    return texts


def _parts(estimator: object) -> Iterator[object]:
    """The estimator and those inside it."""
    yield estimator
    parameters = getattr(estimator, "get_params", None)
    if parameters is not None and not isinstance(estimator, type):
        yield from (part for part in parameters(deep=True).values() if hasattr(part, "fit"))


def _is_row_wise(part: object) -> bool:
    return type(part).__module__.startswith("sklearn.") and not isinstance(part, FunctionTransformer)


_EXACT = ("sklearn.ensemble.", "sklearn.neighbors.", "sklearn.svm.", "sklearn.tree.")
_PLAIN = (*_EXACT, "sklearn.compose.", "sklearn.impute._base.", "sklearn.pipeline.", "sklearn.preprocessing.")
"""Packages whose estimators compute each row for itself, all but those around a BLAS product (`_is_linear_svm`)."""


def _is_exact(estimator: object, method: str) -> bool:
    """Whether answers keep their bits when rows are computed together: labels, and numbers made without a BLAS."""
    if method == "predict" and (is_classifier(estimator) or is_outlier_detector(estimator)):
        return True
    return all(
        f"{type(part).__module__}.".startswith(_PLAIN) and not _is_linear_svm(part) for part in _parts(estimator)
    )


def _is_linear_svm(part: object) -> bool:
    return isinstance(part, LinearSVC | LinearSVR)


def _limit_jobs(estimator: object, nthread: int) -> None:
    """`n_jobs=-1`, right for training, would have each request start a pool of threads for all processors."""
    for part in _parts(estimator):
        if isinstance(getattr(part, "n_jobs", None), int):
            part.n_jobs = nthread  # type: ignore[attr-defined]  # just seen
