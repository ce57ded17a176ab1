"""Models of tables of numbers (gradient boosting): rows by place, or columns by name, in; one array out.

V1: rows of numbers, or records. V2: one tensor [rows, columns], or one tensor a column. null and NaN are missing
values.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from inferplane.dataplane.model.rows import RowModel
from inferplane.dataplane.runtimes import tables
from inferplane.dataplane.runtimes.single_file import SingleFileModel, one_line
from inferplane.inference import v1
from inferplane.inference.datatypes import Datatype, datatype_of
from inferplane.inference.errors import InferenceError, InvalidInput
from inferplane.inference.tensors import Array, InferRequest, InferResponse, TensorMetadata, output


class NumericModel(SingleFileModel, RowModel):
    """`read` sets `features` (names by place; made up where the file has none) and calls `describe`."""

    dtype: ClassVar[np.dtype[np.generic]] = np.dtype(np.float64)
    """What the library compares with; rows are converted to it first."""

    features: Sequence[str] = ()

    @abstractmethod
    def compute(self, rows: Array) -> Array:
        """One answer a row, for rows of `dtype` and the model's width."""

    def describe(self) -> None:
        """Metadata, from the model itself: it predicts a row of missing values. What follows is warm then."""
        answer = self.compute(np.full((1, len(self.features)), np.nan, dtype=self.dtype))
        datatype = datatype_of(answer.dtype) or Datatype.FP64
        own = datatype_of(self.dtype) or Datatype.FP64
        self.inputs = [TensorMetadata("input-0", own, [-1, len(self.features)])]
        self.outputs = [TensorMetadata("output-0", datatype, [-1, *answer.shape[1:]])]

    def rows(self, payload: object) -> Array:
        if isinstance(payload, InferRequest):
            if tables.is_table(payload, self.features):
                return self._of_columns(tables.columns_of_tensors(payload))
            only = tables.single_input(payload)
            return self._of_values(only.view(), f"input {only.name}")
        rows = v1.rows_of(payload)
        if isinstance(rows, np.ndarray):
            return self._of_values(rows, "instances")
        records = tables.records_of(rows)
        if records is not None:
            return self._of_columns(self.columns(records))
        return self._of_values(tables.numbers(rows, "instances"), "instances")

    def columns(self, records: Sequence[tables.Record]) -> tables.Table:
        return tables.columns_of_records(records)

    def aligned(self, columns: tables.Table) -> list[tables.Column]:
        """The columns in the model's order; InvalidInput when they are not the model's."""
        tables.check_columns(columns, self.features)
        return [columns[name] for name in self.features]

    def predict_rows(self, rows: object) -> Array:
        if not isinstance(rows, np.ndarray):
            raise TypeError(f"expected an array of rows, got {type(rows).__name__}")
        try:
            return self.compute(rows)
        except Exception as error:
            raise InferenceError(f"{type(error).__name__} : {one_line(error)}") from error

    def result(self, payload: object, predicted: Array) -> object:
        if isinstance(payload, InferRequest):
            return InferResponse(None, self.name, [output("output-0", predicted)])
        return {"predictions": predicted}

    def _of_columns(self, columns: tables.Table) -> Array:
        aligned = self.aligned(columns)
        sides = [tables.numbers(column, f"column {name}") for name, column in zip(self.features, aligned, strict=True)]
        return self._of_values(np.column_stack(sides), "columns")

    def _of_values(self, values: Array, where: str) -> Array:
        rows = tables.numbers(values, where)
        if rows.ndim != 2 or rows.shape[1] != len(self.features):
            expected = f"[rows, {len(self.features)}]"
            raise InvalidInput(
                f"{where}: the model takes rows of {len(self.features)} numbers, {expected}, got {list(rows.shape)}"
            )
        with np.errstate(over="ignore"):
            return rows.astype(self.dtype, copy=False)
