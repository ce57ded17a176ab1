"""LIME's explanations are those of the library called directly."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression
from tests.contract.explainers.answering import Predicting, explained
from tests.contract.explainers.libraries import library

from inferplane.dataplane.explainers.registry import module_of
from inferplane.inference.errors import InvalidInput, ModelLoadError

library("lime")

IRIS = load_iris()
FOREST = RandomForestClassifier(10, random_state=0).fit(IRIS.data, IRIS.target)


def explainer(directory: Path, rows: Any, **options: Any) -> Any:
    np.save(directory / "background.npy", rows)
    module = module_of("lime")
    return module.LimeExplainer("m", module.Options(directory=directory, samples=500, **options))


def directly(rows: Any, predict: Any, row: Any, **options: Any) -> Any:
    from lime.lime_tabular import LimeTabularExplainer

    mode = "regression" if "top_labels" not in options else "classification"
    made = LimeTabularExplainer(rows, mode=mode, random_state=0)
    return made.explain_instance(row, predict, num_samples=500, **options)


async def test_probabilities_are_explained_for_the_likeliest_classes(tmp_path: Path) -> None:
    row = IRIS.data[60]
    front = explainer(tmp_path, IRIS.data, class_names=tuple(IRIS.target_names), top_labels=2, features=3)
    async with explained(front, Predicting(FOREST, "predict_proba")) as served:
        [one] = (await served.v1([row.tolist()])).json()["explanations"]
    expected = directly(IRIS.data, FOREST.predict_proba, row, num_features=3, top_labels=2)
    assert [label["label"] for label in one["labels"]] == [IRIS.target_names[index] for index in expected.top_labels]
    for label, index in zip(one["labels"], expected.top_labels, strict=True):
        said = [(feature["feature"], feature["weight"]) for feature in label["features"]]
        wanted = expected.as_list(label=index)
        assert [text for text, _ in said] == [text for text, _ in wanted]
        np.testing.assert_allclose([weight for _, weight in said], [weight for _, weight in wanted])
    np.testing.assert_allclose(one["probabilities"], FOREST.predict_proba([row])[0])


async def test_classes_alone_are_taken_as_certainties(tmp_path: Path) -> None:
    front = explainer(tmp_path, IRIS.data)
    async with explained(front, Predicting(FOREST, "predict")) as served:
        [one] = (await served.v1([IRIS.data[120].tolist()])).json()["explanations"]
    assert (one["probabilities"], one["labels"][0]["label"]) == ([0.0, 0.0, 1.0], 2)


async def test_a_regression_has_one_explanation_a_row(tmp_path: Path) -> None:
    data = load_diabetes()
    model = LinearRegression().fit(data.data, data.target)
    front = explainer(tmp_path, data.data, mode="regression", features=2)
    async with explained(front, Predicting(model, "predict"), "v2") as served:
        [one] = (await served.v1([data.data[0].tolist()])).json()["explanations"]
    expected = directly(data.data, model.predict, data.data[0], num_features=2)
    assert one["prediction"] == pytest.approx(model.predict(data.data[:1])[0])
    assert [feature["feature"] for feature in one["features"]] == [text for text, _ in expected.as_list()]


async def test_over_v2_there_is_no_form_for_it(tmp_path: Path) -> None:
    async with explained(explainer(tmp_path, IRIS.data), Predicting(FOREST, "predict")) as served:
        answer = await served.v2(IRIS.data[:1])
    assert (answer.status_code, "over V1" in answer.text) == (400, True)


def test_without_rows_like_the_models_it_does_not_start(tmp_path: Path) -> None:
    module = module_of("lime")
    with pytest.raises(ModelLoadError, match="rows like those that the model was trained on"):
        module.LimeExplainer("m", module.Options(directory=tmp_path)).load()


def test_numbers_that_are_no_classes_are_refused() -> None:
    with pytest.raises(InvalidInput, match="neither probabilities nor numbers of classes"):
        module_of("lime").probabilities(np.array([0.5, 1.0]), 0)
