"""PMML models, evaluated row by row by JPMML, in a Java virtual machine inside of the server (see `java`).

Rows are values in the order of the model's active fields, or go by the fields' names; an absent one, null and NaN are
missing values, which the model says how to treat. A row's answer has the model's targets and output fields: V1 gives an
object a row, V2 one tensor a field. Where a model brings data to verify it with, it has to pass before it is ready.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeAlias, cast

import jpmml_evaluator
import numpy as np
from jpmml_evaluator import Evaluator, JavaError, ModelField, PythonEvaluatorUtil

from inferplane.dataplane.model.rows import RowModel
from inferplane.dataplane.runtimes import java, tables
from inferplane.dataplane.runtimes.ports import by_row
from inferplane.dataplane.runtimes.single_file import SingleFileModel, one_line
from inferplane.inference import v1
from inferplane.inference.datatypes import NUMPY, Datatype
from inferplane.inference.errors import InferenceError, InvalidInput, ModelLoadError
from inferplane.inference.tensors import Array, InferRequest, InferResponse, TensorMetadata, output

Columns: TypeAlias = Mapping[str, Array]

_DATATYPES = {
    "boolean": Datatype.BOOL,
    "double": Datatype.FP64,
    "float": Datatype.FP32,
    "integer": Datatype.INT64,
}
"""By PMML's data types; texts, dates and times are BYTES."""

_UNNAMED = "prediction"
"""A target that the model has no name for."""


class PMMLModel(SingleFileModel, RowModel):
    suffixes: ClassVar = (".pmml",)

    _evaluator: Evaluator | None = None
    _fields: Sequence[str] = ()

    @property
    def library(self) -> str:
        return f"jpmml-evaluator {jpmml_evaluator.__version__}"

    def read(self, file: Path) -> None:
        java.start(jpmml_evaluator._classpath([]), self.options.nthread)
        self._evaluator = evaluator = _loaded(file)
        self._fields = [field.getName() for field in evaluator.getInputFields()]
        self.inputs = [_described(field) for field in evaluator.getInputFields()]
        self.outputs = [_described(field) for field in [*evaluator.getTargetFields(), *evaluator.getOutputFields()]]
        self._try(file)

    def forget(self) -> None:
        self._evaluator = None

    def rows(self, payload: object) -> Columns:
        """The columns that are there, in the fields' order: any JSON value a cell, None where it is missing."""
        columns = self._columns(payload)
        missing, unknown = tables.missing_and_unknown(columns, self._fields)
        if unknown and missing:  # a misspelling, not a missing value
            raise InvalidInput(
                f"columns are unknown: {', '.join(unknown)}; the model has {', '.join(self._fields)}",
                fix=f"name {', '.join(missing)} so",
            )
        return {name: _cells(columns[name]) for name in self._fields if name in columns}

    def predict_rows(self, rows: object) -> Columns:
        columns = cast(Columns, rows)
        given = {"columns": list(columns), "data": [column.tolist() for column in columns.values()]}
        found = self._evaluated(given)
        for row, told in enumerate(found["errors"] or ()):
            if told is not None:
                raise _told(row, told)
        names = [_UNNAMED if name is None else str(name) for name in found["columns"]]
        return {name: _objects(values) for name, values in zip(names, found["data"], strict=True)}

    def _evaluated(self, given: Mapping[str, Sequence[object]]) -> dict[str, Any]:
        assert self._evaluator is not None
        java_evaluator = self._evaluator.javaEvaluator
        try:
            found: dict[str, Any] = PythonEvaluatorUtil.evaluateAll(
                self._evaluator.backend, java_evaluator, given, None, self.options.nthread
            )
        except JavaError as error:
            raise InferenceError(_words(str(error))) from error
        return found

    def _try(self, file: Path) -> None:
        """A row of missing values: a field that the model's own parts lack is missed when one is evaluated."""
        found = self._evaluated({"columns": list(self._fields), "data": [[None] for _ in self._fields]})
        told = _words((found["errors"] or [None])[0] or "")
        if told.startswith(_BROKEN):
            raise _bad(file, told)

    def result(self, payload: object, predicted: Columns) -> object:
        if not isinstance(payload, InferRequest):
            return {"predictions": by_row(predicted)}
        types = {one.name: Datatype(one.datatype) for one in self.outputs}
        outputs = [output(name, _typed(values, types.get(name))) for name, values in predicted.items()]
        return InferResponse(None, self.name, outputs)

    def _columns(self, payload: object) -> tables.Table:
        if isinstance(payload, InferRequest):
            if tables.is_table(payload, self._fields) or payload.inputs[0].name in self._fields:
                return tables.columns_of_tensors(payload)
            only = tables.single_input(payload)
            values = only.view()
            where = f"input {only.name}"
            return self._by_place(tables.texts(values, where) if only.datatype == Datatype.BYTES else values, where)
        rows = v1.rows_of(payload)
        if isinstance(rows, np.ndarray):
            return self._by_place(rows, "instances")
        records = tables.records_of(rows)
        if records is not None:
            return tables.columns_of_records(records, ragged=True)
        return self._by_place(tables.objects(rows, "instances"), "instances")

    def _by_place(self, rows: Array, where: str) -> tables.Table:
        if rows.ndim != 2 or rows.shape[1] != len(self._fields):
            raise InvalidInput(
                f"{where}: the model takes rows of {len(self._fields)} values ({', '.join(self._fields)}), "
                f"got the shape {list(rows.shape)}"
            )
        return dict(zip(self._fields, rows.T, strict=True))


def _loaded(file: Path) -> Evaluator:
    try:
        with java.silent():
            return jpmml_evaluator.make_evaluator(file, backend="jpype").verify()
    except Exception as error:
        raise _bad(file, _words(one_line(error))) from error


def _bad(file: Path, told: str) -> ModelLoadError:
    here = f"this is jpmml-evaluator {jpmml_evaluator.__version__}, which reads PMML 3.0 to 4.4"
    return ModelLoadError(
        f"{file}: cannot be loaded: {told}",
        fix=f"check the file against the schema of the version that it names, or export the model again ({here})",
    )


_CLASS = re.compile(r"\b(?:[a-z]\w*\.)+([A-Z]\w*)(?:: |$)")
_EXPECTED = re.compile(r" Expected elements are <.*$")
_LINKED = re.compile(r"^UnmarshalException - with linked exception: \[?")


def _words(told: str) -> str:
    """Java's message with its class by its own name only, and without the hundred elements that were expected."""
    short = _CLASS.sub(lambda found: f"{found[1]}: ", told)
    return _LINKED.sub("", _EXPECTED.sub("", short)).removesuffix("]").removesuffix(": ")


_BROKEN = ("MissingFieldException", "InvisibleFieldException", "Unsupported", "MissingElement", "MissingAttribute")
"""What is raised for a model that refers to what it does not have, or has what JPMML does not do."""

_CLIENTS = ("ValueCheckException", "TypeCheckException", "NumberFormatException")
"""What JPMML raises for values that are not of the field's type, or not among those that it may have."""


def _told(row: int, error: str) -> Exception:
    words = _words(error)
    name, _, rest = words.partition(": ")
    return InvalidInput(f"row {row}: {rest}") if name in _CLIENTS else InferenceError(f"row {row}: {words}")


def _described(field: ModelField) -> TensorMetadata:
    name = _UNNAMED if field.javaModelField.getName() is None else field.getName()
    return TensorMetadata(name, _DATATYPES.get(field.getDataType(), Datatype.BYTES), [-1])


def _cells(column: tables.Column) -> Array:
    """As objects, so that requests with and without missing values are computed together."""
    cells = column.tolist() if isinstance(column, np.ndarray) else column
    return _objects([None if value != value else value for value in cells])


def _objects(cells: "Sequence[object]") -> Array:
    found = np.empty(len(cells), dtype=object)
    found[:] = cells
    return found


def _typed(values: Array, datatype: Datatype | None) -> Array:
    """In the type that the model declares. A missing number is NaN, which whole numbers have not: FP64 then."""
    cells = values.tolist()
    if datatype is None or datatype is Datatype.BYTES:
        return _objects(["" if value is None else str(value) for value in cells])
    if None in cells:
        return np.array([np.nan if value is None else value for value in cells], dtype=np.float64)
    return np.array(cells, dtype=NUMPY[datatype])
