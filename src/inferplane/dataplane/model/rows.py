"""Models that answer row by row, so that rows of several requests can be computed together."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, TypeAlias

from inferplane.dataplane.model.model import Model
from inferplane.inference.tensors import Array

Rows: TypeAlias = Array | Mapping[str, Array]
"""An array whose first dimension is rows, or several such by name."""


class RowModel(Model):
    """`predict` in three parts. `predict_rows` gives one answer a row, whatever other rows are beside it."""

    @abstractmethod
    def rows(self, payload: object) -> object:
        """The rows of a payload, as `predict_rows` takes them; those in `Rows` may be computed with others."""

    @abstractmethod
    def predict_rows(self, rows: object) -> Rows: ...

    @abstractmethod
    def result(self, payload: object, predicted: Any) -> object:
        """What `predict` returns for the payload whose rows gave `predicted`."""

    def validate(self, payload: object) -> object:
        """Left to `rows`."""
        return payload

    def predict(self, payload: object, headers: dict[str, str]) -> object:
        return self.result(payload, self.predict_rows(self.rows(payload)))

    @property
    def joins_requests(self) -> bool:
        """Whether requests may share one `predict_rows`. False for a subclass that brings a `predict` of its own."""
        return type(self).predict is RowModel.predict

    @property
    def is_exact(self) -> bool:
        """Whether a row's answer has the same bits whatever rows are beside it.

        Matrix products of a BLAS have not: it sums in another order for another number of rows. A model that is not
        exact is joined only when the operator sets `--max_batch_size`.
        """
        return True
