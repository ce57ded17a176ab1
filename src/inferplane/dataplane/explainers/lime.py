"""LIME: a small linear model that answers as the predictor does, near the row to explain. Tables of numbers only.

The predictor is asked about rows drawn around the one in question (`samples`), so it needs rows of the kind that the
model was trained on. For a classifier those rows' probabilities are explained: the predictor gives them where it is
told to (`PREDICT_PROBA`); classes alone are taken as certainties.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from lime.lime_tabular import LimeTabularExplainer
from numpy.typing import NDArray

from inferplane.dataplane.explainers import tables
from inferplane.dataplane.explainers.payloads import answer, check_width, rows_of
from inferplane.dataplane.explainers.predictions import Predictor, predictor_of
from inferplane.dataplane.explainers.tables import Table
from inferplane.dataplane.model.model import Model
from inferplane.inference.errors import InvalidInput, ModelLoadError
from inferplane.inference.tensors import Array, InferRequest

MODES = ("classification", "regression")


@dataclass(frozen=True, slots=True)
class Options:
    """`background`: a file of rows like those that the model was trained on. `top_labels`: classes that are explained,
    the likeliest first."""

    directory: Path | None = None
    background: Path | None = None
    mode: str = "classification"
    feature_names: Sequence[str] = ()
    class_names: Sequence[str] = ()
    features: int = 10
    samples: int = 5000
    top_labels: int = 1
    seed: int = 0


class LimeExplainer(Model):
    """`:explain` of rows."""

    def __init__(self, name: str, options: Options) -> None:
        super().__init__(name)
        self.options = options
        self._background: Table | None = None

    def load(self) -> bool:
        options = self.options
        file = options.background or (tables.beside(options.directory) if options.directory else None)
        if file is None:
            raise ModelLoadError(
                "LIME needs rows like those that the model was trained on",
                fix=f"put {' or '.join(tables.NAMES)} beside the model, or name a file with --background",
            )
        self._background = tables.read(file)
        self.ready = True
        return self.ready

    async def explain(self, payload: Any, headers: dict[str, str]) -> Any:
        assert self._background is not None
        rows = rows_of(payload)
        check_width(rows, self._background.rows.shape[1])
        if isinstance(payload, InferRequest):
            raise InvalidInput("an explanation by LIME has no tensors", fix="ask for it over V1, at :explain")
        async with predictor_of(self.name, self.predictor_config, headers) as predictor:
            found = await asyncio.to_thread(self._explained, predictor, rows)
        return answer(payload, self.name, found, {"method": "lime", "mode": self.options.mode})

    def _explained(self, predictor: Predictor, rows: Array) -> list[Mapping[str, Any]]:
        # Made anew for each request: what it draws depends on what it drew before.
        explainer = explainer_of(self._background, self.options)
        return [self._of_row(explainer, predictor, row) for row in rows]

    def _of_row(self, explainer: LimeTabularExplainer, predictor: Predictor, row: Array) -> Mapping[str, Any]:
        options = self.options
        classifies = options.mode == "classification"
        classes = len(options.class_names)
        found = explainer.explain_instance(
            np.asarray(row, dtype=np.float64),
            (lambda rows: probabilities(predictor(rows), classes)) if classifies else predictor,
            num_features=options.features,
            num_samples=options.samples,
            **({"top_labels": options.top_labels} if classifies else {}),
        )
        if not classifies:
            return {"prediction": found.predicted_value, **_weights(found, 1)}
        of_labels = [
            {"label": _label(label, options.class_names), **_weights(found, label)} for label in found.top_labels
        ]
        return {"probabilities": found.predict_proba, "labels": of_labels}


def explainer_of(background: Table | None, options: Options) -> LimeTabularExplainer:
    assert background is not None
    names = list(options.feature_names or background.names) or None
    return LimeTabularExplainer(
        background.rows,
        mode=options.mode,
        feature_names=names,
        class_names=list(options.class_names) or None,
        random_state=options.seed,
    )


def probabilities(predictions: Array, classes: int) -> NDArray[np.float64]:
    """One row of probabilities a prediction. Classes become certainties, numbered from 0.

    `classes`: how many there are, 0 where nobody said.
    """
    if predictions.ndim == 2:
        return predictions.astype(np.float64)
    if predictions.ndim != 1 or predictions.dtype.kind not in "iuf" or (predictions % 1 != 0).any():
        raise InvalidInput(
            f"the predictor's answers are neither probabilities nor numbers of classes: {predictions.dtype} in shape "
            f"{predictions.shape}",
            fix="have it answer with probabilities (PREDICT_PROBA), or use --mode=regression",
        )
    numbers = predictions.astype(np.int64)
    certain = np.zeros((len(numbers), max(classes, int(numbers.max(initial=0)) + 1)))
    certain[np.arange(len(numbers)), numbers] = 1.0
    return certain


def _weights(found: Any, label: int) -> dict[str, Any]:
    """`features`: what a feature's value is like and how much it counts, the weightiest first."""
    weights = [{"feature": text, "weight": float(weight)} for text, weight in found.as_list(label=label)]
    intercept = found.intercept[label]
    score = found.score[label] if isinstance(found.score, dict) else found.score
    return {"features": weights, "intercept": float(intercept), "score": float(score)}


def _label(number: int, names: Sequence[str]) -> int | str:
    return names[number] if number < len(names) else int(number)
