"""LightGBM models: one file saved by `save_model` → `Booster.predict` over V1 and V2, as KServe's server gives it.

Records are matched to the booster's feature names; a feature that a record lacks is a missing value. LightGBM stores
names with `_` for a space, so both spellings are understood. Answers are float64: probabilities of a classifier.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import lightgbm
import numpy as np

from inferplane.dataplane.runtimes import tables
from inferplane.dataplane.runtimes.numeric import NumericModel
from inferplane.dataplane.runtimes.single_file import one_line
from inferplane.inference.errors import InvalidInput, ModelLoadError
from inferplane.inference.tensors import Array


class _Log:
    """Takes what the library would print. Its errors arrive here as information, and again as exceptions."""

    def __init__(self) -> None:
        self._log = logging.getLogger("inferplane.runtimes.lightgbm")

    def info(self, message: str) -> None:
        self._log.debug(message)

    def warning(self, message: str) -> None:
        self._log.warning(message)


lightgbm.register_logger(_Log())


class LightGBMModel(NumericModel):
    suffixes: ClassVar = (".bst", ".txt")
    dtype: ClassVar = np.dtype(np.float64)

    _booster: lightgbm.Booster | None = None

    @property
    def library(self) -> str:
        return f"lightgbm {lightgbm.__version__}"

    def read(self, file: Path) -> None:
        try:
            # As a string: LightGBM reads a file through buffers of 16 MB, and keeps that memory.
            text = file.read_text(encoding="utf-8")
            _check_end(file, text)
            self._booster = lightgbm.Booster(model_str=text)
        except (lightgbm.basic.LightGBMError, UnicodeDecodeError) as error:
            raise ModelLoadError(f"{file}: cannot be loaded: {one_line(error)}", fix=_advice(file)) from error
        self.features = self._booster.feature_name()
        self.describe()

    def forget(self) -> None:
        self._booster = None

    def compute(self, rows: Array) -> Array:
        assert self._booster is not None
        # Given here: parameters given when a file is loaded are ignored.
        return np.asarray(self._booster.predict(rows, num_threads=self.options.nthread))

    def columns(self, records: Sequence[tables.Record]) -> tables.Table:
        return tables.columns_of_records(records, ragged=True)

    def aligned(self, columns: tables.Table) -> list[tables.Column]:
        named = {name.replace(" ", "_"): column for name, column in columns.items()}
        missing, unknown = tables.missing_and_unknown(named, self.features)
        if missing and unknown:
            # One of each is a misspelt name, and would be computed with a value missing.
            raise InvalidInput(
                f"columns are unknown: {', '.join(unknown)}, while missing are: {', '.join(missing)}; "
                f"the model has {', '.join(self.features)}"
            )
        size = len(next(iter(named.values()))) if named else 0
        return [named.get(name, np.full(size, np.nan)) for name in self.features]


def _check_end(file: Path, text: str) -> None:
    """Of a file that was cut off LightGBM loads what is there, or ends the process."""
    if not text.startswith(("tree\nversion=v3", "tree\nversion=v4")):
        return
    end = text.rfind("\nend of trees")
    rest = text[end:]
    if end < 0 or ("\nparameters:" in rest and "\nend of parameters" not in rest):
        expected = "end of trees" if end < 0 else "end of parameters"
        raise ModelLoadError(
            f"{file}: cannot be loaded: it was cut off: there is no line {expected!r}", fix="copy it again"
        )


def _advice(file: Path) -> str:
    """What the file begins with tells what it is: LightGBM's own are texts with a format version."""
    with file.open("rb") as stream:
        head = stream.read(200)
    here = f"this is LightGBM {lightgbm.__version__}"
    if not head.startswith(b"tree\n"):
        return f'that is no LightGBM model; save the booster with save_model("model.bst") ({here})'
    version = head.partition(b"version=")[2].partition(b"\n")[0].decode(errors="replace") or "unknown"
    return f"its format version is {version} and {here}, which writes v4; serve it with the version that saved it"
