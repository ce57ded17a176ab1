"""SHAP values: what each feature adds to a prediction, compared with what the model says on average.

Trees (scikit-learn, XGBoost, LightGBM) and linear models are read themselves, from the model's own file, which takes
milliseconds a row and is exact; anything else is asked again and again as the predictor that it is (Kernel SHAP), which
needs rows to compare with and takes as many predictions as `samples` times those rows.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shap
from numpy.typing import NDArray

from inferplane.dataplane.explainers import local_models, tables
from inferplane.dataplane.explainers.payloads import answer, check_width, rows_of
from inferplane.dataplane.explainers.predictions import Predictor, predictor_of
from inferplane.dataplane.explainers.tables import Table
from inferplane.dataplane.model.model import Model
from inferplane.inference.errors import InvalidInput, ModelLoadError
from inferplane.inference.tensors import Array

log = logging.getLogger("inferplane.server")

METHODS = ("auto", "tree", "linear", "kernel")


@dataclass(frozen=True, slots=True)
class Options:
    """`directory` holds the model, where there is one. `background`: a file of rows to compare with."""

    directory: Path | None = None
    method: str = "auto"
    background: Path | None = None
    feature_names: Sequence[str] = ()
    samples: int | None = None
    """Of Kernel SHAP: evaluations a row; None leaves it to the library (2 × features + 2048)."""
    background_rows: int = 100
    """Of Kernel SHAP: rows of the background that are used, drawn with `seed`."""
    seed: int = 0
    allow_pickle_globals: Sequence[str] = ()
    """Of the model, as for the predictor's runtime."""


class ShapExplainer(Model):
    """`:explain` of rows. `method` is the one in use once the model is loaded."""

    def __init__(self, name: str, options: Options) -> None:
        super().__init__(name)
        self.options = options
        self.method = ""
        self._background: Table | None = None
        self._values: Callable[[Array], Values] | None = None
        self._names: Sequence[str] = ()
        self._width: int | None = None

    def load(self) -> bool:
        options = self.options
        file = options.background or (tables.beside(options.directory) if options.directory else None)
        self._background = tables.read(file) if file else None
        local = (
            None if options.method == "kernel" else local_models.found(options.directory, options.allow_pickle_globals)
        )
        self.method, self._values = chosen(options, local, self._background)
        self._width = local_models.width(local) if self._values else None
        if self._width is None and self._background is not None:
            self._width = self._background.rows.shape[1]
        self._names = tuple(options.feature_names) or (self._background.names if self._background else ())
        if self.method == "kernel" and self._background is None:
            raise ModelLoadError(
                f"found {_kind(local)} in {options.directory}, and Kernel SHAP needs rows to compare with",
                fix=f"put {' or '.join(tables.NAMES)} beside the model, or name a file with --background",
            )
        log.info("explaining by SHAP method=%s", self.method)
        self.ready = True
        return self.ready

    async def explain(self, payload: Any, headers: dict[str, str]) -> Any:
        rows = rows_of(payload)
        if self._width is not None:
            check_width(rows, self._width)
        if self._values is not None:
            values = await asyncio.to_thread(_refusing, self._values, rows)
        else:
            async with predictor_of(self.name, self.predictor_config, headers) as predictor:
                values = await asyncio.to_thread(self._by_kernel, predictor, rows)
        names = self._names or [f"feature {column}" for column in range(rows.shape[1])]
        return answer(payload, self.name, values.by_row(), {"method": self.method, "feature_names": [*names]})

    def _by_kernel(self, predictor: Predictor, rows: Array) -> "Values":
        assert self._background is not None
        options = self.options
        drawn = sample(self._background.rows, options.background_rows, options.seed)
        explainer = shap.KernelExplainer(predictor, drawn)
        samples = "auto" if options.samples is None else options.samples
        return Values.of(explainer.shap_values(rows, nsamples=samples, silent=True), explainer.expected_value)


@dataclass(frozen=True, slots=True)
class Values:
    """`of_features` in the shape (rows, features, outputs), `base` with one number an output.

    A model with one output has a number where others have one for each.
    """

    of_features: NDArray[np.float64]
    base: NDArray[np.float64]

    @classmethod
    def of(cls, found: Any, expected: Any) -> "Values":
        """What shap gives: (rows, features), with outputs behind, or a list of the former, one an output."""
        if isinstance(found, list):
            found = np.stack(found, axis=-1)
        return cls(np.asarray(found, dtype=np.float64), np.asarray(expected, dtype=np.float64).reshape(-1))

    def by_row(self) -> list[Mapping[str, Any]]:
        """`shap_values`: one number a feature, or one list an output."""
        base: Any = self.base if self.of_features.ndim > 2 else self.base[0]
        return [{"base_values": base, "shap_values": row.T} for row in self.of_features]


def chosen(
    options: Options, local: object | None, background: Table | None
) -> tuple[str, Callable[[Array], Values] | None]:
    """(method, what computes it; None where the predictor is asked). ModelLoadError for a method that does not fit."""
    rows = None if background is None else background.rows
    if options.method in ("auto", "tree") and local is not None and local_models.is_tree(local):
        explainer = shap.TreeExplainer(local)
        return "tree", lambda given: Values.of(explainer.shap_values(given), explainer.expected_value)
    if (
        options.method in ("auto", "linear")
        and local is not None
        and local_models.is_linear(local)
        and rows is not None
    ):
        linear = shap.LinearExplainer(local, rows)
        return "linear", lambda given: Values.of(linear.shap_values(given), linear.expected_value)
    if options.method in ("auto", "kernel"):
        return "kernel", None
    fix = "put the model's file there" if local is None else "use --method=kernel, or give it a background"
    raise ModelLoadError(
        f"--method={options.method} does not fit: found {_kind(local)} in {options.directory}", fix=fix
    )


def _kind(model: object | None) -> str:
    return "no model" if model is None else type(model).__name__


def sample(rows: NDArray[np.float64], most: int, seed: int) -> NDArray[np.float64]:
    """As many of the rows, in their order; the same for the same seed."""
    if len(rows) <= most:
        return rows
    kept = np.sort(np.random.default_rng(seed).choice(len(rows), most, replace=False))
    drawn: NDArray[np.float64] = rows[kept]
    return drawn


def _refusing(values: Callable[[Array], Values], rows: Array) -> Values:
    """What a library raises for rows that do not fit the model is the client's to know."""
    try:
        return values(rows)
    except (ValueError, TypeError, IndexError) as error:
        raise InvalidInput(" ".join(str(error).split())) from error
