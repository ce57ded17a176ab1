"""SHAP's explanations are those of the library called directly, and they sum up to the predictions."""

from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_iris
from sklearn.ensemble import GradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.svm import SVC
from tests.contract.explainers.answering import Predicting, explained
from tests.contract.explainers.libraries import library

from inferplane.dataplane.explainers.registry import module_of
from inferplane.inference.errors import ModelLoadError

shap = library("shap")

IRIS = load_iris()
ROWS = IRIS.data[[0, 60, 120]]


def explainer(directory: Path, estimator: Any, background: Any = None, **options: Any) -> Any:
    joblib.dump(estimator, directory / "model.joblib")
    if background is not None:
        np.save(directory / "background.npy", background)
    module = module_of("shap")
    return module.ShapExplainer("m", module.Options(directory=directory, **options))


async def test_a_forest_is_read_and_the_predictor_is_not_asked(tmp_path: Path) -> None:
    forest = RandomForestClassifier(10, random_state=0).fit(IRIS.data, IRIS.target)
    predictor = Predicting(forest, "predict_proba")
    async with explained(explainer(tmp_path, forest, feature_names=IRIS.feature_names), predictor) as front:
        answer = (await front.v1(ROWS.tolist())).json()
    expected = shap.TreeExplainer(forest)
    values = np.array([one["shap_values"] for one in answer["explanations"]])
    base = np.array([one["base_values"] for one in answer["explanations"]])
    np.testing.assert_allclose(values, np.moveaxis(expected.shap_values(ROWS), 2, 1), atol=1e-9)
    np.testing.assert_allclose(base, [expected.expected_value] * 3, atol=1e-9)
    np.testing.assert_allclose(base + values.sum(axis=2), forest.predict_proba(ROWS), atol=1e-9)
    assert (answer["method"], answer["feature_names"]) == ("tree", IRIS.feature_names)
    assert predictor.rows == 0


async def test_trees_with_one_output_have_a_number_a_feature(tmp_path: Path) -> None:
    data = load_diabetes()
    trees = GradientBoostingRegressor(n_estimators=10, random_state=0).fit(data.data, data.target)
    async with explained(explainer(tmp_path, trees), Predicting(trees, "predict")) as front:
        [one] = (await front.v1(data.data[:1].tolist())).json()["explanations"]
    assert one["base_values"] + sum(one["shap_values"]) == pytest.approx(trees.predict(data.data[:1])[0])


async def test_over_v2_explanations_are_tensors(tmp_path: Path) -> None:
    forest = RandomForestClassifier(10, random_state=0).fit(IRIS.data, IRIS.target)
    async with explained(explainer(tmp_path, forest), Predicting(forest, "predict_proba")) as front:
        answer = (await front.v2(ROWS)).json()
    outputs = {one["name"]: one for one in answer["outputs"]}
    assert (outputs["shap_values"]["shape"], outputs["base_values"]["shape"]) == ([3, 3, 4], [3, 3])
    expected = np.moveaxis(shap.TreeExplainer(forest).shap_values(ROWS), 2, 1)
    np.testing.assert_allclose(outputs["shap_values"]["data"], expected.ravel(), atol=1e-9)
    assert answer["parameters"]["method"] == "tree"


@pytest.mark.parametrize("kind", ["logistic", "linear"])
async def test_a_linear_model_is_compared_with_the_background(tmp_path: Path, kind: str) -> None:
    model = LogisticRegression(max_iter=500) if kind == "logistic" else LinearRegression()
    model.fit(IRIS.data, IRIS.target)
    background = IRIS.data[::5]
    async with explained(explainer(tmp_path, model, background), Predicting(model, "predict")) as front:
        answer = (await front.v1(ROWS.tolist())).json()
    expected = np.asarray(shap.LinearExplainer(model, background).shap_values(ROWS))
    expected = np.moveaxis(expected, 2, 1) if expected.ndim == 3 else expected
    values = [one["shap_values"] for one in answer["explanations"]]
    np.testing.assert_allclose(values, expected, atol=1e-9)
    assert answer["method"] == "linear"


@pytest.mark.parametrize("protocol", ["v1", "v2", "grpc-v2"])
async def test_any_other_model_is_asked_as_the_predictor_that_it_is(tmp_path: Path, protocol: str) -> None:
    model = SVC().fit(IRIS.data, IRIS.target)
    background = IRIS.data[::15]
    predictor = Predicting(model, "decision_function")
    front = explainer(tmp_path, model, background, samples=64)
    async with explained(front, predictor, protocol) as served:
        answer = (await served.v1(ROWS[:1].tolist())).json()
    direct = shap.KernelExplainer(model.decision_function, background)
    expected = direct.shap_values(ROWS[:1], nsamples=64, silent=True)
    [one] = answer["explanations"]
    np.testing.assert_allclose(one["shap_values"], np.moveaxis(expected, 2, 1)[0], atol=1e-6)
    sums = np.array(one["base_values"]) + np.sum(one["shap_values"], axis=1)
    np.testing.assert_allclose(sums, model.decision_function(ROWS[:1])[0], atol=1e-6)
    assert (answer["method"], predictor.rows > 0) == ("kernel", True)


async def test_what_the_predictor_refuses_is_the_answer(tmp_path: Path) -> None:
    model = SVC().fit(IRIS.data, IRIS.target)
    predictor = Predicting(model, "predict")
    predictor.ready = False
    async with explained(explainer(tmp_path, model, IRIS.data[::15]), predictor) as front:
        answer = await front.v1(ROWS[:1].tolist())
    assert (answer.status_code, answer.json()) == (503, {"error": "Model with name m is not ready."})


@pytest.mark.parametrize("rows", [[[1, 2, 3]], [["a", "b", "c", "d"]], [1, 2, 3, 4]])
async def test_rows_that_do_not_fit_are_the_clients_mistake(tmp_path: Path, rows: Any) -> None:
    forest = RandomForestClassifier(2, random_state=0).fit(IRIS.data, IRIS.target)
    async with explained(explainer(tmp_path, forest), Predicting(forest, "predict")) as front:
        answer = await front.v1(rows)
    assert answer.status_code == 400, answer.text


@pytest.mark.parametrize(
    ("method", "words"), [("tree", "--method=tree does not fit: found SVC"), ("kernel", "needs rows to compare with")]
)
def test_a_method_that_does_not_fit_is_said_at_the_start(tmp_path: Path, method: str, words: str) -> None:
    model = SVC().fit(IRIS.data, IRIS.target)
    with pytest.raises(ModelLoadError, match=words):
        explainer(tmp_path, model, method=method).load()
