"""XGBoost models: one file saved by `save_model` → raw `Booster.predict` over V1 and V2, as KServe's server gives it.

A prediction is made in place, without a DMatrix a request (tests/unit/dataplane/runtimes/test_xgboost.py shows that the
two are equal bit for bit). Linear boosters cannot, and DART's sums differ in the last bit: they get one. Answers are
float32.
"""

import re
import warnings
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import ClassVar

import numpy as np
import xgboost

from inferplane.dataplane.runtimes.numeric import NumericModel
from inferplane.dataplane.runtimes.single_file import one_line
from inferplane.inference.errors import InvalidInput, ModelLoadError
from inferplane.inference.formats.boosters import version_of
from inferplane.inference.tensors import Array


class XGBoostModel(NumericModel):
    """Features are float32: what is too large for that, and infinity, is refused."""

    suffixes: ClassVar = (".bst", ".json", ".ubj")
    dtype: ClassVar = np.dtype(np.float32)

    _booster: xgboost.Booster | None = None
    _in_place = True

    @property
    def library(self) -> str:
        return f"xgboost {xgboost.__version__}"

    def read(self, file: Path) -> None:
        saved = saved_with(file)
        self._booster = _loaded(file, saved, self.options.nthread)
        self._in_place = _OTHER_BOOSTER.search(_mapped(file)) is None
        self.features = self._booster.feature_names or [f"f{index}" for index in range(self._booster.num_features())]
        if saved is not None and _release(saved) != _release(xgboost.__version__):
            self.notes.append(f"{file.name} was saved with xgboost {saved}, this is {xgboost.__version__}")
        self.describe()

    def forget(self) -> None:
        self._booster = None

    def rows(self, payload: object) -> Array:
        rows = super().rows(payload)
        infinite = np.isinf(rows)
        if infinite.any():
            row, column = (int(index) for index in np.argwhere(infinite)[0])
            name = self.features[column]
            raise InvalidInput(f"row {row}, column {name}: infinite, or too large for a 32-bit float")
        return rows

    def compute(self, rows: Array) -> Array:
        booster = self._booster
        assert booster is not None
        if self._in_place:
            return np.asarray(booster.inplace_predict(rows, validate_features=False))
        matrix = xgboost.DMatrix(rows, nthread=self.options.nthread, feature_names=booster.feature_names)
        return np.asarray(booster.predict(matrix))


def _loaded(file: Path, saved: str | None, nthread: int) -> xgboost.Booster:
    _check_start(file)
    booster = xgboost.Booster({"nthread": nthread})
    with warnings.catch_warnings():
        # `.bst` is no name for a format; what is in the file decides.
        warnings.filterwarnings("ignore", message=".*Unknown file format")
        try:
            booster.load_model(bytearray(file.read_bytes()) if file.suffix == ".bst" else str(file))
        except xgboost.core.XGBoostError as error:
            raise ModelLoadError(f"{file}: cannot be loaded: {_reason(error)}", fix=_advice(error, saved)) from error
    return booster


def _check_start(file: Path) -> None:
    """Both kinds of document start with a brace. An empty buffer makes XGBoost end the process."""
    with file.open("rb") as stream:
        start = stream.read(16)
    if start.startswith(b"{"):
        return
    here = xgboost.__version__
    if start.startswith(b"binf") or b"\0" in start:
        raise ModelLoadError(
            f"{file}: not JSON or UBJSON; it looks like XGBoost's old binary format, which 3.1 no longer reads, "
            f"and this is {here}",
            fix='serve it with XGBoost 3.0 (runtimeVersion: "3.0.5"), or load it there and save it as model.ubj',
        )
    raise ModelLoadError(
        f"{file}: not an XGBoost model: {'JSON or UBJSON expected' if start else 'it is empty'}",
        fix=f'save the booster again with save_model("model.ubj") (this is XGBoost {here})',
    )


def _reason(error: Exception) -> str:
    """XGBoost's message without its time, place in the C++ source, and stack trace."""
    told = str(error).partition("\nStack trace")[0]
    return one_line(Exception(re.sub(r"^\[[\d:]+\] \S+?:\d+: (Check failed: .*? : )?", "", told)))


def _advice(error: Exception, saved: str | None) -> str:
    here = xgboost.__version__
    if saved is not None and saved != here:
        return (
            f"it was saved with XGBoost {saved} and this is {here}; serve it with that version "
            f'(runtimeVersion: "{saved}")'
        )
    return f'save the booster again with save_model("model.ubj") (this is XGBoost {here})'


def saved_with(file: Path) -> str | None:
    """The XGBoost version that a file says it was saved with."""
    try:
        with file.open("rb") as stream:
            return version_of(stream)
    except OSError:  # loading it tells
        return None


# As in JSON, and in UBJSON (a string with a length of 8 bytes). The library tells only with all its settings: 5 ms.
_OTHER_BOOSTER = re.compile(rb'"?name(?:"\s*:\s*"|SL.{8})(?:dart|gblinear)', re.DOTALL)


def _mapped(file: Path) -> mmap:
    with file.open("rb") as stream:
        return mmap(stream.fileno(), 0, access=ACCESS_READ)


def _release(version: str) -> str:
    """Files are kept readable within a major version."""
    return version.partition(".")[0]
