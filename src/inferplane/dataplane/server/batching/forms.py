"""Filled-in forms through a `RowModel`: the numbers of all of them read, predicted and answered as one request."""

from collections.abc import Sequence
from typing import TypeVar, cast

from inferplane.dataplane.model.rows import RowModel
from inferplane.dataplane.server.batching.join import part_of
from inferplane.inference import forms
from inferplane.inference.forms import Filled

Known = TypeVar("Known")


class JoiningForms:
    """The forms that clients of this model were seen to fill in. See `RowJoining` for `inexact`."""

    def __init__(self, model: RowModel, *, inexact: bool) -> None:
        self._known: dict[type, object] = {}
        self._model = model
        self._inexact = inexact

    def known(self, kind: type[Known]) -> Known:
        """Those of one protocol, whose class makes an empty collection when called."""
        found = self._known.get(kind)
        if found is None:
            found = self._known[kind] = kind()
        return cast(Known, found)

    @property
    def joins(self) -> bool:
        """Whether requests may share a `predict_rows`. Asked each time: a model may have loaded another file since."""
        model = self._model
        return model.joins_requests and (self._inexact or model.is_exact)

    def together(self, filled: Sequence[Filled]) -> object | None:
        """The model's result for the rows of all, in their order; None when they don't fit together."""
        numbers = forms.stacked(filled)
        if numbers is None:
            return None
        model = self._model
        payload = filled[0].form.payload(numbers, model.name)
        rows = model.rows(payload)
        if len(filled) > 1 and not (self.joins and part_of(rows).kind is not None):
            return None
        return model.result(payload, model.predict_rows(rows))
